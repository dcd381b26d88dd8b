# distinct.awk -v count=N LOOKS EMOJI: the first `count` emoji by a seeded order, without those that
# look like one chosen before: 8x8 thumbnails less than 10 levels apart on average. Looks: 192
# numbers a line. What is left out goes to /dev/fd/3.
FNR == NR { look[FNR] = $0; next }
BEGIN { OFS = "\t" }
{
	split($0, field, "\t")
	line[FNR] = $0
	key[FNR] = hash("emoji/" field[3])
	total = FNR
}

function apart(a, b, i, sum) {
	split(look[a], left, " ")
	split(look[b], right, " ")
	for (i = 1; i <= 192; i++)
		sum += left[i] > right[i] ? left[i] - right[i] : right[i] - left[i]
	return sum / 192
}

END {
	for (i = 1; i <= total; i++) {
		for (j = i; j > 1 && key[order[j - 1]] > key[i]; j--)
			order[j] = order[j - 1]
		order[j] = i
	}
	for (i = 1; i <= total && chosen < count; i++) {
		one = order[i]
		split(line[one], field, "\t")
		twin = 0
		for (j = 1; j <= chosen && !twin; j++)
			if (apart(pick[j], one) < 10)
				twin = pick[j]
		if (twin) {
			split(line[twin], other, "\t")
			print field[3], other[3] >"/dev/fd/3"
			continue
		}
		pick[++chosen] = one
		print chosen, field[2], field[3], field[4]
	}
}
