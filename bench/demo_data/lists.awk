# lists.awk: what the parts' awk programs share. Numbers depend on nothing but a text, so that lists
# are the same wherever they are made. `out` is the data's folder.
BEGIN {
	for (i = 1; i < 256; i++)
		ordinal[sprintf("%c", i)] = i
}

# A whole number below 2^31 - 1: a polynomial of the bytes, then rounds of Lehmer's generator (Park,
# Miller) and a product of halves, without which texts alike would give numbers alike.
function hash(text, i, h) {
	h = 7
	for (i = 1; i <= length(text); i++)
		h = (h * 31 + ordinal[substr(text, i, 1)]) % 2147483647
	for (i = 0; i < 4; i++)
		h = (h * 48271 + h % 65536 * (int(h / 65536) + 1)) % 2147483647
	return h
}

function below(count, text) { return hash(text) % count }
function uniform(low, high, text) { return low + (high - low) * below(10007, text) / 10006 }

function article(name) {
	if (name ~ /s$/ && name !~ /(ss|us|os|is|tennis|chess)$/)
		return name # plural
	return (name ~ /^[aeiou]/ && name !~ /^(uni|eu)/ ? "an " : "a ") name
}

function quoted(text) {
	gsub(/\\/, "\\\\", text)
	gsub(/"/, "\\\"", text)
	return "\"" text "\""
}

function list(set, name) { return out "/" set "/" name }

# A judgement; a set's first one follows the heads of the columns.
function relevant(set, query, passage, file) {
	file = list(set, "qrels.tmp")
	if (!(set in judged)) {
		print "query-id\tcorpus-id\tscore" >file
		judged[set] = 1
	}
	printf "%s\t%s\t1\n", query, passage >file
}

# A line of a list: kind is text, or a medium with its path.
function item(id, kind, value, file) {
	printf "{\"id\":%s,%s:%s}\n", quoted(id), quoted(kind), quoted(value) >file
}
