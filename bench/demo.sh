#!/usr/bin/env bash
# demo.sh BINARY: what `make demo` runs: data, a model with random weights, the benchmark.
# The place of a trained model is `model:` in configs/bench/demo.yaml.
set -euo pipefail
omnitile=$1
cd "$(dirname "$0")/.."
demo=build/demo
mkdir -p $demo
echo "== OpenCL devices"
"$omnitile" devices
echo "== data set"
bench/make_data.sh $demo
if [ ! -e $demo/model/model.safetensors.index.json ]; then
	echo "== model (random weights)"
	"$omnitile" synth --like tiny --tokenizer tests/golden/data/tiny \
		--output $demo/model --seed 1
fi
echo "== benchmark configs/bench/demo.yaml"
# 1: something failed or is not valid, and the tables say what. Each demo is a new run.
rm -f $demo/results.jsonl
"$omnitile" bench configs/bench/demo.yaml || [ $? = 1 ]
"$omnitile" report $demo/results.jsonl -o $demo/report.html
echo "== report: $PWD/$demo/report.html"
