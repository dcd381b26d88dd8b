# near.awk -v levels=N TEST TRAIN: lines of a file's name, a tab and its numbers. Prints training
# files whose numbers are on average less than N from those of a test file: both names, how far.
BEGIN {
	FS = OFS = "\t"
}

NR == FNR {
	tests = NR
	name[NR] = $1
	values = split($2, number, " ")
	for (i = 1; i <= values; i++) {
		test[NR, i] = number[i]
		sum[NR] += number[i]
	}
	next
}

{
	split($2, number, " ")
	total = 0
	for (i = 1; i <= values; i++)
		total += number[i]
	limit = levels * values
	for (t = 1; t <= tests; t++)
		if (total - sum[t] < limit && sum[t] - total < limit)
			compare(t)
}

function compare(t, i, far) {
	for (i = 1; i <= values && far < limit; i++)
		far += number[i] > test[t, i] ? number[i] - test[t, i] : test[t, i] - number[i]
	if (far < limit)
		print $1, name[t], sprintf("%.2f", far / values)
}
