# train. Uses what cli.sh made: the checkpoint tiny.
t=$tmp/train
mkdir "$t"
for i in {0..23}; do
	words=(red green blue grey pink black) things=(cat dog hen fox)
	echo "{\"id\":\"q$i\",\"text\":\"a ${things[i % 4]} that is ${words[i / 4]}\"}" \
		>>"$t/q.jsonl"
	echo "{\"id\":\"p$i\",\"text\":\"${words[i / 4]} ${things[i % 4]}\"}" >>"$t/p.jsonl"
	printf 'q%d\t0\tp%d\t1\n' $i $i >>"$t/r.tsv"
	echo "{\"query\":\"q$i\",\"negatives\":[{\"id\":\"p$(((i + 1) % 24))\",\"score\":0.5}]}" \
		>>"$t/n.jsonl"
done
lists="name: words, queries: q.jsonl, passages: p.jsonl, qrels: r.tsv"
cat >"$t/t.yaml" <<END
model: $data/tiny
output: run
method: full
data:
  - {$lists, negatives: n.jsonl}
loss: {temperature: 0.05, symmetric: true, negatives: 1}
batch: 4
micro_batch: 5
optimiser: {lr: 1e-3, warmup: 3}
steps: 24
threads: 2
log_every: 4
save_every: 3
END
evals="eval={every: 12, k: [1], sets: [{$lists}]}"
train() { "$omnitile" train "$t/t.yaml" --quiet "$@"; }
check "train, no file" 2 "expected one training file" "$omnitile" train
check "train, unknown key" 2 't.yaml: unknown key "speed"' train --set speed=1
check "train, no such list" 2 'none.jsonl: No such file' train --set 'data[0].queries=none.jsonl'
check "train --dry-run" 0 "words +24 +24 +24 +24" train --dry-run
check "a dry run leaves nothing" 1 "" test -e "$t/run"
check "train" 0 "^step 24  words:  recall@1 (1.0|0.9)" train --set "$evals" --set output=whole
check "the log" 0 '"step":24,"steps":24,"loss":0\.[01]' cat "$t/whole/log.jsonl"
check "the trained checkpoint embeds" 0 '"embedding"' "$omnitile" embed --text a \
	--model "$t/whole/final"
check "a run that is done is not done again" 0 "final: after 24 steps" train \
	--set "$evals" --set output=whole
check "another setting" 2 'checkpoint.*"optimiser.lr" was 0.001 and is 0.002 \(--restart' train \
	--set output=whole --set optimiser.lr=0.002

# killed at whatever time, again and again, then let be: the same bits
for ((tries = 0; tries < 6; tries++)); do
	timeout -s KILL 0.$((RANDOM % 40 + 10)) "$omnitile" train "$t/t.yaml" --quiet \
		--set output=killed --set "$evals" >/dev/null
	[ ! -e "$t/killed/final" ] || break
done 2>/dev/null
train --set output=killed --set "$evals" >/dev/null
check "killed $tries times: the same parameters" 0 "" cmp \
	"$t/whole/final/model-00001-of-00001.safetensors" \
	"$t/killed/final/model-00001-of-00001.safetensors"
losses() { grep -o '"step":[0-9]*,"steps":[0-9]*,"loss":[^,]*' "$t/$1/log.jsonl"; }
check "and the same losses" 0 "" diff <(losses whole) <(losses killed)
train --set output=again --set "$evals" >/dev/null
check "the same command, the same bits" 0 "" cmp "$t/whole/final/model-00001-of-00001.safetensors" \
	"$t/again/final/model-00001-of-00001.safetensors"
stop() { # once a step is in the log
	"$omnitile" train "$t/t.yaml" --quiet --set output=long --set steps=100000 &
	for ((tries = 0; tries < 600; tries++)); do
		grep -qs loss "$t/long/log.jsonl" && break
		sleep 0.05
	done
	kill -TERM $!
	wait $!
}
check "stopped by a signal" 2 "stopped after step [0-9]+ of 100000; the same command goes on" stop
check "its parameters so far" 0 "final: after [0-9]+ steps" train --export --set output=long \
	--set steps=100000
check "no export and restart at once" 2 "which --restart would remove" train --export --restart \
	--set output=long --set steps=100000
check "and the checkpoint is there" 0 "" test -s "$t/long/checkpoint.safetensors"
check "nothing to export" 2 "no checkpoint yet" train --export --set output=none
check "train, restarted" 0 "final: after 2 steps" train --restart --set output=long --set steps=2
check "LoRA, everything at once" 0 "adapter: after 2 steps" train --set output=lora --set steps=2 \
	--set method=lora --set lora.rank=4 --set gradient_cache=true --set keep=checkpoints \
	--set accumulate=2 --set same_dataset=false
check "the adapter" 0 '"r": 4' cat "$t/lora/adapter/adapter_config.json"

# nothing of another's is written over, nothing goes on with other contents
mkdir -p "$t/taken"
cp -r "$t/whole/final" "$t/taken"
check "a folder that no run made" 2 "taken/final: is there, and no run's" train --set output=taken
check "the model itself" 2 "taken/final: the run would write over the model" train \
	--set output=taken --set model=taken/final --restart
sed 's/fox/dog/' "$t/p.jsonl" >"$t/changed.jsonl"
cp "$t/p.jsonl" "$t/list.jsonl"
train --set output=lists --set steps=2 --set 'data[0].passages=list.jsonl' >/dev/null
cp "$t/changed.jsonl" "$t/list.jsonl"
check "other lines of a list" 2 "a list has changed: \"words.passages\"" train \
	--set output=lists --set steps=2 --set 'data[0].passages=list.jsonl'
cp "$t/p.jsonl" "$t/list.jsonl"
rm "$t/lists/log.jsonl"
check "a lost log is no lost run" 0 "final: after 2 steps" train \
	--set output=lists --set steps=2 --set 'data[0].passages=list.jsonl'
check "a full disk" 2 "full/checkpoint.safetensors: File too large" bash -c "trap '' XFSZ
	ulimit -f 2000
	'$omnitile' train '$t/t.yaml' --quiet --set output=full --set threads=1"

# mined with the trained checkpoint, trained on again
check "mined negatives" 0 "" "$omnitile" mine --model "$t/whole/final" --quiet \
	--queries "$t/q.jsonl" --passages "$t/p.jsonl" --qrels "$t/r.tsv" --threshold 1 --k 2 \
	--output "$t/mined.jsonl"
check "are trained on" 0 "final: after 2 steps" train --set output=mined --set steps=2 \
	--set "model=$t/whole/final" --set 'data[0].negatives=mined.jsonl' --set loss.negatives=2

check "mined negatives of pairs" 0 "" "$omnitile" mine --model "$t/whole/final" --quiet \
	--queries "$t/q.jsonl" --passages "$t/p.jsonl" --qrels "$t/r.tsv" --threshold 1 --k 2 \
	--pairs text:text,any:any --output "$t/pairs.jsonl"
check "are trained on, too" 0 "final: after 2 steps" train --set output=pairs --set steps=2 \
	--set 'data[0].negatives=pairs.jsonl'

# pictures, sound and clips, two ways of a clip's sound
for media in image:img_gray_90x70.png image:img_tiny_20x20.png audio:aud_u8_8k.wav \
	video:vid_mandel_av.mp4; do
	n=${media#*:}
	echo "{\"id\":\"$n\",\"text\":\"what is in $n\"}" >>"$t/mq.jsonl"
	echo "{\"id\":\"$n\",\"${media%%:*}\":\"$inputs/$n\"}" >>"$t/mp.jsonl"
	printf '%s\t0\t%s\t1\n' "$n" "$n" >>"$t/mr.tsv"
done
many="queries: mq.jsonl, passages: mp.jsonl, qrels: mr.tsv, fusion:"
check "media" 0 "final: after 2 steps" train --set output=media --set steps=2 \
	--set limits.max_frames=4 --set accumulate=2 --set batch=3 \
	--set "data=[{name: a, $many separate}, {name: b, $many interleaved}]"

# what is missing or broken costs that item
sed '3s/.*/{"id":"p2","image":"gone.png"}/; 5s/.*/broken/' "$t/p.jsonl" >"$t/gaps.jsonl"
check "a missing file is left out" 1 "p.jsonl|gaps.jsonl:3: .*gone.png: No such file" \
	"$omnitile" train "$t/t.yaml" --set output=gaps --set 'data[0].passages=gaps.jsonl'
check "and logged" 0 '"skipped":"p2","reason":.*gone.png' cat "$t/gaps/log.jsonl"
check "and counted, with a broken line" 0 '"written":.*"skipped":2' cat "$t/gaps/log.jsonl"
copy nan
last=$tmp/nan/model-00003-of-00003.safetensors
printf '\xc0\x7f\xc0\x7f' |
	dd of="$last" bs=1 seek=$(($(stat -c %s "$last") - 64)) conv=notrunc status=none
check "no number" 2 "step 1: the vector of item \"[qp][0-9]+\" of .*jsonl is not finite" train \
	--set output=nan --set "model=$tmp/nan"
