/* The model of a card: its file, what is refused, what can be used. */
#include "exec/card.h"
#include "exec/device_entry.h"
#include "exec/embedded.h"
#include "tests/unit/scratch.h"

static void own_folder(void)
{
	scratch_make();
	setenv("OMT_DEVICES_DIR", scratch_folder, 1);
}

TestSuite(card, .init = own_folder, .fini = scratch_drop);

/* A small card; `more` are further lines of its section. */
static omt_status parse(const char *more, omt_device_file *file, omt_error *err)
{
	char text[2048];
	snprintf(text, sizeof text,
	         "device: small\n"
	         "card:\n"
	         "  total: {dsp: 100, bram: 50, lut: 10000, ff: 20000}\n"
	         "  blocks:\n"
	         "    bram: {bits: 36, words: 512, parts: 2, shapes: 3}\n"
	         "  multiply_add:\n"
	         "    f32: {dsp: 5, lut: 300}\n"
	         "  memory:\n"
	         "    ddr: {count: 2, bytes: 1024, gbs: 10, bits: 512}\n"
	         "  clock_mhz: {low: 100, usual: 200, high: 300}\n"
	         "%s",
	         more);
	return omt_device_file_parse("c.yaml", text, strlen(text), file, err);
}

Test(card, a_device_file_describes_it)
{
	omt_device_file file;
	omt_error err = {0};
	cr_assert_eq(
		parse("  shell: {dsp: 20}\n  fill: {dsp: 0.5}\n  link: {gbs: 3}\n", &file, &err),
		OMT_OK, "%s", err.text);
	cr_assert(file.is_card);
	const omt_card_amount usable = omt_card_usable(&file.card);
	cr_expect_eq(usable.of[OMT_CARD_dsp], 40);
	cr_expect_eq(usable.of[OMT_CARD_bram], 50);
	/* What `plan` and backend "model" ask of any device follows. */
	cr_expect_eq(file.info.memory_bytes, 2048u);
	cr_expect_eq(file.speed.bandwidth_gbs, 20);
	cr_expect_eq(file.speed.link_gbs, 3);
	cr_expect_float_eq(file.speed.peak_gflops, 2e-3 * 200 * 40 / 5, 1e-12);
}

Test(card, refuses_with_file_and_line)
{
	static const struct {
		const char *yaml, *error;
	} cases[] = {
		{"  colour: red\n", "c.yaml:11: unknown key \"card.colour\""},
		{"  shell:\n    dsps: 1\n", "c.yaml:12: unknown key \"card.shell.dsps\""},
		{"  shell: {dsp: 101}\n", "c.yaml:3: dsp: the shell has 101 of 100"},
		{"  fill: {lut: 1.5}\n",
	         "c.yaml:3: lut: the shell has 0 of 10000, of the rest 1.5"},
		{"  port: {lut: -1}\n", "c.yaml:11: \"lut\" is -1"},
		{"  regions: 0\n", "c.yaml:11: \"regions\" is 0, expected 1 to 16"},
		{"  power: {watts: 3}\n", "c.yaml:11: unknown key \"card.power.watts\""},
		{"  power:\n    idle_w: much\n", "c.yaml:12: \"idle_w\" is a string"},
		{"  power: {idle_w: 30, most_w: 20}\n",
	         "c.yaml:11: power: idle_w is 30, most_w 20"},
		{"  power: {idle_w: 30}\n", "c.yaml:11: power: idle_w is 30, most_w 0"},
		{"  link: {kind: 3}\n", "c.yaml:11: \"kind\" is an integer, expected a string"},
		{"  total: {dsp: 1}\n", "c.yaml:11: \"total\" for the second time"},
	};
	static const struct {
		const char *yaml, *error;
	} alone[] = {
		{"card: {}\n", "c.yaml:1: a card needs total dsp, lut and blocks.bram"},
		{"card: 3\n", "c.yaml:1: \"card\" is an integer, expected an object"},
		{"card:\n  total: {dsp: 9, lut: 9}\n  blocks: {bram: {bits: 36, words: 512}}\n"
	         "  clock_mhz: {low: 200, usual: 100, high: 300}\n",
	         "c.yaml:4: clock_mhz: 200, 100, 300 do not ascend"},
		{"card:\n  total: {dsp: 9, lut: 9}\n  blocks: {bram: {bits: 36, words: 512}}\n",
	         "c.yaml:1: clock_mhz: 0, 0, 0 do not ascend"},
		{"card:\n  total: {dsp: 9, lut: 9}\n  blocks: {bram: {bits: 36, words: 512}}\n"
	         "  clock_mhz: {low: 1, usual: 1, high: 1}\n",
	         "c.yaml:1: a card without channels in card.memory"},
		{"card:\n  total: {dsp: 9, lut: 9}\n  blocks: {bram: {bits: 36, words: 512}}\n"
	         "  clock_mhz: {low: 1, usual: 1, high: 1}\n  memory: {hbm: {count: 2, gbs: 1}}\n",
	         "c.yaml:5: card.memory.hbm needs bytes, gbs and bits"},
		{"card:\n  total: {dsp: 9, lut: 9, uram: 1}\n"
	         "  blocks: {bram: {bits: 36, words: 512}}\n",
	         "c.yaml:2: uram without blocks.uram"},
	};
	omt_device_file file;
	omt_error err;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		err = (omt_error){0};
		cr_expect_neq(parse(cases[i].yaml, &file, &err), OMT_OK, "%s", cases[i].yaml);
		cr_expect_not_null(strstr(err.text, cases[i].error), "%s: %s", cases[i].yaml,
		                   err.text);
	}
	for (size_t i = 0; i < sizeof alone / sizeof *alone; i++) {
		err = (omt_error){0};
		cr_expect_neq(omt_device_file_parse("c.yaml", alone[i].yaml, strlen(alone[i].yaml),
		                                    &file, &err),
		              OMT_OK, "%s", alone[i].yaml);
		cr_expect_not_null(strstr(err.text, alone[i].error), "%s: %s", alone[i].yaml,
		                   err.text);
	}
}

/* The cards of the issue are there, and say all that a plan needs. */
Test(card, shipped_cards_are_whole)
{
	static const char *const names[] = {"vcu1525", "u250",        "u280",   "u55c",
	                                    "vck190",  "stratix10mx", "agilex7"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		omt_device_file file;
		omt_error err = {0};
		bool there = false;
		cr_assert_eq(omt_device_named(names[i], &file, &there, &err), OMT_OK, "%s: %s",
		             names[i], err.text);
		cr_assert(there && file.is_card, "%s", names[i]);
		const omt_card *card = &file.card;
		for (int j = 0; j < OMT_CARD_RESOURCES; j++) {
			cr_expect(j == OMT_CARD_uram || omt_card_usable(card).of[j] > 0, "%s: %s",
			          names[i], omt_card_resource_names[j]);
			cr_expect(card->total.of[j] == 0 || card->pj[j] > 0 || j == OMT_CARD_ff,
			          "%s: pJ of %s", names[i], omt_card_resource_names[j]);
		}
		static const omt_card_number used[] = {OMT_CARD_f32, OMT_CARD_bf16, OMT_CARD_int8};
		for (size_t j = 0; j < sizeof used / sizeof *used; j++)
			cr_expect_gt(card->multiply_add[used[j]].of[OMT_CARD_dsp], 0, "%s: %s",
			             names[i], omt_card_number_infos[used[j]].name);
		for (int j = 0; j < OMT_CARD_MEMORIES; j++)
			cr_expect(!card->memory[j].count || card->memory[j].pj_byte > 0, "%s",
			          names[i]);
		cr_expect(*card->part && *card->link && card->link_gbs > 0, "%s", names[i]);
		cr_expect(card->idle_w > 0 && card->most_w > card->idle_w, "%s", names[i]);
		cr_expect_gt(file.speed.peak_gflops, 100, "%s", names[i]);
	}
}

Test(card, memory_is_the_fastest_that_holds_it)
{
	omt_device_file file;
	bool there;
	cr_assert_eq(omt_device_named("u280", &file, &there, NULL), OMT_OK);
	cr_expect_eq(omt_card_memory_for(&file.card, (uint64_t)5e9), OMT_CARD_hbm);
	cr_expect_eq(omt_card_memory_for(&file.card, (uint64_t)10e9), OMT_CARD_ddr);
	cr_expect_eq(omt_card_memory_for(&file.card, (uint64_t)1e12), OMT_CARD_ddr);
	cr_expect_eq(omt_card_memory_gbs(&file.card, OMT_CARD_hbm), 460);
}

Test(card, a_name_is_of_the_users_folder_first)
{
	omt_device_file file;
	omt_error err = {0};
	bool there = true;
	cr_assert_eq(omt_device_named("nothing-of-the-kind", &file, &there, &err), OMT_OK);
	cr_expect_not(there);
	cr_assert_eq(omt_device_named("0", &file, &there, &err), OMT_OK);
	cr_expect_not(there);
	scratch_text("u55c.yaml", "device: mine\n");
	cr_assert_eq(omt_device_named("u55c", &file, &there, &err), OMT_OK);
	cr_assert(there);
	cr_expect_str_eq(file.info.device, "mine");
	scratch_text("broken.yaml", "devise: mine\n");
	cr_expect_neq(omt_device_named("broken", &file, &there, &err), OMT_OK);
	cr_expect_not_null(strstr(err.text, "broken.yaml:1: unknown key \"devise\""), "%s",
	                   err.text);
}
