#!/usr/bin/env bash
# report.sh BINARY: example reports in a real browser, at a desk, on a phone and in the dark:
# pictures of the right size that are not blank, a dark background where dark is asked for, no page
# wider than a phone, no error on the console, no request but for the page; and sound HTML. Pictures
# stay in build/report to be looked at.
set -u
omnitile=$(realpath "$1")
cd "$(dirname "$0")/.."
out=$PWD/build/report
records=tests/golden/report
bad=0
mkdir -p "$out"
profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT

fail() {
	echo "FAIL $*"
	bad=1
}

# HTML as libxml2 reads it, which knows no element of HTML 5 or SVG.
sound() { # FILE
	local wrong
	wrong=$(xmllint --html --noout "$1" 2>&1 | grep ' error : ' |
		grep -v ' error : Tag [a-z]* invalid')
	[ -z "$wrong" ] && xmllint --html --xpath '//body//main//table//td' "$1" >/dev/null 2>&1 &&
		[ "$(grep -o '<svg' "$1" | wc -l)" = "$(grep -o '</svg>' "$1" | wc -l)" ] ||
		fail "$1: not sound HTML: ${wrong:0:300}"
}

for name in demo sweep server devices old hostile; do
	"$omnitile" report --quiet $records/$name.jsonl -o "$out/$name.html" || fail "report $name"
	sound "$out/$name.html"
done

browser=$(command -v chromium || true)
if [ -z "$browser" ]; then
	echo "SKIPPED: no chromium, the reports were not looked at"
	exit $bad
fi
# chromium WIDTH HEIGHT ARGUMENT...: its console goes to console.log.
show() {
	local width=$1 height=$2
	shift 2
	timeout 60 "$browser" --headless --no-sandbox --disable-gpu --hide-scrollbars \
		--no-first-run --disable-background-networking --user-data-dir="$profile" \
		--enable-logging=stderr \
		--window-size="$width,$height" "$@" 2>"$out/console.log"
}

# picture NAME WIDTH HEIGHT light|dark: screenshot, its size, its colours, its background.
picture() {
	local file=$out/$1-$2-$4.png size colours background scheme=1
	[ "$4" = dark ] && scheme=0
	show "$2" "$3" --blink-settings=preferredColorScheme=$scheme --screenshot="$file" \
		"file://$out/$1.html" >/dev/null || fail "$file: no picture"
	grep -E 'CONSOLE|ERR_' "$out/console.log" && fail "$file: on the console"
	size=$(ffprobe -v error -show_entries stream=width,height -of csv=p=0 "$file")
	[ "$size" = "$2,$3" ] || fail "$file: size $size, expected $2,$3"
	# Bytes of a corner, then how many colours there are, as far as 8 bits tell.
	background=$(ffmpeg -v error -i "$file" -vf crop=1:1:2:2 -f rawvideo -pix_fmt gray - |
		od -An -tu1)
	colours=$(ffmpeg -v error -i "$file" -vf scale=iw/3:-1:flags=neighbor \
		-f rawvideo -pix_fmt rgb8 - | od -An -v -tu1 -w1 |
		sort -u | wc -l)
	[ "$colours" -ge 24 ] || fail "$file: $colours colours"
	case $4 in
	dark) [ "$background" -lt 64 ] || fail "$file: background $background" ;;
	light) [ "$background" -gt 224 ] || fail "$file: background $background" ;;
	esac
	echo "ok   $1, $2 x $3, $4: $colours colours"
}

# fits NAME...: the width that each page takes in a frame of 375 pixels, told by the page around
# it.
fits() {
	local probe=$out/probe.html name told
	{
		echo '<!DOCTYPE html><title>-</title>'
		for name; do
			printf '<iframe width=375 height=812 style="border:0" srcdoc="'
			sed -e 's/&/\&amp;/g' -e 's/"/\&quot;/g' "$out/$name.html"
			echo '"></iframe>'
		done
		echo '<script>onload=()=>document.title=Array.from(frames,(_,i)=>'
		echo 'frames[i].innerWidth+":"+frames[i].document.documentElement.scrollWidth'
		echo ').join(" ")</script>'
	} >"$probe"
	told=$(show 1600 1200 --dump-dom "file://$probe" | grep -o '<title>[0-9: ]*')
	if [ "$told" = "<title>$(printf '375:375 %.0s' "$@" | sed 's/ $//')" ]; then
		echo "ok   $* fit into 375 pixels"
	else
		fail "$*: wider than a phone: $told"
	fi
}

picture demo 1160 3400 light
picture sweep 1160 5200 dark
picture server 375 812 light
picture demo 375 812 dark
picture hostile 1160 3600 light
fits demo sweep server devices old hostile
exit $bad
