# prepare.sh: how media are prepared, read by tests/cli.sh: frames by scene change, subtitles and
# transcripts as text, pages. Clips are made by ffmpeg here.
prep=$tmp/prepare
mkdir "$prep"
prepared() { # FILE OPTION...: the vector of an input
	"$omnitile" embed --model "$data/tiny" --backend ref --json --quiet "$@" |
		sed 's/.*"embedding"//'
}
listed() { # LINE...: vectors of a list
	printf '%s\n' "$@" >"$prep/list.jsonl"
	prepared --input "$prep/list.jsonl"
}
flat=s=64x48:r=10:d
ffmpeg -v error -f lavfi -i color=red:$flat=2 -f lavfi -i color=gray:$flat=0.4 -f lavfi \
	-i color=blue:$flat=1.6 -filter_complex '[0][1][2]concat=n=3' -c:v mpeg4 "$prep/cuts.mp4" \
	</dev/null
ffmpeg -v error -f lavfi -i color=red:$flat=4 -c:v mpeg4 "$prep/still.mp4" </dev/null
printf '1\n00:00:00,500 --> 00:00:01,000\na <i>red</i>\nbird\n' >"$prep/said.srt"
printf '1\n00:00:00,500 --> 00:00:01,000\n<|AUDIO|>\n' >"$prep/bad.srt"
for name in said bad; do
	ffmpeg -v error -i "$prep/still.mp4" -i "$prep/$name.srt" -c:v copy -c:s srt \
		-metadata:s:s:0 language=eng "$prep/$name.mkv" </dev/null
done

few=(--max-frames 4)
prepared "$prep/cuts.mp4" "${few[@]}" >"$prep/uniform"
prepared "$prep/cuts.mp4" "${few[@]}" --frames scene >"$prep/scene"
prepared "$prep/cuts.mp4" "${few[@]}" --frames scene --scene-threshold 0.99 >"$prep/none"
listed '{"id":"a","video":"cuts.mp4","max_frames":4,"frames":"scene"}' >"$prep/listed"
check "frames of a short scene" 1 "" cmp "$prep/uniform" "$prep/scene"
check "frames of a short scene, by a list" 0 "" cmp "$prep/listed" "$prep/scene"
check "no cut is that strong" 0 "" cmp "$prep/uniform" "$prep/none"
prepared "$prep/still.mp4" >"$prep/uniform"
prepared "$prep/still.mp4" --frames scene >"$prep/scene"
check "frames of a clip without cuts" 0 "" cmp "$prep/uniform" "$prep/scene"
check "frames of no kind" 2 'frames .all., expected one of uniform scene' "$omnitile" embed \
	--model "$data/tiny" --frames all "$prep/cuts.mp4"
check "a threshold out of range" 2 'scene-threshold' "$omnitile" embed --model "$data/tiny" \
	--scene-threshold 2 "$prep/cuts.mp4"

# What a user would write by hand is what the model gets.
part() { # TEXT: an item of that text and the clip
	printf '{"id":"a","content":[{"type":"text","text":"%s"},%s]}' "$1" \
		'{"type":"video","video":"still.mp4"}'
}
listed "$(part "a red bird")" >"$prep/wanted"
prepared "$prep/said.mkv" >"$prep/off"
prepared "$prep/said.mkv" --subtitles on >"$prep/on"
prepared "$prep/said.mkv" --subtitles on --subtitle-language eng >"$prep/eng"
prepared "$prep/said.mkv" --subtitles on --subtitle-language ger >"$prep/ger"
check "subtitles go before the clip" 0 "" cmp "$prep/wanted" "$prep/on"
check "subtitles of a language" 0 "" cmp "$prep/wanted" "$prep/eng"
check "no subtitles of a language" 0 "" cmp "$prep/off" "$prep/ger"
check "subtitles are off" 0 "" cmp "$prep/off" "$prep/uniform"
listed '{"id":"a","video":"still.mp4","transcript":"said.srt"}' >"$prep/listed"
check "a transcript" 0 "" cmp "$prep/wanted" "$prep/listed"
listed '{"_id":"a","video":"said.mkv","subtitles":"on","transcript":"said.srt"}' >"$prep/listed"
check "a transcript instead of subtitles" 0 "" cmp "$prep/wanted" "$prep/listed"
listed "$(part "title a red")" >"$prep/wanted"
listed '{"_id":"a","text":"title","video":"said.mkv","subtitles":"on","max_characters":5}' \
	>"$prep/listed"
check "subtitles after a text, cut" 0 "" cmp "$prep/wanted" "$prep/listed"
check "a placeholder in subtitles" 1 'has a media placeholder' "$omnitile" embed \
	--model "$data/tiny" --subtitles on "$prep/bad.mkv"
echo '{"id":"a","video":"still.mp4","transcript":"nowhere.srt"}' >"$prep/list.jsonl"
check "no such transcript" 1 'nowhere.srt: No such file' "$omnitile" embed --model "$data/tiny" \
	--input "$prep/list.jsonl"

# Pages are enlarged; what the user says of their pixels holds.
picture=$inputs/img_photo_224x160.jpg
prepared "$picture" >"$prep/off"
prepared "$picture" --page >"$prep/page"
prepared "$picture" --image-min-pixels 602112 --image-max-pixels 2007040 >"$prep/wanted"
echo "{\"id\":\"$picture\",\"image\":\"$picture\",\"page\":true}" >"$prep/list.jsonl"
prepared --input "$prep/list.jsonl" >"$prep/listed"
check "a page is no picture" 1 "" cmp "$prep/off" "$prep/page"
check "a page has 768 tokens at least" 0 "" cmp "$prep/wanted" "$prep/page"
check "a page, by a list" 0 "" cmp "$prep/listed" "$prep/page"
prepared "$picture" --page --image-max-pixels 20000 >"$prep/page"
prepared "$picture" --image-max-pixels 20000 >"$prep/wanted"
check "a page of few pixels" 0 "" cmp "$prep/wanted" "$prep/page"
