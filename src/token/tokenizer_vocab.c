/* vocab.json and merges.txt, the files of GPT-2 before tokenizer.json: they are the model
 * of a tokenizer.json whose other parts the class GPT2Tokenizer implies. */
#include "tokenizer.h"

#include <string.h>              /* memchr */
#include <lmdepth/base/memory.h> /* lmd_memory_free */
#include "json_fields.h"

/* Lines as strings; empty ones are left out. */
static json_t *split_lines(const char *text, size_t size)
{
    json_t *const lines = json_array();
    for (size_t at = 0; at < size;) {
        const char *const end = memchr(text + at, '\n', size - at);
        const size_t next = end == NULL ? size : (size_t)(end - text);
        const size_t n = next > at && text[next - 1] == '\r' ? next - 1 - at : next - at;
        if (n > 0) {
            json_array_append_new(lines, json_stringn_nocheck(text + at, n));
        }
        at = next + 1;
    }
    return lines;
}

static lmd_status check_class(const json_t *config, bool *adds_space)
{
    const char *name = NULL;
    LMD_TRY(lmd_json_get_string(config, "tokenizer_class", &name, NULL));
    LMD_TRY(lmd_json_get_bool(config, "add_prefix_space", false, adds_space));
    const bool is_known = name == NULL || strcmp(name, "GPT2Tokenizer") == 0 ||
                          strcmp(name, "GPT2TokenizerFast") == 0;
    return is_known ? LMD_OK
                    : lmd_status_set(LMD_INPUT,
                                     "the tokenizer_class %s is not supported without a "
                                     "tokenizer.json",
                                     name);
}

lmd_status lmd_tokenizer_read_vocab(lmd_tokenizer *tokenizer, const lmd_text *vocab,
                                    const lmd_text *merges, const json_t *config)
{
    json_error_t error;
    bool adds_space = false;
    LMD_TRY(check_class(config, &adds_space));
    if (lmd_text_find_bad_utf8(lmd_text_string(merges), merges->size) != merges->size) {
        return lmd_status_set(LMD_INPUT, "merges.txt is not UTF-8");
    }
    json_t *const pieces =
        json_loadb(lmd_text_string(vocab), vocab->size, JSON_ALLOW_NUL, &error);
    if (pieces == NULL) {
        return lmd_status_set(LMD_INPUT, "line %d: %s", error.line, error.text);
    }
    json_t *const all = json_pack(
        "{s:{s:s, s:o, s:o}, s:{s:s, s:b}, s:[{s:s, s:b}]}", "model", "type", "BPE",
        "vocab", pieces, "merges", split_lines(lmd_text_string(merges), merges->size),
        "pre_tokenizer", "type", "ByteLevel", "add_prefix_space", (int)adds_space,
        "added_tokens", "content", "<|endoftext|>", "special", 1);
    lmd_status status = lmd_tokenizer_read_parts(tokenizer, all);
    json_decref(all);
    if (status == LMD_OK) {
        tokenizer->bos = lmd_tokenizer_find(tokenizer, "<|endoftext|>", 13);
    }
    return status;
}
