/* The tuning database: files of devices, which of them are for a device, the tiles they give. */
#include "exec/device_entry.h"
#include "tests/unit/scratch.h"

static void own_folder(void)
{
	scratch_make();
	setenv("OMT_DEVICES_DIR", scratch_folder, 1);
	unsetenv("OMT_TILES");
}

TestSuite(entries, .init = own_folder, .fini = scratch_drop);

static const omt_backend_info pocl = {.device = "pthread-haswell-AMD EPYC",
                                      .platform = "Portable Computing Language",
                                      .version = "OpenCL 3.0 PoCL pthread-haswell",
                                      .type = "cpu",
                                      .vector_width = 8};

static omt_status parse(const char *text, omt_device_file *file, omt_error *err)
{
	return omt_device_file_parse("f.yaml", text, strlen(text), file, err);
}

static omt_cl_tile_set tiles_of(const omt_backend_info *device, char top[512])
{
	omt_cl_tile_set tiles;
	omt_error err = {0};
	cr_assert_eq(omt_device_tiles(device, NULL, &tiles, top, 512, &err), OMT_OK, "%s",
	             err.text);
	return tiles;
}

Test(entries, a_file_says_what_a_device_is_and_takes)
{
	omt_device_file file;
	omt_error err = {0};
	cr_assert_eq(parse("device: a card\nmemory_bytes: 34359738368\npeak_gflops: 1000\n"
	                   "bandwidth_gbs: 77.5\nmatch: {type: gpu, vector_width: 4}\n"
	                   "tiles:\n  gemm: {m: 8, rows: 3}\n  attention_80:\n    keys: 32\n"
	                   "measured:\n  gemm: {date: '2026-11-25', gflops: 12.5, ratio: 2}\n",
	                   &file, &err),
	             OMT_OK, "%s", err.text);
	cr_expect_str_eq(file.info.device, "a card");
	cr_expect_eq(file.info.memory_bytes, 34359738368u);
	cr_expect_eq(file.speed.link_gbs, 77.5);
	cr_expect_eq(file.info.panel, OMT_CL_PANEL);
	cr_expect_eq(file.info.tile_rows, 24);
	cr_expect(file.matches);
	cr_expect_str_eq(file.match.type, "gpu");
	cr_expect_eq(file.match.vector_width, 4);
	cr_expect_eq(file.tiles.of[OMT_CL_CLASS_gemm].m, 8);
	cr_expect_eq(file.tiles.of[OMT_CL_CLASS_gemm].k, 0);
	cr_expect_eq(file.tiles.of[OMT_CL_CLASS_attention_80].keys, 32);
	cr_expect_eq(file.measured[OMT_CL_CLASS_gemm].ratio, 2.0);
}

Test(entries, refuses_with_file_and_line)
{
	static const struct {
		const char *yaml, *error;
	} cases[] = {
		{"device: x\ncolour: red\n", "f.yaml:2: unknown key \"colour\""},
		{"device: 3\n", "f.yaml:1: \"device\" is an integer, expected a string"},
		{"a: 1\n", "f.yaml:1: unknown key \"a\""},
		{"panel: 0\n", "f.yaml:1: \"panel\" is 0, expected 1 to 1024"},
		{"match: cpu\n", "f.yaml:1: \"match\" is a string, expected an object"},
		{"match:\n  brand: x\n", "f.yaml:2: unknown key \"match.brand\""},
		{"match:\n  type: cpu\n  vector_width: wide\n",
	         "f.yaml:3: \"vector_width\" is a string, expected an integer"},
		{"match: {}\ntiles: [1]\n", "f.yaml:2: \"tiles\" is an array"},
		{"tiles:\n  gemm: {m: 8}\n", "f.yaml:1: tiles without a match section"},
		{"match: {}\ntiles:\n  gemv: {m: 8}\n", "f.yaml:3: unknown key \"tiles.gemv\""},
		{"match: {}\ntiles:\n  gemm: 8\n", "f.yaml:3: \"gemm\" is an integer"},
		{"match: {}\ntiles:\n  gemm:\n    m: 8\n    rows: 65\n",
	         "f.yaml:5: \"rows\" is 65, expected 1 to 64"},
		{"match: {}\ntiles:\n  gemm: {m: 0}\n", "f.yaml:3: \"m\" is 0, expected 1 to 32"},
		{"match: {}\ntiles:\n  gemm: {m: 8.5}\n", "f.yaml:3: \"m\" is a number"},
		{"match: {}\ntiles:\n  gemm: {keys: 16}\n", "unknown key \"tiles.gemm.keys\""},
		{"match: {}\ntiles:\n  gemm_i8: {keys: 1}\n", "unknown key \"tiles.gemm_i8.keys\""},
		{"measured:\n  gemm: {speed: 1}\n",
	         "f.yaml:2: unknown key \"measured.gemm.speed\""},
		{"measured:\n  gemm: {gflops: -1}\n", "f.yaml:2: \"gflops\" is -1"},
		{"match: {type: accelerator-card-of-some-kind}\n",
	         "f.yaml:1: \"type\" is longer than 15 bytes"},
		{"match: {}\nmatch: {}\n", "f.yaml:2: \"match\" for the second time"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		omt_device_file file;
		omt_error err = {0};
		cr_expect_neq(parse(cases[i].yaml, &file, &err), OMT_OK, "%s", cases[i].yaml);
		cr_expect_not_null(strstr(err.text, cases[i].error), "%s: %s", cases[i].yaml,
		                   err.text);
	}
}

Test(entries, a_better_fit_names_more_telling_keys)
{
	/* From no fit at all to the best. */
	static const char *const ascending[] = {
		"match: {}",
		"match: {vector_width: 8}",
		"match: {type: cpu}",
		"match: {type: CPU, vector_width: 8}",
		"match: {platform: portable computing}",
		"match: {version: PoCL}",
		"match: {version: PoCL, platform: Portable, type: cpu, vector_width: 8}",
		"match: {name: haswell}",
		"match: {name: EPYC, vector_width: 8}",
	};
	static const char *const none[] = {
		"device: x",           "match: {vector_width: 16}",      "match: {type: gpu}",
		"match: {name: zen5}", "match: {name: EPYC, type: gpu}",
	};
	omt_device_file file;
	uint32_t before = 0;
	for (size_t i = 0; i < sizeof ascending / sizeof *ascending; i++) {
		cr_assert_eq(parse(ascending[i], &file, NULL), OMT_OK);
		const uint32_t fit = omt_device_file_fits(&file, &pocl);
		cr_expect_gt(fit, before, "%s", ascending[i]);
		before = fit;
	}
	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		cr_assert_eq(parse(none[i], &file, NULL), OMT_OK);
		cr_expect_eq(omt_device_file_fits(&file, &pocl), 0, "%s", none[i]);
	}
}

Test(entries, every_device_has_tiles)
{
	static const struct {
		omt_backend_info device;
		const char *top;
	} cases[] = {
		{{.platform = "Portable Computing Language", .type = "cpu", .vector_width = 16},
	         "pocl-avx512.yaml (shipped)"},
		{{.platform = "Portable Computing Language", .type = "cpu", .vector_width = 8},
	         "pocl-avx2.yaml (shipped)"},
		{{.platform = "Portable Computing Language", .type = "cpu", .vector_width = 4},
	         "generic-cpu.yaml (shipped)"},
		{{.platform = "Intel(R) OpenCL", .type = "cpu", .vector_width = 16},
	         "intel-cpu.yaml (shipped)"},
		{{.platform = "NVIDIA CUDA", .type = "gpu", .vector_width = 1},
	         "generic-gpu.yaml (shipped)"},
		{{.type = "accelerator"}, "generic-gpu.yaml (shipped)"},
	};
	char top[512];
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		tiles_of(&cases[i].device, top);
		cr_expect_str_eq(top, cases[i].top);
	}
}

Test(entries, the_users_entries_lie_over_the_shipped_ones)
{
	char top[512], expected[512];
	const omt_cl_tile_set shipped = tiles_of(&pocl, top);
	cr_expect_str_eq(top, "pocl-avx2.yaml (shipped)");
	/* The weakest match of a user is above the best shipped one; the better fit, and of equal
	 * ones the first by name, is on top; each gives only what it names. */
	scratch_text("c.yaml", "match: {}\ntiles:\n  gemm: {m: 8, rows: 5, panels: 7}\n");
	scratch_text("b.yaml", "match: {type: cpu}\ntiles:\n  gemm: {m: 10, rows: 6}\n");
	scratch_text("a.yaml", "match: {type: cpu}\ntiles:\n  gemm: {m: 12}\n");
	scratch_text("not-this.yaml", "match: {type: gpu}\ntiles:\n  gemm: {m: 2}\n");
	scratch_text("nor.txt", "no YAML: at: all\n");
	omt_cl_tile_set tiles = tiles_of(&pocl, top);
	snprintf(expected, sizeof expected, "%s/a.yaml", scratch_folder);
	cr_expect_str_eq(top, expected);
	cr_expect_eq(tiles.of[OMT_CL_CLASS_gemm].m, 12);
	cr_expect_eq(tiles.of[OMT_CL_CLASS_gemm].rows, 6);
	cr_expect_eq(tiles.of[OMT_CL_CLASS_gemm].panels, 7);
	cr_expect_eq(tiles.of[OMT_CL_CLASS_gemm].k, shipped.of[OMT_CL_CLASS_gemm].k);
	cr_expect(omt_cl_tiles_equal(&tiles.of[OMT_CL_CLASS_attention_80],
	                             &shipped.of[OMT_CL_CLASS_attention_80]));
	setenv("OMT_TILES", "m=5,gemm.rows=9", 1);
	tiles = tiles_of(&pocl, top);
	cr_expect_eq(tiles.of[OMT_CL_CLASS_gemm].m, 5);
	cr_expect_eq(tiles.of[OMT_CL_CLASS_gemm_i8].m, 5);
	cr_expect_eq(tiles.of[OMT_CL_CLASS_gemm].rows, 9);
	cr_expect_eq(tiles.of[OMT_CL_CLASS_gemm_short].rows,
	             shipped.of[OMT_CL_CLASS_gemm_short].rows);
	/* What is said in the program goes over the environment. */
	cr_assert_eq(omt_device_tiles(&pocl, "gemm.rows=8", &tiles, NULL, 0, NULL), OMT_OK);
	cr_expect_eq(tiles.of[OMT_CL_CLASS_gemm].rows, 8);
	cr_expect_eq(tiles.of[OMT_CL_CLASS_gemm].m, 12);
	cr_assert_eq(omt_device_tiles(&pocl, "", &tiles, NULL, 0, NULL), OMT_OK);
	cr_expect_eq(tiles.of[OMT_CL_CLASS_gemm].rows, 6);
	cr_expect_eq(omt_device_tiles(&pocl, "m=99", &tiles, NULL, 0, NULL), OMT_BAD_ARGUMENT);
}

static void fails_with(const char *part)
{
	omt_cl_tile_set tiles;
	omt_error err = {0};
	cr_expect_neq(omt_device_tiles(&pocl, NULL, &tiles, NULL, 0, &err), OMT_OK, "%s", part);
	cr_expect_not_null(strstr(err.text, part), "%s: %s", part, err.text);
}

Test(entries, what_cannot_run_is_refused)
{
	static const char *const changes[][2] = {
		{"m=99", "tiles \"m=99\": expected [CLASS.]NAME=NUMBER of m, wide, rows"},
		{"m=4,x=1", "tiles \"x=1\""},
		{"gemv.m=4", "tiles \"gemv.m=4\""},
		{"gemm.keys=4", "tiles \"gemm.keys=4\""},
		{"m", "tiles \"m\""},
		{"m=4;", "tiles \"m=4;\""},
		{"gemm.k=24", "tiles: gemm.k is 24, no multiple of 16"},
		{"gemm_few.m=3", "tiles: gemm_few.m is 3, 4 at least"},
		{"gemm.panels=1", "tiles: gemm.panels is 1, 2 at least"},
		{"gemm.m=32,gemm.rows=64,gemm.panels=64", "bytes of private memory, at most"},
	};
	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
		setenv("OMT_TILES", changes[i][0], 1);
		fails_with(changes[i][1]);
	}
	unsetenv("OMT_TILES");
	/* A broken file is not passed over: its tiles would silently not be used. */
	scratch_text("a.yaml", "match: {type: gpu}\ntiles:\n  gemm: {m: 99}\n");
	fails_with("a.yaml:3: \"m\" is 99");
	scratch_text("a.yaml", "match: {}\ntiles:\n  gemm: {k: 24}\n");
	fails_with("gemm.k is 24");
	setenv("OMT_DEVICES_DIR", "/dev/null", 1);
	fails_with("/dev/null: Not a directory");
}

Test(entries, a_written_file_reads_the_same)
{
	omt_device_file file = {.matches = true}, again;
	omt_error err = {0};
	const char *path = scratch_path("w.yaml");
	strcpy(file.info.device, "a \"quoted\" \\ device: #1");
	strcpy(file.match.device, file.info.device);
	file.match.vector_width = 8;
	file.tiles.of[OMT_CL_CLASS_gemm_few] =
		tiles_of(&pocl, (char[512]){0}).of[OMT_CL_CLASS_gemm_few];
	file.measured[OMT_CL_CLASS_gemm_few] =
		(omt_tile_record){"2026-11-25", "d", "1: 2", 120.5, 1.25};
	cr_assert_eq(omt_device_file_write(path, &file, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(omt_device_file_read(path, &again, &err), OMT_OK, "%s", err.text);
	cr_expect_str_eq(again.info.device, file.info.device);
	cr_expect(!memcmp(&again.match, &file.match, sizeof file.match));
	cr_expect(!memcmp(again.measured, file.measured, sizeof file.measured));
	const omt_cl_tiles *a = &again.tiles.of[OMT_CL_CLASS_gemm_few];
	cr_expect_eq(a->m, file.tiles.of[OMT_CL_CLASS_gemm_few].m);
	cr_expect_eq(a->k, file.tiles.of[OMT_CL_CLASS_gemm_few].k);
	cr_expect_eq(again.tiles.of[OMT_CL_CLASS_gemm].m, 0);
}

Test(entries, launches_are_in_the_class_of_their_size)
{
	static const struct {
		int32_t m;
		omt_cl_class class;
	} cases[] = {{1, OMT_CL_CLASS_gemm_few},   {4, OMT_CL_CLASS_gemm_few},
	             {5, OMT_CL_CLASS_gemm_short}, {64, OMT_CL_CLASS_gemm_short},
	             {65, OMT_CL_CLASS_gemm},      {1 << 20, OMT_CL_CLASS_gemm}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		cr_expect_eq(omt_cl_class_of(OMT_OP_gemm, &(omt_gemm_args){.m = cases[i].m}),
		             cases[i].class);
	for (int32_t d = 1; d <= OMT_CL_HEAD_DIM; d++)
		cr_expect_eq(
			omt_cl_class_of(OMT_OP_attention, &(omt_attention_args){.head_dim = d}),
			d <= 64   ? OMT_CL_CLASS_attention_64
			: d <= 80 ? OMT_CL_CLASS_attention_80
				  : OMT_CL_CLASS_attention_128);
	cr_expect_eq(omt_cl_class_of(OMT_OP_rmsnorm, &(omt_rmsnorm_args){0}), OMT_CL_CLASS_COUNT);
}
