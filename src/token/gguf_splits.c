/* The table of pre-tokenizers that a GGUF file only names. A row's stages are handed to
 * the readers of tokenizer.json's parts, so there is one implementation of each. */
#include "gguf_splits.h"

#include <string.h>  /* strcmp */
#include <jansson.h> /* json_pack */

enum { MAX_STAGES = 8 };

typedef enum stage_kind {
    STAGE_END,
    STAGE_SPLIT,
    STAGE_DIGITS,
    STAGE_PUNCTUATION,
    STAGE_BYTES
} stage_kind;

typedef struct stage {
    stage_kind kind;
    const char *regex; /* of SPLIT */
    bool flag;         /* individual digits; use_regex */
} stage;

static const struct row {
    const char *pre;
    const char *normalizer;
    bool ignore_merges;
    stage stages[MAX_STAGES];
} rows[] = {
#define SPLIT(regex)                                                                     \
    {                                                                                    \
        STAGE_SPLIT, regex, false                                                        \
    }
#define DIGITS(individual)                                                               \
    {                                                                                    \
        STAGE_DIGITS, NULL, individual                                                   \
    }
#define PUNCTUATION                                                                      \
    {                                                                                    \
        STAGE_PUNCTUATION, NULL, false                                                   \
    }
#define BYTES(use_regex)                                                                 \
    {                                                                                    \
        STAGE_BYTES, NULL, use_regex                                                     \
    }
#define GGUF_SPLIT(pre, normalizer, ignore_merges, ...)                                  \
    {pre, normalizer, ignore_merges, {__VA_ARGS__}},
#include "gguf_splits.def"
#undef GGUF_SPLIT
#undef SPLIT
#undef DIGITS
#undef PUNCTUATION
#undef BYTES
};

static json_t *stage_to_json(const stage *one)
{
    switch (one->kind) {
    case STAGE_SPLIT:
        return json_pack("{s:s, s:{s:s}, s:s, s:b}", "type", "Split", "pattern", "Regex",
                         one->regex, "behavior", "Isolated", "invert", 0);
    case STAGE_DIGITS:
        return json_pack("{s:s, s:b}", "type", "Digits", "individual_digits", one->flag);
    case STAGE_PUNCTUATION:
        return json_pack("{s:s, s:s}", "type", "Punctuation", "behavior", "Contiguous");
    default:
        return json_pack("{s:s, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", 0,
                         "use_regex", one->flag);
    }
}

static lmd_status open_row(const struct row *row, lmd_normalizer **normalizer,
                           lmd_pretokenizer **pretokenizer)
{
    json_t *const list = json_array();
    for (int i = 0; i < MAX_STAGES && row->stages[i].kind != STAGE_END; i++) {
        json_array_append_new(list, stage_to_json(&row->stages[i]));
    }
    json_t *const cut =
        json_pack("{s:s, s:o}", "type", "Sequence", "pretokenizers", list);
    json_t *const form =
        row->normalizer == NULL ? NULL : json_pack("{s:s}", "type", row->normalizer);
    lmd_status status = lmd_normalizer_open(normalizer, form);
    if (status == LMD_OK) {
        status = lmd_pretokenizer_open(pretokenizer, cut);
    }
    json_decref(cut);
    json_decref(form);
    return status;
}

lmd_status lmd_gguf_split_open(const char *pre, lmd_normalizer **normalizer,
                               lmd_pretokenizer **pretokenizer, bool *ignore_merges)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].pre, pre) == 0) {
            *ignore_merges = rows[i].ignore_merges;
            return open_row(&rows[i], normalizer, pretokenizer);
        }
    }
    return lmd_status_set(LMD_INPUT, "tokenizer.ggml.pre: %s is not supported", pre);
}
