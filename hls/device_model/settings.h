/* settings.h - what the model of the card is asked to be: its speed, its faults, its log.
 *
 * From model.ini beside emconfig.json (lines `name = value`, # begins a comment), then from the
 * environment, OMT_MODEL_ and the name in capitals; the environment wins. README.md lists the
 * names. */
#ifndef OMT_HLS_DEVICE_MODEL_SETTINGS_H
#define OMT_HLS_DEVICE_MODEL_SETTINGS_H

#include <stddef.h>

#include "base/status.h"

enum { OMT_SETTING_TEXT = 1024 };

/* Which launch of a kernel fails. */
typedef struct omt_model_fault {
	char kernel[64]; /* "": no fault, "*": any kernel */
	uint64_t launch; /* from 1, counted over the kernel's units (over all of them for "*") */
} omt_model_fault;

typedef struct omt_model_settings {
	double clock_mhz;                  /* 0: as the container says, else 300 */
	double memory_gbps;                /* of one bank, 1e9 bytes a second */
	double memory_latency_ns;          /* of a launch's first access */
	double link_gbps, link_latency_us; /* of copies between host and card */
	double launch_us;                  /* from the start's write to the kernel's first cycle */
	double pace; /* a launch is held back until `pace` times its modelled time has passed; 0:
	                not at all */
	char log[OMT_SETTING_TEXT];       /* JSON lines, appended; "": none */
	double keep;                      /* 1: the shim's run directory is left there */
	uint64_t alloc_fail, alloc_limit; /* the n-th allocation; all beyond so many bytes */
	omt_model_fault hang, crash;
	uint64_t lost, disconnect, die; /* at the n-th call of the host */
} omt_model_settings;

/* The defaults. */
void omt_model_settings_init(omt_model_settings *settings);
/* One setting by name; `place` is for the error. */
omt_status omt_model_settings_set(omt_model_settings *settings, const char *place, const char *name,
                                  const char *value, omt_error *err);
/* The text of a model.ini. */
omt_status omt_model_settings_parse(omt_model_settings *settings, const char *place,
                                    const char *text, omt_error *err);
/* Defaults, model.ini (none: fine), environment. */
omt_status omt_model_settings_load(omt_model_settings *settings, omt_error *err);

#endif
