/* Any bytes as text for the tokenizer of the golden checkpoint. */
#include "tests/fuzz/input.h"
#include "token/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static omt_tokenizer *tokenizer;
	omt_ids ids = {0};
	omt_error err;
	if (!tokenizer &&
	    omt_tokenizer_open("tests/golden/data/tiny/tokenizer.json", &tokenizer, &err) != OMT_OK)
		abort();
	if (omt_tokenizer_encode(tokenizer, (const char *)data, size, &ids, &err) == OMT_OK &&
	    size && !ids.count)
		abort();
	free(ids.data);
	return 0;
}
