#!/usr/bin/env bash
# intel.sh BUILD: the kernels of hls/ on Intel's FPGA emulation platform, from a binary: every op
# against the reference, and the whole tiny checkpoint, all modalities, with the goldens' tolerance.
# The runtime comes from PyPI, into build/fpga/intel; what is installed and what was built stays.
set -eu
build=$1
runtime=$PWD/build/fpga/intel
bitstreams=$PWD/build/bitstreams
wanted="intel-opencl-fpga-emu-rt==2025.0.5 intel-opencl-rt==2025.0.5 intel-cmplr-lib-rt==2025.0.5"

if [ "$(cat "$runtime/installed" 2>/dev/null)" != "$wanted" ]; then
	python3 -m venv --clear "$runtime"
	# shellcheck disable=SC2086 # a list of names
	if ! "$runtime/bin/pip" install --quiet --disable-pip-version-check $wanted; then
		echo "intel: no runtime from PyPI; is there a network? nothing was tested" >&2
		exit 1
	fi
	echo "$wanted" >"$runtime/installed"
fi
mkdir -p "$runtime/icd"
echo "$runtime/lib/libintelocl_emu.so" >"$runtime/icd/emulation.icd"
echo "export LD_LIBRARY_PATH='$runtime/lib' OCL_ICD_VENDORS='$runtime/icd'" >"$runtime/env.sh"
# shellcheck source=/dev/null
. "$runtime/env.sh"
export OMT_BITSTREAMS=$bitstreams OMT_BITSTREAM=intel-emulation OMT_TEST_BACKENDS=opencl
export OMT_DEVICE=Emulation

# quietly COMMAND...: but for what the runtime says of a CPU that it does not know.
quietly() {
	"$@" 2> >(grep -v 'Unknown host CPU' >&2)
}
mkdir -p "$bitstreams"
cp -u bitstreams/manifest.yaml "$bitstreams/"
hls/bitstreams.sh "$build/omnitile" intel-emulation "$bitstreams"
quietly "$build/omnitile" devices
quietly "$build/test_op" --filter '*/opencl'
quietly "$build/test_golden" --filter '*/opencl'
# Nobody has to ask for it: the emulation's own compiler takes minutes.
unset OMT_BITSTREAM OMT_DEVICE
"$build/omnitile" devices 2>/dev/null | grep -q '^   bitstream intel-emulation' || {
	echo "intel: the emulated card does not take its binary unasked" >&2
	exit 1
}
