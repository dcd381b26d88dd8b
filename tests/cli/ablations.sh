# ablations: the table's numbers, and that its parts know one another; bench/ablations.sh trains.
parts=$PWD/bench/ablations
for seed in 1 2 3; do
	for run in "one 0.$((4 + seed))" "two 0.$((5 + seed))$((seed - 1))"; do
		printf '{"run":"%s","seed":%d,"eval":"image",' "${run% *}" $seed
		printf '"note":"}[\\"a","measures":{'
		echo "\"ndcg@10\":${run#* },"'"recall@1":0.5},"chance":{"ndcg@10":0.25}}'
	done
done >"$tmp/ablations.jsonl"
cat >"$tmp/rows.txt" <<'EOF'
# a comment
= a question
first | one image | chance | found | lost | not told
second | two image | one image | better | worse | not told
against itself | one image | one image | better | worse | not told
other | one video | - | | |
EOF
ablations() {
	awk -f bench/json.awk -f "$parts/table.awk" "$tmp/rows.txt" "$tmp/ablations.jsonl"
}
# Of 0.5, 0.6, 0.7: standard error 0.1 / sqrt(3), Student's t of two degrees 4.303.
check "ablations, a mean with its interval" 0 \
	'^\| first \| 0.600 \(0.352 to 0.848\) \| 0.500 \(0.500 to 0.500\) \| 0.250 \|' ablations
check "ablations, chance" 0 '^\| first .*\| \+0.350 \(\+0.102 to \+0.598\) \| found \|$' ablations
# Differences 0.1, 0.11, 0.12.
check "ablations, a difference is paired" 0 \
	'^\| second .*\| \+0.110 \(\+0.085 to \+0.135\) \| better \|$' ablations
check "ablations, no difference" 0 '^\| against itself .* not told \|$' ablations
check "ablations, what was not run" 0 '^\| other \| not run ' ablations
# Every question that a run is asked is one, and every row's run was asked its questions.
ablations_agree() {
	awk '
		function complain(text) {
			print text
			bad = 1
		}
		FNR == 1 { file++ }
		/^#/ || /^=/ { next }
		file == 1 { eval[$1] }
		file == 2 {
			count = split($NF, names, ",")
			for (i = 1; i <= count; i++) {
				asked[$1, names[i]]
				if (!(names[i] in eval))
					complain("no question " names[i])
			}
		}
		file == 3 {
			split($0, cells, "|")
			for (cell = 2; cell <= 3; cell++) {
				if (split(cells[cell], words, " ") != 2)
					continue
				count = split(words[2], names, ",")
				for (i = 1; i <= count; i++)
					if (!((words[1], names[i]) in asked))
						complain(words[1] " is not asked " names[i])
			}
			rows++
		}
		END { if (!bad) print rows " rows agree" }
	' "$parts/evals.txt" "$parts/runs.txt" "$parts/rows.txt"
}
check "ablations, runs and rows agree" 0 '^[1-9][0-9]+ rows agree$' ablations_agree
