#!/bin/sh
# embed.sh ARRAY FILE...: C source with the files' text in an array (host/exec/embedded.h).
# Of kernels, lines that include contract.h are left out (the backend puts it in front), and each
# kernel is put between #ifdef OMT_KERNEL_<its name> and #endif: a program holds what it needs.
set -eu
array=$1
shift
echo '/* Made by device/embed.sh. */'
echo '#include "exec/embedded.h"'
echo "const omt_embedded ${array}[] = {"
for file; do
	printf '{"%s",\n' "$(basename "$file")"
	sed -e '/^#include "contract.h"/d' \
		-e '/^__kernel/,/^}/s/^}/&\n#endif/' \
		-e 's/^__kernel.* void \([a-z0-9_]*\)(/#ifdef OMT_KERNEL_\1\n&/' "$file" |
		sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/\t/\\t/g' -e 's/^/"/' -e 's/$/\\n"/'
	echo '},'
done
echo '};'
echo "const size_t ${array}_count = sizeof $array / sizeof *$array;"
