/* Normalizers: what is done to a text before it is cut. One file and one row of
 * normalizers.def each. */
#ifndef LMDEPTH_TOKEN_NORMALIZER_H
#define LMDEPTH_TOKEN_NORMALIZER_H

#include <stddef.h>              /* size_t */
#include <jansson.h>             /* json_t */
#include <lmdepth/base/status.h> /* lmd_status */
#include <lmdepth/base/text.h>   /* lmd_text */
#include "token_regex.h"         /* lmd_matcher */

typedef struct lmd_normalizer lmd_normalizer;

/* A kind is a row; its objects begin with a struct lmd_normalizer. */
typedef struct lmd_normalizer_kind {
    const char *type; /* as tokenizer.json calls it */
    /* Makes an object from its JSON; LMD_INPUT names the key. */
    lmd_status (*open)(lmd_normalizer **out, json_t *json);
    void (*close)(lmd_normalizer *self);
    /* Appends the normalized text to `out`; fails as regular expressions do, and as
     * lmd_normalizer_check_growth. */
    lmd_status (*apply)(const lmd_normalizer *self, lmd_matcher *matcher,
                        const char *text, size_t size, lmd_text *out);
    /* See lmd_normalizer_front; NULL: what the front becomes by itself. */
    lmd_status (*front)(const lmd_normalizer *self, lmd_matcher *matcher,
                        const char *text, size_t size, size_t *front);
} lmd_normalizer_kind;

struct lmd_normalizer {
    const lmd_normalizer_kind *kind; /* borrowed */
};

#define NORMALIZER(name) extern const lmd_normalizer_kind lmd_normalizer_##name;
#include "normalizers.def"
#undef NORMALIZER

/* By "type"; *out is NULL for JSON null (or NULL). Unknown ones are refused by name. */
lmd_status lmd_normalizer_open(lmd_normalizer **out, json_t *json);
void lmd_normalizer_close(lmd_normalizer *normalizer); /* accepts NULL */
/* LMD_INPUT when a text of `before` bytes became so long as no normalizer makes it but
 * one that is meant to fill the memory. */
lmd_status lmd_normalizer_check_growth(size_t before, size_t after);

lmd_status lmd_normalizer_apply(const lmd_normalizer *normalizer, lmd_matcher *matcher,
                                const char *text, size_t size, lmd_text *out);

/* The first *front bytes of a text come from the first character of what there was before
 * any normalizer: how many of what it becomes do? As `tokenizers` sees it, for which this
 * decides what stands at a text's beginning. */
lmd_status lmd_normalizer_front(const lmd_normalizer *normalizer, lmd_matcher *matcher,
                                const char *text, size_t size, size_t *front);

#endif
