/* xclbin FILE - our container against XRT's own: structs and numbers of xclbin_format.h when this
 * is compiled, then FILE (made by tests/fpga/xclbin.sh, which says what is in it) loaded by XRT's
 * OpenCL without a device (XCL_EMULATION_MODE=noop). Prints what was wrong; exit status 0: nothing.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CL/cl.h>
#include <CL/cl_ext_xilinx.h>
#include <xrt/xclbin.h>

#include "base/file.h"
#include "exec/op.h"
#include "exec/xclbin_format.h"
#include "tests/fpga/expect.h"

/* ---- the format ---- */

#define SAME_SIZE(ours, theirs) static_assert(sizeof(ours) == sizeof(theirs), #theirs)
#define SAME_PLACE(ours, theirs, a, b)                                            \
	static_assert(offsetof(ours, a) == offsetof(theirs, b) &&                 \
	                      sizeof(((ours *)0)->a) == sizeof(((theirs *)0)->b), \
	              #theirs "." #b)

#define HEAD(a, b) SAME_PLACE(omt_axlf_head, struct axlf, a, b)
HEAD(magic, m_magic);
HEAD(signature_bytes, m_signature_length);
HEAD(reserved, reserved);
HEAD(key_block, m_keyBlock);
HEAD(unique_id, m_uniqueId);
HEAD(length, m_header.m_length);
HEAD(time_stamp, m_header.m_timeStamp);
HEAD(feature_rom_time_stamp, m_header.m_featureRomTimeStamp);
HEAD(version_patch, m_header.m_versionPatch);
HEAD(version_major, m_header.m_versionMajor);
HEAD(version_minor, m_header.m_versionMinor);
HEAD(mode, m_header.m_mode);
HEAD(action_mask, m_header.m_actionMask);
HEAD(interface_uuid, m_header.rom_uuid);
HEAD(platform, m_header.m_platformVBNV);
HEAD(uuid, m_header.uuid);
HEAD(debug_bin, m_header.m_debug_bin);
HEAD(sections, m_header.m_numSections);
static_assert(sizeof(omt_axlf_head) == offsetof(struct axlf, m_sections), "axlf");

SAME_SIZE(omt_axlf_section, struct axlf_section_header);
#define SECTION(a, b) SAME_PLACE(omt_axlf_section, struct axlf_section_header, a, b)
SECTION(kind, m_sectionKind);
SECTION(name, m_sectionName);
SECTION(offset, m_sectionOffset);
SECTION(bytes, m_sectionSize);

SAME_SIZE(omt_axlf_bank, struct mem_data);
#define BANK(a, b) SAME_PLACE(omt_axlf_bank, struct mem_data, a, b)
BANK(type, m_type);
BANK(used, m_used);
BANK(kbytes, m_size);
BANK(base, m_base_address);
BANK(tag, m_tag);

SAME_SIZE(omt_axlf_ip, struct ip_data);
#define IP(a, b) SAME_PLACE(omt_axlf_ip, struct ip_data, a, b)
IP(type, m_type);
IP(properties, properties);
IP(base, m_base_address);
IP(name, m_name);

SAME_SIZE(omt_axlf_connection, struct connection);
#define CONNECTION(a, b) SAME_PLACE(omt_axlf_connection, struct connection, a, b)
CONNECTION(argument, arg_index);
CONNECTION(ip, m_ip_layout_index);
CONNECTION(bank, mem_data_index);

SAME_SIZE(omt_axlf_clock, struct clock_freq);
#define CLOCK(a, b) SAME_PLACE(omt_axlf_clock, struct clock_freq, a, b)
CLOCK(mhz, m_freq_Mhz);
CLOCK(type, m_type);
CLOCK(name, m_name);

/* Where the entries of each table begin. */
#define BEGIN_MEM_TOPOLOGY            offsetof(struct mem_topology, m_mem_data)
#define BEGIN_IP_LAYOUT               offsetof(struct ip_layout, m_ip_data)
#define BEGIN_CONNECTIVITY            offsetof(struct connectivity, m_connection)
#define BEGIN_CLOCK_FREQ_TOPOLOGY     offsetof(struct clock_freq_topology, m_clock_freq)
#define BEGIN_ASK_GROUP_TOPOLOGY      BEGIN_MEM_TOPOLOGY
#define BEGIN_ASK_GROUP_CONNECTIVITY  BEGIN_CONNECTIVITY
#define SAME_BEGIN(kind, type, begin) static_assert(BEGIN_##kind == (begin), #kind);
OMT_AXLF_TABLE_LIST(SAME_BEGIN)

#define SAME_KIND(name, number) static_assert(name == (number), #name);
OMT_AXLF_KIND_LIST(SAME_KIND)
#define SAME_MEMORY(name, number) static_assert(MEM_##name == (number), #name);
OMT_AXLF_MEMORY_LIST(SAME_MEMORY)
#define SAME_MODE(ours, theirs) static_assert((int)OMT_AXLF_MODE_##ours == (int)(theirs), #theirs)
SAME_MODE(flat, XCLBIN_FLAT);
SAME_MODE(hw, XCLBIN_PR);
SAME_MODE(tandem, XCLBIN_TANDEM_STAGE2);
SAME_MODE(tandem_pr, XCLBIN_TANDEM_STAGE2_WITH_PR);
SAME_MODE(hw_emu, XCLBIN_HW_EMU);
SAME_MODE(sw_emu, XCLBIN_SW_EMU);
SAME_MODE(hw_emu_pr, XCLBIN_HW_EMU_PR);
static_assert(IP_KERNEL == OMT_AXLF_IP_KERNEL && IP_CONTROL_MASK == OMT_AXLF_CONTROL_MASK &&
                      IP_CONTROL_SHIFT == OMT_AXLF_CONTROL_SHIFT && AP_CTRL_HS == 0,
              "units");
static_assert(CT_DATA == OMT_AXLF_CLOCK_DATA && CT_KERNEL == OMT_AXLF_CLOCK_KERNEL, "clocks");
static_assert(XCLBIN_MAX_NUM_SECTION == OMT_AXLF_MAX_SECTIONS, "sections");

/* ---- XRT ---- */

static cl_context context;
static cl_program program;

static bool load(const char *path)
{
	cl_platform_id platform;
	cl_device_id device;
	cl_int status = CL_SUCCESS, loaded = CL_INVALID_BINARY;
	omt_map map;
	omt_error err;
	if (omt_map_open(path, &map, &err) != OMT_OK) {
		puts(err.text);
		return false;
	}
	if (clGetPlatformIDs(1, &platform, NULL) != CL_SUCCESS ||
	    clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, NULL) != CL_SUCCESS) {
		puts("XRT shows no device");
		return false;
	}
	context = clCreateContext(NULL, 1, &device, NULL, NULL, &status);
	program = clCreateProgramWithBinary(context, 1, &device, &map.bytes, &map.data, &loaded,
	                                    &status);
	EXPECT_OR(status == CL_SUCCESS && loaded == CL_SUCCESS, "%d, %d", status, loaded);
	return program != NULL;
}

/* What XRT says of an argument is what the contract says. */
static void check_argument(cl_kernel kernel, const omt_op_info *info, int32_t i)
{
	static const char *const types[] = {"float", "int", "uchar"};
	const bool buffer = i < info->buffers;
	const int32_t scalar = i - info->buffers;
	const char *name = buffer ? info->buffer[i].name : info->scalar[scalar].name;
	char type[16], said_name[64] = "", said_type[64] = "";
	snprintf(type, sizeof type, "%s%s",
	         types[buffer ? info->buffer[i].element : info->scalar[scalar].element],
	         buffer ? "*" : "");
	clGetKernelArgInfo(kernel, (cl_uint)i, CL_KERNEL_ARG_NAME, sizeof said_name, said_name,
	                   NULL);
	clGetKernelArgInfo(kernel, (cl_uint)i, CL_KERNEL_ARG_TYPE_NAME, sizeof said_type, said_type,
	                   NULL);
	EXPECT_OR(!strcmp(said_name, name) && !strcmp(said_type, type), "%s: %s %s, not %s %s",
	          info->name, said_type, said_name, type, name);
	if (buffer)
		return;
	const int32_t value = 1;
	EXPECT_OR(clSetKernelArg(kernel, (cl_uint)i, 4, &value) == CL_SUCCESS, "%s: %s", info->name,
	          name);
	EXPECT_OR(clSetKernelArg(kernel, (cl_uint)i, 2, &value) == CL_INVALID_ARG_SIZE, "%s: %s",
	          info->name, name);
}

/* A buffer in a bank: whether the argument takes it. */
static bool takes_bank(cl_kernel kernel, cl_uint argument, unsigned bank)
{
	cl_mem_ext_ptr_t placed = {.flags = bank | (cl_uint)XCL_MEM_TOPOLOGY};
	cl_int status;
	cl_mem buffer = clCreateBuffer(context, CL_MEM_READ_WRITE | (cl_uint)CL_MEM_EXT_PTR_XILINX,
	                               4096, &placed, &status);
	if (!buffer)
		return false;
	status = clSetKernelArg(kernel, argument, sizeof buffer, &buffer);
	clReleaseMemObject(buffer);
	return status == CL_SUCCESS;
}

static cl_kernel kernel_of(const char *name)
{
	cl_int status;
	cl_kernel kernel = clCreateKernel(program, name, &status);
	EXPECT_OR(kernel, "%s: %d", name, status);
	return kernel;
}

static void check_op(const omt_op_info *info)
{
	cl_uint count = 0;
	cl_kernel kernel = kernel_of(info->name);
	if (!kernel)
		return;
	clGetKernelInfo(kernel, CL_KERNEL_NUM_ARGS, sizeof count, &count, NULL);
	EXPECT_OR((int32_t)count == info->buffers + info->scalars, "%s: %u", info->name, count);
	for (int32_t i = 0; i < info->buffers + info->scalars; i++)
		check_argument(kernel, info, i);
	for (int32_t i = 0; i < info->buffers; i++)
		EXPECT_OR(takes_bank(kernel, (cl_uint)i, 0), "%s", info->buffer[i].name);
	clReleaseKernel(kernel);
}

/* gemm has two units, that reach banks 0 and 2. */
static void check_units(void)
{
	static const char *const names[] = {"gemm:{gemm_1}", "gemm:{gemm_2}"};
	const cl_uint last = (cl_uint)omt_op_infos[OMT_OP_gemm].buffers - 1;
	for (int unit = 0; unit < 2; unit++)
		for (unsigned bank = 0; bank < 4; bank++) {
			cl_kernel kernel = kernel_of(names[unit]);
			if (!kernel)
				return;
			EXPECT_OR(takes_bank(kernel, last, bank) == (bank == 0 || bank == 2),
			          "%s, bank %u", names[unit], bank);
			clReleaseKernel(kernel);
		}
	EXPECT_OR(!clCreateKernel(program, "gemm:{gemm_3}", NULL), "a third unit");
}

int main(int argc, char **argv)
{
	size_t kernels = 0;
	if (argc != 2 || !load(argv[1]))
		return 1;
	clGetProgramInfo(program, CL_PROGRAM_NUM_KERNELS, sizeof kernels, &kernels, NULL);
	EXPECT_OR(kernels == OMT_OP_COUNT, "%zu", kernels);
	for (omt_op op = 0; op < OMT_OP_COUNT; op++)
		check_op(&omt_op_infos[op]);
	check_units();
	return wrong;
}
