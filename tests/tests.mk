# The test suites. Each prints one closing line, "name: N passed, N failed, N skipped".

CMOCKA_LIBS = $(shell $(PKG_CONFIG) --libs cmocka)
MPI_ENV := OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
    OMPI_MCA_rmaps_base_oversubscribe=1
# Tests at a time of the suites that run the program.
TEST_JOBS ?= 2
LMDEPTH_SHARED ?= ../shared
export LMDEPTH_SHARED

$(BUILD)/tests/unit/%: tests/unit/%.c $(core_library) $(BUILD)/.deps
	@mkdir -p $(@D); echo "  test $<"
	$(Q)$(CC) $(CFLAGS_ALL) $(HARDEN_LDFLAGS) -Itests/unit $(foreach room,$(plain_rooms) kernel,-Isrc/$(room)) -o $@ $< $(TEST_OBJECTS) $(core_library) $(PACKAGE_LIBS) $(CMOCKA_LIBS)

# The parts of parallel that are free of MPI.
$(BUILD)/tests/unit/test_queue_plan: $(BUILD)/src/parallel/queue_plan.o
$(BUILD)/tests/unit/test_queue_plan: TEST_OBJECTS += $(BUILD)/src/parallel/queue_plan.o
places_objects := $(BUILD)/src/parallel/places.o $(BUILD)/src/parallel/binding_advice.o
$(BUILD)/tests/unit/test_places: $(places_objects)
$(BUILD)/tests/unit/test_places: TEST_OBJECTS += $(places_objects)
$(BUILD)/tests/unit/test_places: CFLAGS_ALL += -Isrc/parallel

$(BUILD)/tests/mpi/%: tests/mpi/%.c $(mpi_library) $(core_library) $(BUILD)/.deps
	@mkdir -p $(@D); echo "  test $<"
	$(Q)$(MPICC) $(CFLAGS_ALL) $(HARDEN_LDFLAGS) -Itests/mpi -o $@ $< $(mpi_library) $(core_library) $(PACKAGE_LIBS)

.PHONY: test test-unit test-mpi test-command test-reference test-conformance tests-build

tests-build: $(BUILD)/lmdepth $(unit_tests) $(mpi_tests) $(BUILD)/tests/faults/kill_at.so

## test: installs what is missing, builds, runs every suite (under 10 minutes on 2 cores)
test:
	tools/install_packages.sh $(APT_BUILD) $(APT_TEST)
	$(MAKE) WERROR=1 tests-build $(VENV)/.made
	tools/fetch_model.sh $(BUILD)/models
	@status=0; for suite in unit mpi command reference conformance; do \
	    $(MAKE) --no-print-directory WERROR=1 test-$$suite || status=1; done; \
	echo; cat $(BUILD)/test-*.closing; exit $$status

## test-unit: rooms without MPI (cmocka)
test-unit: $(unit_tests)
	@BUILD=$(BUILD) tests/run_suite.sh unit $(unit_tests)

## test-mpi: room parallel on 1, 2, 3 and 5 ranks
test-mpi: $(mpi_tests)
	@BUILD=$(BUILD) MPIRUN="$(MPIRUN)" $(MPI_ENV) tests/run_suite.sh mpi $(mpi_tests)

# Kills a program at a chosen place (LD_PRELOAD).
kill_at := $(BUILD)/tests/faults/kill_at.so
$(kill_at): tests/faults/kill_at.c
	@mkdir -p $(@D); echo "  test $<"
	$(Q)$(CC) -std=c11 -pedantic -D_GNU_SOURCE -O1 -fPIC -shared $(WARNINGS) -o $@ $< -ldl

## test-command: the program as users call it
test-command: $(BUILD)/lmdepth $(kill_at)
	@BUILD=$(BUILD) MPIRUN="$(MPIRUN)" PYTHON="$(VENV)/bin/python" JOBS=$(TEST_JOBS) $(MPI_ENV) \
	    tests/run_suite.sh command $(sort $(wildcard tests/command/*.sh))

## test-reference: the real model against Hugging Face's numbers
test-reference: $(BUILD)/lmdepth
	@BUILD=$(BUILD) MPIRUN="$(MPIRUN)" PYTHON="$(VENV)/bin/python" JOBS=$(TEST_JOBS) $(MPI_ENV) \
	    tests/run_suite.sh reference $(sort $(wildcard tests/reference/*.sh))

## test-conformance: a tiny model of every family and variant against Hugging Face's numbers
test-conformance: $(BUILD)/lmdepth
	@BUILD=$(BUILD) $(MPI_ENV) "$(VENV)/bin/python" tests/conformance/run.py

.PHONY: measure-queue
## measure-queue: what 16 ranks wait for tickets when they only sleep, one at half speed
measure-queue: $(BUILD)/tests/mpi/measure_queue
	@$(MPI_ENV) $(MPIRUN) -n 16 $<

.PHONY: test-faults
## test-faults: a hundred kills at random moments, with other ranks each time; one before each
## change of the file system; ranks that stand still for 30 s (half an hour)
test-faults: $(BUILD)/lmdepth $(kill_at)
	@BUILD=$(BUILD) MPIRUN="$(MPIRUN)" $(MPI_ENV) tests/faults/all.sh

# ---- sanitizers: everything, in a build folder of its own ----

.PHONY: asan
## asan: address and undefined-behaviour sanitizers; leak checks where MPI is not
asan:
	$(MAKE) BUILD=$(BUILD)/asan OPTIMISE="-O1 -g -fno-omit-frame-pointer" \
	    SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=undefined" WERROR= tests-build
	@ASAN_OPTIONS=detect_leaks=1 $(MAKE) --no-print-directory BUILD=$(BUILD)/asan test-unit-only
	@ASAN_OPTIONS=detect_leaks=0 $(MAKE) --no-print-directory BUILD=$(BUILD)/asan test-mpi-only

.PHONY: test-unit-only test-mpi-only
test-unit-only:
	@BUILD=$(BUILD) tests/run_suite.sh unit $(unit_tests)
test-mpi-only:
	@BUILD=$(BUILD) MPIRUN="$(MPIRUN)" $(MPI_ENV) tests/run_suite.sh mpi $(mpi_tests)

# ---- fuzzing: every reader, under libFuzzer, in a build folder of its own ----

FUZZ_SECONDS ?= 600
FUZZ_TARGETS ?= $(patsubst tests/fuzz/fuzz_%.c,%,$(filter-out %/fuzz_input.c,$(wildcard tests/fuzz/fuzz_*.c)))

$(BUILD)/tests/fuzz/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/tests/fuzz/fuzz_input.o $(core_library)
	@echo "  link $@"
	$(Q)$(CC) $(SANITIZE) $(HARDEN_LDFLAGS) -fsanitize=fuzzer -pthread -o $@ $^ $(PACKAGE_LIBS)

# Kept for the next link.
.SECONDARY: $(FUZZ_TARGETS:%=$(BUILD)/tests/fuzz/fuzz_%.o) $(BUILD)/tests/fuzz/fuzz_input.o

.PHONY: fuzz fuzz-build
fuzz-build: $(FUZZ_TARGETS:%=$(BUILD)/tests/fuzz/fuzz_%)

## fuzz: hostile bytes for every reader; FUZZ_SECONDS=600 each, FUZZ_TARGETS="gguf job"
fuzz:
	tools/install_packages.sh $(APT_BUILD) $(APT_LINT)
	$(MAKE) BUILD=$(BUILD)/fuzz CC=clang OPTIMISE="-O1 -g -fno-omit-frame-pointer" WERROR= \
	    SANITIZE="-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined" \
	    FUZZ_TARGETS="$(FUZZ_TARGETS)" fuzz-build
	@BUILD=$(BUILD)/fuzz FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/run_fuzz.sh $(FUZZ_TARGETS)

.PHONY: lint
## lint: layers, format, function length, cppcheck, shellcheck, ruff
lint:
	tools/install_packages.sh $(APT_LINT)
	@$(MAKE) --no-print-directory $(VENV)/.made
	@VENV="$(VENV)" tools/lint.sh

# ---- tokens: against tokenizers and sentencepiece, which are not Debian's ----

# A Python that has them (pip install tokenizers sentencepiece gguf); without it the
# targets say that they are skipped.
TOKENS_PYTHON ?= $(VENV)/bin/python
TOKENS_STRINGS ?= 200000
TOKENS_RANDOM ?= 2000
TOKENS_TEXTS ?= $(BUILD)/token-texts
TOKENS_MODEL ?= $(firstword $(wildcard $(BUILD)/models/*.gguf))
tokens_skipped = echo "skipped: $(TOKENS_PYTHON) has no tokenizers, sentencepiece and gguf" \
    "(name one that has: TOKENS_PYTHON=...)"
tokens_ready = "$(TOKENS_PYTHON)" -c "import tokenizers, sentencepiece, gguf" 2>/dev/null

.PHONY: test-tokens time-tokens
## test-tokens: every vocabulary over 16 MB of text and TOKENS_STRINGS=200000 random strings,
## and TOKENS_RANDOM=2000 random tokenizer.json files
test-tokens: $(BUILD)/lmdepth
	@if $(tokens_ready); then tests/tokens/fetch_texts.sh "$(TOKENS_TEXTS)" && \
	    "$(TOKENS_PYTHON)" tests/tokens/check_tokens.py --lmdepth $(BUILD)/lmdepth \
	    --texts "$(TOKENS_TEXTS)" --shared "$(LMDEPTH_SHARED)" --strings $(TOKENS_STRINGS) \
	    $(if $(TOKENS_MODEL),--model "$(TOKENS_MODEL)") && \
	    "$(TOKENS_PYTHON)" tests/tokens/random_tokenizers.py --lmdepth $(BUILD)/lmdepth \
	    --texts "$(TOKENS_TEXTS)" --tokenizers $(TOKENS_RANDOM); \
	else $(tokens_skipped); echo "tokens: 0 passed, 0 failed, 1 skipped"; fi

$(BUILD)/tests/tokens/%: tests/tokens/%.c $(core_library) $(BUILD)/.deps
	@mkdir -p $(@D); echo "  test $<"
	$(Q)$(CC) $(CFLAGS_ALL) -o $@ $< $(core_library) $(PACKAGE_LIBS)

## time-tokens: speed beside tokenizers on one thread; words of 1 and 10 MB
time-tokens: $(BUILD)/tests/tokens/time_tokens
	@if $(tokens_ready); then tests/tokens/fetch_texts.sh "$(TOKENS_TEXTS)" && \
	    "$(TOKENS_PYTHON)" tests/tokens/time_tokens.py --program $< \
	    --texts "$(TOKENS_TEXTS)" --shared "$(LMDEPTH_SHARED)"; \
	else $(tokens_skipped); fi

# ---- Slurm: the shipped scripts on two virtual nodes of this machine ----

APT_SLURM := slurm-wlm munge

.PHONY: test-slurm
## test-slurm: the scripts of slurm/ under a real Slurm; skips where it can't be started
test-slurm: $(BUILD)/lmdepth
	@tools/install_packages.sh $(APT_SLURM) || echo "skipping on: $(APT_SLURM) can't be installed"
	@BUILD=$(BUILD) MPIRUN="$(MPIRUN)" PYTHON=/usr/bin/python3 tests/slurm/with_cluster.sh \
	    tests/run_suite.sh slurm $(sort $(wildcard tests/slurm/test_*.sh))

# ---- another architecture: does everything compile? ----

CROSS := aarch64-linux-gnu
APT_CROSS := gcc-aarch64-linux-gnu libc6-dev-arm64-cross
# The compiler has its own C library; the headers of all others are this machine's, which is
# good enough to compile against, not to link.
CROSS_CFLAGS := -idirafter /usr/include -idirafter /usr/include/$(shell $(CC) -dumpmachine)

.PHONY: cross objects
## cross: compiles every source for aarch64; skips where the compiler can't be installed
cross:
	@tools/install_packages.sh $(APT_CROSS) || echo "skipping on: $(APT_CROSS) can't be installed"
	@if command -v $(CROSS)-gcc >/dev/null; then \
	    $(MAKE) BUILD=$(BUILD)/$(CROSS) CC=$(CROSS)-gcc WERROR=1 CFLAGS="$(CROSS_CFLAGS)" objects && \
	    echo "cross: every source compiles for $(CROSS)"; \
	else echo "skipped: no $(CROSS)-gcc"; fi

objects: $(core_objects) $(mpi_objects) $(app_objects)
