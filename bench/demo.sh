#!/usr/bin/env bash
# demo.sh BINARY: what `make demo` runs: data, the benchmark on the demo model, and what it finds of
# items that it was not trained with; beside it a tiny model with random weights, for
# configs/bench/codesign.yaml.
set -euo pipefail
omnitile=$1
cd "$(dirname "$0")/.."
demo=build/demo
mkdir -p $demo
echo "== OpenCL devices"
"$omnitile" devices
echo "== data set"
bench/make_data.sh $demo
trained=configs/models/demo
rm -rf $demo/model
ln -s ../../$trained $demo/model
if [ ! -e $demo/random/model.safetensors.index.json ]; then
	"$omnitile" synth --like tiny --tokenizer tests/golden/data/tiny \
		--output $demo/random --seed 1
fi
echo "== benchmark configs/bench/demo.yaml"
# 1: something failed or is not valid, and the tables say what. Each demo is a new run.
rm -f $demo/results.jsonl
"$omnitile" bench configs/bench/demo.yaml || [ $? = 1 ]
"$omnitile" report $demo/results.jsonl -o $demo/report.html
echo "== held-out items of bench/demo_data.sh, share found first and among the first ten"
DEMO_TEST_ONLY=1 bench/demo_data.sh $demo/held-out
bench/demo_eval.sh "$omnitile" $trained $demo/held-out | tee $demo/held-out.jsonl |
	awk -f bench/json.awk -f bench/demo_table.awk
echo "== report: $PWD/$demo/report.html"
