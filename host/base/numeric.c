#include "base/numeric.h"

#include <pthread.h>
#include <stdlib.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static locale_t plain; /* lives as long as the process */

static void make_plain(void)
{
	plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

locale_t omt_numeric_begin(void)
{
	pthread_once(&once, make_plain);
	return uselocale(plain);
}

void omt_numeric_end(locale_t before)
{
	uselocale(before);
}

double omt_numeric_read(const char *text, char **end)
{
	const locale_t before = omt_numeric_begin();
	const double value = strtod(text, end);
	omt_numeric_end(before);
	return value;
}
