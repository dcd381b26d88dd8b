#!/usr/bin/env bash
# check_layers.sh - the rooms of DESIGN.md: who may include whom, how large things may be, what may
# stand at the top, how it is laid out. Prints file:line and what is wrong; exit status 1 if
# anything is.
set -u
cd "$(dirname "$0")/.."
bad=0
fail() {
	echo "$*"
	bad=1
}

# What git tracks or would track; all that is there in a copy without git.
mapfile -t files < <(
	{
		git ls-files -co --exclude-standard 2>/dev/null ||
			find . -type f ! -path './.git/*' ! -path './build/*' | sed 's|^\./||'
	} | while IFS= read -r file; do [ ! -f "$file" ] || printf '%s\n' "$file"; done | sort
)
mapfile -t sources < <(printf '%s\n' "${files[@]}" |
	grep -E '^(host|device|hls|bench|tests|\.ci)/.*(\.[ch]|\.cl|\.sh|/run)$' |
	grep -v '^tests/golden/data/\|^tests/fuzz/corpus/')
[ ${#sources[@]} -gt 0 ] || fail ".:1: no sources found"

# Rooms, lengths of files, of functions (the lines between their braces) and of lines.
awk '
	BEGIN {
		# room: rooms it may include; omnitile.h, with omnitile_tools.h, is for everybody
		may["base"]   = "base"
		may["exec"]   = "exec base device hls"
		may["media"]  = "media base"
		may["prep"]   = "prep media base"
		may["token"]  = "token base"
		may["model"]  = "model exec media prep token base device"
		may["index"]  = "index exec base device" # search is gemm
		may["train"]  = "train model exec media prep token index base device"
		may["cli"]    = "cli"
		may["bench"]  = "bench bench/scenario bench/probes index base"
		may["bench/scenario"] = "bench/scenario bench/probes bench base"
		may["bench/probes"]   = "bench/probes base"
		may["bench/report"]   = "bench/report base" # of records, whoever made them
		may["bench/kernels"]  = "bench/kernels model train exec prep base" # they time ops
		may["device"] = "device"
		may["hls"]    = "hls device"
		may["hls/device_model"] = "hls/device_model hls device base exec"
		public = "^omnitile(_tools)?\\.h$"
	}
	function fail(line, text) {
		print file ":" line ": " text
		bad = 1
	}
	function end_file() {
		if (lines > 600)
			fail(lines, "more than 600 lines")
	}
	function width(text,    i, n) {
		n = 0
		for (i = 1; i <= length(text); i++)
			n += substr(text, i, 1) == "\t" ? 8 - n % 8 : 1
		return n
	}
	# The room of a path that begins so.
	function room_of(first, second) {
		if (first == "host")
			return second
		return (first "/" second) in may ? first "/" second : first
	}
	function check_include(text,    name, parts, to) {
		name = text
		sub(/^[ \t]*#[ \t]*include[ \t]*["<]/, "", name)
		sub(/[">].*/, "", name)
		sub(/^\.\.\//, "", name) # hls/ is taken elsewhere as it is
		split(name, parts, "/")
		# A bare name lies beside the file.
		to = name ~ /\// ? room_of(parts[1], parts[2]) : room
		if (text ~ /</ && !(to in may) && name !~ public)
			return # of the system
		if (room == "tests" || name ~ public)
			return
		if (!(room in may))
			fail(FNR, "room " room " has no rule in tests/check_layers.sh")
		else if (index(" " may[room] " ", " " to " ") == 0)
			fail(FNR, "room " room " may not include " name)
	}
	FNR == 1 {
		end_file()
		file = FILENAME
		split(file, path, "/")
		room = room_of(path[1], path[2])
		start = 0
	}
	{ lines = FNR }
	length($0) > 12 && width($0) > 100 { fail(FNR, "longer than 100 columns") }
	file !~ /\.(c|h|cl)$/ { next }
	/^[ \t]*#[ \t]*include/ { check_include($0) }
	/^\{/ { start = FNR }
	/^\}/ && start {
		if (FNR - start - 1 > 70)
			fail(start, "a function of " FNR - start - 1 " lines")
		start = 0
	}
	END {
		end_file()
		exit bad
	}
' "${sources[@]}" </dev/null || bad=1
lines=$(wc -l <Makefile)
[ "$lines" -le 200 ] || fail "Makefile:$lines: more than 200 lines"

# The top level.
while IFS= read -r entry; do
	case $entry in
	host | device | hls | bitstreams | configs | bench | tests | Makefile | README.md) ;;
	.ci | .gitignore | .clang-format | LICENSE) ;;
	*) fail "$entry:1: does not belong at the top" ;;
	esac
done < <(printf '%s\n' "${files[@]}" | cut -d/ -f1 | sort -u)

# Layout, where clang-format is there to ask; its releases differ, .clang-format is for 14.
if clang-format --version 2>/dev/null | grep -q 'version 14'; then
	mapfile -t formatted < <(printf '%s\n' "${sources[@]}" |
		grep -E '^(host|bench|tests)/.*\.[ch]$')
	wrong=$(clang-format --dry-run --ferror-limit=1 "${formatted[@]}" 2>&1 | grep ': warning:')
	[ -z "$wrong" ] || fail "$wrong"
else
	echo "layers: no clang-format 14, layout not checked"
fi
[ $bad = 0 ] && echo "layers: ok"
exit $bad
