#!/usr/bin/env bash
# make_data.sh FOLDER: a retrieval data set of real media from Debian's packages: pictures with
# names in many languages, spoken names and sound effects (tuxpaint-stamps-default), recorded
# phrases whose file names say them (asterisk-core-sounds-en-wav), and clips that ffmpeg makes of
# pictures and sounds. Writes passages.jsonl, queries.jsonl and qrels.tsv; and copies.jsonl with
# copies-qrels.tsv: worse copies of every fourth picture and sound, which even a model with random
# weights finds, so that arithmetic can be compared. What is there already is not made again.
set -euo pipefail
out=$1
stamps=/usr/share/tuxpaint/stamps
phrases=/usr/share/asterisk/sounds/en_US_f_Allison
languages=(en de fr es ja ru ar zh_CN hi sw)
for folder in "$stamps" "$phrases"; do
	[ -d "$folder" ] || { echo "make_data.sh: $folder is missing (make setup)" >&2; exit 1; }
done
[ -e "$out/qrels.tsv" ] && [ -e "$out/copies-qrels.tsv" ] && exit 0
mkdir -p "$out/clips" "$out/copies"
: >"$out/passages.tmp"
: >"$out/queries.tmp"
: >"$out/copies.tmp"
printf 'query-id\tcorpus-id\tscore\n' | tee "$out/copies-qrels.tmp" >"$out/qrels.tmp"

json() { # a string as JSON
	local text=${1//\\/\\\\}
	text=${text//\"/\\\"}
	printf '"%s"' "${text//[[:cntrl:]]/ }"
}
passage() { echo "{\"id\":$(json "$1"),$2}" >>"$out/passages.tmp"; }
query() { echo "{\"id\":$(json "$1"),\"text\":$(json "$2")}" >>"$out/queries.tmp"; }
relevant() { printf '%s\t%s\t1\n' "$1" "$2" >>"$out/qrels.tmp"; }
copies=0
copied() { # ID KIND FILE OPTIONS...: every fourth of them, smaller or quieter, compressed hard
	local id=$1 kind=$2 file=$3 copy
	shift 3
	copies=$((copies + 1))
	[ $((copies % 4)) = 1 ] || return 0
	copy=copies/$copies.$([ "$kind" = image ] && echo jpg || echo ogg)
	ffmpeg -v error -y -i "$file" "$@" "$out/$copy" </dev/null
	echo "{\"id\":\"copy/$copies\",\"$kind\":\"$copy\"}" >>"$out/copies.tmp"
	printf 'copy/%s\t%s\t1\n' $copies "$id" >>"$out/copies-qrels.tmp"
}
worse_picture=(-vf "scale=iw*0.6:-2,eq=brightness=0.05" -q:v 20)
worse_sound=(-ac 1 -ar 16000 -af volume=0.6 -c:a libvorbis -q:a -1)
name_in() { # the stamp's name in a language; the first line is English
	if [ "$2" = en ]; then sed -n 1p "$1"; else sed -n "s/^$2\.utf8=//p" "$1" | head -n 1; fi
}

# Every fourth picture, its name in English and in one more language, a spoken name or an effect.
fit=scale=192:144:force_original_aspect_ratio=decrease,pad=192:144:-1:-1:white
count=0
clips=0
while read -r picture; do
	stem=${picture%.png}
	[ -f "$stem.txt" ] || continue
	count=$((count + 1))
	[ $((count % 4)) = 1 ] || continue
	id=${stem#"$stamps/"}
	passage "$id" "\"image\":$(json "$picture")"
	copied "$id" image "$picture" "${worse_picture[@]}"
	sound=$(ls "${stem}_desc.ogg" "$stem.ogg" "${stem}"_desc_*.ogg 2>/dev/null |
		head -n 1 || true)
	if [ -n "$sound" ]; then
		passage "$id/sound" "\"audio\":$(json "$sound")"
		copied "$id/sound" audio "$sound" "${worse_sound[@]}"
	fi
	if [ -n "$sound" ] && [ $clips -lt 40 ]; then
		clip=clips/$((clips += 1)).mp4
		ffmpeg -v error -y -loop 1 -framerate 10 -i "$picture" -i "$sound" -t 3 -shortest \
			-vf "$fit,zoompan=z=1+on/60:d=1:s=192x144:fps=10" -pix_fmt yuv420p \
			-c:v libx264 -preset veryfast -c:a aac "$out/$clip" </dev/null
		how=$([ $((clips % 2)) = 0 ] && echo separate || echo off)
		part="\"type\":\"video\",\"video\":\"$clip\",\"use_audio\":\"$how\""
		passage "$id/clip" "\"content\":[{$part}]"
	fi
	for language in en "${languages[$((count / 4 % ${#languages[@]}))]}"; do
		name=$(name_in "$stem.txt" "$language")
		[ -n "$name" ] || continue
		grep -qF "\"$id/$language\"" "$out/queries.tmp" && continue
		query "$id/$language" "$name"
		relevant "$id/$language" "$id"
		[ -z "$sound" ] || relevant "$id/$language" "$id/sound"
		! grep -qF "\"$id/clip\"" "$out/passages.tmp" || relevant "$id/$language" "$id/clip"
	done
done < <(find "$stamps" -name '*.png' | LC_ALL=C sort)

# Every eighth phrase; its name is what is said.
count=0
while read -r phrase; do
	count=$((count + 1))
	[ $((count % 8)) = 1 ] || continue
	id=phrase/$(basename "$phrase" .wav)
	passage "$id" "\"audio\":$(json "$phrase")"
	copied "$id" audio "$phrase" "${worse_sound[@]}"
	query "$id/en" "$(basename "$phrase" .wav | tr -- '-_' '  ')"
	relevant "$id/en" "$id"
done < <(find "$phrases" -maxdepth 1 -name '*.wav' -size +4k | LC_ALL=C sort)

mv "$out/passages.tmp" "$out/passages.jsonl"
mv "$out/queries.tmp" "$out/queries.jsonl"
mv "$out/qrels.tmp" "$out/qrels.tsv"
mv "$out/copies.tmp" "$out/copies.jsonl"
mv "$out/copies-qrels.tmp" "$out/copies-qrels.tsv" # last: the data is whole
wc -l "$out"/*.jsonl "$out/qrels.tsv"
