#include "base/cpu.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define UNDECIDED (-1)

static _Atomic int chosen = UNDECIDED;

static const char *const names[OMT_CPU_PATHS] = {"generic", "avx2", "avx512"};

static bool can_run(omt_cpu path)
{
#if defined(__x86_64__)
	__builtin_cpu_init();
	if (path == OMT_CPU_AVX2)
		return __builtin_cpu_supports("avx2");
	if (path == OMT_CPU_AVX512)
		return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
		       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
	return path == OMT_CPU_GENERIC;
}

static omt_cpu widest(void)
{
	omt_cpu path = OMT_CPU_PATHS - 1;
	while (!can_run(path))
		path--;
	return path;
}

omt_status omt_cpu_init(omt_error *err)
{
	const char *wanted = getenv("OMT_CPU");
	omt_cpu path = OMT_CPU_GENERIC;
	if (!wanted || !*wanted) {
		chosen = (int)widest();
		return OMT_OK;
	}
	while (path < OMT_CPU_PATHS && strcmp(wanted, names[path]) != 0)
		path++;
	if (path == OMT_CPU_PATHS)
		return OMT_FAIL(err, BAD_ARGUMENT,
		                "OMT_CPU is \"%s\", expected generic, avx2 or avx512", wanted);
	if (!omt_cpu_take(path))
		return OMT_FAIL(err, UNSUPPORTED, "OMT_CPU is %s, which this machine cannot run",
		                wanted);
	return OMT_OK;
}

omt_cpu omt_cpu_path(void)
{
	omt_error err;
	if (chosen == UNDECIDED && omt_cpu_init(&err) != OMT_OK)
		chosen = (int)widest();
	return (omt_cpu)chosen;
}

const char *omt_cpu_name(omt_cpu path)
{
	return names[path];
}

bool omt_cpu_take(omt_cpu path)
{
	if (!can_run(path))
		return false;
	chosen = (int)path;
	return true;
}
