/* npy.h - NumPy's .npy files: format 1.0 to 3.0, little endian, C order; f2, f4, f8, i4, i8, u1. */
#ifndef OMT_BASE_NPY_H
#define OMT_BASE_NPY_H

#include "base/file.h"

#define OMT_NPY_DIMS 8

typedef struct omt_npy {
	char type; /* 'h' f16, 'f' f32, 'd' f64, 'i' i32, 'l' i64, 'u' u8 */
	int32_t dims;
	int64_t shape[OMT_NPY_DIMS];
	int64_t count;    /* elements */
	const void *data; /* borrowed from the mapping */
	omt_map map;
} omt_npy;

omt_status omt_npy_open(const char *path, omt_npy *npy, omt_error *err);
void omt_npy_close(omt_npy *npy);

/* Writes the 128-byte header of an f32 [rows, cols] array (so that rows can be filled in when they
 * are known, at the stream's start). */
omt_status omt_npy_write_header(FILE *stream, const char *path, int64_t rows, int64_t cols,
                                omt_error *err);

#endif
