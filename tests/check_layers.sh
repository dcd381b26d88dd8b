#!/usr/bin/env bash
# check_layers.sh - the rooms of DESIGN.md: who may include whom, how large things may be, what may
# stand at the top. Prints file:line and what is wrong; exit status 1 if anything is.
set -u
cd "$(dirname "$0")/.."
bad=0
fail() { echo "$*"; bad=1; }

# room: rooms it may include (omnitile.h is everybody's)
declare -A may=(
	[base]="base"
	[exec]="exec base device"
	[media]="media base"
	[prep]="prep media base"
	[token]="token base"
	[model]="model exec media prep token base device"
	[index]="index base"
	[cli]="cli"
)
for room in "${!may[@]}"; do
	while IFS=: read -r file line text; do
		included=$(sed -E 's/.*"([^"]+)".*/\1/' <<<"$text")
		[ "$included" = omnitile.h ] && continue
		case " ${may[$room]} " in
		*" ${included%%/*} "*) ;;
		*) fail "$file:$line: room $room may not include $included" ;;
		esac
	done < <(grep -nE '^[[:space:]]*#[[:space:]]*include "' host/"$room"/*.[ch] /dev/null)
done
while IFS=: read -r file line text; do
	case "$text" in
	*'"base/'* | *'"index/'* | *'"bench/'* | *'"omnitile.h"'*) ;;
	*) fail "$file:$line: bench may include omnitile.h, base/ and index/ only" ;;
	esac
done < <(grep -nE '^[[:space:]]*#[[:space:]]*include "' bench/*.[ch] /dev/null)

# sizes
mapfile -t sources < <(git ls-files -co --exclude-standard -- 'host/*.[ch]' 'device/*' 'hls/*' \
	'bench/*' 'tests/*.[ch]' 'tests/*.sh' '.ci/*' | grep -v '^tests/golden/data/\|\.jsonl$')
for file in "${sources[@]}"; do
	[ -f "$file" ] || continue
	lines=$(wc -l <"$file")
	[ "$lines" -le 600 ] || fail "$file:$lines: more than 600 lines"
done
awk '
	function width(text,    i, n) {
		n = 0
		for (i = 1; i <= length(text); i++)
			n += substr(text, i, 1) == "\t" ? 8 - n % 8 : 1
		return n
	}
	FNR == 1 { start = 0 }
	length($0) > 60 && width($0) > 100 {
		print FILENAME ":" FNR ": longer than 100 columns"; bad = 1
	}
	FILENAME ~ /\.(c|cl)$/ && /^\{/ { start = FNR }
	FILENAME ~ /\.(c|cl)$/ && /^\}/ && start {
		if (FNR - start - 1 > 70) {
			print FILENAME ":" start ": a function of " FNR - start - 1 " lines"
			bad = 1
		}
		start = 0
	}
	END { exit bad }
' "${sources[@]}" || bad=1
lines=$(wc -l <Makefile)
[ "$lines" -le 200 ] || fail "Makefile:$lines: more than 200 lines"

# the top level
for entry in $(git ls-files -co --exclude-standard | cut -d/ -f1 | sort -u); do
	case $entry in
	host | device | hls | bitstreams | configs | bench | tests | Makefile | README.md) ;;
	.ci | .gitignore | .clang-format | LICENSE) ;;
	*) fail "$entry: does not belong at the top" ;;
	esac
done

# layout, where clang-format is there to ask; its releases differ, .clang-format is for 14
if clang-format --version 2>/dev/null | grep -q 'version 14'; then
	while read -r file; do
		clang-format "$file" | cmp -s - "$file" ||
			fail "$file:1: clang-format would change it"
	done < <(printf '%s\n' "${sources[@]}" | grep -E '^(host|bench|tests)/.*\.[ch]$')
fi
[ $bad = 0 ] && echo "layers: ok"
exit $bad
