#!/usr/bin/env bash
# alike.sh FOLDER, after all other parts: training items that are nearly an answer of the test are
# taken out of every training list and named in splits/alike.tsv. Files are compared by SHA-256,
# pictures by 8x8 thumbnails, clips by those of four frames, sounds by how loud four bands are.
source "$(dirname "$0")/common.sh"
out=$1
work=$out/alike
rm -rf "$work"
mkdir -p "$work" "$out/splits"

media() { # SET: the files of its passages that answer a query, each once
	awk -f "$here/answers.awk" "$out/$1/qrels.tsv" "$out/$1/passages.jsonl" | sort -u
}
concat() { sed "s|.*|file '$out/&'|" "$1" >"$1.concat"; }
pictures() {
	encode -f concat -safe 0 -i "$1.concat" -an -vf "settb=1/25,setpts=N,
		scale=8:8:flags=area,format=rgb24" -r 25 -f rawvideo - | od -An -v -tu1 -w192
}
clips() {
	encode -f concat -safe 0 -i "$1.concat" -an -vf "select='not(mod(mod(n,16),5))',
		settb=1/25,setpts=N,scale=8:8:flags=area,format=rgb24" -r 25 -f rawvideo - |
		od -An -v -tu1 -w768
}
# How loud four bands are, a hundred times a second; then 16 times a file, the loudest is 100.
sounds() {
	encode -f concat -safe 0 -i "$1.concat" -f s16le -filter_complex "[0]aresample=8000,
		aformat=flt:channel_layouts=mono,asplit=4[a][b][c][d];
		[a]lowpass=f=400[e];[b]highpass=f=400,lowpass=f=800[f];
		[c]highpass=f=800,lowpass=f=1600[g];[d]highpass=f=1600[h];
		[e][f][g][h]join=inputs=4:channel_layout=4.0,
		aeval='abs(val(0))|abs(val(1))|abs(val(2))|abs(val(3))':c=4.0,aresample=100" - |
		od -An -v -td2 -w8 |
		awk -f "$here/bands.awk" <(cd "$out" && xargs stat -c %s <"$1") -
}
# SET KIND LEVELS: training items within so many levels of a test item, on average
compare() {
	local side
	for side in train test; do
		media "$1/$side" >"$work/$1-$side"
		concat "$work/$1-$side"
		"$2" "$work/$1-$side" | paste "$work/$1-$side" - >"$work/$1-$side.look"
	done
	awk -F '\t' -v levels="$3" -f "$here/near.awk" "$work/$1-test.look" "$work/$1-train.look"
	(cd "$out" && sha256sum $(<"$work/$1-test")) >"$work/$1.sha"
	(cd "$out" && xargs -n 2000 sha256sum <"$work/$1-train") | awk -v OFS='\t' '
		NR == FNR { name[$1] = $2; next }
		$1 in name { print $2, name[$1], "same" }' "$work/$1.sha" -
}
export -f encode media concat pictures clips sounds compare
export out work here
printf '%s\n' "emoji pictures 3" "stamps pictures 3" "clips clips 1.5" "joint clips 1.5" \
	"sounds sounds 2" "spoken sounds 2" "phrases sounds 2" "effects sounds 0.5" |
	xargs -P "$jobs" -L 1 bash -euo pipefail -c 'compare "$@" >"$work/$1.near"' _
sort -u "$work"/*.near >"$out/splits/alike.tsv"
for set in "$out"/*/train; do
	awk -f "$here/without.awk" step=1 "$out/splits/alike.tsv" step=2 "$set/passages.jsonl" \
		step=3 "$set/queries.jsonl" step=4 "$set/qrels.tsv" step=5 "$set/queries.jsonl"
	for list in "$set"/*.kept; do mv "$list" "${list%.kept}"; done
done
