/* safetensors files: as the input is, and once more with the input for a header whose
 * length is put before it and whose data is all there. Mutations hardly ever keep these
 * two right by chance. */
#include <stdbool.h> /* bool */
#include <string.h>  /* memcpy */
#include <lmdepth/base/memory.h>
#include "fuzz_input.h"

enum { LARGEST_DATA = 1 << 16 };

/* The largest number in the text, 0 when it is more than LARGEST_DATA. */
static size_t largest_number(const uint8_t *bytes, size_t n_bytes)
{
    size_t largest = 0;
    size_t number = 0;
    for (size_t i = 0; i < n_bytes; i++) {
        const bool is_digit = bytes[i] >= '0' && bytes[i] <= '9';
        number = is_digit ? 10 * number + (size_t)(bytes[i] - '0') : 0;
        if (number > LARGEST_DATA) {
            return 0;
        }
        largest = number > largest ? number : largest;
    }
    return largest;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    fuzz_read_weights(fuzz_write("model.safetensors", (fuzz_bytes){bytes, n_bytes}));
    if (n_bytes > 8 && bytes[8] == '{') {
        bytes += 8; // a whole file: its header is the text behind its length
        n_bytes -= 8;
    }
    uint64_t length = 0;
    while (length < n_bytes && bytes[length] != 0) {
        length++;
    }
    const size_t n_data = largest_number(bytes, length);
    const size_t n_file = sizeof length + length + n_data;
    uint8_t *const file = lmd_memory_new(n_file, 1);
    memcpy(file, &length, sizeof length);
    if (length > 0) {
        memcpy(file + sizeof length, bytes, length);
    }
    fuzz_read_weights(fuzz_write("model.safetensors", (fuzz_bytes){file, n_file}));
    lmd_memory_free(file);
    fuzz_check_memory();
    return 0;
}
