/* xclbin.h - the container that Xilinx's runtime (XRT) loads: written, read, described, verified.
 *
 * What is written comes from the contract's lists and an entry of bitstreams/manifest.yaml: kernels
 * and units with their register maps, banks, clock, parameters. What is read may come from
 * anywhere: every offset, length and count is checked before use. xclbin_format.h has the bytes.
 *
 * A design is EMBEDDED_METADATA (XML) as a JSON object, whose keys are the XML's attributes:
 *     {"name", "platform", "board", "fpgaDevice", "target", "clock_mhz",
 *      "kernels": [{"name", "language", "type", "workGroupSize", "hwControlProtocol",
 *        "ports": [{"name", "mode", "range", "dataWidth", "portType", "base"}],
 *        "args": [{"name", "addressQualifier", "id", "port", "size", "offset", "hostOffset",
 *                  "hostSize", "type"}],
 *        "instances": [{"name", "base"}]}]}
 * addressQualifier: 0 scalar, 1 buffer (2 constant, 3 local, 4 stream); id: number of the argument;
 * offset: of its registers in the kernel's port S_AXI_CONTROL. base: of a unit's registers. Numbers
 * are numbers; what the XML does not say is not there. */
#ifndef OMT_EXEC_XCLBIN_H
#define OMT_EXEC_XCLBIN_H

#include <jansson.h>

#include "base/status.h"
#include "exec/bitstream.h"
#include "exec/xclbin_format.h"

/* ---- reading ---- */

typedef struct omt_xclbin {
	const char *path;    /* for messages; borrowed */
	const uint8_t *data; /* borrowed */
	size_t bytes;
	omt_axlf_head head;
	omt_axlf_section *sections;
	size_t count;
} omt_xclbin;

/* OMT_BAD_FORMAT when the head or a section's place breaks the format. */
omt_status omt_xclbin_parse(const char *path, const uint8_t *data, size_t bytes, omt_xclbin *file,
                            omt_error *err);
void omt_xclbin_free(omt_xclbin *file);

const char *omt_xclbin_kind_name(uint32_t kind); /* NULL: not known */
const char *omt_xclbin_mode_name(uint32_t mode);
const char *omt_xclbin_memory_name(uint32_t type);

/* The first one of a kind that is not empty; NULL: there is none. */
const omt_axlf_section *omt_xclbin_section(const omt_xclbin *file, omt_axlf_kind kind);

/* Entries of a table (OMT_AXLF_TABLE_LIST), 0 when it is not there; a table that is cut off is
 * OMT_BAD_FORMAT. */
omt_status omt_xclbin_entries(const omt_xclbin *file, omt_axlf_kind kind, size_t *count,
                              omt_error *err);
/* Entry i < count, into the struct of the kind. */
void omt_xclbin_entry(const omt_xclbin *file, omt_axlf_kind kind, size_t i, void *entry);

/* EMBEDDED_METADATA; given, json_decref(). None is OMT_BAD_FORMAT. */
omt_status omt_xclbin_design(const omt_xclbin *file, json_t **design, omt_error *err);

/* KEYVALUE_METADATA as an object of strings; given; NULL: none, or it cannot be read. */
json_t *omt_xclbin_values(const omt_xclbin *file);

/* All of it as JSON (host/omnitile.h, omt_bitstream_describe()): what cannot be read of it is in
 * "errors". Given; NULL: no memory. */
json_t *omt_xclbin_describe(const omt_xclbin *file);

/* ---- XML ---- */

/* `place` goes into errors. Document types, and with them entities, are refused. */
omt_status omt_xclbin_xml_read(const char *place, const char *text, size_t bytes, json_t **design,
                               omt_error *err);
/* Given, free(); NULL: no memory. */
char *omt_xclbin_xml_write(const json_t *design);

/* ---- writing ---- */

typedef struct omt_xclbin_bank {
	omt_axlf_memory type;
	uint64_t bytes;
	char tag[16]; /* "DDR[0]" */
} omt_xclbin_bank;

/* The banks of a card of configs/devices/, numbered as the manifest does. */
omt_status omt_xclbin_card_banks(const char *card, omt_xclbin_bank banks[OMT_BITSTREAM_BANKS],
                                 size_t *count, omt_error *err);

/* What the entry's kernels are, by the contract: units lie 64 KiB apart in the order of the ops,
 * registers of arguments from 0x10 on, as Vitis lays them: a buffer takes 12 bytes, a scalar 8. */
omt_status omt_xclbin_plan(const omt_bitstream *entry, json_t **design, omt_error *err);

/* The container of an entry, whose banks lie one behind the other from address 0; given, free().
 * The uuid is of the content: the same parts give the same bytes. Banks that are not there,
 * or too many units, are OMT_BAD_ARGUMENT. For target sw_emu every kernel has to reach bank 0, the
 * only one that XRT uses there for a buffer that was given a bank. */
omt_status omt_xclbin_pack(const omt_bitstream *entry, const omt_xclbin_bank *banks, size_t count,
                           const void *binary, size_t binary_bytes, uint8_t **data, size_t *bytes,
                           omt_error *err);

/* What KEYVALUE_METADATA says of a kernel under "omnitile.kernel.<name>": "gemm units=2 pe=8". */
#define OMT_XCLBIN_KERNEL_TEXT 256
void omt_xclbin_kernel_text(omt_op op, const omt_bitstream_kernel *kernel,
                            char text[OMT_XCLBIN_KERNEL_TEXT]);

/* The uuid that a container of ours with this content has. */
omt_status omt_xclbin_uuid(const uint8_t *data, size_t bytes, uint8_t uuid[16], omt_error *err);

/* ---- verifying ---- */

/* Says of each check how it went: layout, uuid, tables, the register map, units and their banks,
 * kernels against the contract; with an entry, whether all is as it says. */
typedef struct omt_xclbin_checks {
	void (*line)(void *user, bool passed, const char *text);
	void *user;
	uint64_t passed, failed;
} omt_xclbin_checks;
void omt_xclbin_verify(const omt_xclbin *file, const omt_bitstream *entry,
                       omt_xclbin_checks *checks);

#endif
