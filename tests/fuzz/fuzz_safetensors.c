/* safetensors files: the input is a whole one, or only its header. */
#include "fuzz_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    fuzz_bytes input = {bytes, n_bytes};
    if (n_bytes > 0 && bytes[0] == '{') {
        fuzz_read_weights(fuzz_write_safetensors("model.safetensors", input));
    } else {
        fuzz_read_weights(fuzz_write("model.safetensors", input));
    }
    fuzz_check_memory();
    return 0;
}
