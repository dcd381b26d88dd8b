#include "bench/probes/roofline.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

static double number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

/* The peak of the type that an op multiplies; f32's where the device has none of that type. */
static double peak_of(const json_t *roofline, const char *op)
{
	static const struct {
		const char *op, *type;
	} typed[] = {{"gemm_i8", "int8"}, {"gemm_bf16", "bf16"}};
	const json_t *peaks = json_object_get(roofline, "gflops");
	double peak = number(peaks, "f32");
	for (size_t i = 0; i < sizeof typed / sizeof *typed; i++)
		if (!strcmp(op, typed[i].op) && number(peaks, typed[i].type) > 0)
			peak = number(peaks, typed[i].type);
	return peak;
}

/* Of the smallest set that holds so many bytes; of larger ones the largest's. */
static double bandwidth_of(const json_t *roofline, double bytes)
{
	size_t i;
	json_t *set;
	json_array_foreach(json_object_get(roofline, "sets"), i,
	                   set) if (number(set, "bytes") >= bytes) return number(set,
	                                                                         "gbytes_per_s");
	return number(roofline, "gbytes_per_s");
}

static void judge(const json_t *roofline, json_t *op)
{
	const char *name = json_string_value(json_object_get(op, "op"));
	const double seconds = number(op, "seconds"), flops = number(op, "flops"),
		     bytes = number(op, "bytes"), launches = fmax(1, number(op, "launches"));
	if (!name || !(seconds > 0) || !(bytes > 0))
		return;
	const double peak = peak_of(roofline, name);
	const double bandwidth = bandwidth_of(roofline, bytes / launches);
	const double gflops = 1e-9 * flops / seconds, gbytes = 1e-9 * bytes / seconds;
	const double intensity = flops / bytes;
	json_object_set_new(op, "gflops", json_real(gflops));
	json_object_set_new(op, "gbytes_per_s", json_real(gbytes));
	if (!(peak > 0) || !(bandwidth > 0))
		return;
	const bool computes = intensity >= peak / bandwidth;
	json_object_set_new(op, "bound", json_string(computes ? "compute" : "memory"));
	json_object_set_new(op, "roof_gflops",
	                    flops > 0 ? json_real(fmin(peak, intensity * bandwidth)) : json_null());
	/* On the memory's side the share is that of bandwidth, also of what computes nothing. */
	json_object_set_new(op, "roof_share",
	                    json_real(computes ? gflops / peak : gbytes / bandwidth));
}

json_t *omt_bench_ops(const json_t *roofline, const json_t *ops)
{
	size_t i;
	json_t *op, *all = json_deep_copy(ops);
	json_array_foreach(all, i, op) judge(roofline, op);
	return all;
}
