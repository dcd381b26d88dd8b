#!/usr/bin/env bash
# xrt.sh BUILD: the kernels of hls/ through the packaged XRT in software emulation, from a container
# of our own on the device model: every op against the reference, and the whole tiny checkpoint, all
# modalities, with the goldens' tolerance. Suite slots is left out: it asks that nothing grows, and
# XRT keeps something of every command (400 KB more after 4,000 launches and their copies).
set -eu
build=$1
bitstreams=$PWD/build/bitstreams
name=u250-sw_emu
mkdir -p "$bitstreams"
cp -u bitstreams/manifest.yaml "$bitstreams/"
hls/bitstreams.sh "$build/omnitile" $name "$bitstreams"
"$build/omnitile" bitstream verify --quiet "$bitstreams/$name.xclbin"
# shellcheck source=/dev/null
. build/fpga/env.sh
export OMT_BITSTREAMS=$bitstreams OMT_BITSTREAM=$name OMT_TEST_BACKENDS=opencl OMT_DEVICE=u250
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export OMT_MODEL_LOG=$log # each launch, as the device saw it
"$build/omnitile" devices
"$build/test_op" --filter '!(slots)/opencl' -j1
"$build/test_golden" --filter '*/opencl' -j1
for unit in gemm_1 gemm_2 gemm_i8_2 gemm_bf16_2 topk_1; do
	grep -q "\"unit\":\"$unit\"" "$log" || {
		echo "xrt: unit $unit never ran" >&2
		exit 1
	}
done
