# model.mk - the device process of XRT's software emulation, and a folder that XRT finds it in.
# hls.mk includes this. Packages: FPGA_PACKAGES, installed by `make test-fpga`.

FPGA_PACKAGES += libxrt1 libxrt-dev libxrt-utils libprotobuf-c-dev protobuf-c-compiler
MODEL     := $B/hls/device_model
MODEL_SRC := $(wildcard hls/device_model/*.c)
# What knows no protobuf is tested with the rest.
MODEL_PARTS := $(patsubst %.c,$B/%.o,$(filter-out %/main.c %/calls.c,$(MODEL_SRC)))

$(MODEL)/messages.pb-c.c: hls/device_model/messages.proto
	@mkdir -p $(@D)
	@protoc-c --proto_path=$(<D) --c_out=$(@D) $<

$(MODEL)/messages.pb-c.o: $(MODEL)/messages.pb-c.c
	@$(CC) $(ALL_CFLAGS) -w -c -o $@ $<

$(MODEL)/calls.o: $(MODEL)/messages.pb-c.c
$(MODEL)/calls.o: ALL_CFLAGS += -I$(MODEL)

$B/genericpciemodel: $(MODEL_SRC:%.c=$B/%.o) $(MODEL)/messages.pb-c.o $B/libomnitile.a
	@echo "link  $@"
	@$(CC) $(ALL_CFLAGS) -Wl,--as-needed -o $@ $^ -lprotobuf-c $(ALL_LIBS) -ldl

# build/fpga/env.sh sets what a shell needs: . build/fpga/env.sh
.PHONY: fpga
fpga: $B/genericpciemodel
	@hls/device_model/setup.sh build/fpga $<

# ---- tests: what needs no XRT with the rest, tests/fpga/model.sh through the packaged one ----

MODEL_TESTS   := $(addprefix $B/fpga/,drive container kernels.so registers)
FPGA_PROGRAMS += $B/genericpciemodel $(MODEL_TESTS)

$B/test_unit $B/fpga/registers $B/replay/fuzz_device_model $B/bin/fuzz_device_model: $(MODEL_PARTS)
# Where a pattern makes it, the library stands before these parts.
$B/fpga/registers $B/%/fuzz_device_model: ALL_LIBS = $B/libomnitile.a $(PKG_LIBS) -lm -pthread

$B/fpga/kernels.so: tests/fpga/kernels.c
	@mkdir -p $(@D)
	@$(CC) $(ALL_CFLAGS) -fPIC -shared -o $@ $<

.PHONY: test-model
test-model: $B/genericpciemodel $(MODEL_TESTS)
	@tests/fpga/model.sh $B
