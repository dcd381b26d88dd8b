/* tape.h - the model's forward with a memory, and its backward.
 *
 * A tape is a backend: the forward of host/model enqueues its ops into it as into any other one,
 * and there is no second forward. The tape hands each op to the backend that computes (any chain of
 * host/exec) and keeps what the op's backward needs. Going back it walks over the ops in reverse;
 * grad.h has the backward of each. Buffers are reused in place by the forward, so gradients belong
 * to memory: each buffer has one gradient of its layout, that of its content at this point of the
 * walk. An op that wrote a range of a buffer takes that range's gradient and leaves zeros; what it
 * read gets its share added. Ops that nothing trainable reaches are not kept.
 *
 * A tape belongs to one thread. Several tapes share one omt_trainable and the frozen weights. */
#ifndef OMT_TRAIN_TAPE_H
#define OMT_TRAIN_TAPE_H

#include "model/batch.h"
#include "train/trainable.h"

typedef struct omt_tape omt_tape;
typedef struct omt_record omt_record; /* a forward that can be walked back */

typedef enum omt_keep {
	OMT_KEEP_NOTHING,     /* vectors only */
	OMT_KEEP_ALL,         /* what each op's backward needs */
	OMT_KEEP_CHECKPOINTS, /* what is alive between stretches of ops (Chen et al. 2016), about
	                         sqrt(layers) of them; the backward computes each stretch again */
} omt_keep;

typedef struct omt_tape_options {
	const char *backend, *device; /* as in omt_engine_options, of the forward; the backward is
	                                 the host's. NULL: "openblas" */
	int32_t threads;              /* of OpenBLAS, whichever tape calls it; 0: as it is */
	omt_batch_limits limits;      /* omt_batch_limits_of() */
	omt_lora lora;                /* rank 0: all tensors that the model has are trained */
	bool freeze_encoders;         /* full training of the text model alone */
} omt_tape_options;

/* `first` NULL: *trainable is made, from the checkpoint (LoRA: A and B zeros). Else this tape uses
 * that of `first`, which must be closed last, and its frozen weights; what is trained is as said
 * there. */
omt_status omt_tape_open(const omt_model *model, const omt_tape_options *options, omt_tape *first,
                         omt_trainable *trainable, omt_tape **tape, omt_error *err);
void omt_tape_close(omt_tape *tape);

/* vectors[items, hidden] of a batch. *record (not for OMT_KEEP_NOTHING) is given to
 * omt_tape_backward() or omt_record_free(); it has no pointer into the batch, and other forwards of
 * the tape may come between. */
omt_status omt_tape_forward(omt_tape *tape, omt_batch *batch, omt_keep keep, omt_record **record,
                            float *vectors, omt_error *err);
/* Adds to gradients[trainable->count] those of a loss whose gradient to the vectors is
 * dvectors[items, hidden]. The record is taken. The same bits for the same input. */
omt_status omt_tape_backward(omt_tape *tape, omt_record *record, const float *dvectors,
                             float *gradients, omt_error *err);
void omt_record_free(omt_record *record);
size_t omt_record_bytes(const omt_record *record);

/* After trainable->values changed, for each tape: a device with memory of its own gets them. */
omt_status omt_tape_update(omt_tape *tape, omt_error *err);

#endif
