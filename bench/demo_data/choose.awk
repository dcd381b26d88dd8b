# choose.awk NAMES -: of CLDR's annotations (character, type, text) those whose name is in the list,
# with the keywords that no other of them has.
FNR == NR { order[$0] = ++names; next }
BEGIN { FS = OFS = "\t" }
$2 == "" { keywords[$1] = $3; next }
($3 in order) && !($3 in character) { character[$3] = $1; name[order[$3]] = $3 }
END {
	for (i = 1; i <= names; i++) {
		if (!(i in name))
			continue
		words = keywords[character[name[i]]]
		gsub(/ \| /, "|", words)
		found[i] = words
		count = split(words, word, "|")
		for (w = 1; w <= count; w++)
			times[word[w]]++
	}
	for (i = 1; i <= names; i++) {
		if (!(i in name))
			continue
		kept = ""
		count = split(found[i], word, "|")
		for (w = 1; w <= count; w++)
			if (times[word[w]] == 1 && word[w] != name[i] && word[w] ~ /^[a-z][a-z ]+$/)
				kept = kept (kept == "" ? "" : "|") word[w]
		print ++number, character[name[i]], name[i], kept
	}
}
