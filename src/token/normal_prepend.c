/* Normalizer Prepend: a string before every text that is not empty. */
#include "normalizer.h"

#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include "json_fields.h"

typedef struct prepend {
    lmd_normalizer base;
    lmd_text string;
} prepend;

static lmd_status open_prepend(lmd_normalizer **out, json_t *json)
{
    const char *string = NULL;
    size_t size = 0;
    LMD_TRY(lmd_json_check_keys(json, "type prepend"));
    LMD_TRY(lmd_json_get_string(json, "prepend", &string, &size));
    if (string == NULL) {
        return lmd_status_set(LMD_INPUT, "prepend: no string");
    }
    prepend *const made = lmd_memory_new(1, sizeof *made);
    made->base.kind = &lmd_normalizer_prepend;
    lmd_text_append(&made->string, string, size);
    *out = &made->base;
    return LMD_OK;
}

static void close_prepend(lmd_normalizer *self)
{
    prepend *const made = (prepend *)self;
    lmd_text_clear(&made->string);
    lmd_memory_free(made);
}

static lmd_status apply_prepend(const lmd_normalizer *self, lmd_matcher *matcher,
                                const char *text, size_t size, lmd_text *out)
{
    const prepend *const made = (const prepend *)self;
    (void)matcher;
    if (size > 0) {
        lmd_text_append(out, lmd_text_string(&made->string), made->string.size);
        lmd_text_append(out, text, size);
    }
    return LMD_OK;
}

static lmd_status front_of_prepend(const lmd_normalizer *self, lmd_matcher *matcher,
                                   const char *text, size_t size, size_t *front)
{
    (void)matcher;
    (void)text;
    (void)size;
    *front += *front > 0 ? ((const prepend *)self)->string.size : 0;
    return LMD_OK;
}

const lmd_normalizer_kind lmd_normalizer_prepend = {
    "Prepend", open_prepend, close_prepend, apply_prepend, front_of_prepend};
