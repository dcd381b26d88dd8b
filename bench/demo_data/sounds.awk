# sounds.awk -v out=FOLDER -v pieces=FOLDER -v pairs=FILE -v variants=N: sounds of a
# second, FFmpeg's source and options with the file. Eight kinds, low and high, four variants to
# train with and two for the test; then pairs of them, N to train with.
BEGIN {
	OFS = "\t"
	kinds = split("beep rising falling hiss siren clicks buzz chord", kind, " ")
	split("low high", pitch, " ")
	for (k = 1; k <= kinds; k++)
		for (p = 1; p <= 2; p++)
			for (v = 0; v < 6; v++)
				print_piece(k, p, v)
	split("beep|rising whistle|falling whistle|hiss|siren|clicking sound|buzz|chord", heard, "|")
	for (a = 0; a < 2 * kinds; a++)
		for (b = 0; b < 2 * kinds; b++)
			if (int(a / 2) != int(b / 2))
				pair(a, b)
}

# The first of two sounds, the second: numbers of a kind and a pitch.
function file_of(a, v) { return piece(int(a / 2) + 1, a % 2 + 1, v) }
function name_of(a) { return "a " pitch[a % 2 + 1] " " heard[int(a / 2) + 1] }

function write_pair(set, id, a, left, b, right, path) {
	path = id
	gsub(/\//, "-", path)
	print out "/sounds/media/" path ".wav", file_of(a, left), file_of(b, right) >(pairs)
	item(id, "audio", "../../sounds/media/" path ".wav", list(set, "passages.jsonl"))
}

# A quarter of the pairs is held out; the test's gallery has all, of variants that are its own.
function pair(a, b, id, words, v) {
	id = kind[int(a / 2) + 1] a % 2 "/" kind[int(b / 2) + 1] b % 2
	words = name_of(a) ", then " name_of(b)
	write_pair("sounds/test", id, a, 4 + below(2, id "/a"), b, 4 + below(2, id "/b"))
	if (below(4, "pair/" id) == 0) {
		print name_of(a), name_of(b) >(out "/splits/sounds-held-out.tsv")
		item(id, "text", words, list("sounds/test", "queries.jsonl"))
		relevant("sounds/test", id, id)
		return
	}
	item(id "/a", "text", words, list("sounds/train", "queries.jsonl"))
	item(id "/b", "text", "first " name_of(a) " and then " name_of(b),
		list("sounds/train", "queries.jsonl"))
	for (v = 0; v < variants; v++) {
		write_pair("sounds/train", id "/" v, a, v, b, (v + below(4, id)) % 4)
		relevant("sounds/train", id "/a", id "/" v)
		relevant("sounds/train", id "/b", id "/" v)
	}
}

function piece(k, p, v) {
	return sprintf("%s/%s-%s-%s%d.wav", pieces, kind[k], pitch[p], v < 4 ? "train" : "test",
		v < 4 ? v : v - 4)
}

function print_piece(k, p, v, key, f, r, wave, source) {
	key = kind[k] "/" p "/" v
	f = p == 1 ? uniform(270, 360, key "/f") : uniform(900, 1200, key "/f")
	r = uniform(3, 5, key "/r")
	if (kind[k] == "beep")
		wave = sprintf("sin(2*PI*%.1f*t)*lt(mod(t*%.2f,1),0.55)", f, r)
	if (kind[k] == "rising")
		wave = sprintf("sin(2*PI*%.1f*(0.6*t+0.7*t*t))", f)
	if (kind[k] == "falling")
		wave = sprintf("sin(2*PI*%.1f*(2*t-0.7*t*t))", f)
	if (kind[k] == "siren")
		wave = sprintf("sin(2*PI*t*%.1f*(1+0.4*gte(mod(t*%.2f,1),0.5)))", f, r / 2)
	if (kind[k] == "clicks")
		wave = sprintf("sin(2*PI*%.1f*t)*exp(-90*mod(t,%.4f))", f, 0.4 / r)
	if (kind[k] == "buzz")
		wave = sprintf("0.6*(2*mod(t*%.1f,1)-1)", f / 4)
	if (kind[k] == "chord")
		wave = sprintf("(sin(2*PI*%.1f*t)+sin(2*PI*%.1f*t)+sin(2*PI*%.1f*t))/3", f, 1.26 * f,
			1.5 * f)
	source = "aevalsrc=" uniform(0.25, 0.7, key "/level") "*" wave ":s=16000:d=1"
	if (kind[k] == "hiss")
		source = sprintf("anoisesrc=r=16000:d=1:a=%.2f:seed=%d,%s", uniform(0.2, 0.5, key "/level"),
			below(10000, key), p == 1 ? "lowpass=f=" 3 * f ",lowpass=f=" 3 * f : "highpass=f=" 4 * f)
	gsub(/,/, "\\,", wave)
	if (kind[k] != "hiss")
		source = "aevalsrc=" uniform(0.25, 0.7, key "/level") "*" wave ":s=16000:d=1"
	print "-f lavfi -i " source ",afade=d=0.02,afade=out:st=0.92:d=0.06",
		"-ar 16000 -ac 1 -c:a pcm_s16le -fflags +bitexact " piece(k, p, v)
}
