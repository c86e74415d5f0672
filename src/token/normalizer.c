/* The table of normalizers. */
#include "normalizer.h"

#include <string.h> /* strcmp */
#include "json_fields.h"

static const lmd_normalizer_kind *const kinds[] = {
#define NORMALIZER(name) &lmd_normalizer_##name,
#include "normalizers.def"
#undef NORMALIZER
};

lmd_status lmd_normalizer_open(lmd_normalizer **out, json_t *json)
{
    *out = NULL;
    if (json == NULL || json_is_null(json)) {
        return LMD_OK;
    }
    const char *type = NULL;
    LMD_TRY(lmd_json_get_string(json, "type", &type, NULL));
    for (size_t i = 0; type != NULL && i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i]->type, type) == 0) {
            return lmd_status_within(kinds[i]->open(out, json), "normalizer %s", type);
        }
    }
    return lmd_status_set(LMD_INPUT, "the normalizer %s is not supported",
                          type == NULL ? "without a type" : type);
}

void lmd_normalizer_close(lmd_normalizer *normalizer)
{
    if (normalizer != NULL) {
        normalizer->kind->close(normalizer);
    }
}

lmd_status lmd_normalizer_apply(const lmd_normalizer *normalizer, lmd_matcher *matcher,
                                const char *text, size_t size, lmd_text *out)
{
    return normalizer->kind->apply(normalizer, matcher, text, size, out);
}

lmd_status lmd_normalizer_check_growth(size_t before, size_t after)
{
    enum { FREE = 1 << 20, LARGEST_FACTOR = 256 };
    return after < FREE || after / LARGEST_FACTOR <= before
               ? LMD_OK
               : lmd_status_set(LMD_INPUT,
                                "the normalizer makes more than %zu bytes of %zu", after,
                                before);
}

lmd_status lmd_normalizer_front(const lmd_normalizer *normalizer, lmd_matcher *matcher,
                                const char *text, size_t size, size_t *front)
{
    if (normalizer->kind->front != NULL) {
        return normalizer->kind->front(normalizer, matcher, text, size, front);
    }
    lmd_text alone = {0};
    const lmd_status status =
        lmd_normalizer_apply(normalizer, matcher, text, *front, &alone);
    *front = alone.size;
    lmd_text_clear(&alone);
    return status;
}
