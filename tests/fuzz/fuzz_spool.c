/* The index of a spool. The checksum at its end is set right, or mutations would never
 * come behind it. What is read is written to the same bytes. */
#include <stdlib.h> /* abort */
#include <string.h> /* memcmp */
#include <lmdepth/base/memory.h>
#include <lmdepth/corpus.h>
#include "../../src/corpus/corpus_bytes.h"
#include "fuzz_input.h"

static void use(const lmd_spool *spool)
{
    const int n = lmd_spool_groups(spool);
    int64_t *const counts = lmd_memory_new((size_t)n * LMD_FATE_COUNT, sizeof *counts);
    lmd_spool_records(spool, 0, 2, counts);
    for (int64_t pack = 0; pack < lmd_spool_packs(spool); pack++) {
        if (lmd_spool_pack_tokens(spool, pack) < 1 ||
            lmd_spool_pack_chunk(spool, pack) >= lmd_spool_chunks(spool)) {
            abort();
        }
    }
    lmd_memory_free(counts);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    lmd_text index = {0};
    lmd_text again = {0};
    lmd_text fingerprint = {0};
    lmd_spool *spool = NULL;
    lmd_text_append(&index, bytes, n_bytes);
    corpus_put64(&index, corpus_checksum(index.bytes, n_bytes));
    if (fuzz_is_read(lmd_spool_read_index(&spool, index.bytes, index.size, "/dev/shm",
                                          &fingerprint))) {
        use(spool);
        lmd_spool_write_index(spool, lmd_text_string(&fingerprint), &again);
        lmd_spool_close(spool);
    }
    lmd_text_clear(&index);
    lmd_text_clear(&again);
    lmd_text_clear(&fingerprint);
    fuzz_check_memory();
    return 0;
}
