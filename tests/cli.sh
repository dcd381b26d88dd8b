#!/usr/bin/env bash
# cli.sh BINARY: the command line as its users meet it: help, exit statuses, every kind of input,
# bad input. One line a check. tests/cli/ has the larger verbs, a file each, read at the end.
set -u
omnitile=$(realpath "$1")
cd "$(dirname "$0")/.."
data=$PWD/tests/golden/data
inputs=$data/inputs
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export OMT_CACHE_DIR=$tmp/cache
bad=0
export OMT_DEVICES_DIR=$tmp/no-devices # the shipped tiles, whatever the user has

# check NAME STATUS PATTERN COMMAND...: exit status and a line of the output (an extended
# expression).
check() {
	local name=$1 status=$2 pattern=$3 out rc
	shift 3
	out=$("$@" 2>&1 </dev/null | tr -d "\0"; exit "${PIPESTATUS[0]}")
	rc=$?
	if [ $rc = "$status" ] && grep -qE -- "$pattern" <<<"$out"; then
		echo "ok   $name"
	else
		echo "FAIL $name: status $rc, expected $status, wanted /$pattern/ in: ${out:0:300}"
		bad=1
	fi
}

for verb in devices tune plan embed index search mine eval train bench report verify synth merge; do
	check "$verb --help" 0 "usage: omnitile $verb" "$omnitile" "$verb" --help
	check "$verb, unknown option" 2 "unknown option --nonsense" "$omnitile" "$verb" --nonsense
done
check "--version" 0 "^omnitile [0-9]" "$omnitile" --version
check "unknown verb" 2 "unknown verb" "$omnitile" nonsense
check "devices --json" 0 '"compute_units"' "$omnitile" devices --json
check "no such backend" 2 'backend "gpu"' "$omnitile" embed --model "$data/tiny" --backend gpu \
	--text a
check "a device that was named is not another one" 2 'no OpenCL device "none"' "$omnitile" embed \
	--model "$data/tiny" --device none --text a
check "no such device" 2 'no OpenCL device "none"' "$omnitile" embed --model "$data/tiny" \
	--backend opencl --device none --text a
for device in 0/ 0/x 0/99 0,, 0/2,0/2; do
	check "devices $device" 2 'device .*(expected DEVICE/PARTS|parts of|no name|twice|cannot)' \
		"$omnitile" embed --model "$data/tiny" --backend opencl --device $device --text a
done
check "weights of no kind" 2 'weights is "int4"' "$omnitile" embed --model "$data/tiny" \
	--weights int4 --text a
check "int8 weights" 0 '"embedding"' "$omnitile" embed --model "$data/tiny" --weights int8 --text a
check "tiles of no kind" 2 'tiles "m=99"' env OMT_TILES=m=99 "$omnitile" embed \
	--model "$data/tiny" --backend opencl --text a
check "tiles of no kind as an option" 2 'tiles "m=99"' env OMT_TILES=m=4 "$omnitile" embed \
	--model "$data/tiny" --backend opencl --tiles m=99 --text a
check "tiles go over the environment's" 0 '"embedding"' env OMT_TILES=m=99 "$omnitile" embed \
	--model "$data/tiny" --backend opencl --tiles m=8 --text a
check "a bitstream of no kind" 2 'no entry "nothing" among' "$omnitile" embed --model "$data/tiny" \
	--bitstream nothing --text a
check "a bitstream for another device" 2 'is no part of "Portable' "$omnitile" embed \
	--model "$data/tiny" --bitstream intel-emulation --text a
check "no manifest" 2 '/nonexistent/manifest.yaml' env OMT_BITSTREAMS=/nonexistent \
	OMT_BITSTREAM=u250 "$omnitile" embed --model "$data/tiny" --text a
check "a CPU path of no kind" 2 'OMT_CPU is "sse9"' env OMT_CPU=sse9 "$omnitile" embed \
	--model "$data/tiny" --backend ref --text a
# tuning
mkdir "$tmp/devices"
tuned=$tmp/devices/tuned.yaml
check "devices tells the entry" 0 'tiles of .*\.yaml \(shipped\)' "$omnitile" devices
check "tune" 0 '^gemm_few .*m=' "$omnitile" tune --quick --seconds 1 --class gemm_few \
	--output "$tuned"
check "tune adds a class" 0 '"class": "attention_64"' "$omnitile" tune --quick --seconds 1 \
	--class attention_64 --output "$tuned" --json
check "what was tuned" 0 "^  gemm_few: \{m: " cat "$tuned"
check "what was measured" 0 "^  attention_64: \{date: .*gflops: .*ratio: " cat "$tuned"
check "the tuned entry is taken" 0 "tiles of $tuned" env OMT_DEVICES_DIR="$tmp/devices" \
	"$omnitile" devices
check "tuned tiles compute" 0 '"embedding"' env OMT_DEVICES_DIR="$tmp/devices" "$omnitile" embed \
	--model "$data/tiny" --backend opencl --text a
cp "$tuned" "$tmp/before.yaml"
# --foreground: else the signal comes a second time, with the process group's, and that one kills.
check "tune, interrupted" 2 "tune: stopped; nothing was written" timeout --foreground \
	--preserve-status -s INT 1 "$omnitile" tune --output "$tuned"
check "tune, interrupted: the file is as it was" 0 "" cmp "$tuned" "$tmp/before.yaml"
check "tune, no such class" 2 'no class "gemv" among gemm_few ' "$omnitile" tune --class gemv \
	--output "$tmp/x.yaml"
check "tune, no folder" 2 "folder cannot be written: No such file" "$omnitile" tune \
	--output "$tmp/no-devices/x.yaml"
sed -i 's/name: "/name: "other /' "$tuned"
check "tune, another device's file" 2 "its match section does not fit" "$omnitile" tune \
	--output "$tuned"
printf 'match: {}\ntiles:\n  gemm: {m: 99}\n' >"$tuned"
check "a broken entry is named" 2 "tuned.yaml:3: \"m\" is 99, expected 1 to 32" \
	env OMT_DEVICES_DIR="$tmp/devices" "$omnitile" embed --model "$data/tiny" --text a

check "plan" 0 "memory .* fits" "$omnitile" plan --model "$data/tiny" --image 224 --seconds 2 \
	--frames 4
check "plan of a device that is not there" 0 "roofline" "$omnitile" plan --model "$data/tiny" \
	--device configs/devices/example-accelerator.yaml
check "plan, bad weights" 2 'weights is "int4", expected' "$omnitile" plan --model "$data/tiny" \
	--weights int4
check "plan, bad option value" 2 "expected a number" "$omnitile" plan --model "$data/tiny" --items 0

check "a clip of f32 pixels beyond its slot" 1 "2408448 bytes of pixels, there is room for 943200" \
	"$omnitile" embed --model "$data/tiny" --backend ref --recipe card --max-tokens 200 \
	"$inputs/vid_short_1s.mp4"

# embedding
clip="{\"type\":\"video\",\"video\":\"$inputs/vid_mandel_av.mp4\",\"use_audio\":"
cat >"$tmp/list.jsonl" <<EOF
{"id":"t","text":"a red bird"}
{"id":"i","image":"$inputs/img_tiny_20x20.png"}
{"id":"a","audio":"$inputs/aud_short_50ms.wav"}
{"id":"v","video":"$inputs/vid_short_1s.mp4","recipe":"card","max_frames":64}
{"id":"j","role":"query","content":[{"type":"text","text":"x"},$clip"separate"}]}
{"id":"k","content":[$clip"interleaved"}]}
{"id":"e","image":"$inputs/img_exif6_120x90.jpg"}
EOF
tac "$tmp/list.jsonl" >"$tmp/reversed.jsonl"
vectors() { # one line an item: id and vector, sorted
	"$omnitile" embed --model "$data/tiny" --backend "$1" --quiet --input "$2" "${@:3}" | sort
}
for backend in ref openblas opencl; do
	vectors $backend "$tmp/list.jsonl" >"$tmp/$backend.all"
	vectors $backend "$tmp/reversed.jsonl" --batch 3 >"$tmp/$backend.reversed"
	: >"$tmp/$backend.alone"
	while read -r line; do
		echo "$line" >"$tmp/one.jsonl"
		vectors $backend "$tmp/one.jsonl" >>"$tmp/$backend.alone"
	done <"$tmp/list.jsonl"
	sort -o "$tmp/$backend.alone" "$tmp/$backend.alone"
	check "$backend: same bits in reverse" 0 "" cmp "$tmp/$backend.all" "$tmp/$backend.reversed"
	check "$backend: same bits alone" 0 "" cmp "$tmp/$backend.all" "$tmp/$backend.alone"
	check "$backend: seven vectors" 0 "^7$" grep -c embedding "$tmp/$backend.all"
done
# A GPU's tiles: the same bits, whatever the tiles are (but for the keys of a block).
OMT_TILES=m=4,rows=1,panels=2,k=16,queries=1 vectors opencl "$tmp/list.jsonl" >"$tmp/tiles"
check "the same bits with other tiles" 0 "" cmp "$tmp/opencl.all" "$tmp/tiles"
OMT_TILES=gemm_few.panels=4,gemm_short.m=6,gemm_short.k=64,gemm.m=12,gemm.wide=2,gemm.rows=3 \
	vectors opencl "$tmp/list.jsonl" >"$tmp/tiles"
check "the same bits with other tiles in each class" 0 "" cmp "$tmp/opencl.all" "$tmp/tiles"
OMT_DISABLE_OPS=gemm,rotary,rows vectors opencl "$tmp/list.jsonl" >"$tmp/fallback"
check "fallback per op gives vectors" 0 "^7$" grep -c embedding "$tmp/fallback"
# Two devices, halves of one: the same files byte by byte, in any order; both have work.
{ # texts take no preparation: the devices are what limits
	cat "$tmp/list.jsonl"
	for i in $(seq 60); do echo "{\"id\":\"n$i\",\"text\":\"bird $i of $((i * i))\"}"; done
} >"$tmp/many.jsonl"
tac "$tmp/many.jsonl" >"$tmp/many.reversed.jsonl"
embed_to() { # OUTPUT LIST DEVICE...
	check "embed on device $3" 0 "0 failed" "$omnitile" embed --model "$data/tiny" \
		--backend opencl --input "$tmp/$2" --output "$tmp/$1.npy" --device "${@:3}"
}
if [ "$(nproc)" -ge 2 ]; then
	embed_to whole many.jsonl 0
	embed_to parts many.jsonl 0/2 --batch 2
	check "same file from two parts" 0 "" cmp "$tmp/whole.npy" "$tmp/parts.npy"
	check "same ids from two parts" 0 "" cmp "$tmp/whole.ids.jsonl" "$tmp/parts.ids.jsonl"
	check "both parts have work" 0 "^device 2 +[1-9][0-9]* items, .* part 2/2" \
		"$omnitile" embed \
		--model "$data/tiny" --backend opencl --device 0/2 --batch 2 \
		--input "$tmp/many.jsonl" --output "$tmp/again.npy"
	check "and again" 0 "" cmp "$tmp/whole.npy" "$tmp/again.npy"
	vectors opencl "$tmp/many.jsonl" --device 0 >"$tmp/whole.sorted"
	vectors opencl "$tmp/many.reversed.jsonl" --device 0/2 --batch 3 >"$tmp/parts.sorted"
	check "same bits in reverse from two parts" 0 "" cmp "$tmp/whole.sorted" "$tmp/parts.sorted"
	OMT_DISABLE_OPS=gemm,rotary,rows vectors opencl "$tmp/list.jsonl" --device 0/2 --batch 1 \
		>"$tmp/fallback.parts"
	check "same bits in a fallback of two parts" 0 "" cmp "$tmp/fallback" "$tmp/fallback.parts"
	# PoCL has another kind of CPU device, too; they share the weights.
	POCL_DEVICES="basic pthread" embed_to kinds many.jsonl all --batch 2
	check "same file from two kinds of device" 0 "" cmp "$tmp/whole.npy" "$tmp/kinds.npy"
fi
check "a picture through a pipe" 0 '"embedding"' bash -c \
	"'$omnitile' embed --model '$data/tiny' --kind image - < '$inputs/img_tiny_20x20.png'"
check "a pipe without --kind" 1 "has to say" "$omnitile" embed --model "$data/tiny" -
ffmpeg -v error -y -i "$inputs/aud_speech_16k.wav" "$tmp/s.mp3" "$tmp/s.opus" "$tmp/s.m4a" \
	</dev/null
ffmpeg -v error -y -i "$inputs/img_photo_224x160.jpg" "$tmp/p.webp" "$tmp/p.gif" </dev/null
ffmpeg -v error -y -i "$inputs/vid_mandel_av.mp4" -c:v libvpx -c:a libopus "$tmp/c.webm" </dev/null
check "mp3, opus, m4a, webp, gif, webm" 0 "6 items, 0 failed" "$omnitile" embed \
	--model "$data/tiny" "$tmp"/s.* "$tmp"/p.* "$tmp/c.webm"

# what is kept on disk: the same bits without it, with it, with a damaged one
for weights in stored int8 bf16; do
	kept() { vectors opencl "$tmp/list.jsonl" --weights $weights "$@" >"$tmp/kept"; }
	same() { check "$weights, $1" 0 "" cmp "$tmp/none" "$tmp/kept"; }
	one=(embed --model "$data/tiny" --backend opencl --weights $weights --text a)
	rm -rf "$OMT_CACHE_DIR"
	kept --cache none
	mv "$tmp/kept" "$tmp/none"
	check "$weights, no packed weights" 1 "" test -e "$OMT_CACHE_DIR/weights"
	check "$weights, packed weights are written" 0 "packed weights are kept in $tmp" \
		"$omnitile" "${one[@]}"
	kept
	same "the same bits with packed weights"
	file=$(echo "$OMT_CACHE_DIR"/weights/*)
	programs=("$OMT_CACHE_DIR"/programs/*)
	cp "$file" "$tmp/packed"
	for damage in "truncate -s 100000" "truncate -s 0" "sed -i s/contract/controct/" \
		"sed -i 1s/weights/weighty/"; do
		$damage "$file"
		for program in "${programs[@]}"; do
			printf x | dd of="$program" bs=1 seek=3000 conv=notrunc status=none
		done
		check "$weights, $damage: written again" 0 "packed weights are kept" \
			"$omnitile" "${one[@]}"
		check "$weights, $damage: the same file" 0 "" cmp "$file" "$tmp/packed"
	done
	printf x | dd of="$file" bs=1 seek=100000 conv=notrunc status=none
	check "$weights, damaged content" 0 "packed weights are kept" env OMT_CACHE_VERIFY=1 \
		"$omnitile" "${one[@]}"
	kept
	same "the same bits after damage"
	kept --cache "$tmp/elsewhere"
	same "the same bits from elsewhere"
	rm -r "$tmp/elsewhere"
	check "$weights, a folder that cannot be" 0 "not kept: /proc/nowhere.*No such file" env \
		OMT_CACHE_DIR=/proc/nowhere "$omnitile" "${one[@]}"
	check "$weights, a file that cannot be" 0 "not kept: .*File too large" bash -c \
		"trap '' XFSZ; ulimit -f 300; \"\$@\"" - "$omnitile" "${one[@]}" --cache "$tmp/full"
	check "$weights, nothing is left of it" 0 "^0$" bash -c "find '$tmp/full' -type f | wc -l"
	rm -r "$tmp/full"
done
# Matrices in blocks: of 1.1 MB (the table) and 0.7 MB where 0.61 MB are allowed.
sed -e '/"text_config"/,/}/{s/"hidden_size": 64/"hidden_size": 128/
s/"intermediate_size": 176/"intermediate_size": 2816/}' \
	-e '/mrope_section/,/]/{s/ 2,/ 4,/;s/ 3/ 6/}' \
	-e 's/"output_dim": 64/"output_dim": 128/;s/"out_hidden_size": 64/"out_hidden_size": 128/' \
	"$data/tiny/config.json" >"$tmp/wide.json"
"$omnitile" synth --like "$tmp/wide.json" --tokenizer "$data/tiny" --output "$tmp/wide" --quiet
head -n 2 "$tmp/list.jsonl" >"$tmp/two.jsonl"
for backend in ref opencl; do
	for weights in stored int8 bf16; do
		wide=(embed --model "$tmp/wide" --backend $backend --weights $weights --quiet
			--max-tokens 32 --input "$tmp/two.jsonl")
		"$omnitile" "${wide[@]}" >"$tmp/whole"
		OMT_MAX_ALLOC_BYTES=610000 "$omnitile" "${wide[@]}" >"$tmp/blocks"
		OMT_MAX_ALLOC_BYTES=610000 "$omnitile" "${wide[@]}" --cache none >"$tmp/made"
		check "$backend, $weights: two vectors" 0 "^2$" grep -c embedding "$tmp/whole"
		check "$backend, $weights: in blocks too" 0 "" cmp "$tmp/whole" "$tmp/blocks"
		check "$backend, $weights: and without a cache" 0 "" cmp "$tmp/whole" "$tmp/made"
	done
done
check "what does not fit" 2 "600000 bytes at most, .* of 32 .*: max_tokens 31 would fit" env \
	OMT_MAX_ALLOC_BYTES=600000 "$omnitile" "${wide[@]}"
check "plan of a batch too large" 1 "does not fit" env OMT_MAX_ALLOC_BYTES=600000 "$omnitile" plan \
	--model "$tmp/wide"

# a model of a device's time, and the trace
device=configs/devices/example-accelerator.yaml
trace=$tmp/trace.json
check "a device model warns" 0 "all vectors are zeros" "$omnitile" embed --model "$data/tiny" \
	--backend model --device $device --input "$tmp/list.jsonl" --trace "$trace"
check "its vectors are zeros" 0 '"embedding":\[0,0,.*,0\]' "$omnitile" embed --text a \
	--model "$data/tiny" --backend model --device $device
for row in "device 1: compute" "device 1: upload" "device 1: download" "device 1: driver" filler \
	caller deliver "worker 1"; do
	check "trace, row $row" 0 "\"$row\"" cat "$trace"
done
check "trace, six files decoded" 0 "^6$" grep -c '"decode"' "$trace"
check "a device model without a file" 2 'model: device "" is not a .yaml' "$omnitile" embed \
	--model "$data/tiny" --backend model --text a
echo "device: no speed" >"$tmp/slow.yaml"
check "a device model without a speed" 2 "slow.yaml: .*peak_gflops" "$omnitile" embed \
	--model "$data/tiny" --backend model --device "$tmp/slow.yaml" --text a
sed 's/peak_gflops: .*/peak_gflops: 10/' $device >"$tmp/slower.yaml"
sed 's/peak_gflops: .*/peak_gflops: 10\nfails_after_ops: 100/' $device >"$tmp/weak.yaml"
check "two device models, a row each" 0 '"device 2: compute"' bash -c "'$omnitile' embed \
	--model '$data/tiny' --backend model --device '$tmp/slower.yaml,$tmp/slower.yaml' \
	--input '$tmp/many.jsonl' --output '$tmp/z.npy' --trace '$trace' && cat '$trace'"
check "a device fails, its batches do not" 0 "device 1 failed, 1 go on: .*after 100 ops" \
	"$omnitile" embed --model "$data/tiny" --backend model \
	--device "$tmp/weak.yaml,$tmp/slower.yaml" \
	--input "$tmp/many.jsonl" --output "$tmp/z.npy"
check "all devices fail" 1 '"id":"n60","error":".*after 100 ops' bash -c "'$omnitile' embed \
	--model '$data/tiny' --backend model --device '$tmp/weak.yaml' \
	--input '$tmp/many.jsonl' --output '$tmp/z.npy' --quiet
	status=\$?; cat '$tmp/z.ids.jsonl'; exit \$status"
check "a device model in a chain" 2 "stands alone" "$omnitile" embed --model "$data/tiny" \
	--backend opencl,model --device $device --text a
check "a trace that cannot be written" 2 "nowhere/t.json" "$omnitile" embed --text a \
	--model "$data/tiny" --trace "$tmp/nowhere/t.json"

# bad input: each a failed item named with its reason, the good one is delivered
head -c 3000 "$inputs/vid_testsrc_4s.mp4" >"$tmp/truncated.mp4"
echo "only text" >"$tmp/text.png"
: >"$tmp/empty.wav"
ffmpeg -v error -y -f lavfi -i color=red:s=16x20000,format=rgb24,crop=1:20000 -frames:v 1 \
	"$tmp/thin.png" </dev/null
head -c 46 "$inputs/aud_exact_2s.wav" >"$tmp/onesample.wav"
{ # two NaN as f32 samples at 16 kHz
	printf 'RIFF\x2c\0\0\0WAVEfmt \x10\0\0\0\x03\0\x01\0\x80>\0\0\0\xfa\0\0\x04\0\x20\0'
	printf 'data\x08\0\0\0\0\0\xc0\x7f\0\0\xc0\x7f'
} >"$tmp/nan.wav"
cat >"$tmp/bad.jsonl" <<EOF
{"id":"good","text":"still here"}
{"id":"mp4","video":"truncated.mp4"}
{"id":"png","image":"text.png"}
{"id":"wav","audio":"empty.wav"}
{"id":"thin","image":"thin.png"}
{"id":"one","audio":"onesample.wav"}
{"id":"nan","audio":"nan.wav"}
{"id":"gone","image":"nowhere.png"}
{"id":"key","text":"a","colour":"red"}
{"id":"placeholder","text":"a <|IMAGE|> of its own"}
not json
{"id":"good","text":"an id twice"}
EOF
check "bad items: status 1, all counted" 1 "12 items, 11 failed" "$omnitile" embed \
	--model "$data/tiny" --input "$tmp/bad.jsonl" --output "$tmp/v.npy"
ids=$tmp/v.ids.jsonl
for line in 'mp4:truncated.mp4: ' 'png:text.png: ' 'wav:empty.wav: empty' \
	'thin:thin.png: .*aspect' \
	'one:onesample.wav: .*too few' 'nan:nan.wav: .*finite' 'gone:nowhere.png: No such' \
	'key:bad.jsonl:9: unknown key' 'placeholder:placeholder' '11:bad.jsonl:11:.*not JSON' \
	'good:bad.jsonl:12: .*second time'; do
	check "bad item ${line%%:*}" 0 "\"id\":\"${line%%:*}\",\"error\":\".*${line#*:}" cat "$ids"
done
check "rows of the vector file" 0 "\(12, 64\)" head -c 128 "$tmp/v.npy"
check "good item has no error" 0 '^\{"id":"good"\}$' cat "$ids"
check "an old output stays whole" 2 "backend" "$omnitile" embed --model "$data/tiny" \
	--backend gpu --input "$tmp/list.jsonl" --output "$tmp/v.npy"
check "old vectors still there" 0 "\(12, 64\)" head -c 128 "$tmp/v.npy"

# checkpoints that are not sound
broken() { # NAME PATTERN: a copy of the checkpoint in $tmp/NAME that the caller changed
	check "checkpoint: $1" 2 "$2" "$omnitile" embed --model "$tmp/$1" --text a
}
copy() { cp -r "$data/tiny" "$tmp/$1" && chmod -R u+w "$tmp/$1"; }
shard=model-00001-of-00003.safetensors
copy missing && rm "$tmp/missing/$shard" && broken missing "$shard: the shard is missing"
copy lfs && printf 'version https://git-lfs.github.com/spec/v1\n' >"$tmp/lfs/$shard" &&
	broken lfs "$shard: a Git LFS pointer"
copy cut && truncate -s 300000 "$tmp/cut/$shard" && broken cut "$shard: .*truncated"
copy header && printf '\x00\x00\x00\x00\x00\x00\x00\x80' |
	dd of="$tmp/header/$shard" conv=notrunc status=none && broken header "$shard: header of 922"
single() { # NAME HEADER DATA_BYTES: a checkpoint of one file with this header
	copy "$1" && rm "$tmp/$1"/model*
	{
		printf "\\x$(printf %02x $((${#2} % 256)))\\x$(printf %02x $((${#2} / 256)))"
		printf '\0\0\0\0\0\0%s' "$2"
		head -c "$3" /dev/zero
	} >"$tmp/$1/model.safetensors"
}
single beyond '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}' 4 &&
	broken beyond "model.safetensors: tensor a lies at 0 to 8 of 4"
a='"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'
b='"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}'
single overlap "{$a,$b}" 8 &&
	broken overlap "tensor b overlaps"
table='"model.embed_tokens.weight":{"dtype":"I8","shape":[4224,64],"data_offsets":[0,270336]}'
single dtype "{$table}" 270336 &&
	broken dtype "model.embed_tokens.weight is not f32, bf16 or f16"
copy arch && sed -i 's/NVOmniEmbedModel/LlamaForCausalLM/' "$tmp/arch/config.json" &&
	broken arch 'config.json: unknown architecture "LlamaForCausalLM"'
copy template && sed -i 's/helpful/hapless/' "$tmp/template/chat_template.json" &&
	broken template "chat_template.json: the chat template is not"

# verify, synth, bench
check "verify a folder that is not one" 2 "cases.jsonl" "$omnitile" verify --model "$data/tiny" \
	--expected "$tmp"
check "synth" 0 "" "$omnitile" synth --like tiny --tokenizer "$data/tiny" --output "$tmp/synth" \
	--shard-bytes 1000000
check "the synthesised checkpoint embeds" 0 '"embedding"' "$omnitile" embed --model "$tmp/synth" \
	--text a
# The rest is told by verb.
for part in tests/cli/*.sh; do
	# shellcheck source=/dev/null
	. "$part"
done
exit $bad
