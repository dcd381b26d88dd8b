#!/usr/bin/env bash
# run.sh BUILD SUITE...: what `make test` runs after everything is built. Every part runs, whatever
# the others said; each ends with a line that tells how it went.
set -u
build=$1
shift
failed=()
# Nothing is kept in the user's folder; what one part keeps, the next ones use.
OMT_CACHE_DIR=$(mktemp -d)
export OMT_CACHE_DIR
trap 'rm -rf "$OMT_CACHE_DIR"' EXIT

# part NAME COMMAND...
part() {
	local name=$1
	shift
	echo "== $name"
	if "$@"; then
		echo "ok   $name"
	else
		echo "FAIL $name (status $?)"
		failed+=("$name")
	fi
}

part "OpenCL devices" "$build/omnitile" devices
for suite; do
	part "suite $suite" "$build/test_$suite" --filter '!(pipe)/*'
done
# Timing: alone, one at a time. Criterion runs the others side by side.
part "overlap" "$build/test_unit" --filter 'pipe/*' -j1
part "command line" tests/cli.sh "$build/omnitile"
for target in "$build"/replay/fuzz_*; do
	name=$(basename "$target")
	part "corpus ${name#fuzz_}" "$target" "tests/fuzz/corpus/${name#fuzz_}"
done
[ ${#failed[@]} = 0 ] || {
	printf 'FAILED: %s\n' "${failed[@]}"
	exit 1
}
echo "all tests passed"
