#!/usr/bin/env bash
# run.sh BUILD SUITE...: what `make test` runs after everything is built.
set -u
build=$1
shift
bad=0
echo "OpenCL devices:"
"$build/omnitile" devices || bad=1
for suite; do
	echo "== $suite"
	"$build/test_$suite" || bad=1
done
echo "== command line"
tests/cli.sh "$build/omnitile" || bad=1
echo "== fuzz corpora"
for target in "$build"/replay/fuzz_*; do
	name=$(basename "$target")
	"$target" tests/fuzz/corpus/"${name#fuzz_}" || { echo "FAIL $name"; bad=1; }
done
[ $bad = 0 ] && echo "all tests passed" || echo "SOME TESTS FAILED"
exit $bad
