/* Which devices take their program from a binary of bitstreams/manifest.yaml, and which one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/opencl.h"

void omt_cl_binaries_open(const omt_backend_options *options, omt_cl_binaries *binaries)
{
	*binaries = (omt_cl_binaries){.name = omt_backend_bitstream(options),
	                              .refused = options->bitstream && !*options->bitstream};
	if (binaries->refused)
		return;
	char *path = omt_bitstreams_path();
	if (!path)
		OMT_FAIL(&binaries->failed, NO_MEMORY, "the path of a manifest");
	else
		omt_bitstreams_load(path, &binaries->all, &binaries->failed);
	free(path);
}

void omt_cl_binaries_close(omt_cl_binaries *binaries)
{
	omt_bitstreams_free(&binaries->all);
	*binaries = (omt_cl_binaries){0};
}

/* An entry that fits and whose file is what the manifest says. */
static omt_status find_binary(const omt_cl_device *device, const omt_cl_binaries *binaries,
                              const omt_bitstream **entry, omt_error *err)
{
	omt_backend_info info;
	omt_map map;
	omt_cl_device_info(device, &info);
	if (binaries->failed.status != OMT_OK)
		return omt_fail(err, binaries->failed.status, "%s", binaries->failed.text);
	OMT_TRY(omt_bitstreams_find(&binaries->all, binaries->name, info.platform, info.device,
	                            entry, err));
	OMT_TRY(omt_bitstream_load(&binaries->all, *entry, &map, err));
	omt_map_close(&map);
	return OMT_OK;
}

/* Emulations of cards have a compiler that takes minutes for what is made for GPUs: an accelerator
 * takes a binary where there is one for it. */
static bool is_accelerator(cl_device_id device)
{
	cl_device_type type = 0;
	clGetDeviceInfo(device, CL_DEVICE_TYPE, sizeof type, &type, NULL);
	return type & CL_DEVICE_TYPE_ACCELERATOR;
}

omt_status omt_cl_device_fit(const omt_cl_device *device, const omt_cl_binaries *binaries,
                             const omt_bitstream **entry, omt_error *err)
{
	omt_error why;
	*entry = NULL;
	if (!omt_cl_device_little(device->device))
		return OMT_FAIL(err, DEVICE, "big-endian");
	if (binaries && binaries->name)
		return find_binary(device, binaries, entry, err);
	/* XRT's devices are not "available" before a program uses them: here that is not asked. */
	const char *unfit = omt_cl_device_unfit(device->device);
	const bool asked = binaries && !binaries->refused;
	if (!unfit && !(asked && is_accelerator(device->device)))
		return OMT_OK;
	if (!asked)
		return OMT_FAIL(err, DEVICE, "%s", unfit);
	const omt_status status = find_binary(device, binaries, entry, &why);
	if (status == OMT_OK)
		return OMT_OK;
	*entry = NULL;
	/* Nobody asked for a binary: that there is none leaves the device out, no more. One that
	 * is there and not what it should be is a mistake to tell of. */
	const bool none = status == OMT_UNSUPPORTED || status == OMT_IO;
	if (none && !unfit)
		return OMT_OK;
	return omt_fail(err, none ? OMT_DEVICE : status, "%s%sfrom a binary: %s",
	                unfit ? unfit : "", unfit ? "; " : "", why.text);
}
