# without.awk ALIKE PASSAGES QRELS QUERIES: writes FILE.kept of each list, without passages whose
# file ALIKE names, their judgements, and queries that have none left.
FILENAME == ARGV[1] {
	out[$1] = 1
	next
}

FILENAME == ARGV[2] {
	file = $0
	sub(/.*"\.\.\/\.\.\//, "", file)
	sub(/".*/, "", file)
	id = quoted_id($0)
	if (file in out)
		gone[id] = 1
	else
		print >(FILENAME ".kept")
	next
}

FILENAME == ARGV[3] {
	if ($2 in gone)
		next
	judged[$1] = 1
	print >(FILENAME ".kept")
	next
}

quoted_id($0) in judged { print >(FILENAME ".kept") }

function quoted_id(line) {
	sub(/^{"id":"/, "", line)
	sub(/".*/, "", line)
	return line
}
