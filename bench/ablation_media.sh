#!/usr/bin/env bash
# ablation_media.sh OMNITILE MODEL DATA OUT [OPTION...]: what each way of preparing media does for
# retrieval, on small sets where it can matter. DATA: what demo_data.sh makes, whose test clips and
# words the sets are of; OUT gets a folder a set (made once), OUT/SET/NAME.run and OUT/SET.json of
# `omnitile eval`, whose tables are printed: each way less the first one. OPTION: of embed. With "-"
# for OMNITILE the sets are made and nothing else.
#
#   scenes     a shape that is there for half a second between two of four even frames, by its name
#   subtitles  a clip whose subtitles, in MP4 or Matroska, say which sounds are not heard in it
#   pages      a page of text with a small coloured figure, by the figure's name
#   sound      clips whose caption needs frames and sound: none, a stream of its own, interleaved
set -euo pipefail
export LC_ALL=C.UTF-8 # pango-view reads its text by it
[ $# -ge 4 ] || { echo "usage: ablation_media.sh OMNITILE MODEL DATA OUT [OPTION...]" >&2; exit 2; }
omnitile=$1 model=$2 data=$(realpath "$3") out=$4
shift 4
options=("$@")
mkdir -p "$out"
out=$(realpath "$out")
shapes=(circle square diamond triangle star cross ring heart)
glyphs=(● ■ ◆ ▲ ★ ✚ ○ ♥)
colours=(red green blue yellow white black orange purple)
rgb=(e02020 20a030 2848e0 f0e030 ffffff 000000 f08010 9030c0)
motions=(left right up down grow shrink circle)

command -v pango-view >/dev/null || { echo "ablation_media.sh: no pango-view" >&2; exit 2; }
encode() { ffmpeg -nostdin -v error -y -threads 1 "$@"; }
item() { printf '{"id":"%s","%s":"%s"}\n' "$@"; }
told() { sed "s/.*\"$1\":\"//; s/\".*//" "$2"; } # KEY LIST: its strings
relevant() { printf '%s 0 %s 1\n' "$@"; }
named() { # SHAPE COLOUR, as numbers
	local article=a
	[ "${colours[$2]}" = orange ] && article=an
	echo "$article ${colours[$2]} ${shapes[$1]}"
}
clip() { # SHAPE COLOUR MOTION: a test clip: 16 frames
	echo "$data/clips/media/${shapes[$1]}-${colours[$2]}/${motions[$3]}-test.mp4"
}

# Of the combinations half is shown for long, half for frames 11 to 14 of 16, each in two clips.
make_scenes() {
	local s c n id about
	local graph="[0]split[a][b];[a]trim=end_frame=11[p];[1]trim=end_frame=4[q];
		[b]trim=start_frame=15,setpts=PTS-STARTPTS[r];[p][q][r]concat=n=3"
	for ((s = 0; s < 8; s++)); do
		for ((c = s % 2; c < 8; c += 2)); do
			id=${shapes[s]}-${colours[c]}
			item "$id" text "$(named "$s" "$c")" >&3
			for n in 0 1; do
				about=$(clip $(((s + 3 + n) % 8)) $(((c + 4 - n) % 8)) \
					$(((s + c + n) % 7)))
				encode -i "$about" -i "$(clip $s $c $(((s + n) % 7)))" \
					-filter_complex "$graph" -r 8 -c:v libx264 -crf 20 \
					-preset ultrafast -pix_fmt yuv420p "$id-$n.mp4"
				item "$id-$n" video "$id-$n.mp4"
				relevant "$id" "$id-$n" >&4
			done
		done
	done
}

# Sounds in the words of one list's queries, asked for in those that training has beside them.
make_subtitles() {
	local n=0 file words ending coding
	local cues='1\n00:00:00,200 --> 00:00:00,900\n<i>%s</i>,\n\n'
	cues+='2\n00:00:01,000 --> 00:00:01,800\n%s\n'
	while IFS=$'\t' read -r file words; do
		n=$((n + 1))
		ending=mp4 coding=mov_text
		[ $((n % 2)) = 0 ] || ending=mkv coding=srt
		# shellcheck disable=SC2059
		printf "$cues" "${words%%, *}" "${words#*, }" >"$n.srt"
		encode -i "$data/clips/test/$file" -i "$n.srt" -map 0:v -map 1 -c:v copy \
			-c:s $coding "$n.$ending"
		item $n video "$n.$ending"
		item $n text "first ${words%%, *} and then ${words#*, then }" >&3
		relevant $n $n >&4
	done < <(paste <(told video "$data/clips/test/passages.jsonl") \
		<(told text "$data/sounds/test/queries.jsonl") | grep -P '.\t.')
}

make_pages() {
	local s c id text
	text="Notes of the year, on a page of its own. Most of it is words that tell nothing of"
	text+=" what is shown below them, as pages of reports have them, in lines of usual length."
	for s in {0..7}; do
		for c in {0..7}; do
			id=${shapes[s]}-${colours[c]}
			pango-view -q --no-display --background='#b4b4b4' --dpi=96 --width=320 \
				--wrap=word --margin=24 --markup --output="$id.png" \
				--text="<big>$((8 * s + c + 1))</big>

$text

<span size=\"40000\" foreground=\"#${rgb[c]}\">${glyphs[s]}</span>
<i>$(named "$s" "$c")</i>

$text $text"
			item "$id" image "$id.png"
			item "$id" text "$(named "$s" "$c")" >&3
			relevant "$id" "$id" >&4
		done
	done
}

# A folder is whole or made again.
make_set() { # SET
	[ -e "$out/$1/qrels" ] && return
	rm -rf "${out:?}/$1"
	mkdir "$out/$1"
	(cd "$out/$1" && "make_$1" >passages.jsonl 3>queries.jsonl 4>qrels.tmp)
	mv "$out/$1/qrels.tmp" "$out/$1/qrels"
}

# The joint set of the demo data is there already.
make_sound() {
	sed "s|\\.\\./\\.\\./clips/media|$data/clips/media|" "$data/joint/test/passages.jsonl"
	cat "$data/joint/test/queries.jsonl" >&3
	awk 'NR > 1 { print $1, 0, $2, $3 }' "$data/joint/test/qrels.tsv" >&4
}

embed() { # LIST OUTPUT ROLE OPTION...
	"$omnitile" embed --model "$model" --quiet --input "$1" --output "$2" --role "$3" \
		"${options[@]}" "${@:4}"
}
ways() { # SET, then pairs of a name and options of embed
	local set=$1 runs=() options_of
	make_set "$set"
	[ "$omnitile" != - ] || return 0
	embed "$out/$set/queries.jsonl" "$out/$set/queries.npy" query
	shift
	while [ $# -gt 0 ]; do
		read -r -a options_of <<<"$2"
		embed "$out/$set/passages.jsonl" "$out/$set/$1.npy" passage "${options_of[@]}"
		"$omnitile" index --quiet --vectors "$out/$set/$1.npy" --output "$out/$set/$1.idx"
		"$omnitile" search --quiet --index "$out/$set/$1.idx" --k 100 --trec "$1" \
			--queries "$out/$set/queries.npy" >"$out/$set/$1.run"
		runs+=(--run "$out/$set/$1.run")
		shift 2
	done
	"$omnitile" eval --qrels "$out/$set/qrels" "${runs[@]}" --k 1,10 --json >"$out/$set.json"
	echo "== $set"
	"$omnitile" eval --qrels "$out/$set/qrels" "${runs[@]}" --k 1,10 |
		awk '/^[a-z]/ { on = /^(run|measure|hit@1 |recall@10|ndcg@10)/ } on'
}

# The grounds of two clips differ little: 0.04 of FFmpeg's score is a cut, which 55 of 64 clips have
# at frame 11 and 58 at 15; 9 have a frame of motion that reaches it.
ways scenes uniform "" scene "--frames scene --scene-threshold 0.04"
ways subtitles off "" on "--subtitles on"
ways pages low "--image-max-pixels 12544" page "--page --image-max-pixels 200704"
ways sound off "" separate "--use-audio separate" interleaved "--use-audio interleaved"
