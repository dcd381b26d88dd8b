/* search: times of searches over an index, told to start one after the other.
 *
 *     bench_search INDEX QUERIES K [BACKEND]
 *
 * Opens the index, reads a number of queries a line from standard input, searches for the first so
 * many of QUERIES (a vector file) and prints {"seconds":...}; for "hits" the rows of the last
 * search, a query a line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "omnitile.h"

typedef struct bench {
	omt_index *index;
	omt_loaded *queries;
	omt_hit *hits;
	size_t k, *found, last;
} bench;

static omt_error err;

static void check(omt_status status)
{
	if (status == OMT_OK)
		return;
	fprintf(stderr, "bench_search: %s\n", err.text);
	exit(1);
}

static void search(bench *b, size_t count)
{
	b->last = count < b->queries->count ? count : b->queries->count;
	const double begin = omt_now_s();
	check(omt_index_search(b->index, b->queries->values, b->last, b->queries->dimension, b->k,
	                       b->hits, b->found, &err));
	printf("{\"seconds\":%.6f}\n", omt_now_s() - begin);
}

static void print_hits(const bench *b)
{
	for (size_t q = 0; q < b->last; q++)
		for (size_t i = 0; i < b->k; i++)
			printf("%lld%c",
			       i < b->found[q] ? (long long)b->hits[q * b->k + i].row : -1,
			       i + 1 < b->k ? ' ' : '\n');
}

int main(int argc, char **argv)
{
	bench b = {0};
	char line[64];
	if (argc < 4)
		return fprintf(stderr, "bench_search INDEX QUERIES K [BACKEND]\n"), 2;
	b.k = (size_t)atol(argv[3]);
	check(omt_index_open(argv[1], &b.index, &err));
	check(omt_index_use(b.index, argc > 4 ? argv[4] : NULL, NULL, 0, &err));
	check(omt_vectors_load(argv[2], &b.queries, &err));
	b.hits = calloc(b.queries->count * b.k + 1, sizeof *b.hits);
	b.found = calloc(b.queries->count + 1, sizeof *b.found);
	while (b.hits && b.found && fgets(line, sizeof line, stdin)) {
		if (!strncmp(line, "hits", 4))
			print_hits(&b);
		else
			search(&b, (size_t)atol(line));
		fflush(stdout);
	}
	free(b.hits);
	free(b.found);
	omt_vectors_unload(b.queries);
	omt_index_close(b.index);
	return 0;
}
