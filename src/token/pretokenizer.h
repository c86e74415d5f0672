/* Pre-tokenizers: how a text is cut into the pieces that the model sees. One file and one
 * row of pretokenizers.def each. */
#ifndef LMDEPTH_TOKEN_PRETOKENIZER_H
#define LMDEPTH_TOKEN_PRETOKENIZER_H

#include <stdbool.h>             /* bool */
#include <jansson.h>             /* json_t */
#include <lmdepth/base/status.h> /* lmd_status */
#include "pieces.h"              /* lmd_pieces */
#include "token_regex.h"         /* lmd_matcher */

typedef struct lmd_pretokenizer lmd_pretokenizer;

/* A kind is a row; its objects begin with a struct lmd_pretokenizer. */
typedef struct lmd_pretokenizer_kind {
    const char *type; /* as tokenizer.json calls it */
    /* Makes an object from its JSON; LMD_INPUT names the key. */
    lmd_status (*open)(lmd_pretokenizer **out, json_t *json);
    void (*close)(lmd_pretokenizer *self);
    /* Cuts every piece further. */
    lmd_status (*cut)(const lmd_pretokenizer *self, lmd_matcher *matcher,
                      lmd_pieces *pieces);
} lmd_pretokenizer_kind;

struct lmd_pretokenizer {
    const lmd_pretokenizer_kind *kind; /* borrowed */
    bool asks_front; /* does it ask which pieces stand at the beginning of the text? */
};

#define PRETOKENIZER(name) extern const lmd_pretokenizer_kind lmd_pretokenizer_##name;
#include "pretokenizers.def"
#undef PRETOKENIZER

/* By "type"; *out is NULL for JSON null (or NULL). Unknown ones are refused by name. */
lmd_status lmd_pretokenizer_open(lmd_pretokenizer **out, json_t *json);
void lmd_pretokenizer_close(lmd_pretokenizer *pretokenizer); /* accepts NULL */
lmd_status lmd_pretokenizer_cut(const lmd_pretokenizer *pretokenizer,
                                lmd_matcher *matcher, lmd_pieces *pieces);

#endif
