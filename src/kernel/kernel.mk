# Sources of room kernel: all but those of other architectures. The vectorised loops are one
# source, compiled once for each instruction set; no source file knows its flags.
kernel_all := $(sort $(wildcard src/kernel/*.c))
kernel_x86_64 := $(addprefix src/kernel/,vector_x86_64.c vector_avx2.c vector_avx512.c \
    tile_x86_64.c tile_avx2.c tile_avx512.c tile_avx512_bf16.c tile_amx.c \
    peak_x86_64.c widen_x86_64.c)
kernel_portable := $(addprefix src/kernel/,vector_portable.c tile_portable.c peak_portable.c \
    widen_portable.c)
kernel_x86_64_names := x86_64 amd64

KERNEL_SOURCES := $(filter-out $(if $(filter $(kernel_x86_64_names),$(ARCH)),\
    $(kernel_portable),$(kernel_x86_64)),$(kernel_all))

kernel_avx512_flags := -mavx512f -mavx512dq -mavx512bw -mavx512vl -mprefer-vector-width=512

# Fused by intrinsics where the source says so, nowhere else (-ffp-contract=off stays).
$(BUILD)/src/kernel/vector_avx2.o: CFLAGS_ALL += -mavx2 -mfma
$(BUILD)/src/kernel/vector_avx512.o: CFLAGS_ALL += $(kernel_avx512_flags) -mfma
$(BUILD)/src/kernel/tile_avx2.o: CFLAGS_ALL += -mavx2 -mfma
$(BUILD)/src/kernel/tile_avx512.o: CFLAGS_ALL += $(kernel_avx512_flags) -mfma
$(BUILD)/src/kernel/tile_avx512_bf16.o: CFLAGS_ALL += $(kernel_avx512_flags) -mfma -mavx512bf16
$(BUILD)/src/kernel/tile_amx.o: CFLAGS_ALL += -mamx-tile -mamx-bf16
