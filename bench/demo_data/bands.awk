# bands.awk SIZES -: four loudnesses a line, a hundred lines a second, of files one after another of
# 44 bytes and 32,000 a second; prints 64 numbers a file.
NR == FNR {
	ends[++files] = (ends[files - 1] += 0) + ($1 - 44) / 320
	next
}

FNR == 1 { file = 1 }

{
	while (file < files && FNR > ends[file])
		flush()
	slice = int(16 * (FNR - 1 - ends[file - 1]) / (ends[file] - ends[file - 1]))
	count[slice]++
	for (band = 1; band <= 4; band++)
		sum[slice, band] += $band
}

END {
	while (file <= files)
		flush()
}

function flush(slice, band, most, line) {
	for (slice = 0; slice < 16; slice++)
		for (band = 1; band <= 4; band++) {
			sum[slice, band] /= count[slice] ? count[slice] : 1
			most = sum[slice, band] > most ? sum[slice, band] : most
		}
	for (slice = 0; slice < 16; slice++)
		for (band = 1; band <= 4; band++)
			line = line " " int(100 * sum[slice, band] / (most ? most : 1) + 0.5)
	print line
	split("", sum)
	split("", count)
	file++
}
