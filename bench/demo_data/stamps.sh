#!/usr/bin/env bash
# stamps.sh FOLDER: Tux Paint's stamps, drawings and photos with names in many languages. Held out
# are renderings: of another scale, ground and compression.
source "$(dirname "$0")/common.sh"
out=$1
stamps=/usr/share/tuxpaint/stamps
work=$out/stamps/work
need "$stamps"
rm -rf "$work"
mkdir -p "$work" "$out/stamps/media"

# file, then the names in English, German, French and Spanish
names() {
	find "$stamps" -name '*.png' | sort | while read -r picture; do
		text=${picture%.png}.txt
		[ -f "$text" ] && printf '%s\t%s\n' "$picture" "$(awk -F '=' '
			FNR == 1 { en = $0 }
			$1 == "de.utf8" { de = $2 }
			$1 == "fr.utf8" { fr = $2 }
			$1 == "es.utf8" { es = $2 }
			END { printf "%s\t%s\t%s\t%s", en, de, fr, es }' "$text")"
	done
}

# One process a stamp: four renderings to train with, one for the test.
render() { # ID FILE LOOKS: "size mirror x y ground quality" a line
	local graph="[0]format=rgba,scale=112:112:force_original_aspect_ratio=decrease,split=5" i=0
	local parts='' to=()
	while read -r size mirror x y ground quality; do
		graph="$graph[p$i]"
		parts="$parts;color=0x$ground:s=112x112[g$i]"
		parts="$parts;[p$i]scale=iw*$size/112:-1,$mirror[s$i]"
		parts="$parts;[g$i][s$i]overlay=x=(W-w)*$x:y=(H-h)*$y,format=yuvj444p[v$i]"
		to+=(-map "[v$i]" -frames:v 1 -q:v "$quality" "$out/stamps/media/$1-$i.jpg")
		i=$((i + 1))
	done <"$3"
	encode -i "$2" -filter_complex "$graph$parts" "${to[@]}"
}
export -f encode render
export out

names >"$work/names.tsv"
sets="stamps/train stamps/test"
lists_begin $sets
awks "$here/stamps.awk" -v out="$out" -v work="$work" "$work/names.tsv" >"$work/plan"
xargs -P "$jobs" -L 1 bash -euo pipefail -c 'render "$@"' _ <"$work/plan"
lists_end $sets
rm -rf "$work"
