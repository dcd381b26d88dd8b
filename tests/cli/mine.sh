# mine: lists from vectors, an index and embedded items, pairs, what is left out. Uses v.npy, which
# cli.sh made.
# 300 vectors of 24 values, the first 20 of them queries, two positives a query
awk 'BEGIN {
	srand(11)
	for (i = 0; i < 300; i++) {
		line = "{\"id\":\"p" i "\",\"embedding\":["
		for (j = 0; j < 24; j++)
			line = line (j ? "," : "") (int(9 * rand()) - 4) / 2
		print line "]}"
	}
}' >"$tmp/mp.jsonl"
head -n 20 "$tmp/mp.jsonl" >"$tmp/mq.jsonl"
awk 'BEGIN { for (i = 0; i < 20; i++) print "p" i, 0, "p" i + 40, "1\np" i, 0, "p" i + 7, 1 }' \
	>"$tmp/m.qrels"
"$omnitile" index --vectors "$tmp/mp.jsonl" --output "$tmp/m.idx" --quiet
"$omnitile" index --vectors "$tmp/v.npy" --output "$tmp/mv.idx" --quiet
head -c 20000 "$tmp/m.idx" >"$tmp/mbad.idx"
echo "q Q0 d 1 2" >"$tmp/mbad.qrels"
m=$tmp/m.jsonl
mine() {
	"$omnitile" mine --query-vectors "$tmp/mq.jsonl" --qrels "$tmp/m.qrels" --output "$m" "$@"
}
check "mine" 0 "^all +20 +80 +0 +0 +-?[0-9.]+ +-?[0-9.]+$" mine --index "$tmp/m.idx" \
	--method topk
check "mine, a line a query" 0 "^20$" bash -c "wc -l <'$m'"
check "mine, the line" 0 '^\{"query":"p0","positives":\[\{"id":"p7","score":[^}]*\},\{"id":"p40",' \
	head -n 1 "$m"
# The nearest passages of p0, which search knows too, without its positives.
"$omnitile" search --index "$tmp/m.idx" --queries "$tmp/mq.jsonl" --k 6 --trec t --quiet |
	awk '$1 == "p0" && $3 != "p7" && $3 != "p40" { printf "%s ", $3 }' | cut -d" " -f 1-4 \
	>"$tmp/m.a"
head -n 1 "$m" | sed 's/.*negatives//' | grep -o '"p[0-9]*"' | tr -d '"' | paste -sd " " >"$tmp/m.b"
check "mine, what search finds" 0 "" diff "$tmp/m.a" "$tmp/m.b"
for method in topk_shifted topk_abs topk_marginpos topk_percpos; do
	mine --index "$tmp/m.idx" --method $method --quiet
	cp "$m" "$tmp/m.index"
	check "mine, $method on OpenCL" 0 "$method" mine --index "$tmp/m.idx" --method $method \
		--backend opencl
	check "mine, $method: the same list" 0 "" cmp "$tmp/m.index" "$m"
	check "mine, $method from vectors" 0 "$method" mine --passage-vectors "$tmp/mp.jsonl" \
		--method $method
	check "mine, $method from vectors: the same list" 0 "" cmp "$tmp/m.index" "$m"
done
check "mine --json" 0 '"method":"topk_abs","threshold":0.25,.*"mean_negative":' mine --json \
	--index "$tmp/m.idx" --method topk_abs --threshold 0.25
check "mine --ignore-identical" 0 "" mine --index "$tmp/m.idx" --method topk --ignore-identical
check "mine without the query itself" 1 "" grep -q '"query":"p0".*negatives.*"p0"' "$m"
check "mine --sample" 0 "" mine --index "$tmp/m.idx" --k 2 --sample 9 --seed 4
cp "$m" "$tmp/m.4"
mine --index "$tmp/m.idx" --k 2 --sample 9 --seed 4 --quiet
check "mine, the same seed" 0 "" cmp "$tmp/m.4" "$m"
mine --index "$tmp/m.idx" --k 2 --sample 9 --seed 5 --quiet
check "mine, another seed" 1 "differ" cmp "$tmp/m.4" "$m"

printf 'good 0 good 1\nlost 0 gone 1\nlost 0 good 1\n' >"$tmp/items.qrels"
printf '{"id":"%s","text":"still here"}\n' good lost idle bad >"$tmp/items.jsonl"
printf '{"id":"good","text":"a"}\n{"id":"pic","image":"%s"}\n{"id":"no","image":"none.png"}\n' \
	"$inputs/img_tiny_20x20.png" >"$tmp/passages.jsonl"
embed_and_mine() {
	"$omnitile" mine --model "$data/tiny" --queries "$tmp/items.jsonl" --method topk \
		--passages "$tmp/passages.jsonl" --qrels "$tmp/items.qrels" --output "$m" "$@"
}
check "mine, items" 1 "none.png: " embed_and_mine
check "mine, a positive that is not there" 1 "query lost: positive gone is not among" embed_and_mine
check "mine, queries without positives" 1 "^2 queries have no positive in" embed_and_mine
check "mine, negatives of items" 0 '"query":"lost",.*"negatives":\[\{"id":"pic"' cat "$m"
check "mine --candidates" 1 '"mean_negative":0.0' embed_and_mine --candidates audio --json
check "mine --pairs" 1 "^text:text +2 +0 +2 +2 " embed_and_mine --pairs text:text,any:any
check "mine, pairs that have no query" 2 "no query has a positive of a pair's kind" embed_and_mine \
	--pairs text:image
check "mine on a device model" 2 "no vectors" embed_and_mine --backend model --device "$device"
check "mine, an index of another model" 2 "passages of model .*, queries of " "$omnitile" mine \
	--model "$tmp/synth" --queries "$tmp/items.jsonl" --index "$tmp/mv.idx" \
	--qrels "$tmp/items.qrels" \
	--output "$m"
check "mine, by force" 1 "^all +2 " "$omnitile" mine --model "$tmp/synth" --force \
	--queries "$tmp/items.jsonl" --index "$tmp/mv.idx" \
	--qrels "$tmp/items.qrels" --output "$m"

echo before >"$m"
check "mine, another dimension" 2 "passages have 24 values, queries 64" "$omnitile" mine \
	--query-vectors "$tmp/v.npy" --index "$tmp/m.idx" --qrels "$tmp/m.qrels" --output "$m"
check "mine, a damaged index" 2 "mbad.idx: " mine --index "$tmp/mbad.idx"
check "mine, broken judgements" 2 'mbad.qrels:1: not "query 0' "$omnitile" mine --output "$m" \
	--query-vectors "$tmp/mq.jsonl" --qrels "$tmp/mbad.qrels" --index "$tmp/m.idx"
check "mine, judgements of others" 2 "no query has a positive among" "$omnitile" mine \
	--query-vectors "$tmp/mq.jsonl" --qrels "$tmp/items.qrels" \
	--index "$tmp/m.idx" --output "$m"
check "mine, no such method" 2 'method is "best", expected one of topk, ' mine --method best \
	--index "$tmp/m.idx"
check "mine, a margin of topk" 2 "topk has no threshold" mine --method topk --threshold 1 \
	--index "$tmp/m.idx"
check "mine, kinds of no list" 2 "no list tells the passages' kinds" mine --candidates image \
	--index "$tmp/m.idx"
check "mine from nothing" 2 "no passages: --index FILE, " mine
check "mine without output" 2 "expected --qrels FILE and --output FILE" "$omnitile" mine
check "mine over its judgements" 2 "the output would go over it" "$omnitile" mine \
	--query-vectors "$tmp/mq.jsonl" --qrels "$tmp/m.qrels" --index "$tmp/m.idx" \
	--output "$tmp/m.qrels"
check "mine over its vectors" 2 "the output would go over it" mine \
	--passage-vectors "$tmp/mp.jsonl" --output "$tmp/mp.jsonl"
check "mine on a full disk" 2 "m.jsonl: not written: File too large" bash -c "trap '' XFSZ
	ulimit -f 1
	'$omnitile' mine --query-vectors '$tmp/mq.jsonl' --qrels '$tmp/m.qrels' --method topk \
		--k 100 --index '$tmp/m.idx' --output '$m'"
check "mine, and what was there stays" 0 "^before$" cat "$m"
