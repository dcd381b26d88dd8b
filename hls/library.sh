#!/usr/bin/env bash
# library.sh FILE OP=SOURCE...: the shared library of a container for XRT's software emulation: each
# op's source and its entry (calls.c), as the C compiler makes them. A source has its parameters
# (#define HLS_PE ... before all else, or CFLAGS="-DHLS_PE=8") and chooses its op itself, or is told
# by -DHLS_OP_<op>.
set -eu
file=$1
shift
here=$(dirname "$0")
objects=$(mktemp -d)
trap 'rm -rf "$objects"' EXIT
for pair; do
	op=${pair%%=*} list=OMT_${pair%%=*}
	flags=(-std=c11 -O3 -fPIC -ffp-contract=off -Wall -Wextra -Wno-unknown-pragmas
		-DHLS_COUNTING "-DHLS_OP_$op" "-I$here")
	# shellcheck disable=SC2086 # a list of flags
	"${CC:-cc}" "${flags[@]}" ${CFLAGS:-} -c -o "$objects/$op.o" "${pair#*=}"
	"${CC:-cc}" "${flags[@]}" "-DHLS_CALL_OP=$op" "-DHLS_CALL_LIST=${list^^}" \
		-c -o "$objects/$op-call.o" "$here/calls.c"
done
"${CC:-cc}" -shared -o "$file.new" "$objects"/*.o -lm
mv "$file.new" "$file"
