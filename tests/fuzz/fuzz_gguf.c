/* Fuzz target for GGUF files. Build with clang -fsanitize=fuzzer,address,undefined and
 * the sources of src/base and src/weights; run with a folder of small valid files. */
#include <stddef.h> /* size_t */
#include "fuzz_weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    try_input(bytes, n_bytes);
    return 0;
}
