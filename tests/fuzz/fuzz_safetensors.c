/* Fuzz target for safetensors files. Build with clang -fsanitize=fuzzer,address,undefined
 * and the sources of src/base and src/weights; run with a folder of small valid files. */
#include <stddef.h> /* size_t */
#include <string.h> /* memcpy */
#include "fuzz_weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

/* As it is, and once more with a header that ends at the input's first zero byte and has
 * its true length before it: mutations hardly ever keep the length right by chance. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    try_input(bytes, n_bytes);
    uint64_t length = 0;
    while (length < n_bytes && bytes[length] != 0) {
        length++;
    }
    uint8_t *const file = lmd_memory_new(n_bytes + sizeof length, 1);
    memcpy(file, &length, sizeof length);
    if (n_bytes > 0) {
        memcpy(file + sizeof length, bytes, n_bytes);
    }
    try_input(file, n_bytes + sizeof length);
    lmd_memory_free(file);
    return 0;
}
