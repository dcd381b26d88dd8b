/* roofline.h - ops beside what their device can do (Williams, Waterman, Patterson: Roofline, 2009).
 *
 * The roof over an op is min(peak, intensity * bandwidth), intensity being its FLOPs a byte. Peak
 * is that of the type it multiplies: int8 ops have int8's, where the device has one. Bandwidth is
 * that of a set as large as what one launch of the op moves (the smallest measured set that holds
 * it): what an op before it wrote may still be in a cache. */
#ifndef OMT_BENCH_ROOFLINE_H
#define OMT_BENCH_ROOFLINE_H

#include <jansson.h>

/* roofline: omt_roofline()'s object; ops: [{"op", "launches", "seconds", "flops", "bytes"}, ...] as
 * omt_engine_describe() tells them, totals over all launches. Gives the same array with, in each op
 * that took time, "gflops" and "gbytes_per_s" as achieved, "bound" ("compute" or "memory": the side
 * of the ridge that its intensity is on), "roof_gflops" (the roof over it; null: it has no FLOPs)
 * and "roof_share" (achieved / roof). An op that took no time or that moved nothing is left as it
 * is. Given, json_decref(); NULL: no memory. */
json_t *omt_bench_ops(const json_t *roofline, const json_t *ops);

#endif
