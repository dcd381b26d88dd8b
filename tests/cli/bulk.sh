# bulk.sh: many items, read by tests/cli.sh: shards, kill -9 and going on, ranks, what is refused.
# BULK_SEED (printed) chooses where it is killed, BULK_ROUNDS how many runs there are.
# tests/bulk.sh does the same by hand, for longer.
bulk=$tmp/bulk
mkdir "$bulk"
: "${BULK_ROUNDS:=2}" "${BULK_SEED:=$RANDOM}" "${BULK_LINES:=150}"
RANDOM=$BULK_SEED
for i in $(seq "$BULK_LINES"); do
	case $((i % 41)) in
	7) echo ;;
	13) echo "{\"id\":\"bad $i\",\"image\":\"nowhere.png\"}" ;;
	29) echo '{"_id":"item 1","title":"T","text":"an id twice"}' ;;
	*) echo "{\"id\":\"item $i\",\"text\":\"bird $i of $((i * i))\"}" ;;
	esac
done >"$bulk/list.jsonl"
thirteen=$(((BULK_LINES + 12) / 13)) # lines a shard
shards=("$omnitile" embed --model "$data/tiny" --backend ref --input "$bulk/list.jsonl")
shards() { # FOLDER OPTION...
	"${shards[@]}" --output "$bulk/$1/" "${@:2}"
}
start_shards() { # the same in the background, $! is its process
	"${shards[@]}" --output "$bulk/$1/" "${@:2}" --shard-items $thirteen --quiet \
		>"$bulk/out" 2>&1 </dev/null &
}
failed=$((BULK_LINES / 41 + (BULK_LINES % 41 >= 13) + BULK_LINES / 41 + (BULK_LINES % 41 >= 29)))
items=$((BULK_LINES - BULK_LINES / 41 - (BULK_LINES % 41 >= 7)))
check "bulk: shards" 1 "^$items items, $failed failed in 13 shards; now $items in" \
	shards whole --shard-items $thirteen
check "bulk: failed items in a file of their own" 0 \
	'^\{"id":"bad 13","error":".*nowhere.png: No such file or directory","line":13\}$' \
	cat "$bulk/whole/failed.jsonl"
check "bulk: all of them" 0 "^$failed$" grep -c . "$bulk/whole/failed.jsonl"
check "bulk: an id twice is an error with its line" 0 'list.jsonl:29: id \\"item 1\\" for' \
	cat "$bulk/whole/failed.jsonl"
check "bulk: nothing to do" 1 "^$items items, $failed failed in 13 shards$" shards whole
check "bulk: one file has the same vectors" 1 "$items items, $failed failed" "$omnitile" embed \
	--model "$data/tiny" --backend ref --input "$bulk/list.jsonl" --output "$bulk/one.npy"
for file in "$bulk"/whole/vectors-*.npy; do tail -c +129 "$file"; done >"$bulk/rows"
check "bulk: byte for byte" 0 "" cmp "$bulk/rows" <(tail -c +129 "$bulk/one.npy")
check "bulk: and ids" 0 "" cmp <(cat "$bulk"/whole/vectors-*.ids.jsonl) "$bulk/one.ids.jsonl"

sed 's/peak_gflops: .*/peak_gflops: 10\nfails_after_ops: 500/' "$device" >"$bulk/weak.yaml"

# Killed at random points until it comes to its end: what is there then is what one start makes.
echo "     bulk: BULK_SEED=$BULK_SEED, $BULK_ROUNDS rounds"
kills=0
for round in $(seq "$BULK_ROUNDS"); do
	rm -rf "$bulk/killed"
	for try in $(seq 200); do
		start_shards killed
		pid=$!
		# Later and later: a slow machine may not start within the first times.
		delay_ms=$((30 + RANDOM % (400 + 40 * try)))
		sleep "$((delay_ms / 1000)).$(printf %03d $((delay_ms % 1000)))"
		if kill -9 $pid 2>/dev/null; then kills=$((kills + 1)); fi
		wait $pid 2>/dev/null
		[ $? = 137 ] || break
	done
	check "bulk: killed and gone on, round $round" 0 "" diff -r "$bulk/whole" "$bulk/killed"
done
check "bulk: there were kills" 0 "^[1-9]" echo $kills
echo "     bulk: $kills kills"
# Ranks, of which some are killed, and then another number of them.
for rank in 0 1 2; do
	start_shards ranks --rank $rank --world 3
	pids[rank]=$!
done
sleep "0.$(printf %03d $((100 + RANDOM % 400)))"
kill -9 "${pids[RANDOM % 3]}" 2>/dev/null
wait "${pids[@]}" 2>/dev/null
for rank in 0 1; do
	OMPI_COMM_WORLD_RANK=$rank OMPI_COMM_WORLD_SIZE=2 shards ranks --quiet 2>/dev/null
done
check "bulk: ranks make the same" 0 "" diff -r "$bulk/whole" "$bulk/ranks"
check "bulk: a SIGTERM is told how to go on" 2 "stopped: .* the same command goes on" bash -c "
	'$omnitile' embed --model '$data/tiny' --backend ref --input '$bulk/list.jsonl' \
		--output '$bulk/term/' --shard-items 5 &
	for i in {1..500}; do [ -e '$bulk/term/manifest.json' ] && break; sleep 0.02; done
	kill \$!; wait \$!"
check "bulk: and goes on" 1 "^$items items, $failed failed" shards term
cp "$inputs/img_tiny_20x20.png" "$bulk/nowhere.png"
check "bulk: failed items again" 1 "^$items items, .*; now $failed in" shards killed --retry-failed
rm -r "$bulk/whole"
shards whole --shard-items $thirteen --quiet 2>/dev/null
check "bulk: as if they had not failed" 0 "" diff -r "$bulk/whole" "$bulk/killed"

check "bulk: another setting" 2 'settings.role was "passage", now it is "query"' shards whole \
	--role query
check "bulk: a limit of files may differ" 1 "$items items" shards whole --max-bytes 1000
check "bulk: zeros beside vectors" 2 'settings.vectors was "computed", now it is "zeros"' \
	shards whole --backend model --device $device
check "bulk: --restart" 0 "all vectors are zeros" bash -c "
	'$omnitile' embed --model '$data/tiny' --input '$bulk/list.jsonl' --output '$bulk/whole' \
		--restart --backend model --device $device; test \$? = 1"
echo '{"text":"more"}' >>"$bulk/list.jsonl"
check "bulk: another list" 2 "list.bytes was" shards killed
check "bulk: inputs that are no list" 2 "shards are made of an --input list" "$omnitile" embed \
	--model "$data/tiny" --text a --output "$bulk/x/"
check "bulk: a list that cannot be read again" 2 "not a regular file" "$omnitile" embed \
	--model "$data/tiny" --input /dev/stdin --output "$bulk/x/"
check "bulk: ranks without shards" 2 "--output FOLDER/" "$omnitile" embed --model "$data/tiny" \
	--text a --rank 0 --world 2
check "bulk: half a pair" 2 "PMI_RANK is set, PMI_SIZE is not" env PMI_RANK=0 \
	"$omnitile" embed --model "$data/tiny" --input "$bulk/list.jsonl" --output "$bulk/x/"
check "bulk: a rank beyond" 2 'SLURM_PROCID is "4", expected a number from 0 to 3' env \
	SLURM_PROCID=4 SLURM_NTASKS=4 \
	"$omnitile" embed --model "$data/tiny" --input "$bulk/list.jsonl" --output "$bulk/x/"
check "bulk: options go over variables" 2 '--rank is "2", expected' env RANK=0 WORLD_SIZE=4 \
	"$omnitile" embed --model "$data/tiny" --input "$bulk/list.jsonl" --output "$bulk/x/" \
	--rank 2 --world 2
check "bulk: a batch script is no rank" 1 "in [0-9]+ shards; now [0-9]+ in [0-9.]+ s, .* items/s$" \
	env SLURM_JOB_ID=7 SLURM_PROCID=0 SLURM_NTASKS=4 "$omnitile" embed --model "$data/tiny" \
	--backend model --device $device --input "$bulk/list.jsonl" --output "$bulk/x/" \
	--shard-items 10
check "bulk: a device that fails fails no items" 2 \
	"ended early: [1-9][0-9]* of [0-9]+ shards .* the same command goes on" "$omnitile" embed \
	--model "$data/tiny" --backend model --device "$tmp/bulk/weak.yaml" \
	--input "$bulk/list.jsonl" --output "$bulk/weak/" --shard-items $(((BULK_LINES + 30) / 30))
check "bulk: lines to a file" 0 '"embedding":\[' bash -c "'$omnitile' embed --model '$data/tiny' \
	--text a --output '$bulk/v.jsonl' && cat '$bulk/v.jsonl'"
: >"$bulk/same.jsonl"
check "bulk: vectors over their list" 2 "--output would go over the list" "$omnitile" embed \
	--model "$data/tiny" --input "$bulk/same.jsonl" --output "$bulk/../bulk/same.jsonl"
check "bulk: whose vectors they are" 0 '"model":"NVOmniEmbedModel/64/' cat "$bulk/one.meta.json"
