/* A folder's tokenizer_config.json, vocab.json and merges.txt, in this order. */
#include "fuzz_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    fuzz_bytes input = {bytes, n_bytes};
    lmd_tokenizer *tokenizer = NULL;
    (void)fuzz_write("tokenizer_config.json", fuzz_next_part(&input));
    const char *const path = fuzz_write("vocab.json", fuzz_next_part(&input));
    (void)fuzz_write("merges.txt", input);
    if (fuzz_is_read(lmd_token_open(&tokenizer, path))) {
        fuzz_use_tokenizer(tokenizer);
    }
    fuzz_check_memory();
    return 0;
}
