/* tokenizer.model (SentencePiece). */
#include "../../src/token/tokenizer.h"
#include "fuzz_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    lmd_tokenizer *tokenizer = NULL;
    if (fuzz_is_read(
            lmd_tokenizer_open_model_bytes(&tokenizer, (const char *)bytes, n_bytes))) {
        fuzz_use_tokenizer(tokenizer);
    }
    fuzz_check_memory();
    return 0;
}
