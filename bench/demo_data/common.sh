# common.sh: what the parts of demo_data.sh share; sourced.
set -euo pipefail
export LC_ALL=C
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
jobs=${DEMO_JOBS:-$(nproc)}
test_only=${DEMO_TEST_ONLY:-} # not empty: no training media

fail() { echo "demo_data.sh: $*" >&2; exit 1; }
need() { [ -e "$1" ] || fail "$1 is missing (make setup)"; }
awks() { awk -f "$here/lists.awk" -f "$@"; } # PROGRAM.awk ARGUMENTS
encode() { ffmpeg -nostdin -v error -y -threads 1 -filter_threads 1 "$@"; }

# Sets of three lists each are whole when qrels.tsv has its name. One without judgements has none.
lists_begin() {
	local set
	for set; do
		mkdir -p "$out/$set"
		rm -f "$out/$set/"*.jsonl "$out/$set/qrels.tsv"
	done
}
lists_end() {
	local set
	for set; do
		[ ! -e "$out/$set/qrels.tmp" ] || mv "$out/$set/qrels.tmp" "$out/$set/qrels.tsv"
	done
}
