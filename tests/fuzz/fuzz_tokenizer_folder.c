/* A tokenizer beside its tokenizer_config.json. The first byte picks which; the parts are
 * the config, the tokenizer's file and, for vocab.json, merges.txt. */
#include "fuzz_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    static const char *const names[] = {"vocab.json", "tokenizer.model",
                                        "tokenizer.json"};
    fuzz_bytes input = {bytes, n_bytes};
    lmd_tokenizer *tokenizer = NULL;
    const unsigned int kind = fuzz_choose(&input, 3);
    (void)fuzz_write("tokenizer_config.json", fuzz_next_part(&input));
    const fuzz_bytes file = kind == 0 ? fuzz_next_part(&input) : input;
    const char *const path = fuzz_write(names[kind], file);
    (void)fuzz_write("merges.txt", input);
    if (fuzz_is_read(lmd_token_open(&tokenizer, path))) {
        fuzz_use_tokenizer(tokenizer);
    }
    fuzz_check_memory();
    return 0;
}
