/* topk.cl - a row a work-item, or 16 rows whose elements lie side by side (ldx 1). Global id: row,
 * or group of rows.
 *
 * A row's place in the outputs is a heap with the worst of the best so far at its root: most scores
 * are not better than that one, and 16 at once are compared with it. At the end the heap is
 * sorted. */
#include "contract.h"

typedef struct topk_heap {
	__global float *values;
	__global int *index;
	int count;
} topk_heap;

/* Whether entry i goes before entry j in the order of the result. */
static inline bool topk_before(topk_heap heap, int i, int j)
{
	return heap.values[i] != heap.values[j] ? heap.values[i] > heap.values[j]
	                                        : heap.index[i] < heap.index[j];
}

static inline void topk_swap(topk_heap heap, int i, int j)
{
	const float value = heap.values[i];
	const int number = heap.index[i];
	heap.values[i] = heap.values[j];
	heap.index[i] = heap.index[j];
	heap.values[j] = value;
	heap.index[j] = number;
}

/* Entry i goes below those that are worse. */
static inline void topk_sink(topk_heap heap, int i)
{
	for (int child = 2 * i + 1; child < heap.count; child = 2 * i + 1) {
		if (child + 1 < heap.count && topk_before(heap, child, child + 1))
			child++;
		if (!topk_before(heap, i, child))
			return;
		topk_swap(heap, i, child);
		i = child;
	}
}

static inline void topk_order(topk_heap heap)
{
	for (int i = heap.count / 2 - 1; i >= 0; i--)
		topk_sink(heap, i);
}

/* A score above the bar goes in. The new bar: the root's once there are k. */
static inline float topk_put(__private topk_heap *heap, int k, float bar, float score, int number)
{
	const int place = heap->count < k ? heap->count++ : 0, full = heap->count == k;
	heap->values[place] = score;
	heap->index[place] = number;
	if (full && place)
		topk_order(*heap);
	else if (full)
		topk_sink(*heap, 0);
	return full ? heap->values[0] : bar;
}

/* The worst go to the end, one after the other. */
static inline void topk_finish(topk_heap heap, int k)
{
	for (int i = heap.count; i < k; i++) {
		heap.values[i] = -INFINITY;
		heap.index[i] = -1;
	}
	if (heap.count < k)
		topk_order(heap);
	while (heap.count > 1) {
		heap.count--;
		topk_swap(heap, 0, heap.count);
		topk_sink(heap, 0);
	}
}

/* Rows row to row + 15 of those whose elements lie side by side. */
static inline void topk_abreast(OMT_ARGS(OMT_TOPK), int row)
{
	const int count = min(TILE_N, rows - row);
	topk_heap heaps[TILE_N];
	float least[TILE_N];
	for (int i = 0; i < TILE_N; i++) {
		least[i] = i >= count ? INFINITY : bounded ? bound[row + i] : -INFINITY;
		heaps[i].values = values + (size_t)(row + i) * ldo;
		heaps[i].index = index + (size_t)(row + i) * ldo;
		heaps[i].count = 0;
	}
	float16 bar = vload16(0, least);
	for (int column = 0; column < cols; column++) {
		const float16 scores = tile_load(x + (size_t)column * stride + row, rows - row);
		if (!any(scores > bar))
			continue;
		float lanes[TILE_N];
		vstore16(scores, 0, lanes);
		for (int i = 0; i < count; i++)
			if (lanes[i] > least[i])
				least[i] = topk_put(heaps + i, k, least[i], lanes[i],
				                    first + column);
		bar = vload16(0, least);
	}
	for (int i = 0; i < count; i++)
		topk_finish(heaps[i], k);
}

static inline void topk_row(OMT_ARGS(OMT_TOPK), int row)
{
	topk_heap heap = {values + (size_t)row * ldo, index + (size_t)row * ldo, 0};
	__global const float *from = x + (size_t)row * ldx;
	float least = bounded ? bound[row] : -INFINITY;
	for (int column = 0; column < cols;) {
		const int end = min(column + TILE_N, cols);
		if (stride == 1 && end - column == TILE_N &&
		    !any(vload16(0, from + column) > least)) {
			column = end;
			continue;
		}
		for (; column < end; column++) {
			const float score = from[(size_t)column * stride];
			if (score > least)
				least = topk_put(&heap, k, least, score, first + column);
		}
	}
	topk_finish(heap, k);
}

__kernel OMT_ALONE void topk(OMT_ARGS(OMT_TOPK))
{
	const int id = get_global_id(0);
	if (ldx == 1 && id * TILE_N < rows)
		topk_abreast(x, bound, values, index, rows, cols, ldx, stride, k, ldo, first,
		             bounded, id * TILE_N);
	else if (ldx != 1 && id < rows)
		topk_row(x, bound, values, index, rows, cols, ldx, stride, k, ldo, first, bounded,
		         id);
}
