/* index_file.h - an index file, version 2: what is where in it, and its checks.
 *
 * Little endian; everything begins at a multiple of 4096.
 *     head        two copies, a page each, of omt_index_head
 *     segments    from 8192 to head.end, one after the other, each one of
 *         vectors     omt_segment_head
 *                     u64 ends of ids [rows], then the ids, each with a NUL
 *                     checksums of the blocks below; zeros to the page's end
 *                     sections, each with zeros to its last page's end:
 *                     - vectors [rows, dimension], f32 or bf16
 *                     - with codes int8 [rows, dimension rounded up to 4]
 *                     - with codes f32 scales [rows]
 *         deletes     omt_segment_head
 *                     u64 numbers of vectors, in the order of adding [rows]
 *
 * Checksums are omt_hash(): of a head, of all between a segment's head and its sections (read when
 * the file is opened), and of every 256 KB block of a section (compared before a search reads it
 * for the first time, or by omt_index_verify()), so that no byte can change unseen.
 *
 * A change is a segment written behind head.end and synced, then a head with the next number,
 * written over the first copy, synced, and over the second one. Killed at any point it leaves a
 * file whose whole head of the highest number is the state before or the state after; what lies
 * behind head.end is not of the index. */
#ifndef OMT_INDEX_INDEX_FILE_H
#define OMT_INDEX_INDEX_FILE_H

#include "base/digest.h"
#include "base/file.h"
#include "index/vectors.h"

#define OMT_INDEX_VERSION    2
#define OMT_INDEX_PAGE       4096
#define OMT_INDEX_FIRST      (2 * OMT_INDEX_PAGE) /* where segments begin */
#define OMT_INDEX_BLOCK      ((size_t)256 << 10)
#define OMT_INDEX_MODEL_TEXT 1024
#define OMT_INDEX_SECTIONS   3 /* vectors, codes, scales */

typedef struct omt_index_head {
	char magic[8]; /* "OMTINDEX" */
	uint32_t version, zero;
	uint8_t sum[OMT_CHECKSUM_BYTES]; /* of the page from here on */
	uint64_t number;                 /* of changes */
	uint64_t end;                    /* of the segments, bytes */
	uint64_t rows, deleted, left_out;
	uint64_t created_s; /* since 1970 */
	uint32_t dimension, dtype, codes, zero2;
	char model[OMT_INDEX_MODEL_TEXT]; /* NUL-terminated; "": not told */
} omt_index_head;

enum { OMT_SEGMENT_VECTORS = 1, OMT_SEGMENT_DELETES = 2 };

typedef struct omt_segment_head {
	char magic[8];                   /* "OMTSEGMT" */
	uint8_t sum[OMT_CHECKSUM_BYTES]; /* of the fields behind it */
	uint32_t kind, zero;
	uint64_t rows, id_bytes, bytes;   /* bytes: of the whole segment */
	double norm, rest;                /* as omt_vector_set has them */
	uint8_t body[OMT_CHECKSUM_BYTES]; /* of what lies between this head and the sections */
} omt_segment_head;

/* Where the parts of a segment lie, counted from its start. */
typedef struct omt_segment_layout {
	uint64_t ids, text, sums, sections[OMT_INDEX_SECTIONS + 1]; /* the last one: its end */
	uint64_t blocks[OMT_INDEX_SECTIONS + 1]; /* number of a section's first block, of all */
} omt_segment_layout;

/* False: no file could be so large. */
bool omt_segment_lay(const omt_index_head *head, uint32_t kind, uint64_t rows, uint64_t id_bytes,
                     omt_segment_layout *layout);

/* The checksum of `bytes` bytes; false: no memory. */
bool omt_index_sum(const void *data, size_t bytes, uint8_t sum[OMT_CHECKSUM_BYTES]);

/* A page with its checksum. False: no memory. */
bool omt_index_head_seal(const omt_index_head *head, uint8_t page[OMT_INDEX_PAGE]);
bool omt_segment_head_seal(omt_segment_head *head);

/* The head of a mapped file, checked against itself and the file's size. *copies: how many of its
 * copies are whole and say the same. */
omt_status omt_index_head_read(const char *path, const omt_map *map, omt_index_head *head,
                               int *copies, omt_error *err);

/* A segment in a mapped file; checked but for its sections. */
typedef struct omt_segment {
	const uint8_t *at;
	omt_segment_head head;
	omt_segment_layout layout;
	uint64_t first; /* number of its first vector */
} omt_segment;

/* The segment at byte `at` of a file whose head is sound. */
omt_status omt_segment_read(const char *path, const omt_map *map, const omt_index_head *head,
                            uint64_t at, omt_segment *segment, omt_error *err);

const char *omt_segment_id(const omt_segment *segment, uint64_t row);
/* The i-th of the vectors that a segment of deletes names. */
uint64_t omt_segment_deleted(const omt_segment *segment, uint64_t i);

/* Whether a block of the sections (numbered through) is what was written; *known false: no memory.
 */
bool omt_segment_block_is_whole(const omt_segment *segment, uint64_t block, bool *known);

#endif
