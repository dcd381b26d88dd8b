# stamps.awk -v out=FOLDER -v work=FOLDER NAMES: lists of the stamps, how each is rendered. A stamp
# of a name that another has is left out: which of them is meant, nobody could say.
BEGIN {
	FS = "\t"
	languages = split("en de fr es", language, " ")
}

function cleaned(name) {
	gsub(/^ +|[.! ]+$/, "", name)
	return name
}

{
	if (tolower(cleaned($2)) in number)
		twin[tolower(cleaned($2))] = 1
	number[tolower(cleaned($2))] = FNR
	line[FNR] = $0
}

function rendering(id, part, key, size, x, y) {
	key = id "/" part
	size = part == 0 ? 108 : uniform(part == 4 ? 70 : 62, part == 4 ? 100 : 112, key "/size")
	x = part == 0 ? 0.5 : uniform(0, 1, key "/x")
	y = part == 0 ? 0.5 : uniform(0, 1, key "/y")
	printf "%.1f %s %.2f %.2f %s %d\n", size, part == 1 || part == 3 ? "hflip" : "null", x, y,
		part == 0 ? "ffffff" : ground(key), part == 4 ? 7 : 2 + 2 * part >(work "/" id)
}

function ground(key) {
	return sprintf("%02x%02x%02x", below(256, key "r"), below(256, key "g"), below(256, key "b"))
}

END {
	for (i = 1; i <= NR; i++) {
		split(line[i], field, "\t")
		name = cleaned(field[2])
		if ((tolower(name) in twin) || length(name) > 60 || length(name) < 3)
			continue
		stamp()
	}
}

function stamp(v, l, id) {
	id = "stamp" i
	for (v = 0; v < 5; v++)
		rendering(id, v)
	close(work "/" id)
	print id, field[1], work "/" id
	for (v = 0; v < 4; v++)
		item(id "/" v, "image", "../../stamps/media/" id "-" v ".jpg",
			list("stamps/train", "passages.jsonl"))
	item(id, "image", "../../stamps/media/" id "-4.jpg", list("stamps/test", "passages.jsonl"))
	item(id, "text", name, list("stamps/test", "queries.jsonl"))
	relevant("stamps/test", id, id)
	for (l = 1; l <= languages; l++) {
		text = cleaned(field[l + 1])
		if (text == "" || (l > 1 && text == name))
			continue
		item(id "/" language[l], "text", text, list("stamps/train", "queries.jsonl"))
		for (v = 0; v < 4; v++)
			relevant("stamps/train", id "/" language[l], id "/" v)
	}
}
