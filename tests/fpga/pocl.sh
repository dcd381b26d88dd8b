#!/usr/bin/env bash
# pocl.sh BUILD: the kernels of hls/ as OpenCL C tasks without channels, from a binary that PoCL
# made: every op against the reference. gemm has two units, which are kernels of their own.
set -eu
build=$1
bitstreams=$PWD/build/bitstreams/pocl
mkdir -p "$bitstreams"
# Intel's entry for PoCL.
{
	echo 'bitstreams:'
	awk '/- name:/ { on = /intel-emulation/ } on' bitstreams/manifest.yaml |
		sed -E 's/name: .*/name: pocl/; s/flow: .*/flow: opencl/; s/target: .*/target: any/
			s/platform: .*/platform: Portable/; /device: /d; s/file: .*/file: pocl.bin/
			s/gemm: \{.*/gemm: {units: 2}/; s/names: [^}]*//'
} >"$bitstreams/manifest.yaml"
hls/bitstreams.sh "$build/omnitile" pocl "$bitstreams"
export OMT_BITSTREAMS=$bitstreams OMT_BITSTREAM=pocl OMT_TEST_BACKENDS=opencl
"$build/omnitile" devices
"$build/test_op" --filter '*/opencl'
