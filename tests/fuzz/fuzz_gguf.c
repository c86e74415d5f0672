/* GGUF files: keys, and tensors of every quantisation. */
#include "fuzz_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    fuzz_read_weights(fuzz_write("model.gguf", (fuzz_bytes){bytes, n_bytes}));
    fuzz_check_memory();
    return 0;
}
