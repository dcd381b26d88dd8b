#!/usr/bin/env bash
# data.sh DEMO OUT: the ablations' own sets beside the demo model's data (DEMO, of
# bench/demo_data.sh): those of ablation_media.sh, and "domain", which no other set has: pictures of
# another hand (64 of tuxpaint's stamps) on four plain grounds, one of the four held out.
source "$(dirname "$0")/../demo_data/common.sh"
demo=$(cd "$1" && pwd)
out=$(mkdir -p "$2" && cd "$2" && pwd)
stamps=/usr/share/tuxpaint/stamps
need "$stamps"
"$here/../ablation_media.sh" - - "$demo" "$out"
[ ! -e "$out/domain/test/qrels.tsv" ] || exit 0
mkdir -p "$out/domain/media"
lists_begin domain/train domain/test

named() { # NAME FILE of each stamp
	find "$stamps" -name '*.png' | sort | while read -r picture; do
		[ -f "${picture%.png}.txt" ] || continue
		printf '%s\t%s\n' "$(head -n 1 "${picture%.png}.txt")" "$picture"
	done
}
render() { IFS=$'\t' read -r -a arguments <<<"$1" && encode "${arguments[@]}"; }
export -f render encode
named | awks "$here/../ablations/domain.awk" -v out="$out" | tr '\n' '\0' |
	xargs -0 -P "$jobs" -n 1 bash -c 'render "$1"' _
lists_end domain/train domain/test
