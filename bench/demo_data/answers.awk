# answers.awk QRELS PASSAGES: the files, without ../../, of passages that answer a query.
FILENAME == ARGV[1] {
	answer[$2] = 1
	next
}

{
	split($0, part, "\"")
	if (part[4] in answer)
		print substr(part[8], 7)
}
