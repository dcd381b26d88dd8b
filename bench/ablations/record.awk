# record.awk -v run=R -v seed=S -v eval=E -v train=COMMAND -v bench=COMMAND LOG BENCH-RECORD: a
# record of an ablation: of the benchmark's what tells how well was found, and how it was asked.
function quoted(text) {
	gsub(/\\/, "\\\\", text)
	gsub(/"/, "\\\"", text)
	return "\"" text "\""
}
function measured(what, at) { return inside($0, "retrieval " what " " at) }

FNR == NR && member($0, "loss") != "" { loss = member($0, "loss") }
FNR == NR && member($0, "written") != "" {
	training = sprintf("{\"steps\":%s,\"seconds\":%s,\"loss\":%s}", member($0, "step"),
		member($0, "seconds"), loss)
}
FNR == NR { next }
{
	printf "{\"run\":\"%s\",\"seed\":%d,\"eval\":\"%s\",\"date\":%s,\"omnitile\":%s", run, seed, eval,
		member($0, "date"), member($0, "omnitile")
	printf ",\"queries\":%s,\"passages\":%s", inside($0, "retrieval queries"),
		inside($0, "retrieval passages")
	printf ",\"measures\":{\"ndcg@10\":%s,\"recall@1\":%s,\"recall@10\":%s}",
		measured("measured", "ndcg 10 value"), measured("measured", "recall 1 value"),
		measured("measured", "recall 10 value")
	printf ",\"chance\":{\"ndcg@10\":%s,\"recall@1\":%s,\"recall@10\":%s}",
		measured("chance", "ndcg 10"), measured("chance", "recall 1"),
		measured("chance", "recall 10")
	printf ",\"training\":%s,\"settings\":%s,\"host\":%s", training, member($0, "settings"),
		member($0, "host")
	printf ",\"commands\":[%s,%s]}\n", quoted(train), quoted(bench)
}
