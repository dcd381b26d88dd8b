#!/usr/bin/env bash
# mend.sh LIBRARY COPY: Debian's libxrt_swemu of XRT 202210.2.13.466+dfsg-8 with a mistake mended.
#
# CpuemShim::alloc_void() grows the buffer that all messages go through and does not keep the new
# place (`realloc(buf, n)` where upstream has `buf = realloc(buf, n)`): every message that is longer
# than all before writes into freed memory, and a program dies at its first
# clCreateProgramWithBinary. The store that is missing stands in the function already, for the first
# buffer; the jump after realloc is sent there, two bytes: `jne +e6` (75 e6) to `jmp -21` (eb df).
# A library without this very code, mended or of another version, is taken as it is.
set -eu
library=$(readlink -f "$1") copy=$2
# mov %rax,buf(%rbx); mov %rbp,%rax; jmp; nop; mov buf(%rdi),%rdi; call realloc; test %rax; jne
code='\x48\x89\x83\x70\x06\x00\x00\x48\x89\xe8\xeb.\x0f\x1f\x40\x00'
code+='\x48\x8b\xbf\x70\x06\x00\x00\xe8[\x00-\xff]{4}\x48\x85\xc0\x75\xe6'
jump=31 # of the code
mapfile -t places < <(LC_ALL=C grep -obUaP "$code" "$library" | cut -d: -f1)
rm -f "$copy"
if [ ${#places[@]} != 1 ]; then
	echo "mend: $library has not the code that is known to be wrong, it is taken as it is" >&2
	ln -s "$library" "$copy"
	exit 0
fi
cp "$library" "$copy.new"
printf '\xeb\xdf' | dd of="$copy.new" bs=1 seek=$((places[0] + jump)) conv=notrunc status=none
mv "$copy.new" "$copy"
