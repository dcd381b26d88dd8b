/* A LoRA adapter: a byte that says how long its configuration is, that, then its tensors, for a
 * model of the tiny shapes. */
#include <string.h>

#include "model/adapter.h"
#include "tests/fuzz/input.h"

static const char shape[] =
	"{\"architectures\":[\"NVOmniEmbedModel\"],\"audio_config\":{\"d_model\":32,"
	"\"encoder_layers\":1,\"encoder_attention_heads\":4,\"encoder_ffn_dim\":64,"
	"\"output_dim\":8},"
	"\"vision_config\":{\"depth\":1,\"hidden_size\":16,\"intermediate_size\":16,"
	"\"num_heads\":4,"
	"\"out_hidden_size\":8,\"fullatt_block_indexes\":[0]},"
	"\"text_config\":{\"vocab_size\":16,\"hidden_size\":8,\"intermediate_size\":16,"
	"\"num_hidden_layers\":1,\"num_attention_heads\":2,\"num_key_value_heads\":1,"
	"\"rope_scaling\":{\"mrope_section\":[1,1,0]}}}";

static omt_weights *open_weights(void)
{
	omt_config config;
	omt_weights *weights;
	omt_error err;
	if (omt_config_parse("shape", shape, &config, &err) != OMT_OK ||
	    omt_weights_zeros("shape", &config, &weights, &err) != OMT_OK)
		abort();
	omt_config_free(&config);
	return weights;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	omt_adapter *adapter;
	omt_error err;
	if (!size)
		return 0;
	const size_t length = data[0] < size - 1 ? data[0] : size - 1;
	fuzz_folder(data + 1, length, "adapter_config.json");
	const char *folder =
		fuzz_folder(data + 1 + length, size - 1 - length, "adapter_model.safetensors");
	omt_weights *weights = open_weights();
	if (omt_adapter_open(folder, weights, &adapter, &err) == OMT_OK &&
	    omt_adapter_merge(adapter, weights, &err) != OMT_OK)
		abort();
	omt_adapter_close(adapter);
	omt_weights_close(weights);
	return 0;
}
