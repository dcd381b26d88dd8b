# merge, and --adapter where a model is opened. The adapter is one of rank 1 with ones.
adapter=$tmp/adapter
mkdir -p "$adapter"
echo '{"peft_type": "LORA", "r": 1, "lora_alpha": 0.5, "target_modules": ["v_proj"]}' \
	>"$adapter/adapter_config.json"
module=base_model.model.model.layers.1.self_attn.v_proj
header="{\"$module.lora_A.weight\":{\"dtype\":\"F32\",\"shape\":[1,64],\"data_offsets\":[0,256]},"
header+="\"$module.lora_B.weight\":{\"dtype\":\"F32\",\"shape\":[32,1],\"data_offsets\":[256,384]}}"
{
	# Its length in 8 bytes.
	printf "\\x$(printf %02x $((${#header} % 256)))\\x$(printf %02x $((${#header} / 256)))"
	printf '\0\0\0\0\0\0%s' "$header"
	printf '\0\0\200?%.0s' {1..96}
} >"$adapter/adapter_model.safetensors"

adapted() { # embeds two texts
	"$omnitile" embed --backend openblas --quiet --text "a red bird" --text b "$@"
}
check "merge" 0 "" "$omnitile" merge --model "$data/tiny" --adapter "$adapter" --dtype f32 \
	--output "$tmp/merged" --quiet
adapted --model "$data/tiny" >"$tmp/plain.jsonl"
adapted --model "$data/tiny" --adapter "$adapter" >"$tmp/adapted.jsonl"
adapted --model "$tmp/merged" >"$tmp/merged.jsonl"
check "an adapter changes vectors" 1 "differ" cmp "$tmp/plain.jsonl" "$tmp/adapted.jsonl"
check "merged at the start and into a checkpoint: the same" 0 "" cmp "$tmp/merged.jsonl" \
	"$tmp/adapted.jsonl"
check "merge writes f32" 0 '"torch_dtype": "float32"' cat "$tmp/merged/config.json"
check "merge keeps the dtype" 0 '"torch_dtype": "bfloat16"' sh -c \
	"'$omnitile' merge --model '$data/tiny' --adapter '$adapter' --output '$tmp/merged16/' \
	&& cat '$tmp/merged16/config.json'"
check "an index of the model, a search with its adapter" 2 "of model|vectors of" sh -c \
	"cd '$tmp' && '$omnitile' embed --model '$data/tiny' --text a --output p.npy --quiet &&
	'$omnitile' index --vectors p.npy --output p.idx --quiet &&
	'$omnitile' search --index p.idx --model '$data/tiny' --adapter '$adapter' --text a"
check "plan with an adapter" 0 "memory .* fits" "$omnitile" plan --model "$data/tiny" \
	--adapter "$adapter"
check "plan, an adapter of a shape" 2 "no --like beside it" "$omnitile" plan --like tiny \
	--model "$data/tiny" --adapter "$adapter"
check "merge, nowhere to write" 2 "expected --model DIR, --adapter DIR and --output DIR" \
	"$omnitile" merge --model "$data/tiny" --adapter "$adapter"
check "merge, onto what is there" 2 "merged: is there and not empty" "$omnitile" merge \
	--model "$data/tiny" --adapter "$adapter" --output "$tmp/merged"
check "merge, no such dtype" 2 'dtype is "f16", expected bf16 or f32' "$omnitile" merge \
	--model "$data/tiny" --adapter "$adapter" --output "$tmp/f16" --dtype f16
check "merge, no adapter there" 2 "adapter_config.json: No such file" "$omnitile" merge \
	--model "$data/tiny" --adapter "$tmp" --output "$tmp/none"
cp "$adapter/adapter_model.safetensors" "$tmp/sound"
printf '\0\0\300\177' | dd of="$adapter/adapter_model.safetensors" bs=1 \
	seek=$((8 + ${#header} + 8)) conv=notrunc status=none
check "merge, no number" 2 "lora_A.weight is nan at element 2" "$omnitile" merge \
	--model "$data/tiny" --adapter "$adapter" --output "$tmp/none"
mv "$tmp/sound" "$adapter/adapter_model.safetensors"
sed -i 's/"LORA"/"IA3"/' "$adapter/adapter_config.json"
check "merge, another kind of adapter" 2 'peft_type is "IA3", expected "LORA"' "$omnitile" merge \
	--model "$data/tiny" --adapter "$adapter" --output "$tmp/none"
check "nothing is left of a merge that failed" 2 "No such file" ls "$tmp/none" "$tmp/none.omnitile"
