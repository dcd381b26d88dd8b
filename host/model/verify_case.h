/* verify_case.h - a line of an expected-values folder (tests/golden/data/expected) as inputs. */
#ifndef OMT_MODEL_VERIFY_CASE_H
#define OMT_MODEL_VERIFY_CASE_H

#include "base/json.h"
#include "base/npy.h"
#include "model/sample.h"

#define OMT_CASE_PARTS 16

typedef struct omt_case {
	omt_json in;          /* place "cases.jsonl:7" and the object; borrowed */
	const char *dir;      /* of the arrays; borrowed */
	const char *root;     /* of the input files: dir's parent; borrowed */
	const char *id;       /* borrowed from the object */
	const char *modality; /* likewise */
	omt_part parts[OMT_CASE_PARTS];
	size_t part_count;
	char *owned[OMT_CASE_PARTS];                  /* texts and paths of the parts */
	bool lossless;                                /* every file's decoding is */
	double embedding_abs, cosine_min, hidden_abs; /* its tolerances */
} omt_case;

omt_status omt_case_read(omt_json in, const char *dir, const char *root, omt_case *into,
                         omt_error *err);
void omt_case_free(omt_case *into);

/* The item of its files, with the text as the case gives it (prefix included). */
omt_item omt_case_item(const omt_case *from);

/* Opens the array that `key` names; *present false when the case has no such key. */
omt_status omt_case_array(const omt_case *from, const char *key, omt_npy *array, bool *present,
                          omt_error *err);

/* The sample made from the case's decoded tensors instead of its files; *present false when the
 * case does not have all of them. */
omt_status omt_case_decoded(const omt_model *model, const omt_case *from, omt_sample *sample,
                            bool *present, omt_error *err);

#endif
