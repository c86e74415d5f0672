/* Frequency files, TSV and JSON, plain and compressed. The first byte picks the ending.
 */
#include <stdlib.h> /* abort */
#include <lmdepth/base/memory.h>
#include "fuzz_input.h"

enum { V = 1000 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    static const char *const names[] = {"frequency", "frequency.gz", "frequency.zst"};
    fuzz_bytes input = {bytes, n_bytes};
    char sha256[LMD_SHA256_HEX];
    int64_t *const counts = lmd_memory_new(V, sizeof *counts);
    const char *const name = names[fuzz_choose(&input, 3)];
    if (fuzz_is_read(lmd_frequency_read(fuzz_write(name, input), V, counts, sha256))) {
        lmd_frequency *const frequency = lmd_frequency_new(V, counts, NULL, true);
        for (int id = 0; id < V; id++) {
            const int band = frequency->bands[id];
            if (counts[id] < 0 || band < 0 || band >= frequency->n_bands) {
                abort();
            }
        }
        lmd_frequency_free(frequency);
    }
    lmd_memory_free(counts);
    fuzz_check_memory();
    return 0;
}
