#!/usr/bin/env bash
# bitstreams.sh OMNITILE NAME FOLDER - makes the binary of entry NAME of FOLDER/manifest.yaml
# (bitstreams/README.md) and writes its digest there. What OpenCL compiles is made at once, and what
# XRT's software emulation runs, which the C compiler makes; for v++ and aoc, what they take is left
# in FOLDER/NAME, and they are called when they are installed:
#   PLATFORM  v++'s name of the card's platform
#   BOARD     aoc's name of the board
set -eu
omnitile=$1 name=$2 folder=$3
manifest=$folder/manifest.yaml recipe=$folder/$name
sources=$(dirname "$0")
rm -f "$recipe"/build.sh "$recipe"/*.{c,cl,cfg,xo,aoco,aocr} # of another day
# Machine code of Intel's emulator for any CPU with AVX2: it knows no recent ones, for which its
# code is eight times slower.
if [ -z "${CL_CONFIG_CPU_TARGET_ARCH:-}" ] && grep -qw avx2 /proc/cpuinfo; then
	export CL_CONFIG_CPU_TARGET_ARCH=core-avx2
fi
# The emulator says on standard error that it does not know the CPU.
"$omnitile" bitstream build --manifest "$manifest" --name "$name" --sources "$sources" \
	--recipe "$recipe" 2> >(grep -v 'Unknown host CPU' >&2)
[ -f "$recipe/build.sh" ] || exit 0
file=$(sed -nE 's/.* -o ([^ ]+) .*/\1/p' "$recipe/build.sh" | tail -1)

# For XRT's software emulation: a shared library in a container of our own.
if grep -q '^v++ -l -t sw_emu' "$recipe/build.sh"; then
	kernels=()
	for source in "$recipe"/*.c; do
		kernels+=("$(basename "$source" .c)=$source")
	done
	"$sources/library.sh" "$recipe/kernels.so" "${kernels[@]}"
	"$omnitile" bitstream pack --manifest "$manifest" --name "$name" \
		--binary "$recipe/kernels.so" --output "$folder/$file"
	exit
fi
tool=$(grep -oE '^(v\+\+|aoc)' "$recipe/build.sh" | head -1)
if ! command -v "$tool" >/dev/null; then
	echo "$name: $tool is not installed here: $recipe has all that it takes" >&2
	exit 1
fi
sh "$recipe/build.sh"
mv "$recipe/$file" "$folder/"
"$omnitile" bitstream digest --manifest "$manifest" --name "$name"
