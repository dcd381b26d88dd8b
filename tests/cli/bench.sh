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
check "bench's record" 0 '"sha256"' cat "$tmp/results.jsonl"
echo "colour: red" >>"$tmp/bench.yaml"
check "bench, unknown key" 2 'bench.yaml:8: "colour" is an unknown key' "$omnitile" bench \
	"$tmp/bench.yaml"
