# table.awk ROWS RESULTS: the table in Markdown. A row is the mean over seeds of a run's questions
# with a 95 % interval by Student's t, and the difference to another row, paired by seed.
BEGIN {
	FS = "|"
	# 97.5 % quantiles of Student's t for 1, 2, ... degrees of freedom.
	split("12.706 4.303 3.182 2.776 2.571 2.447 2.365 2.306 2.262", quantile, " ")
}
function trim(text) {
	gsub(/^ +| +$/, "", text)
	return text
}

FNR == NR && /^#/ { next }
FNR == NR && /^=/ {
	kind[++rows] = "question"
	sub(/^= */, "")
	question[rows] = $0
	next
}
FNR == NR && NF > 1 {
	kind[++rows] = "case"
	name[rows] = trim($1)
	asked[rows] = trim($2)
	against[rows] = trim($3)
	better[rows] = trim($4)
	worse[rows] = trim($5)
	unsure[rows] = trim($6)
	next
}
FNR == NR { next }
{
	key = bare(member($0, "run")) " " bare(member($0, "eval"))
	seed = member($0, "seed")
	ndcg[key, seed] = inside($0, "measures ndcg@10")
	recall[key, seed] = inside($0, "measures recall@1")
	chance[key, seed] = inside($0, "chance ndcg@10")
	if (!(seed in seeds))
		seeds[seed] = ++seed_count
	there[key, seed]
}

# Mean of a measure over the questions of "RUN question,question ..." for a seed; "" if one is not
# there. of: 1 nDCG, 2 recall, 3 chance.
function of_seed(list, seed, of, parts, words, count, i, sum, key) {
	split(list, words, " ")
	count = split(words[2], parts, ",")
	sum = 0
	for (i = 1; i <= count; i++) {
		key = words[1] " " parts[i]
		if (!((key, seed) in there))
			return ""
		sum += of == 1 ? ndcg[key, seed] : of == 2 ? recall[key, seed] : chance[key, seed]
	}
	return sum / count
}

# Sets mean, low, high over seeds of a row, less another one where it is given; false: no seed.
function over_seeds(list, less, of, seed, n, x, y, sum, squares, half) {
	n = sum = squares = 0
	for (seed in seeds) {
		x = of_seed(list, seed, of)
		y = less == "" ? 0 : less == "chance" ? of_seed(list, seed, 3) : of_seed(less, seed, of)
		if (x == "" || y == "")
			continue
		n++
		sum += x - y
		squares += (x - y) * (x - y)
	}
	if (!n)
		return 0
	mean = sum / n
	half = 0
	if (n > 1) {
		squares = squares / n - mean * mean
		half = quantile[n - 1] * sqrt((squares > 0 ? squares : 0) / (n - 1))
	}
	low = mean - half
	high = mean + half
	return n
}

function shown(sign) {
	return sprintf(sign ? "%+.3f (%+.3f to %+.3f)" : "%.3f (%.3f to %.3f)", mean, low, high)
}

function told(i, n) {
	if (n < 2)
		return "one seed tells nothing"
	return low > 0 ? better[i] : high < 0 ? worse[i] : unsure[i]
}

function row(i, n, cells) {
	n = over_seeds(asked[i], "", 1)
	if (!n) {
		printf "| %s | not run | | | | |\n", name[i]
		return
	}
	cells = sprintf("| %s | %s", name[i], shown(0))
	over_seeds(asked[i], "", 2)
	cells = cells sprintf(" | %s", shown(0))
	over_seeds(asked[i], "", 3)
	cells = cells sprintf(" | %.3f", mean)
	if (against[i] == "-" || !over_seeds(asked[i], against[i], 1)) {
		printf "%s | | %s |\n", cells, against[i] == "-" ? better[i] : ""
		return
	}
	printf "%s | %s | %s |\n", cells, shown(1), told(i, n)
}

END {
	printf "| case | nDCG@10 | Recall@1 | chance nDCG@10 | difference, paired | what it tells |\n"
	print "|---|---|---|---|---|---|"
	for (r = 1; r <= rows; r++)
		if (kind[r] == "question")
			printf "| **%s** | | | | | |\n", question[r]
		else
			row(r)
}
