#!/usr/bin/env bash
# alone.sh - every kernel of hls/ compiles by itself, with no header of the project but portable.h
# and contract.h: as C99 for each C compiler there is, as a synthesis tool sees it (HLS_PLAIN,
# __VITIS_HLS__), and as OpenCL C where clang is there. No compiler here reads the tools' pragmas:
# their words are held against what the manuals allow. Exit status 1 if one does not.
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

# UG1399, "HLS Pragmas"; Intel FPGA SDK for OpenCL Pro Edition Programming Guide, "unroll", "ivdep".
variable='variable = [a-z_]+'
interface='interface (s_axilite port = [a-z_0-9]+|'
interface+='m_axi port = [a-z_0-9]+ bundle = gmem[0-2] offset = slave( max_[a-z_]+ = [0-9]+){3})'
known=(-e "^#pragma HLS $interface\$"
	-e "^#pragma HLS array_partition $variable complete dim = [0-4]\$"
	-e "^#pragma HLS dependence $variable inter (false|RAW distance = [0-9]+ true)\$"
	-e '^#pragma HLS (pipeline II = [1-3]|dataflow|inline( off)?|latency min = 1 max = 1)$'
	-e '^#pragma (unroll|ivdep (array\([a-z_]+\) )?safelen\([0-9]+\))$'
	-e '^#pragma OPENCL (EXTENSION cl_intel_channels : enable|FP_CONTRACT OFF)$')

# pragmas NAME FLAG...: every pragma of a source, its macros expanded, is one that the tools know.
pragmas() {
	local name=$1 said
	shift
	said=$(gcc -E "$@" | sed -nE 's/^ *(#pragma.*[^ ]) *$/\1/p' | grep -vE "${known[@]}")
	[ -z "$said" ] && return
	echo "FAIL $name: no pragma of the tools"
	echo "$said" | sort -u
	bad=1
}

# independent NAME FLAG...: nothing is said of the dependences of a buffer that shares its bundle.
independent() {
	local name=$1 said
	shift
	said=$(gcc -E "$@" | awk '
		/m_axi port/ { of[$7] = $10; count[$10]++ }
		/HLS dependence/ { told[$6] }
		END { for (v in told) if (v in of && count[of[v]] > 1) print v }')
	[ -z "$said" ] && return
	echo "FAIL $name: HLS_INDEPENDENT of $said, which shares its bundle"
	bad=1
}

c99=(-std=c99 -O1 -Wall -Wextra -Wvla -Wno-unknown-pragmas -c -o "$folder/object")
# `channel` is a word of Intel's.
opencl=(-x cl -cl-std=CL1.2 -Dchannel= -Xclang -finclude-default-header -Wall -c -emit-llvm
	-o "$folder/object")
clang=0
! command -v clang >/dev/null || clang=1
count=0
cp hls/*_hls.c "$folder/hls/"
# X(OMT_GEMM_I8, gemm_i8): in a source of its own or in gemm's.
for op in $(sed -nE 's/^\tX\(OMT_[A-Z0-9_]+, ([a-z0-9_]+)\).*/\1/p' device/contract.h); do
	source=$folder/hls/${op}_hls.c
	[ -f "$source" ] || source=$folder/hls/${op%_*}_hls.c
	here=("-DHLS_OP_$op" "$source")
	count=$((count + 1))
	for flags in -DHLS_SIMULATION -DHLS_PLAIN -D__VITIS_HLS__; do
		try "$op" gcc "${c99[@]}" $flags "${here[@]}"
		[ $clang = 0 ] || try "$op" clang "${c99[@]}" $flags "${here[@]}"
	done
	pragmas "$op" -D__VITIS_HLS__ "${here[@]}"
	independent "$op" -D__VITIS_HLS__ "${here[@]}"
	pragmas "$op, OpenCL C" -D__OPENCL_VERSION__=120 -Dcl_intel_channels "${here[@]}"
	[ $clang = 0 ] || try "$op, OpenCL C" clang "${opencl[@]}" "${here[@]}"
done
echo "hls: $count kernels stand alone"
[ "$count" -gt 0 ] && exit $bad
