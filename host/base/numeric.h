/* numeric.h - numbers in files have a point and no grouping, whatever locale the program has set:
 * printf() and strtod() would go by it. (jansson does not.) */
#ifndef OMT_BASE_NUMERIC_H
#define OMT_BASE_NUMERIC_H

#include <locale.h>

/* From here on the calling thread writes and reads numbers as in locale "C"; what is returned goes
 * to omt_numeric_end(). No callback of the program's is called between the two. */
locale_t omt_numeric_begin(void);
void omt_numeric_end(locale_t before);

/* strtod(), with a point. */
double omt_numeric_read(const char *text, char **end);

#endif
