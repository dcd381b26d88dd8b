# index and search. Uses what cli.sh made: v.npy of one good item, the checkpoints tiny and synth.
x=$tmp/x.idx
check "index" 0 '"count":1' "$omnitile" index --vectors "$tmp/v.npy" --output "$x"
check "index tells the model" 0 '"model":"[A-Za-z]+/64/[0-9a-f]{32}"' "$omnitile" index --index "$x"
check "search finds the item itself" 0 "1 +[0-9.]+ +good" "$omnitile" search --index "$x" \
	--model "$data/tiny" --text "still here" --
check "search --trec" 0 "^text-1 Q0 good 1 [0-9.]+ run$" "$omnitile" search --index "$x" \
	--model "$data/tiny" --text "still here" --trec run
check "search on a device model" 2 "no vectors" "$omnitile" search --index "$x" \
	--model "$data/tiny" --text a --backend model --device "$device"
check "search with another model" 2 "x.idx: an index of model .*/64/.*, the query is of .*/64/" \
	"$omnitile" search --index "$x" --model "$tmp/synth" --text a
check "search with another model, by force" 0 " good$" "$omnitile" search --index "$x" \
	--model "$tmp/synth" --text a --force

# 300 vectors of 24 values; scores are multiples of 1/4, many of them equal
awk 'BEGIN {
	srand(7)
	for (i = 0; i < 300; i++) {
		line = "{\"id\":\"p" i "\",\"embedding\":["
		for (j = 0; j < 24; j++)
			line = line (j ? "," : "") (int(9 * rand()) - 4) / 2
		print line "]}"
	}
}' >"$tmp/p.jsonl"
head -n 20 "$tmp/p.jsonl" >"$tmp/q.jsonl"
tail -n 100 "$tmp/p.jsonl" >"$tmp/tail.jsonl"
head -n 200 "$tmp/p.jsonl" >"$tmp/front.jsonl"
run() { "$omnitile" search --index "$1" --queries "$tmp/q.jsonl" --k 50 --trec t --quiet "${@:2}"; }
for storage in f32 bf16 int8 int8,bf16; do
	check "index of $storage" 0 '"count":300' "$omnitile" index --vectors "$tmp/p.jsonl" \
		--storage $storage --output "$tmp/$storage.idx"
	for backend in ref openblas opencl; do
		run "$tmp/$storage.idx" --backend $backend >"$tmp/hits.$storage.$backend"
		check "$storage on $backend: the same hits" 0 "" cmp "$tmp/hits.f32.ref" \
			"$tmp/hits.$storage.$backend"
	done
done
check "as many hits as asked for" 0 "^1000$" bash -c "wc -l <'$tmp/hits.f32.ref'"

check "index of a part" 0 '"count":200' "$omnitile" index --vectors "$tmp/front.jsonl" \
	--output "$tmp/grown.idx"
check "append" 0 '"count":300,.*"segments":2' "$omnitile" index --index "$tmp/grown.idx" --append \
	--vectors "$tmp/tail.jsonl"
run "$tmp/grown.idx" >"$tmp/hits.grown"
check "appended: the same hits" 0 "" cmp "$tmp/hits.f32.ref" "$tmp/hits.grown"
check "append twice" 2 'tail.jsonl: id "p200" is in the index already' "$omnitile" index \
	--index "$tmp/grown.idx" --append --vectors "$tmp/tail.jsonl"
seq -f p%g 200 298 >"$tmp/gone"
check "delete" 0 '"count":200,"deleted":100' "$omnitile" index --index "$tmp/grown.idx" \
	--delete p299 --delete-file "$tmp/gone"
check "delete what is not there" 2 'no id "p299"' "$omnitile" index --index "$tmp/grown.idx" \
	--delete p299
"$omnitile" index --vectors "$tmp/front.jsonl" --output "$tmp/front.idx" --quiet
run "$tmp/front.idx" >"$tmp/hits.front"
run "$tmp/grown.idx" >"$tmp/hits.grown"
check "deleted: the same hits" 0 "" cmp "$tmp/hits.front" "$tmp/hits.grown"
check "compact" 0 '"deleted":0,.*"segments":1' "$omnitile" index --index "$tmp/grown.idx" --compact
run "$tmp/grown.idx" >"$tmp/hits.grown"
check "compacted: the same hits" 0 "" cmp "$tmp/hits.front" "$tmp/hits.grown"

for kind in npy fbin jsonl; do
	check "export to .$kind" 0 "" "$omnitile" index --index "$tmp/f32.idx" \
		--export "$tmp/e.$kind" --quiet
	check "import from .$kind" 0 '"count":300' "$omnitile" index --vectors "$tmp/e.$kind" \
		--output "$tmp/back.idx"
	run "$tmp/back.idx" >"$tmp/hits.back"
	check "from .$kind: the same hits" 0 "" cmp "$tmp/hits.f32.ref" "$tmp/hits.back"
done

check "verify" 0 '"count":300' "$omnitile" index --index "$tmp/f32.idx" --verify
cp "$tmp/f32.idx" "$tmp/bad.idx"
at=$(($(stat -c %s "$tmp/bad.idx") - 4096))
printf x | dd of="$tmp/bad.idx" bs=1 seek=$at conv=notrunc status=none
check "verify a damaged index" 2 "bad.idx: damaged: block 0 of segment 0" "$omnitile" index \
	--index "$tmp/bad.idx" --verify
check "search a damaged index" 2 "bad.idx: damaged" run "$tmp/bad.idx"
truncate -s $at "$tmp/bad.idx"
check "a truncated index" 2 "bad.idx: truncated: [0-9]+ of [0-9]+ bytes" run "$tmp/bad.idx"
printf 'OMTINDEX\1\0\0\0' | cat - "$tmp/p.jsonl" >"$tmp/bad.idx"
check "an index of version 1" 2 "index version 1, expected 2" run "$tmp/bad.idx"
check "queries of another dimension" 2 "f32.idx: vectors of 24 values, the query has 64" \
	"$omnitile" search --index "$tmp/f32.idx" --queries "$tmp/v.npy"
check "queries and items" 2 "no items beside" "$omnitile" search --index "$x" --text a \
	--queries "$tmp/v.npy"
# OpenBLAS's threads try for ever to have their memory; AddressSanitizer needs more than there is.
if ! grep -q __asan_init "$omnitile"; then
	check "hits that fit no memory" 2 "no memory for hits" env OPENBLAS_NUM_THREADS=1 bash -c "
		ulimit -v 400000; exec timeout 20 '$omnitile' \
		search --index '$tmp/f32.idx' --queries '$tmp/q.jsonl' --k 1000000"
fi
sed -n '1s/"p0"/"p 0"/p' "$tmp/p.jsonl" >"$tmp/blank.jsonl"
check "a blank in a TREC run" 2 'id "p 0" has a blank' "$omnitile" search --index "$tmp/f32.idx" \
	--queries "$tmp/blank.jsonl" --trec t
check "a tag of two words" 2 'a tag is one word' run "$tmp/f32.idx" --trec "two words"
cp "$inputs/img_tiny_20x20.png" "$tmp/"$'n\xfft.png'
check "a query's name that is not UTF-8" 0 '"query":"[^"]*/n.t.png","hits":\[\{' "$omnitile" \
	search --index "$x" --model "$data/tiny" "$tmp/"$'n\xfft.png' --json
check "standard output on a full disk" 2 "standard output: not written: No space left" bash -c "
	'$omnitile' search --index '$tmp/f32.idx' --queries '$tmp/q.jsonl' --k 1 >/dev/full"
check "an index over its vectors" 2 "p.jsonl: the index would go over its vectors" "$omnitile" \
	index --vectors "$tmp/p.jsonl" --output "$tmp/p.jsonl"
check "storage of an index that is there" 2 "storage is chosen when" "$omnitile" index \
	--index "$tmp/f32.idx" --compact --storage bf16
check "model of no vectors" 2 "there are none" "$omnitile" index --index "$tmp/f32.idx" --model m
check "an index to nowhere" 2 "expected --vectors" "$omnitile" index --vectors "$tmp/p.jsonl"

awk '{ for (i = 0; i < 40; i++) { line = $0; sub(/"p/, "\"c" i "-", line); print line } }' \
	"$tmp/p.jsonl" >"$tmp/many.jsonl.big"
mv "$tmp/many.jsonl.big" "$tmp/big.jsonl"
cp "$tmp/f32.idx" "$tmp/full.idx"
check "append on a full disk" 2 "full.idx: not written: File too large" bash -c "trap '' XFSZ
	ulimit -f 100
	'$omnitile' index --index '$tmp/full.idx' --append --vectors '$tmp/big.jsonl'"
check "and it takes no more room than before" 0 "" cmp "$tmp/f32.idx" "$tmp/full.idx"

# kill -9 while vectors are appended: the index is as before or as after, and can be appended to
for ms in 5 20 50 90 140; do
	cp "$tmp/f32.idx" "$tmp/killed.idx"
	"$omnitile" index --index "$tmp/killed.idx" --append --vectors "$tmp/big.jsonl" --quiet &
	killed=$!
	sleep "0.$(printf %03d $ms)"
	kill -9 $killed 2>/dev/null
	wait $killed 2>/dev/null
	check "killed after $ms ms" 0 '"count":(300|12300),' "$omnitile" index \
		--index "$tmp/killed.idx" --verify
	head -n 1 "$tmp/p.jsonl" | sed 's/p0/after/' >"$tmp/one.jsonl"
	check "killed after $ms ms: goes on" 0 '"count":(301|12301),' "$omnitile" index \
		--index "$tmp/killed.idx" --append --vectors "$tmp/one.jsonl"
done
