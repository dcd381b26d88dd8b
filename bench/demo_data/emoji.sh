#!/usr/bin/env bash
# emoji.sh FOLDER: pictures of emoji on plain grounds, in sizes and places of their own, named by
# CLDR. Combinations of emoji and ground are held out.
source "$(dirname "$0")/common.sh"
out=$1
annotations=/usr/share/unicode/cldr/common/annotations/en.xml
need "$annotations"
work=$out/emoji/work
grounds=(white=ebebeb black=181818 red=d23232 orange=f08a24 yellow=f0dc3c green=3ca046 blue=3264d2
	purple=8c3caa)
renderings=4
count=320 # emoji
columns=20
rm -rf "$work"
mkdir -p "$work" "$out/emoji/media" "$out/splits"

# number, character, name, keywords of no other chosen emoji
choose() {
	sed -n 's/.*<annotation cp="\([^"]*\)"\( type="tts"\)\?>\([^<]*\)<.*/\1\t\2\t\3/p' \
		"$annotations" | awks "$here/choose.awk" "$1" -
}

sprites() { # EMOJI.tsv FOLDER: a picture each, with alpha
	awk -F '\t' -v n=$columns '{ printf "%s%s", $2, NR % n ? "" : "\n" }
		END { if (NR % n) print "" }' "$1" >"$work/grid.txt"
	pango-view --font="Noto Color Emoji 96px" --dpi=96 --no-display -q --margin=0 \
		--background=transparent -o "$work/grid.png" "$work/grid.txt" 2>/dev/null
	local lines
	lines=$(awk -F '\t' -v n=$columns 'END { print int((NR + n - 1) / n) }' "$1")
	mkdir -p "$2"
	encode -i "$work/grid.png" -vf "untile=${columns}x$lines" \
		-frames:v "$(wc -l <"$1")" "$2/%04d.png"
}

# Frame n has a size and place that depend on n and the seed alone.
render() { # GROUND RENDERING
	local name=${1%=*} rgb=${1#*=} which=$2 seed size quality
	seed=$(cksum <<<"$name/$which" | cut -d ' ' -f 1 | awk '{ print $1 % 1000 / 7 }')
	rgb=$(awks "$here/shade.awk" -v rgb="$rgb" -v seed="$name/$which")
	size="(50+54*abs(sin((n+1)*12.9898+$seed)))"
	quality=$([ "$which" = 0 ] && echo 2 || echo 4)
	mkdir -p "$out/emoji/media/$name-$which"
	encode -framerate 25 -i "$work/sprites/%04d.png" -f lavfi -i "color=0x$rgb:s=112x112:r=25" \
		-filter_complex "[0]scale=w='$size':h=-1:eval=frame[s];[1][s]overlay=eval=frame:
			shortest=1:x='(112-$size)*abs(sin((n+1)*78.233+$seed))':
			y='(112-$size)*abs(sin((n+1)*39.425+$seed))',format=yuvj444p" \
		-q:v $quality "$out/emoji/media/$name-$which/%04d.jpg"
}

choose "$here/emoji.txt" >"$work/all.tsv"
sprites "$work/all.tsv" "$work/looks"
encode -framerate 25 -i "$work/looks/%04d.png" -f lavfi -i color=0x808080:s=120x114:r=25 \
	-filter_complex "[1][0]overlay=shortest=1,scale=8:8:flags=area,format=rgb24" -f rawvideo - |
	od -An -v -tu1 -w192 >"$work/looks.txt"
awks "$here/distinct.awk" -v count=$count "$work/looks.txt" "$work/all.tsv" >"$work/emoji.tsv" \
	3>"$out/splits/emoji-alike.tsv"
sprites "$work/emoji.tsv" "$work/sprites"
export -f render encode awks
export work out here
for ground in "${grounds[@]}"; do
	for which in $([ -n "$test_only" ] || seq 0 $((renderings - 1))) test; do
		echo "$ground $which"
	done
done | xargs -P "$jobs" -L 1 bash -euo pipefail -c 'render "$1" "$2"' _
sets="emoji/train emoji/test emoji-all/test emoji-text/test names/train names/test"
lists_begin $sets
awks "$here/emoji.awk" -v out="$out" -v renderings=$renderings -v colours="${grounds[*]%=*}" \
	"$work/emoji.tsv"
cut -f 2,3 "$work/emoji.tsv" >"$out/splits/emoji.tsv"
lists_end $sets
rm -rf "$work"
