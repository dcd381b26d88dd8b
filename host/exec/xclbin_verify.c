#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/json.h"
#include "exec/xclbin_verify.h"

#define MAX_UNITS 4096 /* more are not looked at */

/* ---- saying ---- */

void omt_xclbin_say(omt_xclbin_verifier *in, bool passed, const char *format, ...)
{
	omt_error text; /* one line, whatever is in it */
	char line[sizeof text.text];
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	omt_fail(&text, OMT_OK, "%s", line);
	*(passed ? &in->checks->passed : &in->checks->failed) += 1;
	in->checks->line(in->checks->user, passed, text.text);
}

int64_t omt_xclbin_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

const char *omt_xclbin_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

/* ---- the container ---- */

/* Kinds that may come more than once. */
static bool may_repeat(uint32_t kind)
{
	return kind == OMT_AXLF_SOFT_KERNEL || kind == OMT_AXLF_ASK_FLASH ||
	       kind == OMT_AXLF_VENDER_METADATA || !omt_xclbin_kind_name(kind);
}

static void check_layout(omt_xclbin_verifier *in)
{
	const omt_xclbin *file = in->file;
	uint64_t seen = 0;
	for (size_t i = 0; i < file->count; i++) {
		const omt_axlf_section *s = &file->sections[i];
		if (s->bytes && s->offset % OMT_AXLF_ALIGN) {
			omt_xclbin_say(in, false,
			               "section %zu (kind %u) lies at %llu, no multiple of %d", i,
			               s->kind, (unsigned long long)s->offset, OMT_AXLF_ALIGN);
			return;
		}
		if (may_repeat(s->kind))
			continue;
		if (seen >> s->kind & 1) {
			omt_xclbin_say(in, false, "section %zu is a second %s", i,
			               omt_xclbin_kind_name(s->kind));
			return;
		}
		seen |= UINT64_C(1) << s->kind;
	}
	omt_xclbin_say(in, true, "%zu sections, aligned, side by side, in %llu bytes", file->count,
	               (unsigned long long)file->head.length);
}

static void check_uuid(omt_xclbin_verifier *in)
{
	static const uint8_t none[16];
	const omt_axlf_head *head = &in->file->head;
	uint8_t made[16];
	if (!memcmp(head->uuid, none, sizeof none))
		omt_xclbin_say(in, false, "uuid: not set");
	else if (!in->own)
		omt_xclbin_say(in, true,
		               "uuid: set; not omnitile's own, so it says nothing of the content");
	else if (omt_xclbin_uuid(in->file->data, in->file->bytes, made, NULL) != OMT_OK)
		omt_xclbin_say(in, false, "uuid: no memory");
	else if (memcmp(head->uuid, made, sizeof made) ||
	         memcmp(&head->unique_id, made, sizeof head->unique_id))
		omt_xclbin_say(in, false, "uuid: not of this content");
	else
		omt_xclbin_say(in, true, "uuid: of the content");
}

/* Two marks: damage does not make it another's. */
static bool is_own(const omt_xclbin_verifier *in)
{
	return json_object_get(in->values, "omnitile.contract") ||
	       !strncmp(in->file->head.platform, "omnitile:", 9);
}

static void check_sections(omt_xclbin_verifier *in)
{
	static const omt_axlf_kind needed[] = {OMT_AXLF_BITSTREAM, OMT_AXLF_EMBEDDED_METADATA,
	                                       OMT_AXLF_MEM_TOPOLOGY, OMT_AXLF_IP_LAYOUT,
	                                       OMT_AXLF_CONNECTIVITY};
	bool all = true;
	for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
		if (!omt_xclbin_section(in->file, needed[i])) {
			omt_xclbin_say(in, false, "no section %s", omt_xclbin_kind_name(needed[i]));
			all = false;
		}
	if (all)
		omt_xclbin_say(in, true, "all sections that XRT needs are there");
}

/* ---- tables ---- */

int omt_xclbin_by_unit(const void *a, const void *b)
{
	const omt_axlf_connection *x = a, *y = b;
	if (x->ip != y->ip)
		return x->ip < y->ip ? -1 : 1;
	return x->argument < y->argument ? -1 : x->argument > y->argument;
}

static bool load_reach(omt_xclbin_verifier *in, omt_axlf_kind kind, omt_xclbin_reach *to)
{
	(void)omt_xclbin_entries(in->file, kind, &to->count, NULL);
	to->list = malloc(to->count * sizeof *to->list + 1);
	for (size_t i = 0; to->list && i < to->count; i++)
		omt_xclbin_entry(in->file, kind, i, &to->list[i]);
	if (to->list)
		qsort(to->list, to->count, sizeof *to->list, omt_xclbin_by_unit);
	return to->list;
}

/* Whether tables can be looked at. */
static bool check_tables(omt_xclbin_verifier *in)
{
	static const omt_axlf_kind tables[] = {
#define TABLE(name, type, begin) OMT_AXLF_##name,
		OMT_AXLF_TABLE_LIST(TABLE)
#undef TABLE
	};
	bool all = true;
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
		size_t count;
		omt_error err;
		omt_status status = omt_xclbin_entries(in->file, tables[i], &count, &err);
		if (status == OMT_OK && tables[i] == OMT_AXLF_IP_LAYOUT && count > MAX_UNITS)
			status = OMT_FAIL(&err, LIMIT, "IP_LAYOUT: %zu entries, more than %d",
			                  count, MAX_UNITS);
		if (status == OMT_OK)
			continue;
		omt_xclbin_say(in, false, "%s", err.text);
		all = false;
	}
	if (all && !(load_reach(in, OMT_AXLF_CONNECTIVITY, &in->reach) &&
	             load_reach(in, OMT_AXLF_ASK_GROUP_CONNECTIVITY, &in->groups))) {
		omt_xclbin_say(in, false, "no memory for connections");
		all = false;
	}
	return all;
}

/* ---- the manifest's entry ---- */

static const json_t *kernel_named(const omt_xclbin_verifier *in, const char *name)
{
	size_t i;
	json_t *kernel;
	json_array_foreach(json_object_get(in->design, "kernels"), i, kernel)
	{
		if (!strcmp(omt_xclbin_text(kernel, "name"), name))
			return kernel;
	}
	return NULL;
}

static bool unit_banks_agree(omt_xclbin_verifier *in, const json_t *kernel, const char *unit,
                             uint64_t banks)
{
	uint64_t base;
	const int32_t ip = omt_xclbin_ip(in->file, omt_xclbin_text(kernel, "name"), unit, &base);
	size_t i;
	json_t *arg;
	json_array_foreach(json_object_get(kernel, "args"), i, arg)
	{
		const int32_t id = (int32_t)omt_xclbin_number(arg, "id");
		if (omt_xclbin_number(arg, "addressQualifier") != 1 ||
		    omt_xclbin_banks(&in->reach, ip, id) == banks)
			continue;
		omt_xclbin_say(in, false,
		               "entry %s: %s of unit %s reaches other banks than the entry's",
		               in->entry->name, omt_xclbin_text(arg, "name"), unit);
		return false;
	}
	return true;
}

static bool banks_agree(omt_xclbin_verifier *in, const json_t *kernel,
                        const omt_bitstream_kernel *wanted)
{
	uint64_t banks = 0;
	size_t i;
	json_t *instance;
	for (int32_t b = 0; b < wanted->bank_count; b++)
		banks |= UINT64_C(1) << wanted->banks[b];
	json_array_foreach(json_object_get(kernel, "instances"), i, instance)
	{
		if (!unit_banks_agree(in, kernel, omt_xclbin_text(instance, "name"), banks))
			return false;
	}
	return true;
}

static bool entry_kernel_agrees(omt_xclbin_verifier *in, omt_op op, const char *name)
{
	const omt_bitstream_kernel *wanted = &in->entry->kernels[op];
	const json_t *kernel = kernel_named(in, name);
	const size_t units = json_array_size(json_object_get(kernel, "instances"));
	char key[96], text[OMT_XCLBIN_KERNEL_TEXT];
	if (!kernel || units != (size_t)wanted->units) {
		omt_xclbin_say(in, false, "entry %s: kernel %s has %zu units, the entry says %d",
		               in->entry->name, name, units, wanted->units);
		return false;
	}
	omt_xclbin_kernel_text(op, wanted, text);
	snprintf(key, sizeof key, "omnitile.kernel.%s", name);
	const char *told = json_string_value(json_object_get(in->values, key));
	if (told && strcmp(told, text)) {
		omt_xclbin_say(in, false, "entry %s: kernel %s is \"%s\", the entry says \"%s\"",
		               in->entry->name, name, told, text);
		return false;
	}
	return banks_agree(in, kernel, wanted);
}

static void check_entry_kernels(omt_xclbin_verifier *in)
{
	size_t count = 0;
	for (omt_op op = 0; op < OMT_OP_COUNT; op++)
		for (int32_t i = 0; i < in->entry->kernels[op].name_count; i++, count++)
			if (!entry_kernel_agrees(in, op, in->entry->kernels[op].names[i]))
				return;
	const size_t there = json_array_size(json_object_get(in->design, "kernels"));
	omt_xclbin_say(in, there == count, "entry %s: %zu kernels, the entry has %zu",
	               in->entry->name, there, count);
}

static void check_entry(omt_xclbin_verifier *in)
{
	const omt_bitstream *entry = in->entry;
	const char *mode = omt_xclbin_mode_name(in->file->head.mode);
	char digest[OMT_DIGEST_TEXT] = "";
	(void)omt_digest_data(in->file->data, in->file->bytes, digest, NULL);
	omt_xclbin_say(in, !strcmp(digest, entry->digest), "entry %s: digest %s, the entry says %s",
	               entry->name, digest, *entry->digest ? entry->digest : "nothing");
	omt_xclbin_say(in, mode && !strcmp(mode, entry->target),
	               "entry %s: mode %s, the entry says %s", entry->name, mode ? mode : "unknown",
	               entry->target);
	omt_xclbin_say(in, entry->contract == OMT_CONTRACT_VERSION,
	               "entry %s: contract %d, this omnitile has %d", entry->name, entry->contract,
	               OMT_CONTRACT_VERSION);
	if (!in->design)
		return;
	if (entry->clock_mhz > 0)
		omt_xclbin_say(
			in, omt_xclbin_number(in->design, "clock_mhz") == (int64_t)entry->clock_mhz,
			"entry %s: clock %lld MHz, the entry says %g", entry->name,
			(long long)omt_xclbin_number(in->design, "clock_mhz"), entry->clock_mhz);
	check_entry_kernels(in);
}

void omt_xclbin_verify(const omt_xclbin *file, const omt_bitstream *entry,
                       omt_xclbin_checks *checks)
{
	omt_xclbin_verifier in = {.file = file, .entry = entry, .checks = checks};
	omt_error err;
	in.values = omt_xclbin_values(file);
	in.own = is_own(&in);
	check_layout(&in);
	check_uuid(&in);
	check_sections(&in);
	in.tables = check_tables(&in);
	if (omt_xclbin_design(file, &in.design, &err) != OMT_OK)
		omt_xclbin_say(&in, false, "%s", err.text);
	omt_xclbin_check_kernels(&in);
	if (in.design && in.tables)
		omt_xclbin_check_units(&in);
	if (entry)
		check_entry(&in);
	json_decref(in.design);
	json_decref(in.values);
	free(in.reach.list);
	free(in.groups.list);
}
