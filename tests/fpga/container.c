/* container LIBRARY FILE - a container for the tests, written after XRT's own xclbin.h:
 * buffers of one launch in several banks, a kernel of 18 arguments, kernels of two units. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xrt/xclbin.h>

enum { BANKS = 4, UNITS = 8, TEXT = 1 << 16, SECTIONS = 7 };
#define BANK_BYTES (1ull << 30)

static const struct kernel {
	const char *name;
	int buffers, scalars, units;
	int bank[6]; /* of each buffer; -1: all of them */
} kernels[] = {
	{"add", 3, 2, 2, {0, 1, 3}},
	{"many", 6, 12, 1, {2, 2, 2, 2, 2, 2}},
	{"touch", 1, 1, 2, {1}},
	{"lonely", 1, 0, 2, {3}},
};
enum { KERNELS = sizeof kernels / sizeof *kernels };

static char xml[TEXT];
static size_t xml_bytes;
static struct {
	int32_t count, pad;
	struct mem_data data[BANKS];
} topology;
static struct {
	int32_t count, pad;
	struct ip_data data[UNITS];
} layout;
static struct {
	int32_t count;
	struct connection data[UNITS * 6];
} wires;

static void say(const char *format, const char *name, int number, uint64_t address)
{
	xml_bytes +=
		(size_t)snprintf(xml + xml_bytes, TEXT - xml_bytes, format, name, number, address);
}

static void add_args(const struct kernel *kernel)
{
	uint64_t offset = 0x10;
	for (int i = 0; i < kernel->buffers + kernel->scalars; i++) {
		const int buffer = i < kernel->buffers;
		say(buffer ? "<arg name=\"b&#48;&amp;%s%d\" addressQualifier=\"1\" port=\"M\" "
		             "size=\"0x8\" hostOffset=\"0\" hostSize=\"0x8\" type=\"float*\" "
		             "offset=\"0x%llx\" "
		           : "<arg name=\"s%s%d\" addressQualifier=\"0\" port=\"S\" size=\"4\" "
		             "hostOffset=\"0\" hostSize=\"0x4\" type=\"int\" offset=\"0x%llx\" ",
		    "", i, offset);
		say("id='%s%d'/>\n", "", i, 0);
		offset += buffer ? 12 : 8;
	}
}

static void add_units(const struct kernel *kernel)
{
	say("<kernel name=\"%s\" language=\"c\" type=\"pl\" workGroupSize=\"%d\" ", kernel->name, 1,
	    0);
	say("hwControlProtocol=\"%s\"><port name=\"S\" mode=\"slave\" range=\"0x%x\" "
	    "dataWidth=\"32\" portType=\"addressable\" base=\"0x0\"/>\n",
	    "ap_ctrl_hs", 4096, 0);
	say("<!-- <kernel> %s --><port name=\"M\" mode=\"master\" range=\"0xFFFFFFFF\" "
	    "dataWidth=\"%d\" portType=\"addressable\" base=\"0x0\"/>\n",
	    kernel->name, 512, 0);
	add_args(kernel);
	for (int unit = 0; unit < kernel->units; unit++) {
		struct ip_data *ip = &layout.data[layout.count];
		ip->m_type = IP_KERNEL;
		ip->m_base_address = 0x1800000 + 0x10000 * (uint64_t)layout.count;
		snprintf((char *)ip->m_name, sizeof ip->m_name, "%s:%s_%d", kernel->name,
		         kernel->name, unit + 1);
		say("<instance name=\"%s_%d\"><addrRemap base=\"0x%llx\" port=\"S\"/></instance>\n",
		    kernel->name, unit + 1, ip->m_base_address);
		for (int i = 0; i < kernel->buffers; i++)
			for (int bank = 0; bank < BANKS; bank++)
				if (bank == kernel->bank[i])
					wires.data[wires.count++] =
						(struct connection){i, layout.count, bank};
		layout.count++;
	}
	say("</kernel>%s", "\n", 0, 0);
}

static void describe(void)
{
	say("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<project name=\"%s\"><platform "
	    "vendor=\"xilinx\" boardid=\"u250\" name=\"x\"><device name=\"fpga%d\" "
	    "fpgaDevice=\"virtexuplus\"><core name=\"OCL_REGION_0\" target=\"csim\" "
	    "type=\"clc_region\">\n",
	    "test", 0, 0);
	say("<kernelClocks><clock port=\"KERNEL_CLK\" frequency=\"%s%dMHz\"/></kernelClocks>\n", "",
	    250, 0);
	topology.count = BANKS;
	for (int i = 0; i < BANKS; i++) {
		topology.data[i].m_type = MEM_DDR4;
		topology.data[i].m_used = 1;
		topology.data[i].m_size = BANK_BYTES / 1024;
		topology.data[i].m_base_address = (unsigned)i * BANK_BYTES;
		snprintf((char *)topology.data[i].m_tag, 16, "bank%d", i);
	}
	for (int i = 0; i < KERNELS; i++)
		add_units(&kernels[i]);
	say("</core></device></platform></project>%s", "\n", 0, 0);
}

static char *read_all(const char *path, size_t *bytes)
{
	FILE *file = fopen(path, "rb");
	if (!file || fseek(file, 0, SEEK_END))
		return NULL;
	*bytes = (size_t)ftell(file);
	rewind(file);
	char *data = malloc(*bytes);
	if (data && fread(data, 1, *bytes, file) != *bytes)
		return NULL;
	fclose(file);
	return data;
}

static size_t padded(size_t bytes)
{
	return (bytes + 7) & ~(size_t)7;
}

int main(int count, char **words)
{
	size_t library_bytes;
	char *library = count > 2 ? read_all(words[1], &library_bytes) : NULL;
	if (!library)
		return 2;
	describe();
	const size_t topology_bytes = 8 + BANKS * sizeof *topology.data;
	const size_t wire_bytes = 4 + (size_t)wires.count * sizeof *wires.data;
	const struct {
		enum axlf_section_kind kind;
		const void *data;
		size_t bytes;
	} sections[SECTIONS] = {
		{BITSTREAM, library, library_bytes},
		{EMBEDDED_METADATA, xml, xml_bytes},
		{MEM_TOPOLOGY, &topology, topology_bytes},
		{IP_LAYOUT, &layout, 8 + (size_t)layout.count * sizeof *layout.data},
		{CONNECTIVITY, &wires, wire_bytes},
		{ASK_GROUP_TOPOLOGY, &topology, topology_bytes},
		{ASK_GROUP_CONNECTIVITY, &wires, wire_bytes},
	};
	size_t at = padded(offsetof(struct axlf, m_sections) +
	                   SECTIONS * sizeof(struct axlf_section_header)),
	       all = at;
	for (int i = 0; i < SECTIONS; i++)
		all += padded(sections[i].bytes);
	char *out = calloc(1, all);
	struct axlf *top = (struct axlf *)out;
	memcpy(top->m_magic, "xclbin2", 8);
	top->m_signature_length = -1;
	memset(top->reserved, 0xff, sizeof top->reserved);
	memset(top->m_keyBlock, 0xff, sizeof top->m_keyBlock);
	top->m_header.m_length = all;
	top->m_header.m_mode = XCLBIN_SW_EMU;
	strcpy((char *)top->m_header.m_platformVBNV, "xilinx_u250_gen3x16_xdma_4_1");
	memset(top->m_header.uuid, 7, 16);
	top->m_header.m_numSections = SECTIONS;
	for (int i = 0; i < SECTIONS; i++) {
		struct axlf_section_header *header =
			(struct axlf_section_header *)(out + offsetof(struct axlf, m_sections)) + i;
		header->m_sectionKind = sections[i].kind;
		header->m_sectionOffset = at;
		header->m_sectionSize = sections[i].bytes;
		memcpy(out + at, sections[i].data, sections[i].bytes);
		at += padded(sections[i].bytes);
	}
	FILE *file = fopen(words[2], "wb");
	return !file || fwrite(out, 1, all, file) != all || fclose(file);
}
