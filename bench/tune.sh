#!/usr/bin/env bash
# tune.sh BUILD [CLASS...]: tunes the shipped entries of configs/devices/ anew, those for which
# there is a runtime here: PoCL as it is, PoCL without AVX-512 (tests/avx2_only.c), and Intel's CPU
# runtime if OMT_INTEL_OPENCL names the folder of libintelocl.so (tests/opencl.sh). A class a run;
# UNDER is put before each, for machines that others use; ONLY=intel takes the entries whose names
# hold that; SECONDS_EACH (110) is how long each searches.
set -eu
build=$(realpath "$1")
shift
cd "$(dirname "$0")/.."
export OMT_DEVICES_DIR=/nonexistent # "before" is what is shipped
# generic-gpu.yaml has every class.
[ $# -gt 0 ] || set -- $(sed -n 's/^  \([a-z0-9_]*\): .*/\1/p' configs/devices/generic-gpu.yaml)

# tune FILE ENVIRONMENT... -- CLASS...
tune() {
	local file=configs/devices/$1 settings=()
	shift
	while [ "$1" != -- ]; do
		settings+=("$1")
		shift
	done
	shift
	[[ $file == *${ONLY:-}* ]] || return 0
	for class; do
		echo "== $file, $class" >&2
		${UNDER:-} env ${settings[@]+"${settings[@]}"} "$build/omnitile" tune \
			--output "$file" --seconds "${SECONDS_EACH:-110}" --class "$class"
	done
}

if "$build/omnitile" devices --json | grep -q '"vector_width": 16'; then
	tune pocl-avx512.yaml -- "$@"
fi
tune pocl-avx2.yaml "LD_PRELOAD=$build/avx2_only.so" -- "$@"
if [ -n "${OMT_INTEL_OPENCL:-}" ]; then
	vendors=$(mktemp -d)
	trap 'rm -rf "$vendors"' EXIT
	echo "$OMT_INTEL_OPENCL/libintelocl.so" >"$vendors/intel.icd"
	tune intel-cpu.yaml "OCL_ICD_VENDORS=$vendors" "LD_LIBRARY_PATH=$OMT_INTEL_OPENCL" \
		-- "$@"
fi
