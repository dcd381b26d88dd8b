/* energy_sources.h - the inside of bench/probes/energy.h: the files that tell energy or power. */
#ifndef OMT_BENCH_ENERGY_SOURCES_H
#define OMT_BENCH_ENERGY_SOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OMT_ENERGY_SOURCES 64

typedef struct omt_energy_source {
	char name[192]; /* "rapl:package-0" */
	char path[512];
	char card[64];  /* "0000:3b:00" of a card on PCI, "": the host's */
	bool power;     /* microwatts, to be sampled; else a counter of microjoules */
	uint64_t range; /* the counter's largest value, after which 0 comes; 0: it does not wrap */
	int file;
} omt_energy_source;

typedef struct omt_energy_sources {
	omt_energy_source list[OMT_ENERGY_SOURCES];
	size_t count;
	char obstacle[512]; /* the first file that is there but cannot be taken, and why; "": none
	                     */
} omt_energy_sources;

/* All sources below `root`, opened. */
void omt_energy_sources_find(const char *root, omt_energy_sources *found);
void omt_energy_sources_close(omt_energy_sources *found);

/* The number in the source's file now; false: there is none. */
bool omt_energy_source_read(const omt_energy_source *source, uint64_t *value);

#endif
