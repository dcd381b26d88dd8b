# clips.awk -v out=FOLDER -v media=FOLDER -v plan=FOLDER -v pieces=FOLDER -v training=N: what clips
# there are, N of a combination to train with: a filter graph and arguments of ffmpeg for each shape
# and colour, and the lists.
BEGIN {
	OFS = "\t"
	shapes = split("circle square diamond triangle star cross ring heart", shape, " ")
	colours = split("red green blue yellow white black orange purple", colour, " ")
	split("e02020 20a030 2848e0 f0e030 ffffff 000000 f08010 9030c0", rgb, " ")
	motions = split("left right up down grow shrink circle blink", motion, " ")
	split("moves to the left|moves to the right|moves up|moves down|grows|shrinks|" \
		"goes around in a circle|blinks", does, "|")
	split("moving left|moving right|moving up|moving down|growing|shrinking|circling|" \
		"blinking", doing, "|")
	sounds = split("beep rising falling hiss siren clicks buzz chord", sound, " ")
	split("a beep|a rising whistle|a falling whistle|a hiss|a siren|clicking|a buzz|a chord",
		heard, "|")
	grounds = split("b4b4b4 98a0a8 a89c90 94a494 747474 888098", ground, " ")
	for (s = 1; s <= shapes; s++)
		for (c = 1; c <= colours; c++)
			render_all(s, c)
}

# A fifth of the combinations of shape, colour and motion, of each shape and colour one (2: it is in
# the joint test, too) or two.
function held(s, c, m, first) {
	first = below(motions, "clip/" shape[s] "/" colour[c])
	if (m - 1 == first)
		return 2
	return (s + c) % 3 != 0 && m - 1 == (first + 3) % motions
}

# Options of overlay; t runs from 0 to 1.875 s. The shape is `size` pixels wide.
function path(m, size, key, room, x, y, from, way, turn) {
	room = 112 - size
	x = uniform(0, room, key "/x")
	y = uniform(0, room, key "/y")
	way = room * uniform(0.75, 1, key "/way")
	from = uniform(0, room - way, key "/from")
	turn = 6.2832 * uniform(0, 1, key "/turn")
	if (m == 1) return sprintf("x='%.1f-%.1f*t/1.875':y=%.1f", from + way, way, y)
	if (m == 2) return sprintf("x='%.1f+%.1f*t/1.875':y=%.1f", from, way, y)
	if (m == 3) return sprintf("x=%.1f:y='%.1f-%.1f*t/1.875'", x, from + way, way)
	if (m == 4) return sprintf("x=%.1f:y='%.1f+%.1f*t/1.875'", x, from, way)
	if (m == 7)
		return sprintf("x='%.1f+%.1f*cos(%.3f+PI*t)':y='%.1f+%.1f*sin(%.3f+PI*t)'", room / 2,
			room * 0.45, turn, room / 2, room * 0.45, turn)
	# Seen in the first and the third of four frames, which are 5 apart.
	return sprintf("x=%.1f:y=%.1f:enable='lt(mod(n+2,10),5)'", x, y)
}

# The filters of one clip, from the coloured shape [in] to [in] with a v before it.
function filters(m, key, label, base, size, last, x, y, room) {
	base = sprintf("color=0x%s:s=112x112:r=8:d=2[g%s];", ground[1 + below(grounds, key "/ground")],
		label)
	if (m != 5 && m != 6) {
		size = int(uniform(28, 46, key "/size"))
		return base sprintf("[p%s]scale=%d:%d:flags=area[s%s];[g%s][s%s]overlay=shortest=1:%s[v%s]",
			label, size, size, label, label, label, path(m, size, key), label)
	}
	size = uniform(14, 22, key "/size")
	last = uniform(70, 92, key "/last")
	x = uniform(last / 2 + 2, 110 - last / 2, key "/x")
	y = uniform(last / 2 + 2, 110 - last / 2, key "/y")
	if (m == 6) { # the other way round
		room = size
		size = last
		last = room
	}
	room = sprintf("(%.1f+%.2f*n/15)", size, last - size)
	return base sprintf("[p%s]scale=w='if(isnan(n),32,%s)':h='if(isnan(n),32,%s)':eval=frame[s%s];" \
		"[g%s][s%s]overlay=shortest=1:x='%.1f-%s/2':y='%.1f-%s/2'[v%s]", label, room, room, label,
		label, label, x, room, y, room, label)
}

function sound_file(k, key, part, variants) {
	return sprintf("%s/%s-%s-%s%d.m4a", pieces, sound[k], below(2, key "/pitch") ? "high" : "low",
		part, below(variants, key "/variant"))
}

# One clip: adds to the process's graph and arguments. part: train or test.
function render(s, c, m, k, key, part, label, file) {
	label = outputs++ ""
	graph = graph ";" filters(m, key, label)
	split_to = split_to "[p" label "]"
	inputs = inputs " -i " sound_file(k, key, part, part == "train" ? 4 : 2)
	file = sprintf("%s/%s-%s/%s-%s.mp4", media, shape[s], colour[c], motion[m], which)
	args = args sprintf(" -map [v%d] -map %d:a -c:v libx264 -preset ultrafast -threads 1 -crf %d" \
		" -pix_fmt yuv420p -c:a copy -frames:v 16 %s", label, label + 1,
		part == "train" ? 20 : 25, file)
	sub(/^.*\/clips\/media/, "../../clips/media", file)
	return file
}

function train(s, c, m, id, what, r, one, file, k) {
	what = "a " colour[c] " " shape[s] # no colour and no shape starts with a vowel, but orange
	if (colour[c] == "orange")
		what = "an orange " shape[s]
	item(id "/a", "text", what " " does[m], list("clips/train", "queries.jsonl"))
	item(id "/b", "text", colour[c] " " shape[s] " " doing[m], list("clips/train", "queries.jsonl"))
	for (r = 0; r < training; r++) {
		which = "train" r
		one = id "/" r
		k = 1 + (below(sounds, id "/sound") + 3 * r) % sounds
		file = render(s, c, m, k, one, "train")
		item(one, "video", file, list("clips/train", "passages.jsonl"))
		relevant("clips/train", id "/a", one)
		relevant("clips/train", id "/b", one)
		item(one, "video", file, list("joint/train", "passages.jsonl"))
		item(one "/a", "text", what " " does[m] " while " heard[k] " sounds",
			list("joint/train", "queries.jsonl"))
		item(one "/b", "text", colour[c] " " shape[s] " " doing[m] ", with " heard[k],
			list("joint/train", "queries.jsonl"))
		relevant("joint/train", one "/a", one)
		relevant("joint/train", one "/b", one)
	}
}

# Of a combination that is held out four sounds, and each sound with 32 of them.
function test_joint(s, c, m, id, what, j, k, one, file) {
	for (j = 0; j < 4; j++) {
		k = 1 + (s + 3 * c + 2 * j) % sounds
		which = "joint" j
		one = id "/" sound[k]
		file = render(s, c, m, k, one, "test")
		item(one, "text", what " " does[m] " while " heard[k] " sounds",
			list("joint/test", "queries.jsonl"))
		item(one, "video", file, list("joint/test", "passages.jsonl"))
		item(one, "audio", file, list("joint/test", "audio.jsonl"))
		relevant("joint/test", one, one)
	}
}

function test(s, c, m, id, held_out, what, file) {
	which = "test"
	file = render(s, c, m, 1 + below(sounds, id "/test"), id "/test", "test")
	item(id, "video", file, list("clips/test", "passages.jsonl"))
	if (!held_out)
		return
	what = (colour[c] == "orange" ? "an " : "a ") colour[c] " " shape[s]
	print shape[s], colour[c], motion[m] >(out "/splits/clips-held-out.tsv")
	item(id, "text", what " " does[m], list("clips/test", "queries.jsonl"))
	relevant("clips/test", id, id)
	if (held_out == 2)
		test_joint(s, c, m, id, what)
}

function render_all(s, c, m, id, name, held_out) {
	outputs = 0
	graph = split_to = inputs = args = ""
	for (m = 1; m <= motions; m++) {
		id = shape[s] "/" colour[c] "/" motion[m]
		held_out = held(s, c, m)
		if (!held_out)
			train(s, c, m, id)
		test(s, c, m, id, held_out)
	}
	name = plan "/" shape[s] "-" colour[c]
	printf "[0]lutrgb=r=0x%s:g=0x%s:b=0x%s,split=%d%s%s\n", substr(rgb[c], 1, 2),
		substr(rgb[c], 3, 2), substr(rgb[c], 5, 2), outputs, split_to, graph >(name ".graph")
	print inputs >(name ".inputs")
	print args >(name ".args")
	close(name ".graph")
	close(name ".inputs")
	close(name ".args")
}
