#!/usr/bin/env bash
# cards.sh BUILD: every FPGA card of configs/devices/ planned for an item of the real model (512
# tokens of text, a picture of 448 x 448), a JSON line for each card and kind of numbers: what
# bench/results/*-cards.jsonl has. Nothing is timed, and no weights are needed.
set -eu
omnitile=$1/omnitile
line='{record: "card", card: $card, dtype: $dtype, tokens, flops} +
	(.card | {clock_mhz, seconds, gops, joules, watts, cycles, read_bytes, written_bytes,
	used: .resources.used, params: (.kernels | map_values(.params))})'
for file in configs/devices/*.yaml; do
	grep -q '^card:' "$file" || continue
	for dtype in f32 bf16 int8; do
		"$omnitile" plan --model tests/golden/data/tiny --like omni-embed-nemotron-3b \
			--device "$file" --tokens 512 --image 448 --dtype $dtype --json |
			jq -c --arg card "$(basename "$file" .yaml)" --arg dtype $dtype "$line"
	done
done
