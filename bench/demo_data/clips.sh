#!/usr/bin/env bash
# clips.sh FOLDER: clips of 2 s at 8 frames a second: a coloured shape that moves on a plain ground
# while something sounds, and sounds alone. Combinations are held out.
source "$(dirname "$0")/common.sh"
out=$1
work=$out/clips/work
rm -rf "$work"
mkdir -p "$work/shapes" "$work/plan" "$work/pieces" "$out/clips/media" "$out/sounds/media" \
	"$out/splits"

# Where a shape is opaque: X and Y are pixels of 128 x 128, the edge is a pixel wide.
shape() { # NAME EXPRESSION-OF-INSIDE, positive inside, in units of pixels
	encode -f lavfi -i "color=white:s=128x128:d=0.1:r=10,format=rgba" -frames:v 1 \
		-vf "geq=r=255:g=255:b=255:a='255*clip(0.5+($2),0,1)'" "$work/shapes/$1.png"
}
x='(X-63.5)' y='(Y-63.5)'
angle="(mod(atan2($x,-$y)+2*PI+PI/5,2*PI/5)-PI/5)"
shape circle "60-hypot($x,$y)"
shape square "52-max(abs($x),abs($y))"
shape diamond "(62-abs($x)-abs($y))*0.7"
shape triangle "min(54-$y,0.44*($y+56)-abs($x)*0.88)"
shape star "62*cos(2*PI/5)/cos(2*PI/5-abs($angle))-hypot($x,$y)"
shape cross "max(min(20-abs($x),60-abs($y)),min(20-abs($y),60-abs($x)))"
shape ring "min(60-hypot($x,$y),hypot($x,$y)-34)"
shape heart "-160*(pow(pow($x/46,2)+pow(($y+8)/46,2)-1,3)+pow($x/46,2)*pow(($y+8)/46,3))"

sets="clips/train clips/test joint/train joint/test sounds/train sounds/test"
lists_begin $sets
# Sounds of a second, low and high, in variants; then twice as a clip's track.
awks "$here/sounds.awk" -v out="$out" -v pieces="$work/pieces" -v pairs="$work/pairs.tsv" \
	-v variants=$([ -n "$test_only" ] && echo 0 || echo 4) >"$work/sounds.txt"
split -l 24 "$work/sounds.txt" "$work/sounds-"
sounds() { encode $(cut -f 1 "$1") $(awk -F '\t' '{ print "-map", NR - 1, $2 }' "$1"); }
tracks() { encode $(awk '{ print "-stream_loop 1 -i", $NF }' "$1") \
	$(awk '{ sub(/wav$/, "m4a", $NF); print "-map", NR - 1, "-c:a aac -b:a 48k", $NF }' "$1"); }
render() {
	local name=${1%.args}
	mkdir -p "$out/clips/media/$(basename "$name")"
	encode -loop 1 -framerate 8 -i "$work/shapes/$(basename "${name%-*}").png" \
		$(<"$name.inputs") -filter_complex_script "$name.graph" $(<"$1")
}
export -f encode sounds tracks render
export work out
printf '%s\n' "$work"/sounds-* |
	xargs -P "$jobs" -I '{}' bash -euo pipefail -c 'sounds {} && tracks {}'

awks "$here/clips.awk" -v out="$out" -v media="$out/clips/media" -v plan="$work/plan" \
	-v pieces="$work/pieces" -v training=$([ -n "$test_only" ] && echo 0 || echo 5)
printf '%s\n' "$work"/plan/*.args | xargs -P "$jobs" -I '{}' bash -euo pipefail -c 'render {}'

# Two after another: samples behind a head that says how many.
first=$(head -n 1 "$work/sounds.txt" | awk '{ print $NF }')
encode -stream_loop 1 -i "$first" -fflags +bitexact "$work/two.wav"
head -c 44 "$work/two.wav" >"$work/head"
while IFS=$'\t' read -r file left right; do
	{ cat "$work/head"; tail -c +45 "$left"; tail -c +45 "$right"; } >"$file"
done <"$work/pairs.tsv"
lists_end $sets
rm -rf "$work"
