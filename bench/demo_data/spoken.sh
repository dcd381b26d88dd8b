#!/usr/bin/env bash
# spoken.sh FOLDER, after emoji.sh: names of the emoji and of colours, spoken by eSpeak NG. Voices
# of the test are in no training item.
source "$(dirname "$0")/common.sh"
out=$1
work=$out/spoken/work
need "$out/splits/emoji.tsv"
# name, voice, words a minute, pitch
voices="train0 en-us 150 50
train1 en-us+f2 150 55
train2 en-us+m3 140 42
train3 en-us+f4 165 50
train4 en-gb 155 50
train5 en-gb+m5 170 40
train6 en-gb+f3 145 62
train7 en-gb-scotland+m2 150 50
train8 en-us+steph 150 50
train9 en-us+Andy 160 50
train10 en-gb-x-rp+m7 150 55
train11 en-us+Alicia 145 50
test0 en-us+f5 155 54
test1 en-gb+m6 148 46
test2 en-us+Michael 152 50
test3 en-gb-x-rp+Annie 158 50"
rm -rf "$work"
mkdir -p "$work" "$out/spoken/media" "$out/splits"
tr ' ' '\t' <<<"$voices" >"$out/splits/voices.tsv"
{ cut -f 2 "$out/splits/emoji.tsv"; printf '%s\n' red green blue yellow white black purple; } |
	awks "$here/voices.awk" >"$work/words.tsv"
split -l 55 "$work/words.tsv" "$work/words-"

speak() { # WORDS NAME VOICE SPEED PITCH: without silence at the ends
	local id words voice from=() to=() number=0 said="$work/said-${1##*/}-$2"
	while IFS=$'\t' read -r id words voice; do
		[[ $2 == train* || $2 == "$voice" ]] || continue
		espeak-ng -v "$3" -s "$4" -p "$5" -w "$said-$id.wav" -- "$words"
		from+=(-i "$said-$id.wav")
		to+=(-map "$number" -ar 16000 -af "$trim" -fflags +bitexact)
		to+=("$out/spoken/media/$2-$id.wav")
		number=$((number + 1))
	done <"$1"
	[ $number = 0 ] || encode "${from[@]}" "${to[@]}"
	rm -f "$said-"*.wav
}
trim=silenceremove=start_periods=1:start_threshold=-45dB:start_silence=0.03
trim=$trim:stop_periods=1:stop_duration=0.15:stop_threshold=-45dB
export -f encode speak
export work out trim
while read -r name voice; do
	[[ -z $test_only || $name == test* ]] || continue
	for words in "$work"/words-*; do echo "$words $name $voice"; done
done <<<"$voices" | xargs -P "$jobs" -L 1 bash -euo pipefail -c 'speak "$@"' _
sets="spoken/train spoken/test spoken-pictures/train spoken-pictures/test"
lists_begin $sets
cp "$out/names/train/passages.jsonl" "$out/spoken-pictures/train/"
cp "$out/names/test/passages.jsonl" "$out/spoken-pictures/test/"
awks "$here/spoken.awk" -v out="$out" "$work/words.tsv" "$out/names/train/qrels.tsv"
lists_end $sets
rm -rf "$work"
