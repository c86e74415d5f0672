/* The table of pre-tokenizers. */
#include "pretokenizer.h"

#include <string.h> /* strcmp */
#include "json_fields.h"

static const lmd_pretokenizer_kind *const kinds[] = {
#define PRETOKENIZER(name) &lmd_pretokenizer_##name,
#include "pretokenizers.def"
#undef PRETOKENIZER
};

lmd_status lmd_pretokenizer_open(lmd_pretokenizer **out, json_t *json)
{
    *out = NULL;
    if (json == NULL || json_is_null(json)) {
        return LMD_OK;
    }
    const char *type = NULL;
    LMD_TRY(lmd_json_get_string(json, "type", &type, NULL));
    for (size_t i = 0; type != NULL && i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i]->type, type) == 0) {
            return lmd_status_within(kinds[i]->open(out, json), "pre-tokenizer %s", type);
        }
    }
    return lmd_status_set(LMD_INPUT, "the pre-tokenizer %s is not supported",
                          type == NULL ? "without a type" : type);
}

void lmd_pretokenizer_close(lmd_pretokenizer *pretokenizer)
{
    if (pretokenizer != NULL) {
        pretokenizer->kind->close(pretokenizer);
    }
}

lmd_status lmd_pretokenizer_cut(const lmd_pretokenizer *pretokenizer,
                                lmd_matcher *matcher, lmd_pieces *pieces)
{
    return pretokenizer->kind->cut(pretokenizer, matcher, pieces);
}
