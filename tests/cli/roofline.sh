# bench roofline: what a device can do, quickly, and what is wrong with the question.
for backend in opencl openblas ref; do
	check "bench roofline on $backend" 0 '"f32": [1-9]' "$omnitile" bench roofline --quick \
		--backend $backend --json
done
check "bench roofline, a table" 0 '^f32 +[0-9]+\.[0-9] +[0-9]' "$omnitile" bench roofline --quick
check "bench roofline, a device model" 0 '^f32 +1000\.0 +13\.0' "$omnitile" bench roofline \
	--backend model --device $device
check "bench roofline --help" 0 'usage: omnitile bench roofline' "$omnitile" bench roofline --help
check "bench roofline, an argument" 2 'unexpected x' "$omnitile" bench roofline x
check "bench roofline, no such backend" 2 'backend "gpu"' "$omnitile" bench roofline --backend gpu
check "bench roofline, no such device" 2 'no OpenCL device "none"' "$omnitile" bench roofline \
	--backend opencl --device none
check "bench roofline, no such model" 2 'none.yaml' "$omnitile" bench roofline --backend model \
	--device none.yaml
