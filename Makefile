# omnitile: `make demo` installs, builds and runs the benchmark; `make test` installs, builds, tests.
#
#   make                 build/release/omnitile and libomnitile.a
#   make MODE=asan       the same with AddressSanitizer and UBSan, in build/asan (also: MODE=debug;
#                        MODE=tsan: the tool alone, Criterion does not start with it)
#   make test            all tests        make fuzz       every fuzz target for FUZZ_SECONDS (60)
#   make race            oclgrind         make lint       layers, sizes, format
#   make test-fpga       XRT and cards in emulation        make install     to PREFIX (/usr/local)

MODE   ?= release
PREFIX ?= /usr/local
CC     ?= cc
B      := build/$(MODE)

PACKAGES := build-essential pkg-config ffmpeg xz-utils clinfo \
	pocl-opencl-icd ocl-icd-opencl-dev opencl-headers libopenblas-dev libyaml-dev libjansson-dev \
	libpcre2-dev libutf8proc-dev libavformat-dev libavcodec-dev libavutil-dev libswscale-dev \
	libswresample-dev libjpeg62-turbo-dev libxml2-dev
TEST_PACKAGES := libcriterion-dev oclgrind chromium libxml2-utils
DATA_PACKAGES := tuxpaint-stamps-default asterisk-core-sounds-en-wav fonts-noto-color-emoji \
	unicode-cldr-core espeak-ng pango1.0-tools

LIBS := OpenCL openblas yaml-0.1 jansson libpcre2-8 libutf8proc libavformat libavcodec libavutil \
	libswscale libswresample libjpeg libxml-2.0
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
FLAGS_release := -O2 -g
FLAGS_debug   := -O0 -g3
FLAGS_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer
FLAGS_tsan    := -O1 -g -fsanitize=thread
FLAGS_fuzz    := -O1 -g -fsanitize=fuzzer-no-link,address,undefined
CFLAGS   ?=
ALL_CFLAGS = -std=c11 $(WARNINGS) $(FLAGS_$(MODE)) -ffp-contract=off -pthread -MMD -MP \
	-D_GNU_SOURCE -DCL_TARGET_OPENCL_VERSION=120 -Ihost -I. $(PKG_CFLAGS) $(CFLAGS)
ALL_LIBS = $(PKG_LIBS) -lm -pthread
# Asked once, and only when something is built: pkg-config may not be installed yet.
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(shell pkg-config --cflags $(LIBS)))$(PKG_CFLAGS)
PKG_LIBS   = $(eval PKG_LIBS := $$(shell pkg-config --libs $(LIBS)))$(PKG_LIBS)

CLI_SRC  := $(wildcard host/cli/*.c)
LIB_SRC  := $(filter-out $(CLI_SRC),$(wildcard host/*/*.c)) \
	$(wildcard bench/*.c bench/scenario/*.c bench/probes/*.c bench/report/*.c)
.DEFAULT_GOAL := all
include hls/hls.mk
LIB_OBJ  := $(LIB_SRC:%.c=$B/%.o) $(HLS_OPS:%=$B/hls/%.o) \
	$B/embedded/kernels.o $B/embedded/devices.o
CLI_OBJ  := $(CLI_SRC:%.c=$B/%.o)
# contract.h first; these kernels' files hold functions that others use.
SHARED   := $(addprefix device/,storage.cl tile.cl gemm.cl rmsnorm.cl layernorm.cl quantize.cl \
	unfold.cl)
KERNELS  := device/contract.h $(SHARED) $(filter-out $(SHARED),$(wildcard device/*.cl))
SUITES   := unit op golden
FUZZERS  := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SECONDS ?= 60

.PHONY: all test demo demo-model fuzz race lint install setup setup-test clean
.DELETE_ON_ERROR:
.SECONDARY:

all: $B/omnitile

$B/omnitile: $(CLI_OBJ) $B/libomnitile.a
	@echo "link  $@"
	@$(CC) $(ALL_CFLAGS) -o $@ $^ $(ALL_LIBS)

$B/libomnitile.a: $(LIB_OBJ)
	@rm -f $@ && $(AR) rcs $@ $^

$B/%.o: %.c
	@mkdir -p $(@D)
	@echo "cc    $<"
	@$(CC) $(ALL_CFLAGS) -c -o $@ $<

# Hot loops there are left to the compiler's vectoriser (base/cpu.h).
$B/host/prep/%.o $B/host/media/%.o $B/host/index/%.o $B/host/train/%.o $B/host/exec/%.o \
$B/host/model/adapter%.o: FLAGS_release += -O3

# The kernels' text and the tuned tiles of devices travel inside the library.
$B/embedded/kernels.c: $(KERNELS) device/embed.sh
	@mkdir -p $(@D)
	@device/embed.sh omt_kernel_sources $(KERNELS) > $@

$B/embedded/devices.c: $(sort $(wildcard configs/devices/*.yaml)) device/embed.sh
	@mkdir -p $(@D)
	@device/embed.sh omt_device_entries $(filter %.yaml,$^) > $@

$B/embedded/%.o: $B/embedded/%.c
	@$(CC) $(ALL_CFLAGS) -c -o $@ $<

# ---- tests ------------------------------------------------------------------------------------

define SUITE
$B/test_$(1): $(patsubst %.c,$B/%.o,$(wildcard tests/$(1)/*.c)) $B/libomnitile.a
	@echo "link  $$@"
	@$$(CC) $$(ALL_CFLAGS) -o $$@ $$^ -lcriterion $$(ALL_LIBS)
endef
$(foreach suite,$(SUITES),$(eval $(call SUITE,$(suite))))

test: setup-test
	@$(MAKE) --no-print-directory -j$$(nproc) build-tests
	@$(MAKE) --no-print-directory run-tests
	@$(MAKE) --no-print-directory test-fpga

.PHONY: build-tests run-tests
build-tests: $B/omnitile $(SUITES:%=$B/test_%) $(FUZZERS:%=$B/replay/%) $B/avx2_only.so

# Hides AVX-512 from PoCL.
$B/avx2_only.so: tests/avx2_only.c
	@mkdir -p $(@D)
	@$(CC) -std=c11 $(WARNINGS) -D_GNU_SOURCE -O1 -fPIC -shared -o $@ $< -ldl

run-tests: build-tests lint hls-alone
	@tests/run.sh $B $(SUITES)

# A fuzz target replayed over its kept corpus, with any compiler.
$B/replay/%: $B/tests/fuzz/%.o $B/tests/fuzz/replay/main.o $B/libomnitile.a
	@mkdir -p $(@D)
	@$(CC) $(ALL_CFLAGS) -o $@ $^ $(ALL_LIBS)

fuzz:
	tests/fuzz/run.sh $(FUZZ_SECONDS) $(FUZZERS)

# Built by tests/fuzz/run.sh with MODE=fuzz CC=clang.
$B/bin/%: $B/tests/fuzz/%.o $B/libomnitile.a
	@mkdir -p $(@D)
	@$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer -o $@ $^ $(ALL_LIBS)

race: $B/test_op
	tests/race.sh $B/test_op

lint:
	@tests/check_layers.sh

# ---- benchmarks of kernels, by hand: a quiet machine, then the lines go to bench/results/ --------

# Peers (PyTorch, llama.cpp) live in a virtual environment that bench/peers/setup.sh makes.
PEERS ?= build/peers
# OpenBLAS with the kernels it would choose itself.
AS_BUILT := env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE
.PHONY: bench-gemm bench-attention bench-model bench-prep bench-search bench-peers
bench-peers:
	bench/peers/setup.sh $(PEERS)

# Text, then pictures and sound, 10 minutes; MODEL_PARTS=media BENCH_ARGS="--part audio": one part.
MODEL_PARTS ?= text media
bench-model: $B/bench_layers $B/omnitile
	@mkdir -p build/bench-model
	@for part in $(MODEL_PARTS); do $(AS_BUILT) \
		$(PEERS)/v/bin/python bench/peers/$$part.py $(PEERS) $B/omnitile $< \
		build/bench-model $(BENCH_ARGS) || exit 1; done

bench-gemm: $B/bench_gemm
	@$(AS_BUILT) $< $(BENCH_ARGS)

bench-attention: $B/bench_attention
	@$(AS_BUILT) $(PEERS)/v/bin/python bench/peers/attention.py $< $(BENCH_ARGS)

bench-prep: $B/bench_prep
	@$(PEERS)/v/bin/python bench/peers/prep.py $< tests/golden/data/tiny build/bench-prep \
		$(BENCH_ARGS)

# FAISS_BLAS=SkylakeX: kernels for faiss's OpenBLAS, which knows no recent CPU.
bench-search: $B/bench_search $B/omnitile
	@$(AS_BUILT) $(if $(FAISS_BLAS),OPENBLAS_CORETYPE=$(FAISS_BLAS)) $(PEERS)/v/bin/python \
		bench/peers/search.py $B/omnitile $< build/bench-search $(BENCH_ARGS)

$B/bench_%: $B/bench/kernels/%.o $B/libomnitile.a
	@echo "link  $@"
	@$(CC) $(ALL_CFLAGS) -o $@ $^ $(ALL_LIBS)

# ---- running ----------------------------------------------------------------------------------

demo: setup
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@bench/demo.sh $B/omnitile

demo-model: setup all
	@bench/demo_model.sh $B/omnitile

setup:
	@.ci/setup.sh $(PACKAGES) $(DATA_PACKAGES)

setup-test:
	@.ci/setup.sh $(PACKAGES) $(DATA_PACKAGES) $(TEST_PACKAGES)

install: all
	install -D -m 755 $B/omnitile $(DESTDIR)$(PREFIX)/bin/omnitile
	install -D -m 644 $B/libomnitile.a $(DESTDIR)$(PREFIX)/lib/libomnitile.a
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/include host/omnitile.h host/omnitile_tools.h
	install -D -m 644 host/cli/omnitile.1 $(DESTDIR)$(PREFIX)/share/man/man1/omnitile.1

clean:
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)
