# lmdepth: build, test, lint, demo. `make list` names the targets.
#
#   CC=clang make             another compiler
#   MPICC=mpicc.mpich make    another MPI
#   make WERROR=1             warnings are errors, as in CI
#   make HARDEN=0             without the checks that make damage harder to exploit
#   make BUILD=build-x        another build folder

CC       ?= gcc
ifeq ($(origin CC),default)
CC       := gcc
endif
MPICC    ?= mpicc
MPIRUN   ?= mpirun
PKG_CONFIG ?= pkg-config
PREFIX   ?= /usr/local
BUILD    ?= build
ARCH     ?= $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
VERSION  := $(shell cat VERSION)
REVISION := $(shell git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)
SUDO     := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
Q        := $(if $(V),,@)
comma    := ,

ROOMS := base kernel weights parallel token corpus model lens metric job engine output app

# ---- dependencies ----

PACKAGES := libzstd zlib libcrypto jansson yaml-0.1 libpcre2-8 libutf8proc netcdf hdf5 openblas \
    hwloc libzip
APT_BUILD := build-essential pkg-config libopenmpi-dev openmpi-bin libopenblas-dev \
    libnetcdf-dev libhdf5-dev libzstd-dev zlib1g-dev libjansson-dev libyaml-dev libpcre2-dev \
    libutf8proc-dev libssl-dev libhwloc-dev libzip-dev
APT_TEST := libcmocka-dev python3 python3-venv python3-numpy python3-netcdf4 python3-xarray \
    python3-matplotlib netcdf-bin nco zstd debian-faq debian-policy
APT_LINT := clang clang-format libclang-rt-14-dev cppcheck shellcheck universal-ctags mpich \
    libmpich-dev

# ---- flags ----

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion \
    -Wdouble-promotion -Wvla -Wundef -Wwrite-strings -Wcast-qual $(if $(WERROR),-Werror)
OPTIMISE ?= -O3 -g
SANITIZE ?=
# SECURITY.md says what these cost. Sanitizers have checks of their own, which FORTIFY's would
# hide, and FORTIFY does nothing without optimisation but warn.
HARDEN   ?= 1
harden_fortify := $(if $(SANITIZE)$(filter -O0,$(OPTIMISE)),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
HARDEN_CFLAGS := $(if $(filter-out 0,$(HARDEN)),$(harden_fortify) -fstack-protector-strong -fPIE)
HARDEN_LDFLAGS := $(if $(filter-out 0,$(HARDEN)),-pie -Wl$(comma)-z$(comma)relro$(comma)-z$(comma)now)
# No contraction: a multiply-add fused by one compiler and not by another would change bits.
BASE_CFLAGS := -std=c11 -pedantic -D_GNU_SOURCE -ffp-contract=off $(OPTIMISE) $(SANITIZE) \
    $(HARDEN_CFLAGS) $(WARNINGS) -pthread -Iinclude -MMD -MP
PACKAGE_CFLAGS = $(shell $(PKG_CONFIG) --cflags $(PACKAGES))
PACKAGE_LIBS = $(shell $(PKG_CONFIG) --libs $(PACKAGES)) -lm
CFLAGS_ALL = $(BASE_CFLAGS) $(PACKAGE_CFLAGS) $(CFLAGS)
export OMPI_CC := $(CC)
export MPICH_CC := $(CC)

# ---- sources ----

include src/kernel/kernel.mk
plain_rooms := $(filter-out kernel parallel app,$(ROOMS))
core_sources := $(KERNEL_SOURCES) $(foreach room,$(plain_rooms),$(sort $(wildcard src/$(room)/*.c)))
mpi_sources := $(sort $(wildcard src/parallel/*.c))
app_sources := $(sort $(wildcard src/app/*.c))

core_objects := $(core_sources:%.c=$(BUILD)/%.o) $(KERNEL_EXTRA_OBJECTS)
mpi_objects := $(mpi_sources:%.c=$(BUILD)/%.o)
app_objects := $(app_sources:%.c=$(BUILD)/%.o)
core_library := $(BUILD)/liblmdepth.a
mpi_library := $(BUILD)/liblmdepth_parallel.a

unit_tests := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(sort $(wildcard tests/unit/test_*.c)))
mpi_tests := $(patsubst tests/mpi/%.c,$(BUILD)/tests/mpi/%,$(sort $(wildcard tests/mpi/test_*.c)))

.DEFAULT_GOAL := all
.PHONY: all list deps check-deps install uninstall clean

## all: builds build/lmdepth and its man page
all: $(BUILD)/lmdepth $(BUILD)/lmdepth.1

## list: names every target
list:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

# Missing libraries are named all at once, before the first compiler message.
$(BUILD)/.deps: Makefile
	@CC="$(CC)" MPICC="$(MPICC)" PKG_CONFIG="$(PKG_CONFIG)" tools/check_deps.sh "$(PACKAGES)" "$(APT_BUILD)"
	@mkdir -p $(@D) && touch $@

## deps: installs the Debian packages that building, testing and drawing need
deps:
	tools/install_packages.sh $(APT_BUILD) $(APT_TEST)

## deps-lint: the same and what `make lint` and `make asan` need
deps-lint:
	tools/install_packages.sh $(APT_BUILD) $(APT_TEST) $(APT_LINT)

$(BUILD)/lmdepth: $(app_objects) $(mpi_library) $(core_library)
	@echo "  link $@"
	$(Q)$(MPICC) $(SANITIZE) $(HARDEN_LDFLAGS) -pthread -o $@ $(app_objects) $(mpi_library) $(core_library) $(PACKAGE_LIBS) $(LDFLAGS)

$(BUILD)/lmdepth.1: docs/lmdepth.1.in tools/make_man.sh VERSION $(BUILD)/lmdepth
	@echo "  man $@"
	$(Q)tools/make_man.sh $(BUILD)/lmdepth "$(VERSION)" > $@.new && mv $@.new $@

$(core_library): $(core_objects)
	$(Q)rm -f $@ && ar rcs $@ $^

$(mpi_library): $(mpi_objects)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/src/parallel/%.o: src/parallel/%.c $(BUILD)/.deps $(BUILD)/.flags
	@mkdir -p $(@D); echo "  mpicc $<"
	$(Q)$(MPICC) $(CFLAGS_ALL) -c -o $@ $<

$(BUILD)/src/app/version.o: CFLAGS_ALL += -DLMDEPTH_VERSION='"$(VERSION)"' -DLMDEPTH_REVISION='"$(REVISION)"'
$(BUILD)/src/app/version.o: VERSION $(BUILD)/.revision

$(BUILD)/%.o: %.c $(BUILD)/.deps $(BUILD)/.flags
	@mkdir -p $(@D); echo "  cc $<"
	$(Q)$(CC) $(CFLAGS_ALL) -c -o $@ $<

# Objects are made anew when the compiler or its flags change (warnings as errors apart, which
# change no object), version.o with the revision.
FLAGS_LINE = $(CC) $(MPICC) $(filter-out -Werror,$(BASE_CFLAGS)) $(CFLAGS)
.PHONY: always
$(BUILD)/.flags: always
	@mkdir -p $(@D); echo '$(FLAGS_LINE)' | cmp -s - $@ || echo '$(FLAGS_LINE)' > $@
$(BUILD)/.revision: always
	@mkdir -p $(@D); echo '$(REVISION)' | cmp -s - $@ || echo '$(REVISION)' > $@

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

## install: puts the program, its man page, examples and figures' scripts under PREFIX (/usr/local)
install: all
	install -d "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(PREFIX)/share/man/man1" \
	    "$(DESTDIR)$(PREFIX)/share/lmdepth/analysis" \
	    "$(DESTDIR)$(PREFIX)/share/lmdepth/jobs" "$(DESTDIR)$(PREFIX)/share/lmdepth/slurm"
	install -m 755 $(BUILD)/lmdepth "$(DESTDIR)$(PREFIX)/bin/lmdepth"
	install -m 644 $(BUILD)/lmdepth.1 "$(DESTDIR)$(PREFIX)/share/man/man1"
	install -m 644 analysis/*.py "$(DESTDIR)$(PREFIX)/share/lmdepth/analysis"
	install -m 644 jobs/*.yaml "$(DESTDIR)$(PREFIX)/share/lmdepth/jobs"
	install -m 755 slurm/*.sh "$(DESTDIR)$(PREFIX)/share/lmdepth/slurm"

## uninstall: takes away what install has put
uninstall:
	rm -f "$(DESTDIR)$(PREFIX)/bin/lmdepth" "$(DESTDIR)$(PREFIX)/share/man/man1/lmdepth.1"
	rm -rf "$(DESTDIR)$(PREFIX)/share/lmdepth"

## clean: removes the build folder
clean:
	rm -rf $(BUILD)

# ---- python: a venv on Debian's packages; tools from PyPI live in it ----

VENV := $(BUILD)/venv
$(VENV)/.made: tools/requirements.txt
	@mkdir -p $(BUILD)
	/usr/bin/python3 -m venv --system-site-packages "$(VENV)"
	"$(VENV)/bin/pip" install -q --disable-pip-version-check -r tools/requirements.txt
	@touch $@

# ---- tests ----

include tests/tests.mk

# ---- measurements ----

include bench/bench.mk

# ---- demo ----

## demo: from nothing to figures: packages, model, corpus, build, 2 ranks, figures
.PHONY: demo
demo:
	tools/install_packages.sh $(APT_BUILD) $(APT_TEST)
	$(MAKE) all $(VENV)/.made
	MPIRUN="$(MPIRUN)" BUILD="$(BUILD)" tools/demo.sh
