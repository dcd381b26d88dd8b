#!/usr/bin/env bash
# xclbin.sh BUILD: a container with every op, as `omnitile bitstream pack` makes it, against XRT.
set -eu
build=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
contract=$(sed -n 's/#define OMT_CONTRACT_VERSION //p' device/contract.h)
mapfile -t ops < <(sed -n 's/^\tX(OMT_[A-Z0-9_]*, \([a-z0-9_]*\)).*/\1/p' device/contract.h)
{
	printf 'bitstreams:\n  - {name: all, card: u250, flow: xrt, target: sw_emu,\n'
	printf '     clock_mhz: 300, contract: %s, file: all.xclbin,\n     kernels: {' "$contract"
	for op in "${ops[@]}"; do
		[ "$op" = gemm ] || printf '%s: , ' "$op"
	done
	printf 'gemm: {units: 2, bank: [0, 2]}'
	printf '}}\n'
} >"$folder/manifest.yaml"
echo "no kernels: nothing is run" >"$folder/kernels.so"
"$build/omnitile" bitstream pack --manifest "$folder/manifest.yaml" --name all \
	--binary "$folder/kernels.so" --output "$folder/all.xclbin"
"$build/omnitile" bitstream verify --quiet "$folder/all.xclbin"
# shellcheck source=/dev/null
. build/fpga/env.sh
unset EMCONFIG_PATH
export XCL_EMULATION_MODE=noop
program=$(realpath "$build/fpga/xclbin")
cd "$folder" # XRT leaves a folder where it runs
# What has to be refused is told by XRT on its own.
"$program" all.xclbin 2>said || {
	cat said
	exit 1
}
