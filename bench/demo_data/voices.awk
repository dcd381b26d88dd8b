# voices.awk: names, one a line; prints an id, the name, and which voice of the test says it.
{
	id = $0
	gsub(/ /, "-", id)
	print id "\t" $0 "\ttest" below(4, "voice/" id)
}
