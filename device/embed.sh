#!/bin/sh
# embed.sh FILE...: C source that holds the files' text, for the OpenCL backend.
# Lines that include contract.h are left out of the kernels: the backend puts it in front.
set -eu
echo '/* Made by device/embed.sh. */'
echo '#include "exec/kernels.h"'
echo 'const omt_kernel_source omt_kernel_sources[] = {'
for file; do
	printf '{"%s",\n' "$(basename "$file")"
	sed -e '/^#include "contract.h"/d' -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/\t/\\t/g' \
		-e 's/^/"/' -e 's/$/\\n"/' "$file"
	echo '},'
done
echo '};'
echo 'const size_t omt_kernel_source_count ='
echo '	sizeof omt_kernel_sources / sizeof *omt_kernel_sources;'
