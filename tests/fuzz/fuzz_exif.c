#include "media/exif.h"
#include "media/gif.h"
#include "tests/fuzz/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t colour[3];
	(void)omt_exif_orientation(data, size);
	(void)omt_gif_hidden(data, size, colour);
	return 0;
}
