# plan: on cards that are not there, of models whose weights are not there.
for card in vcu1525 u250 u280 u55c vck190 stratix10mx agilex7; do
	check "plan on $card" 0 '^energy +[0-9.]+ J an item' "$omnitile" plan --model "$data/tiny" \
		--device $card --tokens 40 --image 112 --seconds 2
done
check "plan of the real model's shapes" 0 '"items_per_s": [0-9]' "$omnitile" plan \
	--model "$data/tiny" --like omni-embed-nemotron-3b --device u55c --max-tokens 4096 --json
check "plan on a card with int8" 0 '^quantize ' "$omnitile" plan --model "$data/tiny" \
	--device u250 --dtype int8
check "plan, a clock that is not the card's" 2 'a clock of 900 MHz, expected 100 to 300' \
	"$omnitile" plan --model "$data/tiny" --device u55c --clock 900
check "plan, two kinds of numbers" 2 'dtype and --weights are one choice' "$omnitile" plan \
	--model "$data/tiny" --dtype int8 --weights int8
check "plan, numbers of no kind" 2 'dtype.*int4' "$omnitile" plan --model "$data/tiny" --dtype int4
check "plan, a card's parameters where there is none" 2 'no FPGA card: it has no pe' "$omnitile" \
	plan --model "$data/tiny" --backend ref --pe 5
check "plan, parameters that no source takes" 2 'gemm: no kernel of pe 7, rows 64: rows are' \
	"$omnitile" plan --model "$data/tiny" --device u250 --pe 7 --rows 64
check "plan, parameters that do not fit" 2 'no kernel of pe 4096 fits xcu250' "$omnitile" plan \
	--model "$data/tiny" --device u250 --pe 4096
check "plan, a card of another name" 2 'described are agilex7, .*u280, u55c' "$omnitile" plan \
	--model "$data/tiny" --device u251
check "plan, shapes of no kind" 2 '"x" is neither tiny' "$omnitile" plan --model "$data/tiny" \
	--like x
check "plan, an entry of the manifest" 0 '^      gemm: .params: .pe: [0-9]+, width: ' \
	"$omnitile" plan --model "$data/tiny" --device u55c --entry mine
check "plan, an entry of no card" 2 'no FPGA card' "$omnitile" plan --model "$data/tiny" \
	--backend ref --entry mine
# Parameters that are chosen are such that the kernels' sources take them.
compiles() { # what `plan` printed of kernels
	local op words source defines
	sed -n '/^kernel /,/^together/p' "$1" | sed '/^kernel\|^together/d' |
		while read -r op _ _ _ _ _ _ _ words; do
			source=hls/${op}_hls.c
			[ -f "$source" ] || source=hls/${op%_*}_hls.c
			words=$(tr a-z A-Z <<<"$words")
			defines=$(sed -E 's/([A-Z]+) ([0-9]+)/-DHLS_\1=\2/g' <<<"$words")
			# shellcheck disable=SC2086
			cc -std=c99 -Wno-unknown-pragmas -fsyntax-only -DHLS_OP_$op $defines \
				"$source" || exit 1
			echo "$op $defines"
		done
}
for dtype in f32 bf16 int8; do
	"$omnitile" plan --model "$data/tiny" --like omni-embed-nemotron-3b --device u55c \
		--tokens 64 --image 112 --seconds 1 --dtype $dtype >"$tmp/plan.txt"
	check "plan, what is chosen compiles, $dtype" 0 '^attention -DHLS_PE=' \
		compiles "$tmp/plan.txt"
done
# A folder of one's own: a card by name, and a configuration without weights.
mkdir "$tmp/cards" "$tmp/bare"
sed 's/usual: 200/usual: 123/' configs/devices/u55c.yaml >"$tmp/cards/u55c.yaml"
sed '/^  power/d' configs/devices/u250.yaml >"$tmp/cards/dark.yaml"
check "plan, a card that says no power" 0 '^energy +not known' "$omnitile" plan \
	--model "$data/tiny" --device "$tmp/cards/dark.yaml"
sed 's/dsp_pj: 5/dsp_pj: 5000/' configs/devices/u250.yaml >"$tmp/cards/hot.yaml"
check "plan, a card that gets too hot" 0 'W of 225, more than the card takes' "$omnitile" plan \
	--model "$data/tiny" --device "$tmp/cards/hot.yaml"
narrow() { ! awk 'length > 100' "$tmp/wide.txt" | grep .; }
"$omnitile" plan --model "$data/tiny" --like omni-embed-nemotron-3b --device agilex7 \
	--tokens 6000 --image 448 --seconds 9 >"$tmp/wide.txt"
check "plan, 100 columns" 0 "" narrow
check "plan, the user's card goes before the shipped one" 0 'at 123 MHz' env \
	OMT_DEVICES_DIR="$tmp/cards" "$omnitile" plan --model "$data/tiny" --device u55c
echo 'speed: 3' >"$tmp/cards/bad.yaml"
check "plan, a card's bad file" 2 'bad.yaml:1: unknown key "speed"' env \
	OMT_DEVICES_DIR="$tmp/cards" "$omnitile" plan --model "$data/tiny" --device bad
for file in "$data"/tiny/*.json; do
	[[ $file == *index.json ]] || cp "$file" "$tmp/bare"
done
check "plan without weights" 0 'fits$' "$omnitile" plan --model "$tmp/bare" --backend ref
