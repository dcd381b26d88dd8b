#!/usr/bin/env bash
# race.sh TEST_OP: the op checks of the OpenCL backend under oclgrind, which runs kernels
# work-item by work-item and reports data races and accesses out of bounds. (Its --uninitialized
# crashes on vector loads in Debian 12's version, 21.10.)
set -u
log=$(mktemp)
trap 'rm -f "$log"' EXIT
OMT_TEST_BACKENDS=opencl OMT_TEST_SMALL=1 oclgrind --data-races --log "$log" "$1"
status=$?
if [ -s "$log" ]; then
	head -n 40 "$log"
	exit 1
fi
exit $status
