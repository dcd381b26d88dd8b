#!/usr/bin/env bash
# run.sh SECONDS TARGET...: runs each fuzz target from its kept corpus with libFuzzer, ASan and
# UBSan. New inputs go to build/fuzz/corpus/; a crash ends it with the input that made it.
set -eu
seconds=$1
shift
command -v clang >/dev/null || .ci/setup.sh clang libclang-rt-14-dev
for target; do
	make --no-print-directory MODE=fuzz CC=clang "build/fuzz/bin/$target"
	corpus=build/fuzz/corpus/${target#fuzz_}
	mkdir -p "$corpus"
	echo "== $target for $seconds s"
	"build/fuzz/bin/$target" -max_total_time="$seconds" -max_len=65536 -timeout=10 \
		-rss_limit_mb=4096 -artifact_prefix=build/fuzz/ -print_final_stats=0 -verbosity=0 \
		"$corpus" "tests/fuzz/corpus/${target#fuzz_}"
done
