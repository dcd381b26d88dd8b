# answers.awk QRELS PASSAGES: files, without the ../../ before them, of passages that answer a query.
FILENAME == ARGV[1] {
	answer[$2] = 1
	next
}

{
	split($0, part, "\"")
	if (part[4] in answer)
		print substr(part[8], 7)
}
