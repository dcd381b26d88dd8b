# emoji.awk: the lists of emoji pictures. Input: emoji.tsv (number, character, name, keywords).
# -v out=FOLDER -v colours="white ..." -v renderings=N
BEGIN {
	FS = "\t"
	hues = split(colours, colour, " ")
}

function ask(set, id, text) { item(id, "text", text, list(set, "queries.jsonl")) }

# One of eight colours is kept for the test, of every fifth emoji two: 15 %.
function held(name, number, c) {
	first = below(hues, "held/" name) + 1
	second = number % 5 == 0 ? first % hues + 1 : first
	return c == first || c == second
}

function picture(c, rendering) {
	return sprintf("../../emoji/media/%s-%s/%04d.jpg", colour[c], rendering, $1)
}

function train_colour(c, id, r, one) {
	ask("emoji/train", id "/a", article($3) " on " article(colour[c] " background"))
	ask("emoji/train", id "/b", colour[c] " background with " article($3))
	if (words)
		ask("emoji/train", id "/c", word[1 + below(words, id)] ", " colour[c] " background")
	for (r = 0; r < renderings; r++) {
		one = id "/" r
		item(one, "image", picture(c, r), list("emoji/train", "passages.jsonl"))
		item(one, "image", picture(c, r), list("names/train", "passages.jsonl"))
		relevant("emoji/train", id "/a", one)
		relevant("emoji/train", id "/b", one)
		if (words)
			relevant("emoji/train", id "/c", one)
		relevant("names/train", name, one)
		for (i = 1; i <= words; i++)
			relevant("names/train", name "/" i, one)
	}
}

function test_colour(c, id, caption) {
	caption = article($3) " on " article(colour[c] " background")
	item(id, "image", picture(c, "test"), list("emoji/test", "passages.jsonl"))
	ask("emoji/test", id, caption)
	relevant("emoji/test", id, id)
	ask("emoji-all/test", id, caption)
	relevant("emoji-all/test", id, id)
	item(id, "image", picture(c, "test"), list("emoji-text/test", "queries.jsonl"))
	item(id, "text", caption, list("emoji-text/test", "passages.jsonl"))
	relevant("emoji-text/test", id, id)
	print $3, colour[c] >(out "/splits/emoji-held-out.tsv")
	if (c != first)
		return
	item(name, "image", picture(c, "test"), list("names/test", "passages.jsonl"))
	ask("names/test", name, $3)
	relevant("names/test", name, name)
	for (i = 1; i <= words; i++) {
		ask("names/test", name "/" i, word[i])
		relevant("names/test", name "/" i, name)
	}
}

{
	OFS = "\t"
	name = $3
	gsub(/ /, "-", name)
	words = split($4, word, "|")
	ask("names/train", name, $3)
	for (i = 1; i <= words; i++)
		ask("names/train", name "/" i, word[i])
	for (c = 1; c <= hues; c++) {
		id = name "/" colour[c]
		if (held($3, $1, c))
			test_colour(c, id)
		else
			train_colour(c, id)
		item(id, "image", picture(c, "test"), list("emoji-all/test", "passages.jsonl"))
	}
}
