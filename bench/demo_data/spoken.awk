# spoken.awk -v out=FOLDER WORDS QRELS: the lists of spoken names; QRELS judges pictures of names.
BEGIN {
	FS = "\t"
	voices = 12
}

function path(voice, id) { return "../../spoken/media/" voice "-" id ".wav" }

FNR == NR {
	word[$1] = 1
	voice[$1] = $3
	item($1, "text", $2, list("spoken/train", "queries.jsonl"))
	item($1, "text", $2, list("spoken/test", "queries.jsonl"))
	item($1, "audio", path($3, $1), list("spoken/test", "passages.jsonl"))
	relevant("spoken/test", $1, $1)
	for (v = 0; v < voices; v++) {
		item($1 "/" v, "audio", path("train" v, $1), list("spoken/train", "passages.jsonl"))
		relevant("spoken/train", $1, $1 "/" v)
	}
	next
}

# Every training picture of a name goes with every training voice.
FNR > 1 && ($1 in word) {
	if (!($1 in pictured)) {
		pictured[$1] = 1
		for (v = 0; v < voices; v++)
			item($1 "/" v, "audio", path("train" v, $1),
				list("spoken-pictures/train", "queries.jsonl"))
		item($1, "audio", path(voice[$1], $1),
			list("spoken-pictures/test", "queries.jsonl"))
		relevant("spoken-pictures/test", $1, $1)
	}
	for (v = 0; v < voices; v++)
		relevant("spoken-pictures/train", $1 "/" v, $2)
}
