#!/usr/bin/env bash
# demo_eval.sh OMNITILE MODEL DATA [ADAPTER]: how well a model finds the held-out items of
# bench/demo_data.sh, one line of JSON for each pair of modalities that DATA has. Exact search over
# the pair's whole gallery; every query has one answer there, so that chance is k / gallery.
set -euo pipefail
here=$(dirname "$0")
omnitile=$1
model=$2
data=$3
adapter=${4:+--adapter $4}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

embed() { # LIST ROLE OUTPUT OPTIONS...
	local list=$1 role=$2 output=$3
	shift 3
	# shellcheck disable=SC2086 # none or two words
	"$omnitile" embed --model "$model" $adapter --backend openblas --batch 32 --quiet \
		--input "$list" --role "$role" --output "$output" "$@"
}
pair() { # NAME SET GALLERY OPTIONS...
	local name=$1 set=$data/$2/test gallery=$data/$2/test/$3 count
	shift 3
	[ -e "$gallery" ] && [ -e "$set/qrels.tsv" ] || return 0
	rm -f "$work"/*
	embed "$gallery" passage "$work/p.npy" "$@"
	embed "$set/queries.jsonl" query "$work/q.npy"
	"$omnitile" index --vectors "$work/p.npy" --output "$work/idx" --quiet
	"$omnitile" search --index "$work/idx" --queries "$work/q.npy" --k 100 --trec demo --quiet \
		>"$work/run"
	"$omnitile" eval --qrels "$set/qrels.tsv" --run "$work/run" --k 1,10 --json --quiet \
		>"$work/scores.json"
	count=$(wc -l <"$gallery")
	awk -f "$here/json.awk" -f "$here/demo_eval.awk" -v name="$name" -v gallery="$count" \
		-v queries="$(wc -l <"$set/queries.jsonl")" "$work/scores.json"
}
judged() { # SET LIST: of the set's gallery what answers a query, as LIST beside it
	local set=$data/$1/test
	[ -e "$set/qrels.tsv" ] || return 0
	awk -F '\t' 'NR == FNR { answers[$2]; next }
		{ split($0, part, "\""); if (part[4] in answers) print }' \
		"$set/qrels.tsv" "$set/passages.jsonl" >"$set/$2"
}
pair "text to image" emoji passages.jsonl
pair "text to image, all combinations" emoji-all passages.jsonl
pair "word to image" names passages.jsonl
pair "name to image" stamps passages.jsonl
pair "image to text" emoji-text passages.jsonl
pair "word to speech" spoken passages.jsonl
pair "text to sounds" sounds passages.jsonl
pair "text to recorded phrase" phrases passages.jsonl
pair "text to sound effect" effects passages.jsonl
pair "speech to image" spoken-pictures passages.jsonl
judged clips held-out.jsonl
pair "text to video" clips held-out.jsonl
pair "text to video, all combinations" clips passages.jsonl
pair "text to video+audio" joint passages.jsonl --use-audio separate
pair "text to video+audio, interleaved" joint passages.jsonl --use-audio interleaved
pair "text to video+audio, video alone" joint passages.jsonl --use-audio off
pair "text to video+audio, audio alone" joint audio.jsonl
