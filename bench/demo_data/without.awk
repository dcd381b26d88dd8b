# without.awk step=1 ALIKE step=2 PASSAGES step=3 QUERIES step=4 QRELS step=5 QUERIES: writes
# FILE.kept of each list, without items whose file ALIKE names, their judgements, and queries that
# have none left.
step == 1 {
	out[$1] = 1
	next
}

step == 4 {
	if (($1, "queries") in gone || ($2, "passages") in gone)
		next
	judged[$1] = 1
	print >(FILENAME ".kept")
	next
}

{
	split($0, part, "\"")
	id = part[4]
	alike = substr(part[8], 7) in out
}

step == 2 && !alike { print >(FILENAME ".kept") }
step == 2 && alike { gone[id, "passages"] = 1 }
step == 3 && alike { gone[id, "queries"] = 1 }
step == 5 && (id in judged) { print >(FILENAME ".kept") }
