# hls.mk - the kernels of hls/: simulation into the library, checks that they stand alone.
# The Makefile includes this; B is the build folder.

# Ops and the sources that make them, where an op has none of its own name.
HLS_SOURCE_gemm_i8      := hls/gemm_hls.c
HLS_SOURCE_gemm_bf16    := hls/gemm_hls.c
HLS_SOURCE_rmsnorm_i8   := hls/rmsnorm_hls.c
HLS_SOURCE_layernorm_i8 := hls/layernorm_hls.c
HLS_OPS := $(patsubst hls/%_hls.c,%,$(wildcard hls/*_hls.c)) \
	gemm_i8 gemm_bf16 rmsnorm_i8 layernorm_i8

# -DHLS_OP_<op> chooses the op of a source that makes several.
define HLS_OBJECT
$B/hls/$(1).o: $(or $(HLS_SOURCE_$(1)),hls/$(1)_hls.c)
	@mkdir -p $$(@D)
	@echo "hls   $(1)"
	@$$(CC) $$(ALL_CFLAGS) -O3 -Wno-unknown-pragmas -DHLS_COUNTING -DHLS_OP_$(1) -c -o $$@ $$<
endef
$(foreach op,$(HLS_OPS),$(eval $(call HLS_OBJECT,$(op))))

# The gemms once more with other parameters: hls_<op>_<name>, for tests/op/check_gemm_tiles.c.
HLS_TILES_edges := -DHLS_PE=4 -DHLS_WIDTH=16 -DHLS_ROWS=32 -DHLS_COLS=128 -DHLS_DEPTH=32
HLS_TILES_odd   := -DHLS_PE=3 -DHLS_WIDTH=3 -DHLS_ROWS=12 -DHLS_COLS=18 -DHLS_DEPTH=12
define HLS_TILES
$B/hls/$(1)_$(2).o: hls/gemm_hls.c
	@mkdir -p $$(@D)
	@echo "hls   $(1) $(2)"
	@$$(CC) $$(ALL_CFLAGS) -Wno-unknown-pragmas -DHLS_COUNTING -DHLS_OP_$(1) $$(HLS_TILES_$(2)) \
		-Dhls_$(1)=hls_$(1)_$(2) -Dhls_params_$(1)=hls_params_$(1)_$(2) -c -o $$@ $$<
$B/test_op: $B/hls/$(1)_$(2).o
endef
$(foreach op,gemm gemm_i8 gemm_bf16,$(foreach name,edges odd,\
	$(eval $(call HLS_TILES,$(op),$(name)))))

# Each kernel alone: C99 without a warning but of pragmas; as OpenCL C where clang is.
.PHONY: hls-alone
hls-alone:
	@hls/alone.sh

include hls/device_model/model.mk

# ---- tests on emulated cards --------------------------------------------------------------------

# tests/fpga/NAME.sh BUILD is a part; $B/fpga/NAME is a program that parts run, tests/fpga/NAME.c.
FPGA_PROGRAMS += $B/fpga/xclbin
FPGA_PACKAGES += ocl-icd-opencl-dev uuid-dev python3-venv

$B/fpga/%: $B/tests/fpga/%.o $B/libomnitile.a
	@mkdir -p $(@D)
	@echo "link  $@"
	@$(CC) $(ALL_CFLAGS) -o $@ $^ $(ALL_LIBS)

$B/tests/fpga/xclbin.o: ALL_CFLAGS += -isystem /usr/include/xrt

.PHONY: test-fpga setup-fpga build-fpga
test-fpga: setup-fpga
	@$(MAKE) --no-print-directory -j$$(nproc) build-fpga
	@tests/fpga/run.sh $B

setup-fpga:
	@.ci/setup.sh $(PACKAGES) $(FPGA_PACKAGES)

build-fpga: all fpga $(FPGA_PROGRAMS) $B/test_op $B/test_golden

# make bitstreams CARD=intel-emulation [BITSTREAMS=build/bitstreams]: an entry's binary and digest.
BITSTREAMS ?= bitstreams
.PHONY: bitstreams
bitstreams: $B/omnitile
	@$(if $(CARD),,$(error CARD=NAME of an entry of $(BITSTREAMS)/manifest.yaml))
	@hls/bitstreams.sh $B/omnitile $(CARD) $(BITSTREAMS)
