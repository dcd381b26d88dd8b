#!/usr/bin/env bash
# run.sh BUILD SUITE...: what `make test` runs after everything is built. Every part runs, whatever
# the others said; each ends with a line that tells how it went. With MODE=asan one process in a
# hundred or so ends with a leak of PoCL's compiler (16 bytes of libpocl, all else libLLVM's): what
# it keeps until the end. A leak of omnitile's has its own frames.
set -u
build=$1
shift
failed=()
# Nothing is kept in the user's folder; what one part keeps, the next ones use.
OMT_CACHE_DIR=$(mktemp -d)
export OMT_CACHE_DIR
trap 'rm -rf "$OMT_CACHE_DIR"' EXIT
export OMT_DEVICES_DIR=/nonexistent # the shipped tiles, whatever the user has

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
part "reports in a browser" tests/report.sh "$build/omnitile"
# The path of CPUs without AVX-512, where this one has it: the kernels once more, and no zmm
# register in what PoCL built.
avx2() {
	env LD_PRELOAD="$PWD/$build/avx2_only.so" ASAN_OPTIONS=verify_asan_link_order=0 \
		POCL_CACHE_DIR="$PWD/$build/pocl-avx2" OMT_TEST_BACKENDS=opencl "$@"
}
no_zmm() {
	local objects
	mapfile -t objects < <(find "$build/pocl-avx2" -name '*.so')
	[ ${#objects[@]} -gt 9 ] || return 1
	! objdump -d "${objects[@]}" | grep -m1 '%zmm'
}
if [ "$("$build/omnitile" devices)" != "$(avx2 "$build/omnitile" devices)" ]; then
	part "AVX2 only, OpenCL devices" avx2 "$build/omnitile" devices
	part "AVX2 only, suite op" avx2 "$build/test_op"
	part "AVX2 only, suite golden" avx2 "$build/test_golden" --filter '*/opencl'
	part "AVX2 only, no AVX-512 code" no_zmm
fi
for target in "$build"/replay/fuzz_*; do
	name=$(basename "$target")
	part "corpus ${name#fuzz_}" "$target" "tests/fuzz/corpus/${name#fuzz_}"
done
[ ${#failed[@]} = 0 ] || {
	printf 'FAILED: %s\n' "${failed[@]}"
	exit 1
}
echo "all tests passed"
