#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/xclbin_verify.h"

#define FIRST_OFFSET  0x10    /* below it is the kernel's control */
#define DEFAULT_RANGE 0x10000 /* of registers, where the XML does not say */

/* ---- registers ---- */

static int64_t register_range(const json_t *kernel)
{
	size_t i;
	json_t *port;
	json_array_foreach(json_object_get(kernel, "ports"), i, port)
	{
		if (!strcmp(omt_xclbin_text(port, "mode"), "slave"))
			return omt_xclbin_number(port, "range");
	}
	return DEFAULT_RANGE;
}

/* Whether argument i lies in the kernel's registers and beside all before it. */
static bool argument_fits(omt_xclbin_verifier *in, const json_t *kernel, size_t i, int64_t range)
{
	const json_t *args = json_object_get(kernel, "args"), *arg = json_array_get(args, i);
	const int64_t begin = omt_xclbin_number(arg, "offset"),
		      bytes = omt_xclbin_number(arg, "size");
	const char *name = omt_xclbin_text(kernel, "name"), *own = omt_xclbin_text(arg, "name");
	if (begin < FIRST_OFFSET || begin % 4 || bytes < 1 || bytes > range ||
	    begin > range - bytes) {
		omt_xclbin_say(
			in, false,
			"kernel %s: %s at 0x%llx, %lld bytes: not in registers 0x%x to 0x%llx",
			name, own, (unsigned long long)begin, (long long)bytes, FIRST_OFFSET,
			(unsigned long long)range);
		return false;
	}
	for (size_t j = 0; j < i; j++) {
		const json_t *other = json_array_get(args, j);
		const int64_t at = omt_xclbin_number(other, "offset"),
			      size = omt_xclbin_number(other, "size");
		if (omt_xclbin_number(other, "addressQualifier") == 4 || at >= begin + bytes ||
		    begin >= at + size)
			continue;
		omt_xclbin_say(in, false, "kernel %s: %s and %s lie in the same registers", name,
		               omt_xclbin_text(other, "name"), own);
		return false;
	}
	return true;
}

static void check_registers(omt_xclbin_verifier *in, const json_t *kernel)
{
	const json_t *args = json_object_get(kernel, "args");
	const int64_t range = register_range(kernel);
	for (size_t i = 0; i < json_array_size(args); i++)
		if (omt_xclbin_number(json_array_get(args, i), "addressQualifier") != 4 &&
		    !argument_fits(in, kernel, i, range))
			return;
	omt_xclbin_say(in, true, "kernel %s: registers of %zu arguments",
	               omt_xclbin_text(kernel, "name"), json_array_size(args));
}

/* ---- the contract ---- */

static omt_op op_called(const char *name, size_t length)
{
	omt_op op = 0;
	while (op < OMT_OP_COUNT &&
	       (strncmp(omt_op_infos[op].name, name, length) || omt_op_infos[op].name[length]))
		op++;
	return op;
}

/* By the entry, else by what the container says, else by its own name. */
static omt_op op_of_kernel(const omt_xclbin_verifier *in, const char *name)
{
	char key[96];
	if (in->entry) {
		for (omt_op op = 0; op < OMT_OP_COUNT; op++)
			for (int32_t i = 0; i < in->entry->kernels[op].name_count; i++)
				if (!strcmp(in->entry->kernels[op].names[i], name))
					return op;
		return OMT_OP_COUNT;
	}
	snprintf(key, sizeof key, "omnitile.kernel.%s", name);
	const char *text = json_string_value(json_object_get(in->values, key));
	return text ? op_called(text, strcspn(text, " ")) : op_called(name, strlen(name));
}

static const json_t *argument_with(const json_t *kernel, int32_t id)
{
	size_t i;
	json_t *arg;
	json_array_foreach(json_object_get(kernel, "args"), i, arg)
	{
		const json_t *number = json_object_get(arg, "id");
		if (json_is_integer(number) && json_integer_value(number) == id)
			return arg;
	}
	return NULL;
}

static bool argument_agrees(omt_xclbin_verifier *in, const json_t *kernel, const omt_op_info *info,
                            int32_t id)
{
	const bool buffer = id < info->buffers;
	const char *wanted = buffer ? info->buffer[id].name : info->scalar[id - info->buffers].name;
	const json_t *arg = argument_with(kernel, id);
	if (arg && !strcmp(omt_xclbin_text(arg, "name"), wanted) &&
	    omt_xclbin_number(arg, "addressQualifier") == buffer &&
	    omt_xclbin_number(arg, "hostSize") == (buffer ? 8 : 4))
		return true;
	if (!arg)
		omt_xclbin_say(in, false, "kernel %s: no argument %d, the contract has %s",
		               info->name, id, wanted);
	else
		omt_xclbin_say(
			in, false,
			"kernel %s: argument %d is %s, qualifier %lld, %lld bytes; the contract "
			"has %s, %d, %d bytes",
			info->name, id, omt_xclbin_text(arg, "name"),
			(long long)omt_xclbin_number(arg, "addressQualifier"),
			(long long)omt_xclbin_number(arg, "hostSize"), wanted, buffer,
			buffer ? 8 : 4);
	return false;
}

static void check_kernel(omt_xclbin_verifier *in, const json_t *kernel)
{
	const char *name = omt_xclbin_text(kernel, "name");
	const omt_op op = op_of_kernel(in, name);
	check_registers(in, kernel);
	if (op == OMT_OP_COUNT) {
		omt_xclbin_say(in, false, "kernel %s is no op of contract %d", name,
		               OMT_CONTRACT_VERSION);
		return;
	}
	const omt_op_info *info = &omt_op_infos[op];
	const int32_t count = info->buffers + info->scalars;
	for (int32_t i = 0; i < count; i++)
		if (!argument_agrees(in, kernel, info, i))
			return;
	if (argument_with(kernel, count))
		omt_xclbin_say(in, false, "kernel %s has more arguments than the contract's %d",
		               name, count);
	else
		omt_xclbin_say(in, true, "kernel %s: arguments of %s", name, info->name);
}

static void check_contract(omt_xclbin_verifier *in)
{
	const char *told = json_string_value(json_object_get(in->values, "omnitile.contract"));
	char ours[16];
	snprintf(ours, sizeof ours, "%d", OMT_CONTRACT_VERSION);
	if (in->own)
		omt_xclbin_say(in, told && !strcmp(told, ours), "contract %s, this omnitile has %s",
		               told ? told : "not told", ours);
}

void omt_xclbin_check_kernels(omt_xclbin_verifier *in)
{
	size_t i;
	json_t *kernel;
	json_array_foreach(json_object_get(in->design, "kernels"), i, kernel)
	{
		check_kernel(in, kernel);
	}
	check_contract(in);
}

/* ---- units and banks ---- */

int32_t omt_xclbin_ip(const omt_xclbin *file, const char *kernel, const char *unit, uint64_t *base)
{
	char wanted[160];
	size_t count = 0;
	(void)omt_xclbin_entries(file, OMT_AXLF_IP_LAYOUT, &count, NULL);
	snprintf(wanted, sizeof wanted, "%s:%s", kernel, unit);
	for (size_t i = 0; i < count; i++) {
		omt_axlf_ip ip;
		omt_xclbin_entry(file, OMT_AXLF_IP_LAYOUT, i, &ip);
		*base = ip.base;
		if (ip.type == OMT_AXLF_IP_KERNEL && strlen(wanted) < sizeof ip.name &&
		    !strncmp(ip.name, wanted, sizeof ip.name))
			return (int32_t)i;
	}
	return -1;
}

/* The banks that an argument of a unit reaches, as bits; of banks from 63 on only that there are.
 */
uint64_t omt_xclbin_banks(const omt_xclbin_reach *in, int32_t ip, int32_t argument)
{
	const omt_axlf_connection wanted = {argument, ip, 0};
	uint64_t banks = 0;
	size_t low = 0, high = in->count;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (omt_xclbin_by_unit(&in->list[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < in->count && !omt_xclbin_by_unit(&in->list[low], &wanted); low++) {
		const int32_t bank = in->list[low].bank;
		banks |= UINT64_C(1) << (bank >= 0 && bank < 63 ? bank : 63);
	}
	return banks;
}

static bool unit_agrees(omt_xclbin_verifier *in, const json_t *kernel, const json_t *instance)
{
	const char *name = omt_xclbin_text(kernel, "name"),
		   *unit = omt_xclbin_text(instance, "name");
	uint64_t base;
	const int32_t ip = omt_xclbin_ip(in->file, name, unit, &base);
	size_t i;
	json_t *arg;
	if (ip < 0 || base != (uint64_t)omt_xclbin_number(instance, "base")) {
		omt_xclbin_say(in, false, "unit %s:%s is not in IP_LAYOUT at 0x%llx", name, unit,
		               (unsigned long long)omt_xclbin_number(instance, "base"));
		return false;
	}
	json_array_foreach(json_object_get(kernel, "args"), i, arg)
	{
		const int32_t id = (int32_t)omt_xclbin_number(arg, "id");
		if (omt_xclbin_number(arg, "addressQualifier") != 1 ||
		    (omt_xclbin_banks(&in->reach, ip, id) &&
		     (!in->groups.count || omt_xclbin_banks(&in->groups, ip, id))))
			continue;
		omt_xclbin_say(in, false, "unit %s:%s: %s reaches no bank", name, unit,
		               omt_xclbin_text(arg, "name"));
		return false;
	}
	return true;
}

/* Units of kernels in IP_LAYOUT; *sorted: whether it is, by bases of their own. A kernel that runs
 * by itself has none: all ones. */
static size_t units_laid_out(const omt_xclbin_verifier *in, bool *sorted)
{
	size_t count = 0, units = 0;
	uint64_t before = 0;
	*sorted = true;
	(void)omt_xclbin_entries(in->file, OMT_AXLF_IP_LAYOUT, &count, NULL);
	for (size_t i = 0; i < count; i++) {
		omt_axlf_ip ip;
		omt_xclbin_entry(in->file, OMT_AXLF_IP_LAYOUT, i, &ip);
		units += ip.type == OMT_AXLF_IP_KERNEL;
		*sorted = *sorted && (ip.base > before || !i || ip.base == UINT64_MAX);
		before = ip.base;
	}
	return units;
}

static void check_units(omt_xclbin_verifier *in)
{
	size_t units = 0, i, j;
	json_t *kernel, *instance;
	bool sorted;
	json_array_foreach(json_object_get(in->design, "kernels"), i, kernel)
	{
		json_array_foreach(json_object_get(kernel, "instances"), j, instance)
		{
			if (!unit_agrees(in, kernel, instance))
				return;
			units++;
		}
	}
	const size_t there = units_laid_out(in, &sorted);
	omt_xclbin_say(in, units == there && units && sorted,
	               "%zu units of kernels, %zu in IP_LAYOUT%s", units, there,
	               sorted ? "" : ", which is not sorted by base");
}

static bool is_memory(const omt_axlf_bank *bank)
{
	return bank->used && bank->type != OMT_AXLF_MEM_STREAMING &&
	       bank->type != OMT_AXLF_MEM_STREAMING_CONNECTION;
}

static int by_base(const void *a, const void *b)
{
	const omt_axlf_bank *x = a, *y = b;
	return x->base < y->base ? -1 : x->base > y->base;
}

/* Memory that is used: each bank has some, no two the same. */
static void check_banks(omt_xclbin_verifier *in)
{
	size_t count = 0, used = 0;
	(void)omt_xclbin_entries(in->file, OMT_AXLF_MEM_TOPOLOGY, &count, NULL);
	omt_axlf_bank *banks = malloc(count * sizeof *banks + 1);
	for (size_t i = 0; banks && i < count; i++) {
		omt_xclbin_entry(in->file, OMT_AXLF_MEM_TOPOLOGY, i, &banks[used]);
		used += is_memory(&banks[used]);
	}
	bool good = banks && used;
	if (good)
		qsort(banks, used, sizeof *banks, by_base);
	for (size_t i = 0; good && i < used; i++)
		good = banks[i].kbytes && banks[i].kbytes <= UINT64_MAX / 1024 &&
		       (!i || banks[i].base - banks[i - 1].base >= banks[i - 1].kbytes * 1024);
	omt_xclbin_say(in, good, "%zu banks of memory in use%s", used,
	               good ? ", side by side" : ": empty, or one over another");
	free(banks);
}

static bool bank_is(const omt_xclbin_verifier *in, omt_axlf_kind kind, int32_t place)
{
	size_t count = 0;
	omt_axlf_bank bank;
	(void)omt_xclbin_entries(in->file, kind, &count, NULL);
	if (place < 0 || (size_t)place >= count)
		return false;
	omt_xclbin_entry(in->file, kind, (size_t)place, &bank);
	return bank.used && (bank.kbytes || bank.type == OMT_AXLF_MEM_STREAMING ||
	                     bank.type == OMT_AXLF_MEM_STREAMING_CONNECTION);
}

static void check_connections(omt_xclbin_verifier *in, omt_axlf_kind kind, omt_axlf_kind banks)
{
	size_t count = 0, units = 0;
	(void)omt_xclbin_entries(in->file, kind, &count, NULL);
	(void)omt_xclbin_entries(in->file, OMT_AXLF_IP_LAYOUT, &units, NULL);
	for (size_t i = 0; i < count; i++) {
		omt_axlf_connection c;
		omt_xclbin_entry(in->file, kind, i, &c);
		if (c.ip >= 0 && (size_t)c.ip < units && c.argument >= 0 &&
		    bank_is(in, banks, c.bank))
			continue;
		omt_xclbin_say(
			in, false,
			"%s: entry %zu joins argument %d of unit %d to bank %d, which is not",
			omt_xclbin_kind_name(kind), i, c.argument, c.ip, c.bank);
		return;
	}
	if (count)
		omt_xclbin_say(in, true, "%s: %zu connections", omt_xclbin_kind_name(kind), count);
}

static void check_clock(omt_xclbin_verifier *in)
{
	const int64_t told = omt_xclbin_number(in->design, "clock_mhz");
	size_t count = 0;
	(void)omt_xclbin_entries(in->file, OMT_AXLF_CLOCK_FREQ_TOPOLOGY, &count, NULL);
	for (size_t i = 0; i < count; i++) {
		omt_axlf_clock clock;
		omt_xclbin_entry(in->file, OMT_AXLF_CLOCK_FREQ_TOPOLOGY, i, &clock);
		if (clock.type == OMT_AXLF_CLOCK_KERNEL)
			omt_xclbin_say(
				in, clock.mhz == told,
				"kernels' clock: %u MHz in CLOCK_FREQ_TOPOLOGY, %lld in the XML",
				clock.mhz, (long long)told);
	}
}

void omt_xclbin_check_units(omt_xclbin_verifier *in)
{
	check_units(in);
	check_banks(in);
	check_connections(in, OMT_AXLF_CONNECTIVITY, OMT_AXLF_MEM_TOPOLOGY);
	check_connections(in, OMT_AXLF_ASK_GROUP_CONNECTIVITY,
	                  omt_xclbin_section(in->file, OMT_AXLF_ASK_GROUP_TOPOLOGY)
	                          ? OMT_AXLF_ASK_GROUP_TOPOLOGY
	                          : OMT_AXLF_MEM_TOPOLOGY);
	check_clock(in);
}
