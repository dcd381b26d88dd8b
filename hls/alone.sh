#!/usr/bin/env bash
# alone.sh - every kernel of hls/ compiles by itself, with no header of the project but portable.h
# and contract.h: as C99 for each C compiler there is, as a synthesis tool sees it (HLS_PLAIN,
# __VITIS_HLS__), and as OpenCL C where clang is there. Exit status 1 if one does not.
set -u
cd "$(dirname "$0")/.."
bad=0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/hls" "$folder/device"
cp hls/portable.h "$folder/hls/"
cp device/contract.h "$folder/device/"

# try NAME COMMAND...: no warnings either.
try() {
	local name=$1 said
	shift
	if ! said=$("$@" 2>&1) || [ -n "$said" ]; then
		echo "FAIL $name: $*"
		echo "$said" | head -20
		bad=1
	fi
}

c99=(-std=c99 -O1 -Wall -Wextra -Wvla -Wno-unknown-pragmas -c -o "$folder/object")
# `channel` is a word of Intel's.
opencl=(-x cl -cl-std=CL1.2 -Dchannel= -Xclang -finclude-default-header -Wall -c -emit-llvm
	-o "$folder/object")
clang=0
! command -v clang >/dev/null || clang=1
count=0
for source in hls/*_hls.c; do
	cp "$source" "$folder/hls/"
	own=$(basename "$source" _hls.c) # and the others that the source names
	for op in $({ echo "HLS_OP_$own"; grep -oE 'HLS_OP_[a-z0-9_]+' "$source"; } | sort -u); do
		here=("-D$op" "$folder/$source")
		count=$((count + 1))
		for flags in -DHLS_SIMULATION -DHLS_PLAIN -D__VITIS_HLS__; do
			try "$source $op" gcc "${c99[@]}" $flags "${here[@]}"
			[ $clang = 0 ] || try "$source $op" clang "${c99[@]}" $flags "${here[@]}"
		done
		[ $clang = 0 ] || try "$source $op, OpenCL C" clang "${opencl[@]}" "${here[@]}"
	done
done
ops=$(grep -cE '^\s*X\(OMT_' device/contract.h)
[ "$count" = "$ops" ] || { echo "FAIL: $count kernels, the contract has $ops ops" && bad=1; }
echo "hls: $count kernels stand alone"
exit $bad
