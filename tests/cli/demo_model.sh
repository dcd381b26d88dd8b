# The demo model that is kept finds held-out pictures and clips, whole and as int8 on OpenCL: every
# 60th picture and every 25th clip of its test, with their captions.
demo=$PWD/tests/golden/demo
embed_demo() { # LIST ROLE OPTIONS...
	"$omnitile" embed --model configs/models/demo --quiet --input "$demo/$1.jsonl" \
		--role "$2" --output "$tmp/demo-$1.npy" "${@:3}"
}
found() { # OPTIONS...: recall of the captions
	embed_demo passages passage "$@" && embed_demo queries query "$@" &&
		"$omnitile" index --vectors "$tmp/demo-passages.npy" --output "$tmp/demo.idx" \
			--quiet &&
		"$omnitile" search --index "$tmp/demo.idx" --queries "$tmp/demo-queries.npy" \
			--k 10 --trec demo --quiet >"$tmp/demo.run" &&
		"$omnitile" eval --qrels "$demo/qrels.tsv" --run "$tmp/demo.run" --k 1 --quiet
}
check "the demo model finds what it was not trained with" 0 "recall@1 +(1|0\.9)" \
	found --backend openblas
check "so it does in int8" 0 "recall@1 +(1|0\.9)" found --weights int8
