# demo_eval.awk -v name=PAIR -v queries=N -v gallery=N, after json.awk, of what `omnitile eval --json`
# prints of one run: the pair's line of demo_eval.sh.
function measured(path) { return inside(run, "measured " path) }
{ text = text $0 }
END {
	run = member(text, "runs")
	run = substr(run, 2, length(run) - 2) # the list's only one
	printf "{\"pair\":\"%s\",\"queries\":%d,\"gallery\":%d,", name, queries, gallery
	printf "\"recall@1\":%s,\"recall@10\":%s,\"ndcg@10\":%s,\"mrr@10\":%s,", measured("recall 1"),
		measured("recall 10"), measured("ndcg 10"), measured("mrr 10")
	printf "\"chance\":{\"recall@1\":%.5f,\"recall@10\":%.5f}}\n", 1 / gallery, 10 / gallery
}
