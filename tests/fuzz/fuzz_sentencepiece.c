/* Fuzz target for tokenizer.model: opens the input as one and, when that works, encodes a
 * text with it. Build with clang -fsanitize=fuzzer,address,undefined -Isrc/token and the
 * sources of src/base, src/weights and src/token; run with a folder of small valid files,
 * such as the models in tests/data/token/sentencepiece.json. */
#include <stddef.h> /* size_t */
#include <string.h> /* strlen */
#include "tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    static const char text[] =
        " Hello,  w\xC3\xB6rld \xEF\xAC\x81 <s>a  b\n\xF0\x9F\x98\x80 l'\xE2\x82\xAC ";
    lmd_tokenizer *tokenizer = NULL;
    if (lmd_tokenizer_open_model_bytes(&tokenizer, (const char *)bytes, n_bytes) ==
        LMD_OK) {
        lmd_encoder *const encoder = lmd_token_new_encoder(tokenizer);
        lmd_ids ids = {0};
        (void)lmd_token_encode(encoder, text, strlen(text), &ids, NULL);
        lmd_ids_clear(&ids);
        lmd_token_free_encoder(encoder);
        lmd_token_close(tokenizer);
    }
    return 0;
}
