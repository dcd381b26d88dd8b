#!/usr/bin/env bash
# run.sh BUILD: every tests/fpga/*.sh but this one, each in a process group of its own: XRT's
# emulation ends its whole group when something goes wrong. What `make test-fpga` runs.
set -u
build=$1
failed=()
export OMT_CACHE_DIR='' OMT_DEVICES_DIR=/nonexistent
for part in tests/fpga/*.sh; do
	name=$(basename "$part" .sh)
	[ "$name" != run ] || continue
	echo "== FPGA, $name"
	if setsid -w "$part" "$build"; then
		echo "ok   FPGA, $name"
	else
		echo "FAIL FPGA, $name"
		failed+=("$name")
	fi
done
[ ${#failed[@]} = 0 ] || {
	printf 'FAILED: %s\n' "${failed[@]}"
	exit 1
}
echo "all FPGA tests passed"
