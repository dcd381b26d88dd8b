/* What is asked for: the backends of a chain, devices, programs. */
#include <stdlib.h>
#include <string.h>

#include "exec/exec.h"

static const omt_backend_class *const classes[OMT_CHAIN] = {&omt_backend_opencl,
                                                            &omt_backend_openblas, &omt_backend_ref,
                                                            &omt_backend_hls, &omt_backend_model};

static const omt_backend_class *class_named(const char *name, size_t length)
{
	for (size_t i = 0; i < OMT_CHAIN; i++)
		if (strlen(classes[i]->name) == length && !strncmp(classes[i]->name, name, length))
			return classes[i];
	return NULL;
}

omt_status omt_exec_parse_chain(const char *text, const omt_backend_class *chain[OMT_CHAIN],
                                int32_t *count, omt_error *err)
{
	*count = 0;
	if (!text || !*text)
		text = getenv("OMT_BACKEND");
	if (!text || !*text)
		text = "opencl,openblas,ref";
	for (const char *at = text; *at;) {
		size_t length = strcspn(at, ",");
		const omt_backend_class *class = class_named(at, length);
		if (!class)
			return OMT_FAIL(
				err, BAD_ARGUMENT,
				"backend \"%.*s\" is not one of opencl, openblas, ref, hls, model",
				(int)length, at);
		for (int32_t i = 0; i < *count; i++)
			if (chain[i] == class)
				return OMT_FAIL(err, BAD_ARGUMENT, "backend %s twice in \"%s\"",
				                class->name, text);
		chain[(*count)++] = class;
		at += length;
		at += *at == ',';
	}
	if (!*count)
		return OMT_FAIL(err, BAD_ARGUMENT, "no backend is named");
	for (int32_t i = 0; *count > 1 && i < *count; i++)
		if (chain[i] == &omt_backend_model)
			return OMT_FAIL(err, BAD_ARGUMENT,
			                "backend model computes nothing, it stands alone: \"%s\"",
			                text);
	return OMT_OK;
}

const char *omt_backend_device(const omt_backend_options *options)
{
	const char *device = options->device;
	if (!device || !*device)
		device = getenv("OMT_DEVICE");
	return device && *device ? device : NULL;
}

const char *omt_backend_bitstream(const omt_backend_options *options)
{
	const char *name = options->bitstream;
	if (!name)
		name = getenv("OMT_BITSTREAM");
	return name && *name ? name : NULL;
}
