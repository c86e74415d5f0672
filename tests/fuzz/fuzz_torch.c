/* Files of torch.save: the zip container and all in it. */
#include "fuzz_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    fuzz_read_weights(fuzz_write("pytorch_model.bin", (fuzz_bytes){bytes, n_bytes}));
    fuzz_check_memory();
    return 0;
}
