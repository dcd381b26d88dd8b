#!/usr/bin/env bash
# threads.sh BINARY [RUNS]: should PoCL leave a core to the thread that prepares media? The demo's
# data (make demo) with PoCL on all cores, on one less, and as a device in as many parts as there
# are cores, in turn. A JSON line a run: settings, seconds.
set -euo pipefail
omnitile=$(realpath "$1")
runs=${2:-5}
cd "$(dirname "$0")/../build/demo"
cores=$(nproc)
grep '"image"' passages.jsonl | head -n 160 >threads-images.jsonl
grep '"video"' passages.jsonl >threads-clips.jsonl
cp passages.jsonl threads-all.jsonl

# run LIST NAME DEVICE: the environment says how many threads PoCL has
run() {
	local line number='([0-9.]+)'
	line=$("$omnitile" embed --model model --backend opencl --device "$3" \
		--input "threads-$1.jsonl" --output threads.npy 2>&1 | grep ' items, .* compute')
	[[ $line =~ in\ $number\ s\ \(prepare\ $number\ s,\ compute\ $number ]]
	printf '{"list":"%s","cores":%d,"setting":"%s",' "$1" "$cores" "$2"
	printf '"wall_s":%s,"prepare_s":%s,"compute_s":%s}\n' "${BASH_REMATCH[@]:1:3}"
}

for list in images clips all; do
	for _ in $(seq "$runs"); do
		run $list "PoCL on all cores" 0
		POCL_MAX_PTHREAD_COUNT=$((cores > 1 ? cores - 1 : 1)) run $list \
			"POCL_MAX_PTHREAD_COUNT one less" 0
		run $list "--device 0/$cores" "0/$cores"
	done
done
rm -f threads-*.jsonl threads.npy threads.ids.jsonl
