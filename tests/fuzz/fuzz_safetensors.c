#include "model/weights.h"
#include "tests/fuzz/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	omt_weights *weights;
	omt_tensor tensor;
	omt_error err;
	const char *folder = fuzz_folder(data, size, "model.safetensors");
	if (omt_weights_open(folder, &weights, &err) != OMT_OK)
		return 0;
	volatile uint8_t sum = 0;
	if (omt_weights_find(weights, "a", 1, (int64_t[]){-1}, &tensor, &err) == OMT_OK)
		for (size_t i = 0; i < tensor.bytes; i++)
			sum = (uint8_t)(sum + tensor.data[i]);
	omt_weights_close(weights);
	return 0;
}
