#!/usr/bin/env bash
# demo_model.sh OMNITILE: what `make demo-model` runs: the data of Debian packages, a checkpoint
# with random weights, training, evaluation on what was held out. Goes on where it was stopped; the
# model is configs/models/demo, the figures are configs/models/demo/results.jsonl.
set -euo pipefail
omnitile=$(realpath "$1")
cd "$(dirname "$0")/.."
work=build/demo-model
model=configs/models/demo
mkdir -p $work
bench/demo_data.sh $work/data $model/splits
if [ ! -e $work/start/model.safetensors.index.json ]; then
	"$omnitile" synth --like configs/models/demo-shape.json --tokenizer tests/golden/data/tiny \
		--output $work/start --seed 1
fi
"$omnitile" train configs/train/demo.yaml
cp -r $work/run/final/. $model/
bench/demo_eval.sh "$omnitile" $model $work/data | tee $work/results.jsonl
mv $work/results.jsonl $model/results.jsonl
