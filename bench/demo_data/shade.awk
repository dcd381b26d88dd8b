# shade.awk -v rgb=d23232 -v seed=TEXT: the colour, each part up to 14 levels off.
BEGIN {
	digits = "0123456789abcdef"
	for (i = 0; i < 3; i++) {
		value = 16 * (index(digits, substr(rgb, 2 * i + 1, 1)) - 1)
		value += index(digits, substr(rgb, 2 * i + 2, 1)) - 1 + below(29, seed "/" i) - 14
		printf("%02x", value < 0 ? 0 : (value > 255 ? 255 : value))
	}
	print ""
}
