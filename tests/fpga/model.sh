#!/usr/bin/env bash
# model.sh BUILD: the device model (hls/device_model) as the card of the packaged XRT, through
# OpenCL: tests/fpga/drive.c, a process group for each test, because XRT's shim signals its whole
# group. One line a check.
set -u
build=$(realpath "$1")
cd "$(dirname "$0")/../.."
here=$build/fpga
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
bad=0
"$here/container" "$here/kernels.so" "$tmp/test.xclbin" || exit 1
hls/device_model/setup.sh "$tmp" "$build/genericpciemodel" test_card 4 1GB >/dev/null || exit 1
# shellcheck disable=SC1091
. "$tmp/env.sh"
export ASAN_OPTIONS=detect_leaks=0 # the host's; XRT keeps what it has until the end

# What a run leaves, after a while that it has for tidying up.
left_over() {
	for ((i = 0; i < 50; i++)); do
		left=$(find "$tmp/run" -type f)$(pgrep -f "^$tmp/vitis")
		[ -n "$left" ] || break
		sleep 0.1
	done
}

# drive NAME STATUS PATTERN TEST [VARIABLE=VALUE...]: exit status and, where it is not empty, a
# line of the output; nothing of the run may be left.
patience=20
drive() {
	local name=$1 status=$2 pattern=$3 test=$4 rc left
	shift 4
	env "$@" setsid -w timeout $patience "$here/drive" "$tmp/test.xclbin" "$test" \
		>"$tmp/out" 2>&1
	rc=$?
	left_over
	if [ $rc = "$status" ] && grep -qE -- "$pattern" "$tmp/out" && [ -z "$left" ] &&
		! grep -q "Sanitizer\|runtime error" "$tmp/out"; then
		echo "ok   $name"
	else
		echo "FAIL $name: status $rc, expected $status, wanted /$pattern/, left: $left"
		head -20 "$tmp/out"
		bad=1
	fi
	rm -rf "$tmp/run/.run"
}

if "$here/registers" "$here/kernels.so" >"$tmp/out" 2>&1; then
	echo "ok   registers and launches"
else
	echo "FAIL registers and launches: $(head -20 "$tmp/out")"
	bad=1
fi
for test in banks many order large parts units reload limit; do
	drive "$test" 0 '^fine$' $test
done
log=$tmp/log.jsonl
drive "held back, and logged" 0 '^fine$' pace OMT_MODEL_PACE=1 OMT_MODEL_CLOCK_MHZ=0.001 \
	OMT_MODEL_LOG="$log"
for want in '"kernel":"add","unit":"add_[12]","launch":1,"clock_mhz":0.001,"cycles":250.0,' \
	'"modelled_s":0.2500052,"trips":\[0,250,0\],"read_bytes":8000,"written_bytes":4000,' \
	'"written_bytes":4000,"banks":3,' '"copies":"to card","count":2,"bytes":8000,' \
	'"copies":"from card","count":1,"bytes":4000,'; do
	grep -qE -- "$want" "$log" || {
		echo "FAIL log: no $want"
		bad=1
	}
done
printf 'clock_mhz = 1\npace = 2000 # 250 us\n' >"$tmp/model.ini"
drive "settings in model.ini" 0 '^fine$' pace
printf 'clock = 1\n' >"$tmp/model.ini"
drive "a mistake in model.ini" 1 'LoadBitstream.*model.ini:1: no setting is called clock' many
rm "$tmp/model.ini"
drive "a mistake in the environment" 1 'OMT_MODEL_PACE: pace = fast is not a number' many \
	OMT_MODEL_PACE=fast
drive "a kernel that hangs" 0 '^fine$' stuck OMT_MODEL_HANG=add:2
drive "a kernel that dies" 0 'launch 2 of add ended with signal 11' stuck OMT_MODEL_CRASH=add:2
drive "a kernel that leaves its buffer" 0 "at byte 8192 of argument b0&0's buffer" beyond
drive "a buffer that is not to be had" 0 '^fine$' refused OMT_MODEL_ALLOC_LIMIT=8000000
drive "a card that is lost" 0 '^fine$' lost OMT_MODEL_LOST=100
# What XRT does not survive: the reason why no kernel runs in the process with the connection.
patience=3
drive "a connection that is closed" 124 'closes the connection' many OMT_MODEL_DISCONNECT=20
{
	OMT_MODEL_DIE=20 setsid -w timeout 20 "$here/drive" "$tmp/test.xclbin" many >"$tmp/out" 2>&1
	rc=$?
} 2>/dev/null # the shell says that it was terminated
if [ $rc != 0 ] && grep -q 'exited unexpectedly' "$tmp/out"; then
	echo "ok   a device process that is killed"
else
	echo "FAIL a device process that is killed: $(head -c 300 "$tmp/out")"
	bad=1
fi
rm -rf "$tmp/run/.run"
# A host that is killed takes the card with it: the front and a unit at work.
setsid "$here/drive" "$tmp/test.xclbin" stay >"$tmp/out" 2>&1 &
host=$!
for ((i = 0; i < 100; i++)); do
	! grep -q running "$tmp/out" || break
	sleep 0.1
done
processes=$(pgrep -fc "^$tmp/vitis")
{ kill -9 $host && wait $host; } 2>/dev/null
left_over
if [ "$processes" = 2 ] && [ -z "$left" ]; then
	echo "ok   a host that is killed"
else
	echo "FAIL a host that is killed: $processes processes, left: $left"
	bad=1
fi
exit $bad
