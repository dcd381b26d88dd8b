#!/usr/bin/env bash
# demo_model.sh OMNITILE: what `make demo-model` runs: the data of Debian packages, a checkpoint
# with random weights, training in four stages, evaluation on what was held out. Goes on where it
# was stopped; the model is configs/models/demo, the figures are configs/models/demo/results.jsonl.
set -euo pipefail
omnitile=$(realpath "$1")
cd "$(dirname "$0")/.."
work=build/demo-model
model=configs/models/demo
mkdir -p $work
# An OpenBLAS that does not know the CPU takes an older one's kernels; gemm is most of a training.
if grep -qw avx512f /proc/cpuinfo; then
	export OPENBLAS_CORETYPE=${OPENBLAS_CORETYPE:-SkylakeX}
fi
bench/demo_data.sh $work/data $model/splits
if [ ! -e $work/start/model.safetensors.index.json ]; then
	"$omnitile" synth --like configs/models/demo-shape.json --tokenizer tests/golden/data/tiny \
		--output $work/start --seed 1
fi
"$omnitile" train configs/train/demo.yaml
mine() { # SET SOUND: negatives of its training queries by what the first stage learned
	local set=$work/data/$1/train negatives=$work/negatives/$1.jsonl
	[ ! -e "$negatives" ] || return 0
	"$omnitile" mine --model $work/run/final --backend openblas --batch 32 --use-audio "$2" \
		--passages "$set/passages.jsonl" --queries "$set/queries.jsonl" \
		--qrels "$set/qrels.tsv" --output "$negatives"
}
mkdir -p $work/negatives
mine emoji off
mine clips off
mine joint separate
for stage in second third fourth; do
	"$omnitile" train configs/train/demo-$stage.yaml
done
cp -r $work/run-fourth/final/. $model/
bench/demo_eval.sh "$omnitile" $model $work/data | tee $work/results.jsonl
mv $work/results.jsonl $model/results.jsonl
