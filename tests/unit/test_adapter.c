/* LoRA adapters in PEFT's format: written, read, merged; what is wrong with a file is named. */
#include <math.h>
#include <sys/stat.h>

#include "base/npy.h"
#include "base/number.h"
#include "device/contract.h"
#include "model/adapter.h"
#include "model/model.h"
#include "tests/unit/tiny.h"
#include "train/save.h"

#define TRAINING DATA "training/"
#define LAYERS   4
#define RANK     4
#define WIDTH    64
#define MOST     16 /* vectors of a golden array */

static void close_all(void)
{
	char command[128];
	omt_model_close(model);
	snprintf(command, sizeof command, "rm -rf '%s'", scratch_folder);
	cr_assert_eq(system(command), 0);
}

TestSuite(adapter, .init = tiny_open, .fini = close_all, .timeout = 120);

/* ---- an adapter of the golden values ---- */

static const struct {
	const char *group, *name;
	int32_t in, out;
} targets[] = {{"self_attn", "q_proj", 64, 64}, {"self_attn", "k_proj", 64, 32},
               {"self_attn", "v_proj", 64, 32}, {"self_attn", "o_proj", 64, 64},
               {"mlp", "gate_proj", 64, 176},   {"mlp", "up_proj", 64, 176},
               {"mlp", "down_proj", 176, 64}};
#define TARGETS (sizeof targets / sizeof *targets)
static const char *const target_names[] = {"q_proj",    "k_proj",  "v_proj",    "o_proj",
                                           "gate_proj", "up_proj", "down_proj", NULL};

/* ../shared/goldens/training/layout.json as code; values are the array's. */
static const char *save_golden(const char *name, const char *array)
{
	static omt_trainable_part parts[LAYERS * TARGETS * 2];
	const omt_lora lora = {.rank = RANK, .alpha = 8, .targets = target_names};
	omt_trainable trainable = {.parts = parts};
	omt_npy values;
	cr_assert_eq(omt_npy_open(array, &values, &err), OMT_OK, "%s", err.text);
	for (int layer = 0; layer < LAYERS; layer++)
		for (size_t i = 0; i < 2 * TARGETS; i++) {
			const size_t t = i / 2;
			const bool b = i % 2;
			omt_trainable_part *part = &parts[trainable.part_count++];
			*part = (omt_trainable_part){.dims = 2, .at = trainable.count};
			snprintf(part->name, sizeof part->name, "model.layers.%d.%s.%s.lora_%c",
			         layer, targets[t].group, targets[t].name, b ? 'B' : 'A');
			part->shape[0] = b ? targets[t].out : RANK;
			part->shape[1] = b ? RANK : targets[t].in;
			part->count = (size_t)(part->shape[0] * part->shape[1]);
			trainable.count += part->count;
		}
	cr_assert_eq(values.count, trainable.count);
	trainable.values = (float *)(uintptr_t)values.data;
	const char *dir = scratch_path(name);
	cr_assert_eq(omt_trainable_save_adapter(&trainable, &lora, model, dir, &err), OMT_OK, "%s",
	             err.text);
	omt_npy_close(&values);
	return dir;
}

static const char *golden(void)
{
	return save_golden("adapter", TRAINING "text_tau0.05/lora_init.npy");
}

static omt_model *open_adapted(const char *dir, const char *adapter)
{
	omt_model *opened;
	cr_assert_eq(omt_model_open_adapted(dir, adapter, &opened, &err), OMT_OK, "%s", err.text);
	return opened;
}

/* ---- vectors ---- */

typedef struct run_items {
	const json_t *list; /* of items, each a list of parts */
	size_t next;
	omt_item item;
	omt_part parts[2];
	char path[256];
	float vectors[MOST][WIDTH];
} run_items;

static bool next_item(void *user, const omt_item **item)
{
	run_items *run = user;
	const json_t *one = json_array_get(run->list, run->next++);
	run->item = (omt_item){.id = "x", .parts = run->parts, .part_count = json_array_size(one)};
	for (size_t i = 0; i < run->item.part_count; i++) {
		const json_t *part = json_array_get(one, i);
		const char *text = json_string_value(part);
		run->parts[i] = (omt_part){.kind = OMT_TEXT, .text = text};
		if (text) {
			run->parts[i].text_bytes = strlen(text);
			continue;
		}
		snprintf(run->path, sizeof run->path, DATA "%s",
		         json_string_value(json_array_get(part, 1)));
		run->parts[i] = (omt_part){.kind = OMT_IMAGE, .path = run->path};
		omt_limits_init(&run->parts[i].limits);
	}
	*item = &run->item;
	return one;
}

static omt_status put_vector(void *user, const omt_result *result, omt_error *failed)
{
	run_items *run = user;
	(void)failed;
	cr_assert_eq(result->failed.status, OMT_OK, "%s", result->failed.text);
	memcpy(run->vectors[result->index], result->vector, sizeof *run->vectors);
	return OMT_OK;
}

static void embed(const omt_model *with, const omt_engine_options *options, run_items *run)
{
	omt_engine *engine;
	cr_assert_eq(omt_engine_open(with, options, &engine, &err), OMT_OK, "%s", err.text);
	run->next = 0;
	cr_assert_eq(omt_embed(engine, &(omt_source){next_item, run}, &(omt_sink){put_vector, run},
	                       NULL, &err),
	             OMT_OK, "%s", err.text);
	omt_engine_close(engine);
}

/* The greatest difference of the items' vectors to the golden ones. */
static float compare(const omt_model *with, const char *backend, const char *run_name,
                     const char *key, const char *array)
{
	omt_engine_options options = tiny_options(backend, NULL, 1, 1, false);
	run_items *run = calloc(1, sizeof *run);
	char path[256];
	json_t *all;
	omt_npy wanted;
	float worst = 0;
	options.cache = scratch_path("cache");
	snprintf(path, sizeof path, TRAINING "%s/run.json", run_name);
	cr_assert_eq(omt_json_load(path, 1 << 20, &all, &err), OMT_OK, "%s", err.text);
	snprintf(path, sizeof path, TRAINING "%s/%s", run_name, array);
	cr_assert_eq(omt_npy_open(path, &wanted, &err), OMT_OK, "%s", err.text);
	run->list = json_object_get(all, key);
	embed(with, &options, run);
	cr_assert_eq(wanted.shape[0], (int64_t)json_array_size(run->list));
	for (int64_t i = 0; i < wanted.count; i++)
		worst = fmaxf(worst,
		              fabsf(((const float *)wanted.data)[i] - (&run->vectors[0][0])[i]));
	json_decref(all);
	omt_npy_close(&wanted);
	free(run);
	return worst;
}

static const struct {
	const char *run, *key, *array;
} arrays[] = {{"text_tau0.05", "queries", "query_emb.npy"},
              {"text_tau0.05", "passages", "passage_emb.npy"},
              {"image_tau0.05", "passages", "passage_emb.npy"}};

static void expect_golden(const omt_model *with, const char *backend, bool near)
{
	for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
		const float worst =
			compare(with, backend, arrays[i].run, arrays[i].key, arrays[i].array);
		cr_expect(near ? worst < 5e-6f : worst > 1e-2f, "%s, %s: %g", backend,
		          arrays[i].run, (double)worst);
	}
}

/* An adapter with the golden LoRA values gives the golden vectors, merged at load and merged into
 * a checkpoint; without it they are others. Cached weights are not mixed up. */
Test(adapter, golden_vectors)
{
	static const char *const backends[] = {"openblas", "opencl", "openblas"};
	const char *made = golden();
	omt_model *adapted = open_adapted(DATA "tiny", made);
	cr_assert_eq(omt_model_save(adapted, scratch_path("merged"), "f32", NULL, &err), OMT_OK,
	             "%s", err.text);
	omt_model *merged = open_adapted(scratch_path("merged"), NULL);
	for (size_t i = 0; i < sizeof backends / sizeof *backends; i++) {
		expect_golden(model, backends[i], false);
		expect_golden(adapted, backends[i], true);
		expect_golden(merged, backends[i], true);
	}
	for (size_t i = 0; i < omt_weights_count(merged->weights); i++) {
		const omt_tensor *one = omt_weights_at(adapted->weights, i);
		const omt_tensor *other = omt_weights_at(merged->weights, i);
		cr_expect(one->dtype != OMT_F32 || !memcmp(one->data, other->data, one->bytes),
		          "%s", one->name);
	}
	omt_model_close(adapted);
	omt_model_close(merged);
}

Test(adapter, other_storage_of_the_weights)
{
	static const char *const weights[] = {"int8", "bf16"};
	omt_model *adapted = open_adapted(DATA "tiny", golden());
	run_items *plain = calloc(1, sizeof *plain), *run = calloc(1, sizeof *run);
	plain->list = run->list = json_pack("[[s] [s]]", "query: a", "passage: some more words");
	omt_engine_options options = tiny_options("openblas", NULL, 1, 1, false);
	embed(adapted, &options, plain);
	for (size_t i = 0; i < sizeof weights / sizeof *weights; i++) {
		options.weights = weights[i];
		embed(adapted, &options, run);
		for (int item = 0; item < 2; item++) {
			float cosine = 0;
			for (int j = 0; j < WIDTH; j++)
				cosine += plain->vectors[item][j] * run->vectors[item][j];
			cr_expect_gt(cosine, 0.999f, "%s", weights[i]);
		}
	}
	json_decref((json_t *)(uintptr_t)run->list);
	free(plain);
	free(run);
	omt_model_close(adapted);
}

Test(adapter, is_another_model)
{
	static const char *const arrays_of[] = {"lora_init.npy", "lora_step1.npy"};
	char texts[3][OMT_IDENTITY_TEXT], path[256];
	cr_assert_eq(omt_model_identity(model, texts[2], &err), OMT_OK, "%s", err.text);
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof path, TRAINING "text_tau0.05/%s", arrays_of[i]);
		omt_model *adapted = open_adapted(DATA "tiny", save_golden("again", path));
		cr_assert_eq(omt_model_identity(adapted, texts[i], &err), OMT_OK, "%s", err.text);
		char *described = omt_model_describe(adapted);
		cr_expect(strstr(described, "\"adapter\":\"/tmp/omnitile-test"), "%s", described);
		omt_free(described);
		omt_model_close(adapted);
	}
	cr_expect_str_neq(texts[0], texts[1]);
	cr_expect_str_neq(texts[0], texts[2]);
}

/* ---- files of others ---- */

/* One matrix's update as a file: `a` [rank, 64] of ones, `b` [64, rank] of ones, as `type`. */
static const char *write_one(const char *config, const char *a, const char *b, int64_t rank,
                             int64_t wide, bool half)
{
	const size_t each = half ? 2 : 4;
	const size_t first = (size_t)(rank * wide) * each, all = first + (size_t)(64 * rank) * each;
	const char *type = half ? "BF16" : "F32";
	static uint8_t file[65536];
	mkdir(scratch_path("one"), 0777);
	scratch_text("one/adapter_config.json", config);
	const int length = snprintf((char *)file + 8, 4096,
	                            "{\"%s\":{\"dtype\":\"%s\",\"shape\":[%lld,%lld],"
	                            "\"data_offsets\":[0,%zu]},\"%s\":{\"dtype\":\"%s\","
	                            "\"shape\":[64,%lld],\"data_offsets\":[%zu,%zu]}}",
	                            a, type, (long long)rank, (long long)wide, first, b, type,
	                            (long long)rank, first, all);
	memcpy(file, &(uint64_t){(uint64_t)length}, 8);
	for (size_t i = 0; i < all / each; i++) {
		const float one = 1;
		const uint16_t short_one = omt_bf16_from_f32(1);
		memcpy(file + 8 + length + i * each,
		       half ? (const void *)&short_one : (const void *)&one, each);
	}
	scratch_write("one/adapter_model.safetensors", file, 8 + (size_t)length + all);
	return scratch_path("one");
}

#define Q "model.layers.0.self_attn.q_proj"

/* W + scale * rank * 1 in every element, by every way to say the scale and the name. */
Test(adapter, scales_and_names)
{
	static const struct {
		const char *config, *prefix, *infix;
		int64_t rank;
		float scale;
		bool half;
	} ways[] = {
		{"{\"peft_type\":\"LORA\",\"r\":4,\"lora_alpha\":8}", "base_model.model.model.", "",
	         4, 2, false},
		{"{\"peft_type\":\"LORA\",\"r\":4,\"lora_alpha\":8,\"use_rslora\":true}",
	         "base_model.model.thinker.model.", "", 4, 4, true},
		{"{\"peft_type\":\"LORA\"}", "model.", ".default", 8, 1, false},
		{"{\"peft_type\":\"LORA\",\"r\":4,\"lora_alpha\":8,\"rank_pattern\":{\"x\":1,"
	         "\"self_attn.q_proj\":2},\"alpha_pattern\":{\"^q_proj\":64,\"q_proj\":6}}",
	         "base_model.model.", "", 2, 3, false},
		{"{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":0.5,"
	         "\"target_modules\":[\"q_proj\"],"
	         "\"bias\":\"none\",\"modules_to_save\":null,\"use_dora\":false,"
	         "\"init_lora_weights\":\"gaussian\",\"lora_dropout\":0.1}",
	         "base_model.model.model.language_model.", "", 1, 0.5f, false},
	};
	omt_tensor before, after;
	const int64_t shape[] = {64, 64};
	cr_assert_eq(omt_weights_find(model->weights, Q ".weight", 2, shape, &before, &err),
	             OMT_OK);
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		char a[200], b[200];
		snprintf(a, sizeof a, "%slayers.0.self_attn.q_proj.lora_A%s.weight", ways[i].prefix,
		         ways[i].infix);
		snprintf(b, sizeof b, "%slayers.0.self_attn.q_proj.lora_B%s.weight", ways[i].prefix,
		         ways[i].infix);
		omt_model *adapted =
			open_adapted(DATA "tiny", write_one(ways[i].config, a, b, ways[i].rank, 64,
		                                            ways[i].half));
		cr_assert_eq(
			omt_weights_find(adapted->weights, Q ".weight", 2, shape, &after, &err),
			OMT_OK, "%s", err.text);
		cr_assert_eq(after.dtype, OMT_F32);
		for (size_t j = 0; j < 64 * 64; j++) {
			uint16_t was;
			memcpy(&was, before.data + 2 * j, 2);
			cr_assert_eq(((const float *)(const void *)after.data)[j],
			             omt_f32_from_bf16(was) + ways[i].scale * (float)ways[i].rank,
			             "way %zu, element %zu", i, j);
		}
		omt_model_close(adapted);
	}
}

static void expect_refused(const char *dir, const char *wanted)
{
	omt_model *opened;
	const omt_status status = omt_model_open_adapted(DATA "tiny", dir, &opened, &err);
	cr_expect_neq(status, OMT_OK, "%s", wanted);
	cr_expect_null(opened);
	cr_expect(strstr(err.text, wanted), "wanted \"%s\" in: %s", wanted, err.text);
}

Test(adapter, refused_configurations)
{
	static const struct {
		const char *keys, *wanted;
	} wrong[] = {
		{"", "no peft_type"},
		{"\"peft_type\":\"LOHA\"", "peft_type is \"LOHA\", expected \"LORA\""},
		{"\"peft_type\":\"LORA\",\"bias\":\"all\"", "bias is \"all\", expected \"none\""},
		{"\"peft_type\":\"LORA\",\"use_dora\":true", "use_dora is not supported"},
		{"\"peft_type\":\"LORA\",\"modules_to_save\":[\"norm\"]",
	         "modules_to_save is not supported"},
		{"\"peft_type\":\"LORA\",\"layer_replication\":[[0,4]]", "layer_replication"},
		{"\"peft_type\":\"LORA\",\"of_the_future\":1", "of_the_future is not supported"},
		{"\"peft_type\":\"LORA\",\"init_lora_weights\":\"pissa\"", "\"pissa\" changes"},
		{"\"peft_type\":\"LORA\",\"r\":0", "\"r\" is 0, expected 1 to 65536"},
		{"\"peft_type\":\"LORA\",\"r\":\"8\"", "\"r\""},
		{"\"peft_type\":\"LORA\",\"lora_alpha\":[]", "lora_alpha"},
		{"\"peft_type\":\"LORA\",\"rank_pattern\":{\"q.*\":4}", "\"q.*\" is an expression"},
		{"\"peft_type\":\"LORA\",\"rank_pattern\":{\"q\":0}",
	         "rank_pattern \"q\" is no whole number"},
		{"\"peft_type\":\"LORA\",\"rank_pattern\":{\"q\":1.5}",
	         "rank_pattern \"q\" is no whole number"},
		{"\"peft_type\":\"LORA\",\"alpha_pattern\":3", "alpha_pattern"},
		{"\"peft_type\":\"LORA\",\"target_modules\":[\"q_proj\",\"v_proj\"]",
	         "no tensor of \"v_proj\", which target_modules names"},
		{"\"peft_type\":\"LORA\",\"target_modules\":[3]", "target_modules holds no names"},
	};
	char config[256];
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		snprintf(config, sizeof config, "{%s}", wrong[i].keys);
		expect_refused(
			write_one(config, Q ".lora_A.weight", Q ".lora_B.weight", 8, 64, false),
			wrong[i].wanted);
	}
	expect_refused(write_one("[]", Q ".lora_A.weight", Q ".lora_B.weight", 8, 64, false),
	               "adapter_config.json: not an object");
	expect_refused(write_one("{", Q ".lora_A.weight", Q ".lora_B.weight", 8, 64, false),
	               "adapter_config.json");
}

Test(adapter, refused_tensors)
{
	static const char config[] = "{\"peft_type\":\"LORA\"}";
	static const struct {
		const char *a, *b, *wanted;
		int64_t rank, wide;
	} wrong[] = {
		{Q ".lora_A.weight", Q ".lora_B.weight",
	         "is [4, 64], the model and rank 8 make it [8, 64]", 4, 64},
		{Q ".lora_A.weight", Q ".lora_B.weight",
	         "is [8, 32], the model and rank 8 make it [8, 64]", 8, 32},
		{Q ".lora_A.weight", "model.layers.0.self_attn.k_proj.lora_B.weight",
	         "lora_B.weight is [64, 8], the model and rank 8 make it [32, 8]", 8, 64},
		{Q ".lora_A.weight", "model.layers.0.self_attn.o_proj.lora_B.weight",
	         "is there without its lora_", 8, 64},
		{"model.layers.4.self_attn.q_proj.lora_A.weight",
	         "model.layers.4.self_attn.q_proj.lora_B.weight", "is for no module of the model",
	         8, 64},
		{Q ".lora_A.weight", Q ".lora_magnitude_vector.weight",
	         "is neither lora_A nor lora_B of a module", 8, 64},
		{"model.embed_tokens.lora_embedding_A", Q ".lora_B.weight",
	         "lora_embedding_A is neither", 8, 64},
		{Q ".lora_A.weight", "base_model.model." Q ".lora_A.weight", "are for one matrix",
	         8, 64},
		{"model.norm.lora_A.weight", "model.norm.lora_B.weight",
	         "model.norm is no matrix in the model", 8, 64},
		{"talker.model.layers.0.self_attn.q_proj.lora_A.weight", Q ".lora_B.weight",
	         "is for no module", 8, 64},
	};
	struct stat info;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		expect_refused(write_one(config, wrong[i].a, wrong[i].b, wrong[i].rank,
		                         wrong[i].wide, false),
		               wrong[i].wanted);
	expect_refused(scratch_path("nowhere"), "nowhere/adapter_config.json: No such file");
	const char *dir = write_one(config, Q ".lora_A.weight", Q ".lora_B.weight", 8, 64, false);
	const char *path = scratch_path("one/adapter_model.safetensors");
	cr_assert_eq(stat(path, &info), 0);
	for (off_t bytes = info.st_size - 1; bytes > 0; bytes = bytes * 3 / 4) {
		cr_assert_eq(truncate(path, bytes), 0);
		expect_refused(dir, "adapter_model.safetensors: ");
	}
	unlink(path);
	expect_refused(dir, "adapter_model.safetensors: No such file");
}
