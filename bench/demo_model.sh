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
# The stages after the first take up its file, with other settings. As the paper's recipe has it,
# the second has mined negatives beside the others of the batch; speech, which the first learns
# least of ten sets, has most of its weight. The last two are for speech and words that find
# pictures. Weights are those of emoji, names, stamps, clips, joint, sounds, effects, spoken,
# spoken-pictures and phrases, as the file has them.
stage() { # MODEL OUTPUT RATE STEPS EVAL_EVERY WEIGHTS [--set SETTING]...
	local set of=../../$work settings weights
	settings=("model=$of/$1/final" "output=$of/$2" "optimiser.lr=$3" optimiser.warmup=40
		"steps=$4" "eval.every=$5")
	read -r -a weights <<<"$6"
	for set in "${!weights[@]}"; do settings+=("data[$set].weight=${weights[set]}"); done
	"$omnitile" train configs/train/demo.yaml "${settings[@]/#/--set=}" "${@:7}"
}
negatives=../../$work/negatives
stage run run-second 5e-4 1000 500 "4 0.5 0.5 4 1.5 0.7 0.3 5 2.5 1" --set loss.negatives=1 \
	--set "data[0].negatives=$negatives/emoji.jsonl" \
	--set "data[3].negatives=$negatives/clips.jsonl" \
	--set "data[4].negatives=$negatives/joint.jsonl"
stage run-second run-third 6e-4 700 350 "3 3 2 2.5 1.5 0.5 0.5 3 6 0.5"
stage run-third run-fourth 6e-4 900 450 "3 4 1 2.5 1.5 1 0.3 3 8 0.3"
cp -r $work/run-fourth/final/. $model/
bench/demo_eval.sh "$omnitile" $model $work/data | tee $work/results.jsonl
mv $work/results.jsonl $model/results.jsonl
