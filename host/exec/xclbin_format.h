/* xclbin_format.h - the bytes of an xclbin ("axlf"), the container that Xilinx's runtime loads.
 *
 * A head, `sections` section heads behind it, then the sections' content, each at a multiple of 8.
 * Numbers are little-endian. Source: xclbin.h of XRT 202210.2.13 (libxrt-dev), with which
 * tests/fpga/ compares every size and offset. Texts are filled up with NUL and need not end in one.
 */
#ifndef OMT_EXEC_XCLBIN_FORMAT_H
#define OMT_EXEC_XCLBIN_FORMAT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define OMT_AXLF_MAGIC        "xclbin2" /* with its NUL 8 bytes */
#define OMT_AXLF_MAX_SECTIONS 0x10000
#define OMT_AXLF_ALIGN        8

/* X(name, number): kinds of sections, the names as xclbinutil has them. */
#define OMT_AXLF_KIND_LIST(X)         \
	X(BITSTREAM, 0)               \
	X(CLEARING_BITSTREAM, 1)      \
	X(EMBEDDED_METADATA, 2)       \
	X(FIRMWARE, 3)                \
	X(DEBUG_DATA, 4)              \
	X(SCHED_FIRMWARE, 5)          \
	X(MEM_TOPOLOGY, 6)            \
	X(CONNECTIVITY, 7)            \
	X(IP_LAYOUT, 8)               \
	X(DEBUG_IP_LAYOUT, 9)         \
	X(DESIGN_CHECK_POINT, 10)     \
	X(CLOCK_FREQ_TOPOLOGY, 11)    \
	X(MCS, 12)                    \
	X(BMC, 13)                    \
	X(BUILD_METADATA, 14)         \
	X(KEYVALUE_METADATA, 15)      \
	X(USER_METADATA, 16)          \
	X(DNA_CERTIFICATE, 17)        \
	X(PDI, 18)                    \
	X(BITSTREAM_PARTIAL_PDI, 19)  \
	X(PARTITION_METADATA, 20)     \
	X(EMULATION_DATA, 21)         \
	X(SYSTEM_METADATA, 22)        \
	X(SOFT_KERNEL, 23)            \
	X(ASK_FLASH, 24)              \
	X(AIE_METADATA, 25)           \
	X(ASK_GROUP_TOPOLOGY, 26)     \
	X(ASK_GROUP_CONNECTIVITY, 27) \
	X(SMARTNIC, 28)               \
	X(AIE_RESOURCES, 29)          \
	X(OVERLAY, 30)                \
	X(VENDER_METADATA, 31)
typedef enum omt_axlf_kind {
#define OMT_AXLF_KIND_ENUM(name, number) OMT_AXLF_##name = (number),
	OMT_AXLF_KIND_LIST(OMT_AXLF_KIND_ENUM)
#undef OMT_AXLF_KIND_ENUM
} omt_axlf_kind;

/* X(name, number): what the binary is for. */
#define OMT_AXLF_MODE_LIST(X) \
	X(flat, 0)            \
	X(hw, 1)              \
	X(tandem, 2)          \
	X(tandem_pr, 3)       \
	X(hw_emu, 4)          \
	X(sw_emu, 5)          \
	X(hw_emu_pr, 6)
typedef enum omt_axlf_mode {
#define OMT_AXLF_MODE_ENUM(name, number) OMT_AXLF_MODE_##name = (number),
	OMT_AXLF_MODE_LIST(OMT_AXLF_MODE_ENUM)
#undef OMT_AXLF_MODE_ENUM
} omt_axlf_mode;

/* X(name, number): kinds of memory. */
#define OMT_AXLF_MEMORY_LIST(X)    \
	X(DDR3, 0)                 \
	X(DDR4, 1)                 \
	X(DRAM, 2)                 \
	X(STREAMING, 3)            \
	X(PREALLOCATED_GLOB, 4)    \
	X(ARE, 5)                  \
	X(HBM, 6)                  \
	X(BRAM, 7)                 \
	X(URAM, 8)                 \
	X(STREAMING_CONNECTION, 9) \
	X(HOST, 10)                \
	X(PS_KERNEL, 11)
typedef enum omt_axlf_memory {
#define OMT_AXLF_MEMORY_ENUM(name, number) OMT_AXLF_MEM_##name = (number),
	OMT_AXLF_MEMORY_LIST(OMT_AXLF_MEMORY_ENUM)
#undef OMT_AXLF_MEMORY_ENUM
} omt_axlf_memory;

#define OMT_AXLF_IP_KERNEL     1
#define OMT_AXLF_CONTROL_SHIFT 8 /* of ip properties: 0 is ap_ctrl_hs */
#define OMT_AXLF_CONTROL_MASK  0xff00u
#define OMT_AXLF_CLOCK_DATA    1
#define OMT_AXLF_CLOCK_KERNEL  2

typedef struct omt_axlf_section {
	uint32_t kind;
	char name[16];
	uint32_t padding;
	uint64_t offset, bytes; /* in the file */
} omt_axlf_section;

typedef struct omt_axlf_head {
	char magic[8];
	int32_t signature_bytes; /* behind the container; -1: not signed */
	uint8_t reserved[28];    /* 0xff */
	uint8_t key_block[256];
	uint64_t unique_id;
	uint64_t length; /* of the container, without a signature */
	uint64_t time_stamp, feature_rom_time_stamp;
	uint16_t version_patch;
	uint8_t version_major, version_minor;
	uint16_t mode, action_mask;
	uint8_t interface_uuid[16];
	char platform[64];
	uint8_t uuid[16];
	char debug_bin[16];
	uint32_t sections;
	uint32_t padding;
} omt_axlf_head;

/* MEM_TOPOLOGY: int32 count, 4 bytes, these. */
typedef struct omt_axlf_bank {
	uint8_t type, used, padding[6];
	uint64_t kbytes, base;
	char tag[16];
} omt_axlf_bank;

/* IP_LAYOUT: int32 count, 4 bytes, these, by base. */
typedef struct omt_axlf_ip {
	uint32_t type, properties;
	uint64_t base;
	char name[64]; /* kernel:unit */
} omt_axlf_ip;

/* CONNECTIVITY: int32 count, these. */
typedef struct omt_axlf_connection {
	int32_t argument, ip, bank; /* id of the argument, places in IP_LAYOUT and MEM_TOPOLOGY */
} omt_axlf_connection;

/* CLOCK_FREQ_TOPOLOGY: int16 count, these. */
typedef struct omt_axlf_clock {
	uint16_t mhz;
	uint8_t type, padding[5];
	char name[128];
} omt_axlf_clock;

static_assert(sizeof(omt_axlf_section) == 40, "section head");
static_assert(sizeof(omt_axlf_head) == 456, "head");
static_assert(offsetof(omt_axlf_head, length) == 304, "head");
static_assert(offsetof(omt_axlf_head, uuid) == 416, "uuid");
static_assert(sizeof(omt_axlf_bank) == 40, "bank");
static_assert(sizeof(omt_axlf_ip) == 80, "unit");
static_assert(sizeof(omt_axlf_connection) == 12, "connection");
static_assert(sizeof(omt_axlf_clock) == 136, "clock");

/* X(kind, struct, begin): sections that are tables; entries begin there. */
#define OMT_AXLF_TABLE_LIST(X)                    \
	X(MEM_TOPOLOGY, omt_axlf_bank, 8)         \
	X(IP_LAYOUT, omt_axlf_ip, 8)              \
	X(CONNECTIVITY, omt_axlf_connection, 4)   \
	X(CLOCK_FREQ_TOPOLOGY, omt_axlf_clock, 2) \
	X(ASK_GROUP_TOPOLOGY, omt_axlf_bank, 8)   \
	X(ASK_GROUP_CONNECTIVITY, omt_axlf_connection, 4)

#endif
