# demo_table.awk, after json.awk, of lines of demo_eval.sh: a table.
BEGIN { printf "%-36s %8s %8s %8s %8s\n", "", "gallery", "first", "ten", "chance" }
{
	printf "%-36s %8d %8.3f %8.3f %8.3f\n", bare(member($0, "pair")), member($0, "gallery"),
		inside($0, "recall@1 value"), inside($0, "recall@10 value"), inside($0, "chance recall@10")
}
