#!/usr/bin/env bash
# ablations.sh BINARY [small | table]: the paper's questions (../shared/PAPER.md, sections 1, 2, 4
# and 5), answered small: short trainings of the demo model's shape over three seeds, asked in many
# ways. bench/ablations/ says what: runs.txt the trainings, evals.txt the questions put to them,
# rows.txt what is compared, in the paper's words.
#
# Each question put to a run is a record, a line of JSON, in build/ablations/results.jsonl. What is
# there is not done again: a run that was stopped goes on. "table" prints the table of what is
# there; "small" tries everything with a few steps and one seed in build/ablations-small.
# Trainings have a thread each; JOBS (all cores) run side by side.
set -euo pipefail
export LC_ALL=C OPENBLAS_NUM_THREADS=1 POCL_MAX_PTHREAD_COUNT=1
cd "$(dirname "$0")/.."
omnitile=$1
what=${2:-all}
jobs=${JOBS:-$(nproc)}
demo=build/demo-model/data
own=build/ablations/data
out=build/ablations
seeds="1 2 3"
first=() second=() # settings of the trainings that begin anew, and of those that go on
if [ "${ABLATIONS_SMALL:-$what}" = small ]; then
	export ABLATIONS_SMALL=small
	out=build/ablations-small
	seeds=1
	first=(steps=4 batch=8 optimiser.warmup=2)
	second=(steps=2 batch=8 optimiser.warmup=1)
fi
rooms=bench/ablations
results=$out/results.jsonl
top=../../$out # as seen from configs/train
export OMT_CACHE_DIR=$PWD/$out/cache

say() { echo "$(date -u +%T) $*" >&2; }
lines() { grep -v '^#' "$rooms/$1"; } # of a table

# ---- trainings ----------------------------------------------------------------------------------

start() { # SEED: random weights; the same ones where the last token is taken, and causal
	local plain=$out/starts/start-$1 last=$out/starts/start-last-$1
	local causal=$out/starts/start-causal-$1
	[ ! -e "$out/starts/whole-$1" ] || return 0
	rm -rf "$plain" "$last" "$causal"
	mkdir -p "$out/starts"
	"$omnitile" synth --like configs/models/ablation-shape.json --seed "$1" --quiet \
		--tokenizer tests/golden/data/tiny --output "$plain"
	cp -r "$plain" "$last"
	cp -r "$plain" "$causal"
	sed -i 's/"pooling_mode_mean_tokens": *true/"pooling_mode_lasttoken": true/' \
		"$last/1_Pooling/config.json"
	sed -i '0,/{/s//{"is_causal": true, /' "$causal/config.json"
	touch "$out/starts/whole-$1"
}

mined() { # SEED: negatives of each training set, by the first stage's model; prints settings
	local sets number=0 set file
	sets=$(sed -n 's/^  - name: //p' configs/train/ablation-second.yaml)
	for set in $sets; do
		file=$out/negatives/$set-$1.jsonl
		mkdir -p "$out/negatives"
		[ -e "$file" ] || mine "$set" "$1" "$file"
		echo "data[$number].negatives=$top/negatives/$set-$1.jsonl"
		number=$((number + 1))
	done
	echo "loss.negatives=1"
}

mine() { # SET SEED FILE
	local use=off of=$demo/$1/train
	[ "$1" != joint ] || use=separate
	"$omnitile" mine --model "$out/runs/base-$2/final" --backend openblas --use-audio $use \
		--batch 32 --passages "$of/passages.jsonl" --queries "$of/queries.jsonl" \
		--qrels "$of/qrels.tsv" --output "$3" --quiet
}

train() { # NAME SEED
	local name from config changed asked settings=() all=() setting
	read -r name from config changed asked < <(lines runs.txt | awk -v n="$1" '$1 == n')
	local run=$out/runs/$name-$2 model=starts/$from-$2
	case $from in
	start*) settings=("${first[@]}") ;;
	*) settings=("${second[@]}") model=runs/$from-$2/final ;;
	esac
	case $changed in
	-) ;;
	mined)
		mined "$2" >"$out/negatives-$2.txt"
		mapfile -t -O "${#settings[@]}" settings <"$out/negatives-$2.txt"
		;;
	*) settings+=("$changed") ;;
	esac
	settings+=("model=$top/$model" "output=$top/runs/$name-$2" "seed=$2")
	for setting in "${settings[@]}"; do all+=(--set "$setting"); done
	command="omnitile train configs/train/$config.yaml ${all[*]}"
	if [ ! -e "$run/whole" ]; then
		say "train $name, seed $2"
		"$omnitile" train "configs/train/$config.yaml" "${all[@]}" --quiet >&2
		if [ -d "$run/adapter" ]; then
			"$omnitile" merge --model "$out/$model" --adapter "$run/adapter" \
				--output "$run/final" --dtype f32 --quiet
		fi
		touch "$run/whole"
	fi
	for setting in ${asked//,/ }; do ask "$name" "$2" "$setting"; done
}

# ---- questions ----------------------------------------------------------------------------------

ask() { # RUN SEED EVAL: a record, unless it is there
	local eval set list extra at=$out/evals/$1-$2-$3 data=../../../$demo qrels=qrels.tsv
	mkdir -p "$out/evals"
	grep -qsF "{\"run\":\"$1\",\"seed\":$2,\"eval\":\"$3\"," "$results" && return 0
	read -r eval set list extra < <(lines evals.txt | awk -v n="$3" '$1 == n')
	[ "${set#own/}" = "$set" ] || data=../../../$own
	data=$data/${set#own/}
	[ -e "$out/evals/$data/qrels.tsv" ] || qrels=qrels
	rm -f "$at.jsonl"
	{
		printf '%s\n' "name: $1-$2-$3" "model: ../runs/$1-$2/final" "engine: {batch: 32}" \
			"data:" "  passages: $data/$list.jsonl" "  queries: $data/queries.jsonl" \
			"  qrels: $data/$qrels" \
			"scenario: {min_duration_s: 0, min_queries: 1, warmup: 0}" \
			"retrieval: {k: [1, 10], bootstrap: 0}" \
			"profile: false" "roofline: false" "energy: false" \
			"output: $1-$2-$3.jsonl"
		case $extra in *backend:*) ;; *) echo "backend: openblas" ;; esac
		printf '%s\n' "${extra//; /$'\n'}"
	} >"$at.yaml"
	say "ask $1, seed $2: $3"
	"$omnitile" bench "$at.yaml" --quiet >/dev/null
	awk -f bench/json.awk -f "$rooms/record.awk" -v run="$1" -v seed="$2" -v eval="$3" \
		-v train="$command" -v bench="omnitile bench $at.yaml" \
		"$out/runs/$1-$2/log.jsonl" "$at.jsonl" >"$at.record"
	cat "$at.record" >>"$results"
}

# ---- all of it ----------------------------------------------------------------------------------

table() {
	awk -f bench/json.awk -f "$rooms/table.awk" "$rooms/rows.txt" "$results"
}

side_by_side() { # pairs of run and seed from standard input
	xargs -P "$jobs" -L 1 "$rooms.sh" "$omnitile" train
}

case $what in
train) train "$3" "$4" ;;
table) table ;;
*)
	mkdir -p "$out"
	[ -e "$demo/joint/test/qrels.tsv" ] || bench/demo_data.sh "$demo" >&2
	"$rooms/data.sh" "$demo" "$own"
	for seed in $seeds; do start "$seed"; done
	# What others go on from first.
	for stage in '$2 == "start"' '$2 != "start"'; do
		lines runs.txt | awk -v seeds="$seeds" "$stage"'{
			count = split(seeds, seed, " ")
			for (i = 1; i <= count; i++)
				print $1, seed[i]
		}' | side_by_side
	done
	table
	;;
esac
