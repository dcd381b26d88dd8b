# phrases.awk -v out=FOLDER -v work=FOLDER PHRASES EFFECTS: (file, text) lines; prints what is to be
# rendered, and in WORK/spoken what is to be said: five lines each.
BEGIN {
	FS = OFS = "\t"
	voices = split("en-us 150 50|en-us+f2 150 55|en-us+m3 140 42|en-us+f4 165 50|en-gb 155 50|" \
		"en-gb+f3 145 62", voice, "|")
	mono = "aformat=channel_layouts=mono,aresample=16000"
}

{
	gsub(/[.!]+$/, "", $2)
	text = tolower($2)
	if (length(text) > 40 || (FILENAME, text) in seen)
		next
	seen[FILENAME, text] = 1
}

FILENAME ~ /phrases.tsv$/ {
	id = "phrase" FNR
	held = below(5, "phrase/" text) == 0
	files = $1
	recorded("test", "volume=0.8")
	if (!held) {
		recorded("train0", "volume=1.0")
		recorded("train1", "asetrate=15200,aresample=16000,volume=0.6")
	}
	print files
	item(id, "text", text, list("phrases/train", "queries.jsonl"))
	for (v = 1; v <= voices; v++)
		say(v)
	item(id, "audio", sound("phrases", id, "test"), list("phrases/test", "passages.jsonl"))
	if (!held)
		next
	print id, text >(out "/splits/phrases-held-out.tsv")
	item(id, "text", text, list("phrases/test", "queries.jsonl"))
	relevant("phrases/test", id, id)
	next
}

{
	id = "effect" FNR
	files = $1
	for (r = 0; r < 5; r++)
		effect(r < 4 ? "train" r : "test", id "/" r)
	print files
	item(id, "text", "the sound of " text, list("effects/train", "queries.jsonl"))
	item(id, "text", "the sound of " text, list("effects/test", "queries.jsonl"))
	relevant("effects/test", id, id)
}

function sound(set, id, part) { return "../../" set "/media/" id "-" part ".wav" }

function recorded(part, filter) {
	files = files OFS mono "," filter OFS out "/phrases/media/" id "-" part ".wav"
	if (part == "test")
		return
	item(id "/" part, "audio", sound("phrases", id, part), list("phrases/train", "passages.jsonl"))
	relevant("phrases/train", id, id "/" part)
}

function say(v, part) {
	part = "voice" v
	split(voice[v], option, " ")
	printf "%s\n%s\n%s\n%s\n%s\n", id "-" part, option[1], option[2], option[3], text \
		>(work "/spoken")
	print work "/" id "-" part ".wav", mono, out "/phrases/media/" id "-" part ".wav"
	item(id "/" part, "audio", sound("phrases", id, part), list("phrases/train", "passages.jsonl"))
	relevant("phrases/train", id, id "/" part)
}

# Pitch and tempo, level, noise.
function effect(part, key, set) {
	set = part == "test" ? "effects/test" : "effects/train"
	key = "effect/" key
	files = files OFS sprintf("%s,asetrate=%d,aresample=16000,aeval=val(0)*%.2f+%.4f*(random(0)-0.5)",
		mono, uniform(14200, 18000, key "/rate"), uniform(0.4, 1, key "/level"),
		uniform(0, 0.03, key "/noise")) OFS out "/effects/media/" id "-" part ".wav"
	item(part == "test" ? id : id "/" part, "audio", sound("effects", id, part),
		list(set, "passages.jsonl"))
	if (part != "test")
		relevant("effects/train", id, id "/" part)
}
