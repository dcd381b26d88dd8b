/* opencl.h - the pieces of the OpenCL backend: devices, tiles, programs, and what they share.
 *
 * Sources: OpenCL 1.2 specification; device/contract.h for the kernels' arguments. */
#ifndef OMT_EXEC_OPENCL_H
#define OMT_EXEC_OPENCL_H

#include <CL/cl.h>

#include "exec/backend.h"
#include "exec/bitstream.h"
#include "exec/opencl_tiles.h"

/* Name of an error code ("CL_OUT_OF_RESOURCES"); static. */
const char *omt_cl_error(cl_int code);
/* "OpenCL: what: CL_... (code)" as OMT_DEVICE; OMT_OK for CL_SUCCESS. */
omt_status omt_cl_check(cl_int code, const char *what, omt_error *err);

typedef struct omt_cl_device {
	cl_platform_id platform;
	cl_device_id device;
	int32_t number;      /* of `omnitile devices` */
	int32_t part, parts; /* a sub-device: which of how many, from 1; 0: a whole device */
	/* Its program is this binary; borrowed. NULL: kernels are built from their source. */
	const omt_bitstream *binary;
} omt_cl_device;

#define OMT_CL_LISTED 32 /* devices listed at most */

/* All devices of all platforms in a fixed order: devices[OMT_CL_LISTED]. */
omt_status omt_cl_devices_list(omt_cl_device *devices, int32_t *count, omt_error *err);

/* Binaries that devices may take their programs from. */
typedef struct omt_cl_binaries {
	const char *name;   /* of the entry asked for, borrowed; NULL: nobody asked for one */
	bool refused;       /* nobody is to have one */
	omt_bitstreams all; /* unless: */
	omt_error failed;   /* why the manifest cannot be read */
} omt_cl_binaries;
/* A manifest that is not there is no error yet. The options' strings must outlive it. */
void omt_cl_binaries_open(const omt_backend_options *options, omt_cl_binaries *binaries);
void omt_cl_binaries_close(omt_cl_binaries *binaries);

/* Whether a device can run the kernels, and from which binary (NULL: it builds them). Devices that
 * cannot build any take an entry that fits them, all take the one that was asked for. binaries
 * NULL: none. OMT_DEVICE says why it cannot; OMT_MISMATCH and others what is wrong in the manifest
 * or in a file of it. */
omt_status omt_cl_device_fit(const omt_cl_device *device, const omt_cl_binaries *binaries,
                             const omt_bitstream **entry, omt_error *err);
/* Whether it has its bytes in our order. */
bool omt_cl_device_little(cl_device_id device);
/* Why the kernels cannot be built for a device; NULL: they can; static. */
const char *omt_cl_device_unfit(cl_device_id device);

/* The devices that `wanted` names (omt_engine_options.device; NULL: OMT_DEVICE, else the first that
 * is fit), of more than `most` the first ones, and a context for each, which those share that share
 * memory: parts of one device, devices of one platform that work in the host's memory. Given:
 * omt_cl_devices_release(). binaries: as omt_cl_device_fit(), must outlive the devices. */
omt_status omt_cl_devices_open(const char *wanted, const omt_cl_binaries *binaries, int32_t most,
                               omt_cl_device *devices, cl_context *contexts, int32_t *count,
                               omt_error *err);
void omt_cl_devices_release(omt_cl_device *devices, cl_context *contexts, int32_t count);
/* panel and tile_rows are left 0: they follow from the tiles. */
void omt_cl_device_info(const omt_cl_device *device, omt_backend_info *info);

/* Global and local sizes of an op's launch in three dimensions; false: there is nothing to do.
 * `units`: the device's compute units, which all should have work.
 * Local sizes are never left to the driver: PoCL compiles a kernel for each one it meets. */
bool omt_cl_launch_size(omt_op op, const void *args, const omt_cl_tiles *tiles, int32_t units,
                        size_t global[3], size_t local[3]);

/* "OpenCL: what: CL_... : ..." as OMT_DEVICE with the build log from its first error on: the rest
 * does not fit a line. */
omt_status omt_cl_build_failed(cl_program program, cl_device_id device, cl_int code,
                               const char *what, omt_error *err);

/* A program before it is built. */
typedef struct omt_cl_source {
	const char *const *texts;
	size_t count;
	const char *options;
} omt_cl_source;

/* The program of this source as it was saved in the cache folder, built for the device (one device
 * of the context); false: there is none, or the runtime refuses it. Whether its kernels are those
 * of the contract is the caller's to ask. A program from a binary may have no names and types of
 * arguments to check (clGetKernelArgInfo): there the numbers of arguments have to do. */
bool omt_cl_program_load(cl_context context, cl_device_id device, const omt_cl_source *source,
                         cl_program *program);
/* Saves a built program, if it can be. */
void omt_cl_program_save(cl_device_id device, const omt_cl_source *source, cl_program program);

/* Whether a kernel's arguments are those of the contract. names_only: where types are not told. */
omt_status omt_cl_kernel_check(cl_kernel kernel, omt_op op, bool names_only, omt_error *err);

/* A queue that tells times; any_order: only events order its commands. */
omt_status omt_cl_queue_open(cl_context context, cl_device_id device, bool any_order,
                             cl_command_queue *queue, omt_error *err);

/* Kernels built with one set of tiles. */
typedef struct omt_cl_program {
	omt_cl_tiles tiles;
	uint32_t ops; /* 1 << op of each kernel */
	cl_program program;
	bool saved;                      /* it is in the cache folder */
	cl_kernel kernels[OMT_OP_COUNT]; /* NULL: not among those asked for */
} omt_cl_program;

/* Builds the kernels of `ops`, or takes them from the cache folder, and checks their arguments
 * against the contract. On failure *program holds what was made until then; omt_cl_program_free()
 * it in any case. */
omt_status omt_cl_program_build(cl_context context, cl_device_id device, const omt_cl_tiles *tiles,
                                uint32_t ops, omt_cl_program *program, omt_error *err);
void omt_cl_program_free(omt_cl_program *program);
/* Saves such a program, best after use: PoCL's binaries hold the kernels as compiled for the local
 * sizes that were launched. */
void omt_cl_program_keep(cl_device_id device, const omt_cl_program *program);

/* Kernels of device/ that are no ops, without tiles: `macros` are those that name them,
 * "-DOMT_KERNEL_name", and their own. Not kept in the cache folder. Given, clReleaseProgram(), also
 * on failure, unless NULL. */
omt_status omt_cl_program_build_plain(cl_context context, cl_device_id device, const char *macros,
                                      cl_program *program, omt_error *err);

/* For `omnitile tune`, on an open backend: builds one class's kernel with other tiles; and takes
 * that program (borrowed) for the class from the next run on, NULL: the backend's own again. */
omt_status omt_cl_class_build(omt_backend *self, omt_cl_class class, const omt_cl_tiles *tiles,
                              omt_cl_program *program, omt_error *err);
void omt_cl_class_use(omt_backend *self, omt_cl_class class, const omt_cl_program *program);
/* The tiles of an open backend. */
const omt_cl_tile_set *omt_cl_tiles_of(const omt_backend *self);

#endif
