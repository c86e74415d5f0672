# Sources of room kernel: all but those of other architectures. The vectorised loops are one
# source, compiled once for each instruction set; no source file knows its flags.
kernel_all := $(sort $(wildcard src/kernel/*.c))
kernel_x86_64 := src/kernel/vector_x86_64.c src/kernel/vector_avx2.c \
    src/kernel/vector_avx512.c src/kernel/peak_x86_64.c
kernel_portable := src/kernel/vector_portable.c src/kernel/peak_portable.c
kernel_x86_64_names := x86_64 amd64

KERNEL_SOURCES := $(filter-out $(if $(filter $(kernel_x86_64_names),$(ARCH)),\
    $(kernel_portable),$(kernel_x86_64)),$(kernel_all))

$(BUILD)/src/kernel/vector_avx2.o: CFLAGS_ALL += -mavx2
$(BUILD)/src/kernel/vector_avx512.o: CFLAGS_ALL += -mavx512f -mavx512dq -mavx512bw \
    -mavx512vl -mprefer-vector-width=512
