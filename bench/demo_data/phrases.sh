#!/usr/bin/env bash
# phrases.sh FOLDER: recorded speech, Asterisk's phrases and Tux Paint's spoken English names, and
# Tux Paint's sound effects. Recordings of a fifth of the phrases are held out, in training only
# eSpeak NG says those; of effects renderings are held out.
source "$(dirname "$0")/common.sh"
out=$1
allison=/usr/share/asterisk/sounds/en_US_f_Allison
stamps=/usr/share/tuxpaint/stamps
need "$allison"
need "$stamps"
work=$out/phrases/work
rm -rf "$work"
mkdir -p "$work" "$out/phrases/media" "$out/effects/media" "$out/splits"

named() { # PATTERN of what follows the stamp's name in names of sounds; adds the English name
	while read -r sound; do
		text=$(sed "s/$1\$/.txt/" <<<"$sound")
		[ ! -f "$text" ] || printf '%s\t%s\n' "$sound" "$(head -n 1 "$text")"
	done
}
{
	sed "s|^|$allison/|; s|\t|.wav\t|" "$here/asterisk.tsv"
	find "$stamps" -name '*_desc.ogg' | sort | named '_desc.ogg'
} >"$work/phrases.tsv"
find "$stamps" \( -name '*.ogg' -o -name '*.wav' \) ! -path '*/symbols/*' ! -name '*_desc*' |
	grep -vE '_([a-z]{2}|en_GB|zh_tw)\.' | sort | named '\.[a-z]*' >"$work/effects.tsv"

# Each line of the plan is a file to read, then pairs of a filter and a file to write.
render() {
	local field number=0 from=() to=() i
	while IFS=$'\t' read -r -a field; do
		from+=(-t 4 -i "${field[0]}")
		for ((i = 1; i < ${#field[@]}; i += 2)); do
			to+=(-map $number -af "${field[i]}" -fflags +bitexact "${field[i + 1]}")
		done
		number=$((number + 1))
	done <"$1"
	encode "${from[@]}" "${to[@]}"
}
speak() { espeak-ng -v "$2" -s "$3" -p "$4" -w "$work/$1.wav" -- "$5"; }
export -f encode render speak
export work

sets="phrases/train phrases/test effects/train effects/test"
lists_begin $sets
awks "$here/phrases.awk" -v out="$out" -v work="$work" "$work/phrases.tsv" \
	"$work/effects.tsv" >"$work/plan"
tr '\n' '\0' <"$work/spoken" | xargs -0 -P "$jobs" -n 5 bash -euo pipefail -c 'speak "$@"' _
split -l 60 "$work/plan" "$work/plan-"
printf '%s\n' "$work"/plan-* | xargs -P "$jobs" -n 1 bash -euo pipefail -c 'render "$1"' _
lists_end $sets
rm -rf "$work"
