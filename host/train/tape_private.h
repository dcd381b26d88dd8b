/* tape_private.h - the tape's inside: tape.c opens it and runs batches, tape_memory.c is the
 * backend's buffers and what is kept of their content, tape_run.c hands ops on and records them,
 * tape_gemm.c has the products, tape_backward.c walks back.
 *
 * Two modes of recording. OMT_KEEP_ALL copies, before an op runs, what its backward reads.
 * OMT_KEEP_CHECKPOINTS copies what a stretch of ops reads that was there before the stretch; going
 * back, each stretch is run again from there with OMT_KEEP_ALL. */
#ifndef OMT_TRAIN_TAPE_PRIVATE_H
#define OMT_TRAIN_TAPE_PRIVATE_H

#include "model/forward.h"
#include "train/tape.h"

#define OMT_TAPE_SECTIONS 3 /* tensors of one buffer: q, k and v */

/* Elements of a buffer from `first` on are trainable->values from `at` on. */
typedef struct omt_tape_place {
	size_t first, count, at;
} omt_tape_place;

/* A low-rank update of columns of c: those of a tensor in a block of the matrix. */
typedef struct omt_tape_lora {
	int32_t first, n;  /* columns */
	size_t a_at, b_at; /* of trainable->values: A [rank, k], B [n, rank] */
	omt_buffer *a, *b; /* the inner exec's */
} omt_tape_lora;

typedef struct omt_tape_buffer {
	omt_buffer base;
	omt_buffer *inner;
	struct omt_tape_buffer *next; /* of the tape's activations, or of its weights */
	bool weight;
	const void *host; /* weights: their content; NULL: not known yet, or activations */
	void *shadow;     /* a device's: memory behind `host`, or a copy of an activation */
	size_t shadow_bytes;
	uint64_t shadow_version;

	/* Weights. */
	omt_tape_place places[OMT_TAPE_SECTIONS];
	int32_t place_count;
	omt_tape_lora lora[OMT_TAPE_SECTIONS];
	int32_t lora_count;

	/* Activations. */
	uint64_t version; /* raised by every write */
	size_t live;      /* bytes of its content */
	bool by_op;       /* whether an op wrote it, or the host */
	bool tracked;     /* something trainable reaches its content */
	/* Of checkpoints: the last stretch in which a recorded op wrote it; whether that content is
	 * there still. */
	uint64_t stretch;
	bool made;
	struct {
		uint64_t scope, version; /* a record's or a stretch's number */
		const void *data;
		size_t bytes;
	} kept;
	float *gradient; /* of base.bytes; zeros but during a backward; NULL: never needed */
} omt_tape_buffer;

/* Memory of records, given back all at once. */
typedef struct omt_tape_chunk {
	struct omt_tape_chunk *next;
	size_t bytes, used;
	uint8_t *data;
} omt_tape_chunk;

/* An op that was run, and what its backward needs. */
typedef struct omt_tape_step {
	omt_op op;
	uint32_t tracked; /* 1 << i: a gradient of activation i is wanted */
	omt_op_any_args args;
	const void *content[OMT_OP_MAX_BUFFERS]; /* of buffers as the op read them */
	const float *z;                          /* a gemm's before act or product, [m, n] */
	const float *low[OMT_TAPE_SECTIONS];     /* LoRA's scaled A x, [m, rank] */
} omt_tape_step;

/* What a stretch of ops found. */
typedef struct omt_tape_content {
	struct omt_tape_content *next; /* kept before this one */
	omt_tape_buffer *buffer;
	const void *data;
	size_t bytes;
} omt_tape_content;
typedef struct omt_tape_stretch {
	size_t first; /* step */
	omt_tape_content *contents;
	bool *tracked; /* of the activations in the list's order */
} omt_tape_stretch;

struct omt_record {
	omt_tape *tape;
	omt_keep keep;
	int32_t items;
	uint64_t number;
	omt_tape_chunk *chunks; /* the last one first */
	omt_tape_step *steps;
	size_t step_count, step_capacity;
	omt_tape_stretch *stretches;
	size_t stretch_count, stretch_capacity;
	uint64_t stretch_number; /* of the last stretch; numbers are the tape's */
	int32_t norms;           /* in it so far */
};

enum { OMT_SCRATCH_Z, OMT_SCRATCH_LOW, OMT_SCRATCH_ACT, OMT_SCRATCH_DZ, OMT_SCRATCH_COUNT };

struct omt_tape {
	omt_backend base; /* what the outer exec runs on; closed with it */
	omt_exec *inner;  /* computes */
	omt_exec *outer;  /* the forward's, with this tape as its only backend */
	bool host;        /* the inner exec's buffers are host memory */
	const omt_model *model;
	omt_lora lora;
	omt_trainable *trainable;
	omt_tape *first; /* whose weights these are; itself, if they are its own */
	omt_params own;
	omt_buffer *lora_scale;  /* [rank]: alpha / rank; the inner exec's */
	omt_buffer **lora_owned; /* its A's and B's */
	size_t lora_owned_count;
	omt_workspace work;
	omt_batch_device device;
	omt_batch_limits limits;
	omt_tape_buffer *activations, *weights;
	int32_t activation_count;

	omt_record *record;    /* NULL: nothing is kept */
	uint64_t numbers;      /* of records and stretches so far */
	int32_t stretch_norms; /* norms a stretch */
	omt_tape_chunk *spare;

	float *scratch[OMT_SCRATCH_COUNT];
	size_t scratch_floats[OMT_SCRATCH_COUNT];
	omt_buffer *device_scratch[OMT_SCRATCH_COUNT]; /* the inner exec's */
};

/* ---- trainable.c ---- */

/* The parts and values of a training of this model. */
omt_status omt_trainable_make(const omt_model *model, const omt_lora *lora, bool freeze_encoders,
                              omt_trainable *trainable, omt_error *err);

/* ---- tape_memory.c ---- */

extern const omt_backend_class omt_backend_tape;

static inline omt_tape_buffer *omt_tape_buffer_of(const omt_buffer *buffer)
{
	return (omt_tape_buffer *)(uintptr_t)buffer;
}

/* The buffer's first `bytes` on the host, until it is written or viewed again. */
omt_status omt_tape_view(omt_tape *tape, omt_tape_buffer *buffer, size_t bytes, const void **data,
                         omt_error *err);
/* Content of a buffer after the host or an op wrote `bytes` from its start. */
void omt_tape_wrote(omt_tape_buffer *buffer, size_t bytes, bool whole, bool by_op);

/* Memory of the record. */
omt_status omt_tape_take(omt_record *record, size_t bytes, void **data, omt_error *err);
/* The buffer's first `bytes`, copied to the record's memory, once for a scope and a version. */
omt_status omt_tape_keep(omt_record *record, uint64_t scope, omt_tape_buffer *buffer, size_t bytes,
                         const void **data, omt_error *err);
void omt_tape_drop(omt_tape *tape, omt_tape_chunk *chunks);
/* Host memory of `floats`, until the slot is asked for again. */
omt_status omt_tape_scratch(omt_tape *tape, int32_t slot, size_t floats, float **data,
                            omt_error *err);
/* A buffer of the inner exec of a product's `floats`, and, on a host, where they are: the record's
 * memory if they are kept, else scratch. */
omt_status omt_tape_product(omt_tape *tape, int32_t slot, size_t floats, bool kept,
                            omt_buffer **buffer, float **data, omt_error *err);
/* Ends it: on a device, *data gets a copy of what was computed, if it is wanted. */
omt_status omt_tape_product_end(omt_tape *tape, int32_t slot, size_t floats, bool kept,
                                omt_buffer *buffer, bool wanted, float **data, omt_error *err);

/* ---- tape_run.c ---- */

omt_status omt_tape_run(omt_backend *self, omt_op op, const void *args, uint64_t *mark,
                        omt_error *err);
/* Buffers that the op reads or writes with these scalars: bits. */
uint32_t omt_tape_uses(omt_op op, const void *args);
/* The buffer that it writes. */
int32_t omt_tape_out(omt_op op);

/* ---- tape_gemm.c ---- */

/* Runs the step's gemm. What is recorded goes by way of z; `kept`: with what its backward reads in
 * the step. */
omt_status omt_tape_gemm(omt_tape *tape, omt_tape_step *step, bool recorded, bool kept,
                         uint64_t *mark, omt_error *err);

/* ---- tape_backward.c ---- */

/* The record's steps in reverse; gradients of the vectors are in their buffer's gradient. */
omt_status omt_tape_walk_back(omt_tape *tape, const omt_record *record, float *gradients,
                              omt_error *err);
omt_status omt_tape_gradient(omt_tape_buffer *buffer, omt_error *err);

#endif
