# bitstream build and make bitstreams: what OpenCL compiles, what vendors' tools are given (played
# here by scripts that join what they take), and what is wrong with an entry.
mkdir -p "$tmp/built" "$tmp/tools"
contract=$(grep -oE 'CONTRACT_VERSION [0-9]+' device/contract.h | grep -oE '[0-9]+')
# card NAME FLOW TARGET FILE KERNELS [CONTRACT]
card() {
	printf '  - name: %s\n    flow: %s\n    target: %s\n    file: %s\n' "$1" "$2" "$3" "$4"
	printf '    card: u250\n    kernels: %s\n    contract: %s\n' "$5" "${6:-$contract}"
	printf '    clock_mhz: 250\n    digest: "" # of %s\n' "$1"
}
rows='{l2norm: {params: {width: 4}}, rotary: {units: 2, bank: [0, 1]}}'
{
	echo 'bitstreams:'
	card any opencl any any.bin "$rows"
	card alveo xrt hw alveo.xclbin "$rows"
	card stratix intel hw stratix.aocx "$rows"
	card parts opencl any parts.bin '{l2norm: {names: [l2norm, l2norm_drain]}}'
	card none opencl any none.bin '{quantize: {}}'
	card broken opencl any broken.bin '{l2norm: {params: {width: 7}}}'
	card many xrt hw many.xclbin '{gemm: {units: 6}}'
	card gap xrt hw gap.xclbin '{l2norm: {bank: [0, 2]}}'
	card old xrt hw old.xclbin '{l2norm: {}}' 3
} >"$tmp/built/manifest.yaml"
bitstream() {
	local name=$1
	shift
	"$omnitile" bitstream build --manifest "$tmp/built/manifest.yaml" --name "$name" "$@"
}
# signed NAME FILE: the digest in the manifest is the file's.
signed() {
	grep -q "digest: \"$(sha256sum <"$tmp/built/$2" | cut -d' ' -f1)\" # of $1" \
		"$tmp/built/manifest.yaml" && echo signed
}
make_bitstream() {
	PATH=$tmp/tools:$PATH hls/bitstreams.sh "$omnitile" "$1" "$tmp/built"
}
check "bitstream build --help" 0 "usage: omnitile bitstream build" "$omnitile" bitstream build \
	--help
check "bitstream build, no entry" 2 'no entry "no" among any' bitstream no
check "bitstream build, no name" 2 "expected --name NAME" "$omnitile" bitstream build
check "bitstream build by OpenCL" 0 '^$' bitstream any
check "its digest is in the manifest" 0 signed signed any any.bin
check "bitstream build, a kernel that is not there" 2 \
	'parts: the source of l2norm makes no kernel l2norm_drain' bitstream parts
check "bitstream build, no source" 2 "$tmp/tools: no source for op quantize" bitstream none \
	--sources "$tmp/tools"
cp -r hls device "$tmp/tools/"
sed -i 's/float line/float line, unused; flaot more/' "$tmp/tools/hls/l2norm_hls.c"
check "bitstream build, a source that is wrong" 2 'any: l2norm: .*clCompileProgram.*l2norm_hls.c:' \
	bitstream any --sources "$tmp/tools/hls"
printf '#include "no.h"\n' >"$tmp/tools/hls/l2norm_hls.c"
check "bitstream build, what is included is not there" 2 "$tmp/tools/hls/no.h: No such file" \
	bitstream any --sources "$tmp/tools/hls"
printf '\n # include "l2norm_hls.c"' >"$tmp/tools/hls/l2norm_hls.c"
check "bitstream build, a source in itself" 2 'l2norm_hls.c: included 9 deep' \
	bitstream any --sources "$tmp/tools/hls"
check "the file stays as it was" 0 signed signed any any.bin
check "bitstream build for tools, no folder" 2 'no folder' bitstream alveo
check "bitstream build, banks with a gap" 2 'gap: banks 0 to 2 of l2norm: v..' bitstream gap \
	--recipe "$tmp/gap"
check "bitstream build, more ports than a bank has" 2 'many: 18 ports of kernels on bank 0' \
	bitstream many --recipe "$tmp/many"
check "bitstream build, another contract" 2 'contract' bitstream old --recipe "$tmp/old"
# The shipped entries of real cards.
cp bitstreams/manifest.yaml "$tmp/tools/"
shipped() {
	hls/bitstreams.sh "$omnitile" "$1" "$tmp/tools"
}
check "make bitstreams CARD=u55c" 1 \
	'^u55c: v\+\+ is not installed here: .*/u55c has all that it takes$' shipped u55c
check "its kernels reach all of HBM" 0 '^sp=gemm_1.a:HBM\[0:31\]$' cat "$tmp/tools/u55c/link.cfg"
check "make bitstreams CARD=u250" 1 '^u250: v\+\+ is not installed' shipped u250
check "make bitstreams CARD=agilex7" 1 '^agilex7: aoc is not installed' shipped agilex7
check "its gemm is three kernels" 0 '^GEMM_KERNEL\(GEMM_NAME\(drain\)' \
	cat "$tmp/tools/agilex7/gemm.cl"
check "a memory of all channels" 0 '-clock=350MHz"$' cat "$tmp/tools/agilex7/build.sh"
check "make bitstreams CARD=stratix10mx-int8" 1 '^stratix10mx-int8: aoc is not installed' \
	shipped stratix10mx-int8
check "make bitstreams without v++" 1 'v\+\+ is not installed' make_bitstream alveo
check "two units on two banks" 0 '^sp=rotary_2.sines:DDR\[0:1\]$' cat "$tmp/built/alveo/link.cfg"
check "parameters of a kernel" 0 '^#define HLS_WIDTH 4$' cat "$tmp/built/alveo/l2norm.c"
# What it is given compiles by itself.
check "a source for v++" 0 '^$' gcc -std=c99 -D__VITIS_HLS__ -Wall -Wno-unknown-pragmas -c \
	-o "$tmp/object" "$tmp/built/alveo/rotary.c"
cat >"$tmp/tools/v++" <<'END'
#!/bin/sh -eu
# v++ -c --mode hls ... --config F --work_dir D, v++ -l ... -o F OBJECT...
case "$*" in
"-c --mode hls --platform u250 --freqhz=250000000 --config "*)
	mkdir -p "${10}"
	grep -oE '^syn.file=.*' "$8" | cut -d= -f2 | xargs cat >"${10}/$(basename "$8" .cfg).xo" ;;
"-l -t hw --platform u250 --freqhz=250000000 --config link.cfg -o alveo.xclbin "*)
	shift 10
	cat link.cfg "$@" >alveo.xclbin ;;
*) echo "v++: $*" >&2; exit 1 ;;
esac
END
cat >"$tmp/tools/aoc" <<'END'
#!/bin/sh -eu
# aoc -c OPTIONS -o OBJECT SOURCE, aoc -rtl OPTIONS -o RTL OBJECT..., aoc -o FILE RTL
options="-board=s10 -cl-kernel-arg-info -clock=250MHz -no-interleaving=default -o"
case "$*" in
"-c $options "*.aoco\ *.cl | \
	"-rtl $options stratix.aocr l2norm.aoco rotary.aoco rotary_2.aoco") shift 6 ;;
"-o stratix.aocx stratix.aocr") shift ;;
*) echo "aoc: $*" >&2; exit 1 ;;
esac
to=$1
shift
cat "$@" >"$to"
END
chmod +x "$tmp/tools/v++" "$tmp/tools/aoc"
check "make bitstreams, no platform" 2 'PLATFORM' make_bitstream alveo
PLATFORM=u250 check "make bitstreams by v++" 0 '^$' make_bitstream alveo
check "its digest, too" 0 signed signed alveo alveo.xclbin
BOARD=s10 check "make bitstreams by aoc" 0 '^$' make_bitstream stratix
check "the second unit is a kernel of its own" 0 '^#define HLS_UNIT 2$' \
	cat "$tmp/built/stratix.aocx"
