#!/usr/bin/env bash
# faults.sh BUILD: a list embedded on the card of XRT's emulation while the card does what it should
# not: every item is there with the vector of backend ref, or failed with a reason; one line says
# what happened; the exit status is right; no process, socket or file of the run is left.
set -u
build=$(realpath "$1")
tmp=$(mktemp -d)
card=omt_faults_$$ # XRT's sockets are in /tmp/$USER
trap 'rm -rf "$tmp" "/tmp/$card"' EXIT
bad=0
mkdir -p build/bitstreams "$tmp/bitstreams"
cp -u bitstreams/manifest.yaml build/bitstreams/
hls/bitstreams.sh "$build/omnitile" u250-sw_emu build/bitstreams || exit 1
cp build/bitstreams/u250-sw_emu.xclbin "$tmp/bitstreams/"
sed 's/timeout: .*/timeout: {factor: 100, floor_ms: 1000}/' build/bitstreams/manifest.yaml \
	>"$tmp/bitstreams/manifest.yaml"
hls/device_model/setup.sh "$tmp/card" "$build/genericpciemodel" >/dev/null || exit 1
embed=("$build/omnitile" embed --model tests/golden/data/tiny --input "$tmp/list.jsonl")
inputs=$PWD/tests/golden/data/inputs
for ((i = 0; i < 20; i++)); do
	echo "{\"id\":\"t$i\",\"text\":\"item $i\"}"
	[ $((i % 5)) != 0 ] || echo "{\"id\":\"p$i\",\"image\":\"$inputs/img_tiny_20x20.png\"}"
done >"$tmp/list.jsonl"
echo "{\"id\":\"s\",\"audio\":\"$inputs/aud_silence_1s.wav\"}" >>"$tmp/list.jsonl"
items=$(wc -l <"$tmp/list.jsonl")
"${embed[@]}" --backend ref --output "$tmp/ref.npy" --quiet || exit 1

# Items whose vector is the reference's: nearly the same direction.
right() {
	"$build/omnitile" index --vectors "$tmp/ref.npy" --output "$tmp/ref.idx" --quiet
	"$build/omnitile" search --index "$tmp/ref.idx" --queries "$tmp/got.npy" \
		--k "$items" --trec x --quiet 2>/dev/null |
		awk '$1 == $3 && $5 > 0.99999 { print $1 }' | sort -u | wc -l
}

# What a run leaves, after a while that it has for tidying up.
left_over() {
	for ((i = 0; i < 50; i++)); do
		left=$(find "$tmp/card/run" "/tmp/$card" -type f -o -type s 2>/dev/null)$(
			pgrep -f "^$tmp/card/vitis"
		)
		[ -n "$left" ] || break
		sleep 0.1
	done
}

# fault NAME STATUS ITEMS|some PATTERN VARIABLE=VALUE [OPTION...]
fault() {
	local name=$1 status=$2 wanted=$3 pattern=$4 setting=$5 rc got=0 left
	shift 5
	rm -f "$tmp"/got.*
	# shellcheck disable=SC1091
	(
		. "$tmp/card/env.sh"
		USER=$card OMT_BITSTREAMS=$tmp/bitstreams setsid -w timeout 60 env "$setting" \
			"${embed[@]}" --output "$tmp/got.npy" "$@"
	) >"$tmp/out" 2>&1
	rc=$?
	left_over
	[ ! -e "$tmp/got.npy" ] || got=$(right)
	[ "$wanted" != some ] || [ "$got" = 0 ] || [ "$got" = "$items" ] || wanted=$got
	if [ $rc = "$status" ] && [ "$got" = "$wanted" ] && [ -z "$left" ] &&
		grep -qE -- "$pattern" "$tmp/out"; then
		echo "ok   $name"
	else
		echo "FAIL $name: status $rc (expected $status), $got items (expected $wanted)," \
			"wanted /$pattern/, left: $left"
		head -20 "$tmp/out"
		bad=1
	fi
}

card_text='u250 \(bitstream u250-sw_emu\): '
fault "a card that is well" 0 "$items" "^$items items, 0 failed" OMT_MODEL_HANG=
fault "a gemm that hangs at once" 0 "$items" \
	"^omnitile: ${card_text}kernel gemm, unit . of 2.* has not ended after 1\.[0-9]+ s, pred" \
	OMT_MODEL_HANG=gemm:1
fault "a norm that hangs" 0 "$items" "${card_text}kernel rmsnorm, unit 1 of 1 has not ended" \
	OMT_MODEL_HANG=rmsnorm:5
fault "an attention that dies" 0 "$items" "${card_text}kernel attention, unit 1 of 1 has not" \
	OMT_MODEL_CRASH=attention:5
fault "weights that have no room" 0 "$items" "${card_text}.* in bank 0 .*; goes on with openblas" \
	OMT_MODEL_ALLOC_LIMIT=1000000
fault "no room on the card that was asked for" 2 0 "^omnitile embed: ${card_text}a buffer of " \
	OMT_MODEL_ALLOC_LIMIT=1000000 --bitstream u250-sw_emu
fault "a card that is lost at once" 0 "$items" "${card_text}.*; goes on with openblas" \
	OMT_MODEL_LOST=1
fault "a card that is lost" 0 "$items" "${card_text}.*lost.*; goes on with openblas" \
	OMT_MODEL_LOST=2200
fault "a lost card that was asked for" 1 some "$items items, [0-9]+ failed" \
	OMT_MODEL_LOST=2200 --bitstream u250-sw_emu

# What is not for XRT: it would crash, or end the process.
fault "no device process" 0 "$items" \
	"no genericpciemodel in XILINX_VITIS .*; goes on with openblas" XILINX_VITIS=/nonexistent
sed -i 's/^      topk:$/      topk: {units: 3}/' "$tmp/bitstreams/manifest.yaml"
fault "a container of other units" 2 0 "kernel topk has 1 units, the entry says 3" OMT_MODEL_HANG=
echo junk >"$tmp/bitstreams/u250-sw_emu.xclbin"
"$build/omnitile" bitstream digest --manifest "$tmp/bitstreams/manifest.yaml" --name u250-sw_emu \
	--quiet
fault "a file that is no container" 2 0 "5 bytes, an xclbin's head has" OMT_MODEL_HANG=
cp build/bitstreams/u250-sw_emu.xclbin build/bitstreams/manifest.yaml "$tmp/bitstreams/"

# Ctrl-C goes to the card's process, too.
# shellcheck disable=SC1091
(
	. "$tmp/card/env.sh"
	export USER=$card OMT_BITSTREAMS=$tmp/bitstreams OMT_MODEL_PACE=1000
	exec setsid "${embed[@]}" --output "$tmp/stopped.npy"
) >"$tmp/out" 2>&1 &
host=$!
for ((i = 0; i < 100; i++)); do
	[ "$(pgrep -fc "^$tmp/card/vitis")" -lt 3 ] || break
	sleep 0.1
done
kill -INT -- -$host
wait $host
rc=$?
left_over
if [ $rc = 2 ] && [ -z "$left" ] && grep -q 'stopped; nothing was written' "$tmp/out"; then
	echo "ok   Ctrl-C"
else
	echo "FAIL Ctrl-C: status $rc, left: $left"
	head -5 "$tmp/out"
	bad=1
fi
exit $bad
