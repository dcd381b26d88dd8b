# bench, scenario.mode modelled: a card's figures beside measured quality. Uses what bench.sh made.
cat >"$tmp/codesign.yaml" <<EOF
model: synth
backend: hls
weights: [stored, int8]
card: {name: u250, pe: [4, 8]}
engine: {batch: 4, max_tokens: 2048}
data: {passages: few.jsonl, queries: queries.jsonl, qrels: qrels.tsv}
scenario: {mode: modelled}
retrieval: {k: [1, 5], bootstrap: 100}
output: codesign.jsonl
EOF
check "bench of a card's model" 0 '^passages +text .* valid$' "$omnitile" bench "$tmp/codesign.yaml"
check "its parts and card" 0 '"pe":8.*"part":"xcu250' cat "$tmp/codesign.jsonl"
check "vectors are the kernels'" 0 '"driver": ?"omnitile' cat "$tmp/codesign.jsonl"
# Scores hang on the kind of numbers alone; time and energy on the parameters, too.
scores() {
	"$omnitile" report "$tmp/codesign.jsonl" --csv --table points |
		awk -F, 'NR > 1 { print $2, $8 }' | sort -u | wc -l
}
speeds() {
	"$omnitile" report "$tmp/codesign.jsonl" --csv --table points |
		awk -F, 'NR > 1 && $5 > 0 && $6 > 0 && $7 > 0 { print $5 }' | sort -u | wc -l
}
check "a score a kind of numbers" 0 '^2$' scores
check "a speed a point" 0 '^4$' speeds
check "the front" 0 '^[0-9].*,front,' "$omnitile" report "$tmp/codesign.jsonl" --csv --table points
sed 's/u250/u55c/; s/codesign.jsonl/codesign-u55c.jsonl/; s/\[4, 8\]/4/; /^retrieval/d
	s/, queries.*}/}/; s/weights.*/weights: stored/' "$tmp/codesign.yaml" >"$tmp/u55c.yaml"
"$omnitile" bench "$tmp/u55c.yaml" --quiet >"$tmp/u55c.txt" 2>&1
told() { # the same points in the table and in what is said first
	local rows
	rows=$("$omnitile" report "$tmp/codesign.jsonl" --csv --table points |
		grep -c '^[0-9].*,front,')
	"$omnitile" report "$tmp/codesign.jsonl" --markdown | grep -F "**$rows of 4 points**"
}
check "the front is one front" 0 'speed, quality, latency, energy and better in one' told
check "what a model's figures are" 0 'Modelled.*without preparation and transfers' \
	"$omnitile" report "$tmp/codesign.jsonl" --markdown
check "a card's column" 0 '[|] card [|]' "$omnitile" report "$tmp/codesign.jsonl" \
	"$tmp/codesign-u55c.jsonl" --markdown
cp "$tmp/codesign.jsonl" "$tmp/codesign-1.jsonl"
parts() { grep -o '"parts":.*"card"' "$1" | sed 's/"card".*//'; }
check "the same figures again" 0 "" "$omnitile" bench "$tmp/codesign.yaml" --restart --quiet
check "to the bit" 0 "" bash -c "$(declare -f parts)
	cmp <(parts '$tmp/codesign-1.jsonl') <(parts '$tmp/codesign.jsonl' | tail -n 4)"
sed 's/pe: \[4, 8\]/pe: 4096/' "$tmp/codesign.yaml" >"$tmp/large.yaml"
check "kernels that do not fit" 2 'u250|dsp|fit' "$omnitile" bench "$tmp/large.yaml"
sed '/^card/d' "$tmp/codesign.yaml" >"$tmp/none.yaml"
check "no card" 2 'none.yaml:.: "card.name" is missing' "$omnitile" bench "$tmp/none.yaml"
sed 's/modelled/offline/' "$tmp/codesign.yaml" >"$tmp/offline.yaml"
check "a card that nobody asks" 2 '"card(.name|)" says nothing in this scenario.mode' "$omnitile" \
	bench "$tmp/offline.yaml"
sed 's/u250/x9/' "$tmp/codesign.yaml" >"$tmp/x9.yaml"
check "a card of no name" 2 'x9' "$omnitile" bench "$tmp/x9.yaml"
# Passages alone, one of which is not there: what could be planned is, the energy of none is none.
printf '{"id":"a","text":"a bird"}\n{"id":"b","image":"nope.png"}\n' >"$tmp/halves.jsonl"
sed 's/few/halves/; /^retrieval/d; s/, queries.*}/}/; s/codesign.jsonl/halves-out.jsonl/
	s/weights.*/weights: stored/; s/\[4, 8\]/4/' "$tmp/codesign.yaml" >"$tmp/halves.yaml"
check "a card's model, an item that is not there" 1 'INVALID' "$omnitile" bench "$tmp/halves.yaml"
"$omnitile" bench "$tmp/halves.yaml" --restart >"$tmp/halves.txt" 2>&1
check "which card, not what computed nothing" 0 '^card +xcu250' cat "$tmp/halves.txt"
check "and which model" 0 '^model +.*synth' cat "$tmp/halves.txt"
check "what is in the figures" 0 'kernels alone, without preparation and transfers' \
	cat "$tmp/halves.txt"
check "energy of no item" 0 '"reason":"not available: no item' cat "$tmp/halves-out.jsonl"
