# bench: settings, a run, its record. Uses what cli.sh made: list.jsonl, the checkpoint "synth".
cat >"$tmp/bench.yaml" <<EOF
model: synth
backend: ref
data: {passages: list.jsonl, queries: queries.jsonl, qrels: qrels.tsv}
engine: {batch: 4, max_tokens: 2048}
scenario: {warmup: 2, repetitions: 2, min_duration_s: 0, min_queries: 1}
retrieval: {k: [1, 5]}
output: results.jsonl
EOF
echo '{"id":"q","text":"a bird"}' >"$tmp/queries.jsonl"
printf 'q 0 t 1\n' >"$tmp/qrels.tsv"
check "bench" 0 "ndcg@5 .* chance" "$omnitile" bench "$tmp/bench.yaml"
modelled='s/backend: ref/backend: model\ndevice: device.yaml\ntrace: bench.json/'
sed "/^retrieval/d; $modelled" "$tmp/bench.yaml" >"$tmp/model.yaml"
cp $device "$tmp/device.yaml"
check "bench on a device model" 0 "device    model of example" "$omnitile" bench \
	"$tmp/model.yaml"
sed 's/device.yaml/device.yaml,device.yaml/' "$tmp/model.yaml" >"$tmp/models.yaml"
check "bench on two device models" 0 "^device 2 +[0-9]+ items" "$omnitile" bench "$tmp/models.yaml"
check "bench's trace" 0 '"device 1: compute"' cat "$tmp/bench.json"
check "bench --trace, --output" 0 "" "$omnitile" bench "$tmp/model.yaml" --quiet \
	--trace "$tmp/other.json" --output "$tmp/other.jsonl"
check "write where they say" 0 "^1$" bash -c \
	"grep -c caller '$tmp/other.json' >/dev/null && wc -l <'$tmp/other.jsonl'"
# All spans of all rows together, of the time from the first to the last one's end.
explained() { # of 1: the union of spans
	grep -o '"ts":[0-9.]*,"dur":[0-9.]*' "$1" | tr ':,' '  ' | sort -n -k 2 | awk '
		NR == 1 { first = last = $2 }
		$2 + $4 > last { sum += $2 + $4 - ($2 > last ? $2 : last); last = $2 + $4 }
		END { print sum / (last - first) }'
}
check "which explains the wall time" 0 "^(1|0\.9[789][0-9]*)$" explained "$tmp/bench.json"
check "also the benchmark's own steps" 0 '"name":"roofline"' cat "$tmp/bench.json"
check "bench's record" 0 '"sha256"' cat "$tmp/results.jsonl"
echo "colour: red" >>"$tmp/bench.yaml"
check "bench, unknown key" 2 'bench.yaml:8: "colour" is an unknown key' "$omnitile" bench \
	"$tmp/bench.yaml"

# A grid: what would run, what runs, what is left out, what goes on after a kill.
cat >"$tmp/grid.yaml" <<EOG
model: synth
backend: ref
weights: [stored, int8]
engine: {batch: 4, max_tokens: 2048, slots: [1, 2]}
dimension: [0, 32]
data: {passages: few.jsonl, queries: queries.jsonl, qrels: qrels.tsv}
scenario: {warmup: 0, repetitions: 2, min_duration_s: 0, min_queries: 1}
retrieval: {k: [1, 5], bootstrap: 100, run: run.trec}
profile: false
roofline: false
output: grid.jsonl
EOG
grep -v '"v"\|"j"\|"k"' "$tmp/list.jsonl" >"$tmp/few.jsonl"
grid=("$omnitile" bench "$tmp/grid.yaml")
check "bench --trace of a grid" 2 "grid.yaml: one trace for a grid of 8 points" "${grid[@]}" \
	--trace "$tmp/grid.json"
check "a grid's points" 0 '^   8  to do \{"weights":"int8","engine.slots":2,"dimension":32\}$' \
	"${grid[@]}" --dry-run
check "which leave no file" 1 "" test -e "$tmp/grid.jsonl"
for delay in 0.03 0.11 0.05 0.2 0.07; do
	"${grid[@]}" --quiet >"$tmp/grid.out" 2>&1 &
	sleep $delay
	kill -9 $! 2>/dev/null
	wait $! 2>/dev/null
done
printf '{"record":2,"ke' >>"$tmp/grid.jsonl" # a kill in the middle of a write
check "a grid goes on after kills" 0 "a torn last line is cut off" "${grid[@]}"
check "every point has a record, once" 0 "^8 8$" bash -c \
	"echo \$(grep -o '\"key\":\"[0-9a-f]*\"' '$tmp/grid.jsonl' | sort -u | wc -l) \
	\$(wc -l <'$tmp/grid.jsonl')"
check "each is whole" 0 "^8$" grep -c '^{"record":2,.*"retrieval":{.*}$' "$tmp/grid.jsonl"
check "a run for each point" 0 "^q Q0 [a-z] 1 [0-9.]+ omnitile" cat "$tmp/run-8.trec"
check "nothing is left to do" 0 "point 8 of 8 .*its record is in" "${grid[@]}"
check "and the file stays" 0 "^8$" grep -c . "$tmp/grid.jsonl"
cp -r "$tmp/synth" "$tmp/moved"
sed 's/model: synth/model: moved/' "$tmp/grid.yaml" >"$tmp/moved.yaml"
check "a checkpoint that was moved is the same" 0 "^8$" bash -c \
	"'$omnitile' bench '$tmp/moved.yaml' --dry-run | grep -c ' done '"
"$omnitile" synth --like tiny --tokenizer "$data/tiny" --output "$tmp/moved" --seed 7 --quiet
check "another one in its place is not" 0 "^8$" bash -c \
	"'$omnitile' bench '$tmp/moved.yaml' --dry-run | grep -c ' to do '"
check "--restart runs all" 0 "point +\{" "${grid[@]}" --restart
check "a record more for each" 0 "^16$" grep -c . "$tmp/grid.jsonl"
sed 's/dimension: .*/dimension: 100/' "$tmp/grid.yaml" >"$tmp/wide.yaml"
check "a dimension the model lacks" 2 \
	'wide.yaml:5: "dimension" is 100, the model.s vectors have 64 values' \
	"$omnitile" bench "$tmp/wide.yaml"
sed 's/dimension: .*/dimension: [100, 16]/' "$tmp/grid.yaml" >"$tmp/wide.yaml"
check "points that fail are told" 2 "4 of 8 points failed" "$omnitile" bench "$tmp/wide.yaml"
check "and the others run" 0 "^20$" grep -c . "$tmp/grid.jsonl"
sed 's/^output: .*/output: .\/few.jsonl/' "$tmp/grid.yaml" >"$tmp/over.yaml"
check "a list is not written to, by whatever name" 2 'over.yaml:11: "output" is also read here' \
	"$omnitile" bench "$tmp/over.yaml" --dry-run
check "every error of a file" 2 'bad.yaml:2: "engine.slot" .*bad.yaml:3: "weights" is "int9"' \
	bash -c "printf 'model: m\nengine: {slot: 1}\nweights: int9\n' >'$tmp/bad.yaml'
	'$omnitile' bench '$tmp/bad.yaml' 2>&1 | tr '\n' ' '; exit \${PIPESTATUS[0]}"

# A BEIR folder, pictures beside text.
mkdir -p "$tmp/beir/qrels"
cp "$inputs/img_tiny_20x20.png" "$tmp/beir/p.png"
printf '%s\n' '{"_id":"d1","title":"Birds","text":"a red bird"}' \
	'{"_id":"d2","title":"","text":"a picture","image":"p.png"}' >"$tmp/beir/corpus.jsonl"
printf '%s\n' '{"_id":"q1","text":"a bird"}' '{"_id":"q2","text":"red"}' >"$tmp/beir/queries.jsonl"
printf 'query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td2\t2\n' >"$tmp/beir/qrels/dev.tsv"
cat >"$tmp/beir.yaml" <<EOG
model: synth
backend: ref
data: {beir: beir, split: dev}
scenario: {mode: single-stream, warmup: 0, min_duration_s: 0, min_queries: 2}
retrieval: {convention: mteb, bootstrap: 0}
roofline: false
output: beir.jsonl
EOG
check "bench on a BEIR folder" 0 "retrieval of 2 queries \(2 asked\) among 2 passages mteb" \
	"$omnitile" bench "$tmp/beir.yaml"
check "mteb's cut-offs" 0 '"recall":\{"1":.*"1000":\{"value":1\.0\}' cat "$tmp/beir.jsonl"
check "ops beside no roofline" 0 '"ops":\[\{"op":' cat "$tmp/beir.jsonl"
check "a split that is not there" 2 "qrels/test.tsv: No such file" bash -c \
	"sed 's/, split: dev//' '$tmp/beir.yaml' >'$tmp/beir2.yaml'
	'$omnitile' bench '$tmp/beir2.yaml'"
# Stopped in a part: no record of it, what is there stays.
sed -i 's/min_duration_s: 0/min_duration_s: 60/' "$tmp/beir.yaml"
check "stopped in a part" 2 "stopped after [0-9]+ items" timeout --foreground --preserve-status \
	-s INT 1 "$omnitile" bench "$tmp/beir.yaml"
check "leaves the records there are" 0 "^1$" grep -c '^{"record":2,' "$tmp/beir.jsonl"

# Two files beside each other.
head -n 1 "$tmp/grid.jsonl" >"$tmp/one.jsonl"
check "compare with itself" 0 "^0 worse by more than 5 %" "$omnitile" bench --compare \
	"$tmp/one.jsonl" "$tmp/one.jsonl"
sed 's/"items_per_s":[0-9.]*/"items_per_s":1e9/g; s/"repeats":[^]]*]/"repeats":[1e9,1.1e9]/g' \
	"$tmp/one.jsonl" >"$tmp/fast.jsonl"
check "compare, slower" 1 "text .* items_per_s .* WORSE" "$omnitile" bench --compare \
	"$tmp/fast.jsonl" "$tmp/one.jsonl" --metric items_per_s --threshold 10%
check "compare, faster" 0 "^0 worse by more than 10 %" "$omnitile" bench --compare \
	"$tmp/one.jsonl" "$tmp/fast.jsonl" --metric items_per_s --threshold 0.1
check "compare, unmatched points" 0 'only in .*grid.jsonl: \{"weights":"int8"' "$omnitile" bench \
	--compare "$tmp/one.jsonl" "$tmp/grid.jsonl" --threshold 100
sed 's/"modality":"image"/"modality":"video"/g' "$tmp/one.jsonl" >"$tmp/other.jsonl"
check "compare, unmatched parts" 0 'only in A: \{"file":"passages","modality":"image"' "$omnitile" \
	bench --compare "$tmp/one.jsonl" "$tmp/other.jsonl"
check "compare, no such figure" 2 'metric "speed" is none of' "$omnitile" bench --compare \
	"$tmp/one.jsonl" "$tmp/one.jsonl" --metric speed
check "compare, a bad threshold" 2 'threshold "some"' "$omnitile" bench --compare \
	"$tmp/one.jsonl" "$tmp/one.jsonl" --threshold some
