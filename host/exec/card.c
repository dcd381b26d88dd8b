#include "exec/card.h"

#include <stdio.h>
#include <string.h>

#include "base/fields.h"

#define NAME(name, ...) #name,
const char *const omt_card_resource_names[] = {OMT_CARD_RESOURCE_LIST(NAME)};
const char *const omt_card_memory_names[] = {OMT_CARD_MEMORY_LIST(NAME)};
#undef NAME
#define NUMBER(name, bytes) {#name, bytes},
const omt_card_number_info omt_card_number_infos[] = {OMT_CARD_NUMBER_LIST(NUMBER)};
#undef NUMBER

/* ---- tables ---- */

/* The members of a field. */
#define TEXT(member)      OMT_FIELD_TEXT_OF(omt_card, member)
#define REAL(member, ...) OMT_FIELD_OF(REAL, omt_card, member), __VA_ARGS__
#define INT(member, ...)  OMT_FIELD_OF(INT, omt_card, member), __VA_ARGS__
#define SECTION           OMT_FIELD_PART(SECTION)

static const omt_field card_fields[] = {
	{"part", TEXT(part)},
	{"regions", INT(regions, 1, 16)},
	{"total", SECTION},
	{"shell", SECTION},
	{"fill", SECTION},
	{"blocks", SECTION},
	{"multiply_add", SECTION},
	{"function", SECTION},
	{"port", SECTION},
	{"control", SECTION},
	{"memory", SECTION},
	{"clock_mhz", SECTION},
	{"link", SECTION},
	{"power", SECTION},
	{0},
};

#define AMOUNT(name) \
	{#name, OMT_FIELD_REAL, OMT_CARD_##name * sizeof(double), sizeof(double), NULL, 0, 1e8},
static const omt_field amount_fields[] = {OMT_CARD_RESOURCE_LIST(AMOUNT){0}};
#undef AMOUNT

static const omt_field blocks_fields[] = {
	{"bram", SECTION}, {"uram", SECTION}, {"lut", SECTION}, {0}};
static const omt_field block_fields[] = {
	{"bits", OMT_FIELD_OF(INT, omt_card_block, bits), 1, 1024},
	{"words", OMT_FIELD_OF(INT, omt_card_block, words), 1, 1 << 20},
	{"parts", OMT_FIELD_OF(INT, omt_card_block, parts), 1, 8},
	{"shapes", OMT_FIELD_OF(INT, omt_card_block, shapes), 1, 8},
	{0},
};
static const omt_field lut_fields[] = {
	{"bits", INT(lut_bits, 1, 1024)},
	{"most_words", INT(lut_words, 0, 1024)},
	{0},
};

#define NUMBER(name, bytes) {#name, SECTION},
static const omt_field multiply_add_fields[] = {OMT_CARD_NUMBER_LIST(NUMBER){0}};
#undef NUMBER

#define MEMORY(name) {#name, SECTION},
static const omt_field memory_fields[] = {
	OMT_CARD_MEMORY_LIST(MEMORY){"efficiency", REAL(memory_efficiency, 0.01, 1)},
	{0},
};
#undef MEMORY
static const omt_field channel_fields[] = {
	{"count", OMT_FIELD_OF(INT, omt_card_memory, count), 1, 1024},
	{"bits", OMT_FIELD_OF(INT, omt_card_memory, bits), 8, 4096},
	{"bytes", OMT_FIELD_OF(INT64, omt_card_memory, bytes), 1, 0x1p50},
	{"gbs", OMT_FIELD_OF(REAL, omt_card_memory, gbs), 1e-3, 1e6},
	{"pj_byte", OMT_FIELD_OF(REAL, omt_card_memory, pj_byte), 0, 1e6},
	{0},
};

static const omt_field clock_fields[] = {
	{"low", REAL(low_mhz, 1, 1e5)},
	{"usual", REAL(usual_mhz, 1, 1e5)},
	{"high", REAL(high_mhz, 1, 1e5)},
	{0},
};
static const omt_field link_fields[] = {
	{"kind", TEXT(link)},
	{"gbs", REAL(link_gbs, 0, 1e6)},
	{"launch_us", REAL(launch_us, 0, 1e6)},
	{0},
};
#define PICOJOULES(name) {#name "_pj", REAL(pj[OMT_CARD_##name], 0, 1e6)},
static const omt_field power_fields[] = {
	{"idle_w", REAL(idle_w, 0, 1e5)},
	{"most_w", REAL(most_w, 0, 1e5)},
	OMT_CARD_RESOURCE_LIST(PICOJOULES){0},
};
#undef PICOJOULES

/* ---- reading ---- */

static omt_status read_lists(const omt_yaml *yaml, omt_card *card, omt_error *err)
{
	char section[64];
	OMT_TRY(omt_fields_read(yaml, "card.multiply_add", multiply_add_fields, card, err));
	OMT_TRY(omt_fields_read(yaml, "card.memory", memory_fields, card, err));
	for (int i = 0; i < OMT_CARD_NUMBERS; i++) {
		snprintf(section, sizeof section, "card.multiply_add.%s",
		         omt_card_number_infos[i].name);
		OMT_TRY(omt_fields_read(yaml, section, amount_fields, &card->multiply_add[i], err));
	}
	for (int i = 0; i < OMT_CARD_MEMORIES; i++) {
		snprintf(section, sizeof section, "card.memory.%s", omt_card_memory_names[i]);
		OMT_TRY(omt_fields_read(yaml, section, channel_fields, &card->memory[i], err));
	}
	return OMT_OK;
}

static omt_status read_sections(const omt_yaml *yaml, omt_card *card, omt_error *err)
{
	const struct {
		const char *section;
		const omt_field *fields;
		void *to;
	} parts[] = {
		{"card", card_fields, card},
		{"card.total", amount_fields, &card->total},
		{"card.shell", amount_fields, &card->shell},
		{"card.fill", amount_fields, &card->fill},
		{"card.function", amount_fields, &card->function},
		{"card.port", amount_fields, &card->port},
		{"card.control", amount_fields, &card->control},
		{"card.blocks", blocks_fields, card},
		{"card.blocks.bram", block_fields, &card->bram},
		{"card.blocks.uram", block_fields, &card->uram},
		{"card.blocks.lut", lut_fields, card},
		{"card.clock_mhz", clock_fields, card},
		{"card.link", link_fields, card},
		{"card.power", power_fields, card},
	};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		OMT_TRY(omt_fields_read(yaml, parts[i].section, parts[i].fields, parts[i].to, err));
	return read_lists(yaml, card, err);
}

/* Of a section, or of the card's where it has none. */
static int line_of(const omt_yaml *yaml, const char *section)
{
	const int line = omt_yaml_line(yaml, section);
	return line ? line : omt_yaml_line(yaml, "card");
}

static omt_status check_memory(const omt_card *card, const omt_yaml *yaml, omt_error *err)
{
	int kinds = 0;
	for (int i = 0; i < OMT_CARD_MEMORIES; i++) {
		const omt_card_memory *memory = &card->memory[i];
		kinds += memory->count > 0;
		if (memory->count && (!memory->bytes || memory->gbs <= 0 || !memory->bits))
			return OMT_FAIL(
				err, BAD_FORMAT, "%s:%d: card.memory.%s needs bytes, gbs and bits",
				yaml->path, line_of(yaml, "card.memory"), omt_card_memory_names[i]);
	}
	if (!kinds)
		return OMT_FAIL(err, BAD_FORMAT, "%s:%d: a card without channels in card.memory",
		                yaml->path, omt_yaml_line(yaml, "card"));
	return OMT_OK;
}

static omt_status check(const omt_card *card, const omt_yaml *yaml, omt_error *err)
{
	for (int i = 0; i < OMT_CARD_RESOURCES; i++)
		if (card->shell.of[i] > card->total.of[i] || card->fill.of[i] > 1)
			return OMT_FAIL(err, BAD_FORMAT,
			                "%s:%d: %s: the shell has %g of %g, of the rest %g can be "
			                "used",
			                yaml->path, line_of(yaml, "card.total"),
			                omt_card_resource_names[i], card->shell.of[i],
			                card->total.of[i], card->fill.of[i]);
	if (card->total.of[OMT_CARD_dsp] < 1 || card->total.of[OMT_CARD_lut] < 1 ||
	    !card->bram.bits || !card->bram.words)
		return OMT_FAIL(err, BAD_FORMAT,
		                "%s:%d: a card needs total dsp, lut and blocks.bram", yaml->path,
		                omt_yaml_line(yaml, "card"));
	if (card->total.of[OMT_CARD_uram] > 0 && (!card->uram.bits || !card->uram.words))
		return OMT_FAIL(err, BAD_FORMAT, "%s:%d: uram without blocks.uram", yaml->path,
		                omt_yaml_line(yaml, "card.total"));
	if (!(card->low_mhz > 0 && card->low_mhz <= card->usual_mhz &&
	      card->usual_mhz <= card->high_mhz))
		return OMT_FAIL(err, BAD_FORMAT, "%s:%d: clock_mhz: %g, %g, %g do not ascend",
		                yaml->path, line_of(yaml, "card.clock_mhz"), card->low_mhz,
		                card->usual_mhz, card->high_mhz);
	if (card->most_w < card->idle_w)
		return OMT_FAIL(err, BAD_FORMAT, "%s:%d: power: idle_w is %g, most_w %g",
		                yaml->path, line_of(yaml, "card.power"), card->idle_w,
		                card->most_w);
	return check_memory(card, yaml, err);
}

omt_status omt_card_read(const omt_yaml *yaml, omt_card *card, bool *there, omt_error *err)
{
	*card = (omt_card){.regions = 1,
	                   .memory_efficiency = 1,
	                   .bram = {.parts = 1, .shapes = 1},
	                   .uram = {.parts = 1, .shapes = 1},
	                   .lut_bits = 64};
	for (int i = 0; i < OMT_CARD_RESOURCES; i++)
		card->fill.of[i] = 1;
	*there = omt_yaml_at(yaml, "card").object;
	if (!*there)
		return OMT_OK;
	OMT_TRY(read_sections(yaml, card, err));
	return check(card, yaml, err);
}

/* ---- what there is ---- */

omt_card_amount omt_card_usable(const omt_card *card)
{
	omt_card_amount usable;
	for (int i = 0; i < OMT_CARD_RESOURCES; i++)
		usable.of[i] = (card->total.of[i] - card->shell.of[i]) * card->fill.of[i];
	return usable;
}

int64_t omt_card_memory_bytes(const omt_card *card, omt_card_memory_kind kind)
{
	return card->memory[kind].count * card->memory[kind].bytes;
}

double omt_card_memory_gbs(const omt_card *card, omt_card_memory_kind kind)
{
	return card->memory[kind].count * card->memory[kind].gbs;
}

omt_card_memory_kind omt_card_memory_for(const omt_card *card, uint64_t bytes)
{
	omt_card_memory_kind best = OMT_CARD_MEMORIES, largest = 0;
	for (omt_card_memory_kind i = 0; i < OMT_CARD_MEMORIES; i++) {
		if (omt_card_memory_bytes(card, i) > omt_card_memory_bytes(card, largest))
			largest = i;
		if ((uint64_t)omt_card_memory_bytes(card, i) >= bytes && card->memory[i].count &&
		    (best == OMT_CARD_MEMORIES ||
		     omt_card_memory_gbs(card, i) > omt_card_memory_gbs(card, best)))
			best = i;
	}
	return best == OMT_CARD_MEMORIES ? largest : best;
}
