/* The vocabulary in a GGUF file's metadata. */
#include "fuzz_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    lmd_tokenizer *tokenizer = NULL;
    const char *const path = fuzz_write("model.gguf", (fuzz_bytes){bytes, n_bytes});
    if (fuzz_is_read(lmd_token_open(&tokenizer, path))) {
        fuzz_use_tokenizer(tokenizer);
    }
    fuzz_check_memory();
    return 0;
}
