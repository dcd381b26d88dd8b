#!/usr/bin/env bash
# demo_data.sh FOLDER [KEPT]: the data of the demo model, made of what Debian packages carry: sets
# of queries.jsonl, passages.jsonl and qrels.tsv, FOLDER/SET/train and FOLDER/SET/test. The parts
# are in demo_data/; what is whole is not made again. With DEMO_TEST_ONLY=1 in the environment there
# are the test's pictures, clips and spoken words alone, half a minute's work. KEPT: a folder of the
# lists of what is held out, which must be the same; it is made when it is not there.
set -euo pipefail
out=$(mkdir -p "$1" && cd "$1" && pwd)
kept=${2:-}
parts=$(dirname "$0")/demo_data
every=(emoji clips stamps spoken phrases alike)
[ -z "${DEMO_TEST_ONLY:-}" ] || every=(emoji clips spoken)
for part in "${every[@]}"; do
	[ -e "$out/$part.done" ] && continue
	echo "demo data: $part"
	"$parts/$part.sh" "$out"
	touch "$out/$part.done"
done
if [ -n "${DEMO_TEST_ONLY:-}" ]; then
	rm -rf "$out"/*/train "$out/emoji-all"
elif [ -n "$kept" ] && [ -d "$kept" ]; then
	diff -r "$kept" "$out/splits" >"$out/splits.diff" || {
		echo "demo_data.sh: $out/splits is not $kept (see $out/splits.diff)" >&2
		exit 1
	}
elif [ -n "$kept" ]; then
	mkdir -p "$kept"
	cp "$out/splits"/* "$kept/"
fi
wc -l "$out"/*/*/passages.jsonl | awk '/total/ { print $1 " passages" }'
