#!/usr/bin/env bash
# bulk.sh BINARY FOLDER: what a long list costs beside the device's time. Lists of texts are
# embedded into shards by backend "model" on a device that takes next to no time, with the test
# checkpoint: items/s and peak memory by lines; then a start that finds all but the last shard.
# FOLDER gets the lists and the vectors, 0.4 GB, and is left empty. One JSON line a run.
set -eu
omnitile=$(realpath "$1")
folder=$2
cd "$(dirname "$0")/.."
mkdir -p "$folder"
export OMT_CACHE_DIR=
sed 's/^peak_gflops:.*/peak_gflops: 1e9/; s/^bandwidth_gbs:.*/bandwidth_gbs: 1e6/
s/^link_gbs:.*/link_gbs: 1e6/' configs/devices/example-accelerator.yaml >"$folder/fast.yaml"

# run LINES WHAT: embeds and prints; VmHWM is the largest resident set.
run() {
	local out
	out=$(/usr/bin/time -f '%e %M' "$omnitile" embed --model tests/golden/data/tiny \
		--backend model --device "$folder/fast.yaml" --batch 64 --max-tokens 4096 \
		--input "$folder/list.jsonl" --output "$folder/shards" --shard-items 10000 \
		--quiet --json 2>&1 | tail -n 2)
	awk -v lines="$1" -v what="$2" 'NR == 1 { match($0, /"embedded":[0-9]+/)
		items = substr($0, RSTART + 11, RLENGTH - 11) }
	NR == 2 { printf "{\"run\":\"%s\",\"lines\":%d,\"items\":%d,", what, lines, items
		printf "\"wall_s\":%s,", $1
		printf "\"items_per_s\":%.0f,\"peak_bytes\":%d}\n", items / $1, $2 * 1024 }' \
		<<<"$out"
}
for lines in 10000 100000 1000000; do
	awk -v lines=$lines 'BEGIN {
		srand(1)
		split("red bird sea over tree stone light river wind house green small old song " \
			"query passage retrieval model 42 7", word, " ")
		for (i = 0; i < lines; i++) {
			text = ""
			for (j = 0; j < 12; j++)
				text = text (j ? " " : "") word[1 + int(rand() * 20)]
			printf "{\"id\":\"doc-%07d\",\"text\":\"%s\"}\n", i, text
		} }' >"$folder/list.jsonl"
	rm -rf "$folder/shards"
	mkdir "$folder/shards"
	run $lines "from the start"
	rm "$folder/shards/vectors-$(printf %05d $((lines / 10000 - 1))).npy"
	run $lines "the last shard"
done
rm -rf "$folder/shards" "$folder/list.jsonl" "$folder/fast.yaml"
