# report: forms, remarks, records that are not sound.
# shellcheck disable=SC2154,SC2148
records=tests/golden/report
check "report" 0 "" "$omnitile" report $records/demo.jsonl -o "$tmp/report.html"
check "report is a page" 0 "^<!DOCTYPE html>" cat "$tmp/report.html"
check "report, no network, no script" 1 "" \
	grep -E '<script|https?://|src=|href="[^#]' "$tmp/report.html"
check "report, both layouts" 0 '^\| 2 \| .* \| 5 valid' "$omnitile" report \
	$records/demo.jsonl $records/old.jsonl --markdown
check "report, a line cut off is a remark" 0 "sweep.jsonl:13: the last line is cut off" \
	"$omnitile" report $records/sweep.jsonl -o "$tmp/report.html"
check "report, INVALID and why" 0 "41 queries, at least 100" "$omnitile" report --markdown \
	$records/sweep.jsonl
check "report, CSV" 0 "^point,weights,engine.slots,dimension,.*nDCG@10,nDCG@10_low" \
	"$omnitile" report --quiet --csv --table points $records/sweep.jsonl
check "report, CSV of parts" 0 "^61$" bash -c \
	"'$omnitile' report --quiet --csv $records/sweep.jsonl | wc -l"
check "report, formulas in CSV" 0 "'=1\\+1,.*,'?" "$omnitile" report --csv $records/hostile.jsonl
check "report, no such table" 2 'no table "x" .* parts retrieval start' "$omnitile" report --csv \
	--table x $records/demo.jsonl
check "report, two forms" 2 "or none" "$omnitile" report --csv --markdown $records/demo.jsonl
check "report, no file" 2 "expected files" "$omnitile" report
check "report, a file that is not there" 2 "nowhere.jsonl: No such file" "$omnitile" report \
	"$tmp/nowhere.jsonl"
printf '{"parts":[]}\n{"parts":\n{"parts":[]}\n' >"$tmp/torn.jsonl"
check "report, a torn line within" 2 "torn.jsonl:2: not JSON" "$omnitile" report "$tmp/torn.jsonl"
echo '[1]' >"$tmp/array.jsonl"
check "report, a line that is no object" 2 "array.jsonl:1: not a JSON object" "$omnitile" report \
	"$tmp/array.jsonl"
check "report, other benchmarks' lines" 2 "no records: .*gemm.jsonl:1: no record of omnitile" \
	"$omnitile" report bench/results/2026-11-25-gemm.jsonl
: >"$tmp/empty.jsonl"
check "report, an empty file" 2 "empty.jsonl: no records" "$omnitile" report "$tmp/empty.jsonl"
check "report, not in place of a device" 2 "not a regular file" "$omnitile" report \
	$records/demo.jsonl -o /dev/null
