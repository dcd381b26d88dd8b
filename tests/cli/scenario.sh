# bench: every mode of a scenario on a model of a device, and what makes a part invalid. Uses what
# cli.sh made: list.jsonl, the checkpoint "synth".
grep '"t"\|"i"\|"a"' "$tmp/list.jsonl" >"$tmp/three.jsonl"
cp $device "$tmp/device.yaml"
cat >"$tmp/modes.yaml" <<EOF
model: synth
backend: model
device: device.yaml
data: {passages: three.jsonl}
scenario:
  mode: [offline, single-stream, multi-stream, server]
  min_duration_s: 0.1
  min_queries: 20
  rate: 200
  target_latency_ms: 20000
  requests: requests.jsonl
profile: false
roofline: false
output: modes.jsonl
EOF
check "bench, every mode" 0 "^ +mixed " "$omnitile" bench "$tmp/modes.yaml"
check "a record a mode" 0 "^4$" grep -c '^{"record":2' "$tmp/modes.jsonl"
for mode in 1 2 3; do # text, image, audio: 20 at least, 0.1 s of each
	check "requests of mode $mode, of three parts" 0 "^3$" bash -c \
		"grep -o '^{\"part\":[0-9]*' '$tmp/requests-$mode.jsonl' | sort -u | wc -l"
done
check "requests in server mode, mixed" 0 '"part":0,.*"modality":"audio".*"failed":false' \
	cat "$tmp/requests-4.jsonl"
sed 's/mode: .*/mode: server/; s/target_latency_ms: .*/target_latency_ms: 0.001/
	s/modes.jsonl/late.jsonl/' "$tmp/modes.yaml" >"$tmp/late.yaml"
check "bench, a target that is not met" 1 "not valid: latency .* at most 0.001" "$omnitile" bench \
	"$tmp/late.yaml"
echo '{"id":"b","text":7}' >>"$tmp/three.jsonl"
sed 's/mode: .*/mode: single-stream/; /rate:/d; /target/d; s/modes.jsonl/failing.jsonl/' \
	"$tmp/modes.yaml" >"$tmp/failing.yaml"
check "bench, an item that fails" 1 "not valid: [0-9]+ of [0-9]+ items failed" "$omnitile" bench \
	"$tmp/failing.yaml"
