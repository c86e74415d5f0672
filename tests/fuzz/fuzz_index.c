/* Models in several files: an index and its shards; with nothing before the first mark,
 * the parts of a split GGUF model. */
#include <stdio.h>  /* snprintf */
#include <unistd.h> /* unlink */
#include "fuzz_input.h"

enum { PARTS = 3 };

static void try_split(fuzz_bytes input)
{
    const char *paths[PARTS];
    int n = 1;
    while (n < PARTS && input.n > 0) {
        char name[32];
        (void)snprintf(name, sizeof name, "m-%05d-of-00002.gguf", n);
        paths[n++] = fuzz_write(name, fuzz_next_part(&input));
    }
    fuzz_read_weights(paths[n - 1]);
    while (n-- > 1) {
        (void)unlink(paths[n]);
    }
}

static void try_index(fuzz_bytes index, fuzz_bytes input)
{
    static const char *const names[PARTS] = {"one", "two", "three"};
    const char *paths[PARTS];
    int n = 0;
    while (n < PARTS && input.n > 0) {
        paths[n] = fuzz_write(names[n], fuzz_next_part(&input));
        n++;
    }
    fuzz_read_weights(fuzz_write("model.safetensors.index.json", index));
    while (n-- > 0) {
        (void)unlink(paths[n]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    fuzz_bytes input = {bytes, n_bytes};
    const fuzz_bytes index = fuzz_next_part(&input);
    if (index.n > 0) {
        try_index(index, input);
    } else if (input.n > 0) {
        try_split(input);
    }
    fuzz_check_memory();
    return 0;
}
