/* xclbin_verify.h - what the checks of omt_xclbin_verify() share. */
#ifndef OMT_EXEC_XCLBIN_VERIFY_H
#define OMT_EXEC_XCLBIN_VERIFY_H

#include "exec/xclbin.h"

/* The connections of a kind, by unit and argument. */
typedef struct omt_xclbin_reach {
	omt_axlf_connection *list;
	size_t count;
} omt_xclbin_reach;

typedef struct omt_xclbin_verifier {
	const omt_xclbin *file;
	const omt_bitstream *entry; /* or NULL */
	omt_xclbin_checks *checks;
	bool own;                       /* omnitile made it */
	json_t *design, *values;        /* NULL: none */
	bool tables;                    /* all can be read */
	omt_xclbin_reach reach, groups; /* CONNECTIVITY, ASK_GROUP_CONNECTIVITY */
} omt_xclbin_verifier;

void omt_xclbin_say(omt_xclbin_verifier *in, bool passed, const char *format, ...) OMT_PRINTF(3, 4);

/* Of a member: 0 and "" when it is absent or of another type. */
int64_t omt_xclbin_number(const json_t *object, const char *key);
const char *omt_xclbin_text(const json_t *object, const char *key);

/* Connections are sorted so. */
int omt_xclbin_by_unit(const void *a, const void *b);

/* The place in IP_LAYOUT of a unit and its base; -1: none. */
int32_t omt_xclbin_ip(const omt_xclbin *file, const char *kernel, const char *unit, uint64_t *base);

/* The banks that an argument of a unit reaches, as bits; of banks from 63 on only that there are.
 */
uint64_t omt_xclbin_banks(const omt_xclbin_reach *in, int32_t ip, int32_t argument);

/* Registers of every kernel, its arguments against the contract; then, where tables can be read,
 * units, connections and clock. */
void omt_xclbin_check_kernels(omt_xclbin_verifier *in);
void omt_xclbin_check_units(omt_xclbin_verifier *in);

#endif
