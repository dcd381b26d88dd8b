#!/usr/bin/env bash
# opencl.sh TEST_OP - the op checks on each OpenCL implementation there is: every platform that the
# loader finds (PoCL), Intel's CPU runtime if OMT_INTEL_OPENCL names the folder of libintelocl.so,
# and oclgrind. Intel's comes without installing anything:
#   python3 -m venv /tmp/intel
#   /tmp/intel/bin/pip install intel-opencl-rt==2025.0.5 intel-cmplr-lib-rt==2025.0.5
#   OMT_INTEL_OPENCL=/tmp/intel/lib tests/opencl.sh build/release/test_op
set -u
test_op=$1
here=$(dirname "$0")
bad=0
export OMT_TEST_BACKENDS=opencl

while IFS=: read -r number name; do
	echo "== OpenCL device $number: $name"
	OMT_DEVICE=$number "$test_op" || bad=1
done < <("$(dirname "$test_op")/omnitile" devices --json |
	sed -nE 's/^ *"number": ([0-9]+),/\1/p; s/^ *"name": "(.*)",/\1/p' | paste -d: - -)

if [ -n "${OMT_INTEL_OPENCL:-}" ]; then
	echo "== Intel's CPU runtime, $OMT_INTEL_OPENCL"
	vendors=$(mktemp -d)
	trap 'rm -rf "$vendors"' EXIT
	echo "$OMT_INTEL_OPENCL/libintelocl.so" >"$vendors/intel.icd"
	OCL_ICD_VENDORS=$vendors LD_LIBRARY_PATH=$OMT_INTEL_OPENCL "$test_op" || bad=1
fi

if command -v oclgrind >/dev/null; then
	echo "== oclgrind"
	"$here/race.sh" "$test_op" || bad=1
fi
exit $bad
