# eval: judgements and runs as files alone; what the conventions compute is tests/unit's.
golden=$PWD/tests/golden/data/metrics
check "eval" 0 "^ndcg@10 +[0-9.]+ +[0-9.]+ to [0-9.]+" "$omnitile" eval \
	--qrels "$golden/binary.qrels" --run "$golden/binary.run"
check "eval tells what it averages over" 0 \
	"run 1 .*missing.run: .* judged queries count, .* answered" "$omnitile" eval \
	--qrels "$golden/missing.qrels" --run "$golden/missing.run" --bootstrap 0
check "eval, mteb's cut-offs" 0 '"1000":.*"value"' "$omnitile" eval --json --convention mteb \
	--qrels "$golden/binary.qrels" --run "$golden/binary.run"
check "eval, mmeb's cut-offs" 0 '^hit@1 +[0-9.]+$' "$omnitile" eval --convention mmeb \
	--bootstrap 0 --qrels "$golden/binary.qrels" --run "$golden/binary.run"
printf 'query-id\tcorpus-id\tscore\nq\ta b\t1\nr\tc\t2\n' >"$tmp/beir.tsv"
echo '{"q": {"a b": 0.5, "x": 1}, "r": {"c": 3}}' >"$tmp/one.json"
echo '{"q": {"a b": 1.5, "x": 1}, "r": {"c": 3}}' >"$tmp/two.json"
check "eval of BEIR's files, two runs" 0 \
	"^ +2 +1.00000 +1.00000 to 1.00000 +\+0.25000 .* 1.00000 " "$omnitile" eval \
	--qrels "$tmp/beir.tsv" --run "$tmp/one.json" --run "$tmp/two.json" --k 2 \
	--per-query "$tmp/queries.jsonl"
check "eval --per-query" 0 'one.json","query":"q","ndcg":' \
	cat "$tmp/queries.jsonl"
"$omnitile" eval --json --qrels "$golden/binary.qrels" --run "$golden/binary.run" >"$tmp/eval.1"
check "eval, the same seed" 0 "" diff "$tmp/eval.1" <("$omnitile" eval --json \
	--qrels "$golden/binary.qrels" --run "$golden/binary.run" --seed 1)
check "eval, absent queries" 0 '"queries":1,"answered":1' "$omnitile" eval --json --absent skip \
	--qrels "$tmp/beir.tsv" --run <(echo "r Q0 c 1 0.5 x")
check "eval without files" 2 "expected --qrels FILE and --run FILE" "$omnitile" eval
check "eval, a run of other queries" 2 "no query of it is judged in .*beir.tsv" \
	"$omnitile" eval --qrels "$tmp/beir.tsv" --run "$golden/binary.run"
check "eval, no such convention" 2 'convention is "beir"' "$omnitile" eval --convention beir \
	--qrels "$tmp/beir.tsv" --run "$tmp/one.json"
check "eval, absent how" 2 'absent is "drop", expected zero or skip' "$omnitile" eval \
	--absent drop --qrels "$tmp/beir.tsv" --run "$tmp/one.json"
for k in 0 5, 1,x -1 1,,2 ""; do
	check "eval --k '$k'" 2 "numbers from 1" "$omnitile" eval --k "$k" --qrels "$tmp/beir.tsv" \
		--run "$tmp/one.json"
done
check "eval --k 5,5" 2 "cut-off 5 twice" "$omnitile" eval --k 5,5 --qrels "$tmp/beir.tsv" \
	--run "$tmp/one.json"
check "eval, a file that is not there" 2 "none.run: No such file" "$omnitile" eval \
	--qrels "$tmp/beir.tsv" --run "$tmp/none.run"
printf 'q Q0 c 1 2 t\nq Q0 d 2\n' >"$tmp/bad.run"
check "eval, a broken run" 2 'bad.run:2: not "query Q0 document rank score tag"' "$omnitile" eval \
	--qrels "$tmp/beir.tsv" --run "$tmp/one.json" --run "$tmp/bad.run"
printf 'q Q0 d 1 2 t\nq Q0 d 2 1 t\n' >"$tmp/bad.run"
check "eval, a document twice" 2 "bad.run:2: query q, document d: for the second time" "$omnitile" \
	eval --qrels "$tmp/beir.tsv" --run "$tmp/bad.run"
check "eval, values to a folder that is not there" 2 "nowhere/q.jsonl" "$omnitile" eval \
	--qrels "$tmp/beir.tsv" --run "$tmp/one.json" --per-query "$tmp/nowhere/q.jsonl"
