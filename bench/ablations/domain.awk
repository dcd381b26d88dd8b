# domain.awk -v out=FOLDER STAMPS: the lists of the domain and, on standard output, the arguments of
# ffmpeg that make its pictures, a line each, parted by tabs. STAMPS: names and files.
BEGIN {
	FS = "\t"
	grounds = split("white red green blue", ground, " ")
	split("ebebeb d23232 3ca046 3264d2", rgb, " ")
}

function ask(set, id, text) { item(id, "text", text, list(set, "queries.jsonl")) }

# Two pictures of three grounds to train on, one of the fourth to test. s: the stamp's number.
function stamp(s, name, file, g, r, held, part, id) {
	held = below(grounds, "held/" name) + 1
	for (g = 1; g <= grounds; g++) {
		id = name "/" ground[g]
		part = g == held ? "domain/test" : "domain/train"
		ask(part, id, article(name) " on a " ground[g] " background")
		for (r = 0; r < (g == held ? 1 : 2); r++) {
			picture_of(id "/" r, file, rgb[g], sprintf("%s/domain/media/%d-%d%d.jpg", out, s, g, r))
			item(id "/" r, "image", sprintf("../media/%d-%d%d.jpg", s, g, r),
				list(part, "passages.jsonl"))
			relevant(part, id, id "/" r)
		}
	}
}

function picture_of(key, file, colour, target, size) {
	size = int(uniform(60, 100, key "/size"))
	printf "-i\t%s\t-filter_complex\tcolor=0x%s:s=112x112:d=0.1[g];[0]format=rgba,scale=%d:%d:" \
		"force_original_aspect_ratio=decrease[s];[g][s]overlay=x='(W-w)*%.3f':y='(H-h)*%.3f'," \
		"format=yuvj444p\t-frames:v\t1\t-q:v\t3\t%s\n", file, colour, size, size,
		uniform(0, 1, key "/x"), uniform(0, 1, key "/y"), target
}

{
	name = tolower($1)
	sub(/^(a|an|the) /, "", name)
	sub(/\.$/, "", name)
	if (stamps == 64 || (name in seen) || name !~ /^[a-z]+( [a-z]+)?$/ || below(5, "stamp/" name))
		next
	seen[name]
	stamp(++stamps, name, $2)
}
