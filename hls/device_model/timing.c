#include "hls/device_model/timing.h"

omt_modelled omt_model_kernel(const omt_model_settings *settings, double clock_mhz,
                              const omt_landing *landing, size_t banks)
{
	const hls_counts *counts = &landing->counts;
	omt_modelled out = {.clock_mhz = clock_mhz, .cycles = (double)landing->cycles};
	if (settings->clock_mhz > 0)
		out.clock_mhz = settings->clock_mhz;
	if (out.clock_mhz <= 0)
		out.clock_mhz = 300;
	for (int i = 0; i < HLS_STAGES && !landing->cycles; i++)
		if ((double)counts->trips[i] > out.cycles)
			out.cycles = (double)counts->trips[i];
	const double bytes = (double)counts->read_bytes + (double)counts->written_bytes;
	const double moving = bytes / ((double)(banks ? banks : 1) * settings->memory_gbps * 1e9);
	const double working = out.cycles / (out.clock_mhz * 1e6);
	out.seconds = 1e-6 * settings->launch_us + 1e-9 * settings->memory_latency_ns +
	              (moving > working ? moving : working);
	return out;
}

double omt_model_copy(const omt_model_settings *settings, uint64_t bytes)
{
	return 1e-6 * settings->link_latency_us + (double)bytes / (1e9 * settings->link_gbps);
}
