# bitstream: containers for cards, packed, shown, verified; the manifest that lists them.
bits=$tmp/bits
mkdir "$bits"
contract=$(sed -n 's/#define OMT_CONTRACT_VERSION //p' device/contract.h)
cat >"$bits/manifest.yaml" <<EOF
bitstreams:
  - name: emu
    card: u250
    flow: xrt
    target: sw_emu
    contract: 1 # is set by the build
    file: emu.xclbin
    clock_mhz: 300
    kernels:
      gemm: {units: 2, names: [gemm_feed, gemm], bank: [0, 3], params: {pe: 8}}
      rmsnorm:
EOF
echo "kernels" >"$bits/kernels.so"
pack=("$omnitile" bitstream pack --manifest "$bits/manifest.yaml" --name emu)
container=$bits/emu.xclbin
check "bitstream --help" 0 "usage: omnitile bitstream pack | digest | info | verify" "$omnitile" \
	bitstream --help
check "bitstream, no action" 2 "expected build, pack, digest, info or verify" "$omnitile" bitstream
check "bitstream pack" 0 "" "${pack[@]}" --binary "$bits/kernels.so" --output "$container"
digest=$(sha256sum "$container" | cut -d' ' -f1)
check "bitstream pack writes the digest" 0 "^    digest: \"$digest\"" cat "$bits/manifest.yaml"
check "bitstream pack writes the contract" 0 "^    contract: $contract # is set by the build" cat \
	"$bits/manifest.yaml"
"${pack[@]}" --binary "$bits/kernels.so" --output "$bits/again"
check "bitstream pack, the same bytes again" 0 "" cmp "$container" "$bits/again"
check "bitstream info" 0 "gemm:gemm_2 .* DDR\[0\], DDR\[3\]" "$omnitile" bitstream info "$container"
check "bitstream info, registers" 0 "^  6 +m +int +scalar +0x58" "$omnitile" bitstream info \
	"$container"
check "bitstream info --json" 0 '"omnitile.kernel.gemm": "gemm units=2 pe=8"' "$omnitile" \
	bitstream info --json "$container"
check "bitstream verify" 0 "^[0-9]+ passed, 0 failed" "$omnitile" bitstream verify "$container"
check "bitstream verify, the entry" 0 "ok +entry emu: 3 kernels, the entry has 3" "$omnitile" \
	bitstream verify --manifest "$bits/manifest.yaml" "$container"
sed -i 's/pe: 8/pe: 4/' "$bits/manifest.yaml"
check "bitstream verify, another entry" 1 'is "gemm units=2 pe=8", the entry says "gemm.*pe=4"' \
	"$omnitile" bitstream verify "$container"
check "bitstream verify, no such entry" 2 "no entry of .* has this file" "$omnitile" bitstream \
	verify --manifest bitstreams/manifest.yaml "$container"
cp "$container" "$bits/broken"
printf x | dd of="$bits/broken" bs=1 seek=900 conv=notrunc status=none
check "bitstream verify, a changed byte" 1 "FAIL uuid: not of this content" "$omnitile" bitstream \
	verify "$bits/broken"
truncate -s 2000 "$bits/broken"
check "bitstream verify, truncated" 2 "broken: the head says .* bytes .*: truncated" "$omnitile" \
	bitstream verify "$bits/broken"
check "bitstream info, no container" 2 "kernels.so: 8 bytes, an xclbin's head has 456" "$omnitile" \
	bitstream info "$bits/kernels.so"
check "bitstream digest" 0 "" "$omnitile" bitstream digest --manifest "$bits/manifest.yaml" \
	--name emu
check "bitstream digest, no such entry" 2 'no entry "x" among emu' "$omnitile" bitstream digest \
	--manifest "$bits/manifest.yaml" --name x
refused() { # CHANGE PATTERN: what a pack of the manifest with this change says
	sed -i.kept "$1" "$bits/manifest.yaml"
	check "bitstream pack, $2" 2 "$2" "${pack[@]}" --binary "$bits/kernels.so" \
		--output "$bits/none"
	mv "$bits/manifest.yaml.kept" "$bits/manifest.yaml"
}
refused 's/card: u250/card: u251/' 'u251: no card among the devices'
refused 's/0, 3/0, 4/' 'manifest.yaml:2: emu: kernel gemm: bank 4, card u250 has 4'
refused 's/0, 3/3/' 'kernel gemm does not reach bank 0'
refused 's/rmsnorm:/gemv:/' 'kernel "gemv" is no op'
refused 's/clock_mhz/clock/' 'unknown key "bitstreams\[0\].clock"'
check "bitstream pack, nothing was written" 1 "" test -e "$bits/none"
check "bitstream pack, no binary" 2 "bitstream pack: .*/no.so: No such file" "${pack[@]}" --binary \
	"$bits/no.so" --output "$bits/none"
