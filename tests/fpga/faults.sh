#!/usr/bin/env bash
# faults.sh BUILD: items survive what an emulated U250 behind the packaged XRT does: a kernel that
# hangs, one that dies, a card that is lost, a buffer that is not to be had. The vectors must be
# those of the reference.
set -eu
build=$(realpath "$1")
bitstreams=$PWD/build/bitstreams
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$bitstreams"
cp -u bitstreams/manifest.yaml "$bitstreams/"
hls/bitstreams.sh "$build/omnitile" u250-sw_emu "$bitstreams"
cp "$bitstreams/u250-sw_emu.xclbin" "$tmp/"
sed 's/timeout: .*/timeout: {factor: 100, floor_ms: 1000}/' "$bitstreams/manifest.yaml" \
	>"$tmp/manifest.yaml"
# shellcheck source=/dev/null
. build/fpga/env.sh
bad=0
# numbers FILE: one a line.
numbers() {
	grep -oE '"embedding":\[[^]]*' "$1" | grep -oE -- '-?[0-9][0-9.e+-]*'
}
embed() {
	setsid -w timeout 60 "$build/omnitile" embed --model tests/golden/data/tiny --batch 1 \
		--text "hello world" --text "a b c" tests/golden/data/inputs/aud_exact_2s.wav "$@"
}
# survive NAME MESSAGE VARIABLE=VALUE
survive() {
	if (export OMT_BITSTREAMS="$tmp" "${3?}" && embed --backend opencl,ref) \
		>"$tmp/out" 2>"$tmp/err" && grep -qE -- "$2" "$tmp/err" &&
		grep -q '3 items, 0 failed' "$tmp/err" &&
		paste <(numbers "$tmp/out") <(numbers "$tmp/ref") | awk '
			{ n++; if (NF != 2 || ($1 - $2) ^ 2 > 1e-10) far = 1 }
			END { exit far || n < 192 }'; then
		echo "ok   $1"
	else
		echo "FAIL $1: $(head -c 600 "$tmp/err")"
		bad=1
	fi
}
embed --backend ref --quiet >"$tmp/ref"
survive "nothing is wrong" "" OMT_MODEL_PACE=0
survive "a kernel that hangs" "kernel rmsnorm, unit 1 of 1 has not ended" OMT_MODEL_HANG=rmsnorm:5
survive "a kernel that dies" "kernel attention, unit 1 of 1 has not" OMT_MODEL_CRASH=attention:2
survive "a card that is lost" "goes on with ref|has not ended" OMT_MODEL_LOST=400
survive "a buffer that is not to be had" "does not keep what is written" \
	OMT_MODEL_ALLOC_LIMIT=300000
exit $bad
