# json.awk: members of an object as their text, by its outermost keys.
function member(object, key, i, c, depth, start, name, last) {
	depth = 0
	last = length(object)
	for (i = 1; i <= last; i++) {
		c = substr(object, i, 1)
		if (c == "\"") {
			start = i
			while (substr(object, ++i, 1) != "\"")
				if (substr(object, i, 1) == "\\")
					i++
			if (depth == 1 && substr(object, i + 1, 1) == ":" &&
				substr(object, start + 1, i - start - 1) == key)
				return value(object, i + 2)
		} else if (c == "{" || c == "[")
			depth++
		else if (c == "}" || c == "]")
			depth--
	}
	return ""
}

# What begins at a place, up to its end.
function value(object, start, i, c, depth) {
	depth = 0
	for (i = start; i <= length(object); i++) {
		c = substr(object, i, 1)
		if (c == "\"") {
			while (substr(object, ++i, 1) != "\"")
				if (substr(object, i, 1) == "\\")
					i++
		} else if (c == "{" || c == "[")
			depth++
		else if ((c == "}" || c == "]") && --depth < 0)
			break
		else if (c == "," && depth == 0)
			break
	}
	return substr(object, start, i - start)
}

# A value deep inside: names with blanks between them, "retrieval measured ndcg 10 value".
function inside(object, path, names, count, i) {
	count = split(path, names, " ")
	for (i = 1; i <= count; i++)
		object = member(object, names[i])
	return object
}

function bare(quoted) { # of a string without escapes
	gsub(/^"|"$/, "", quoted)
	return quoted
}
