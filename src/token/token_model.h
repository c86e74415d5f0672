/* Models: how a piece of text becomes ids. One file and one row of token_models.def each.
 * A model is immutable; what changes while encoding lies in a scratch, one a thread. */
#ifndef LMDEPTH_TOKEN_TOKEN_MODEL_H
#define LMDEPTH_TOKEN_TOKEN_MODEL_H

#include <jansson.h>             /* json_t */
#include <lmdepth/base/status.h> /* lmd_status */
#include <lmdepth/token.h>       /* lmd_ids */
#include "vocabulary.h"          /* lmd_vocabulary */

typedef struct lmd_token_model lmd_token_model;
typedef struct lmd_token_scratch lmd_token_scratch;

/* A kind is a row; its objects begin with a struct lmd_token_model. */
typedef struct lmd_token_model_kind {
    const char *type;        /* as tokenizer.json calls it */
    const char *description; /* for people */
    /* Makes an object from its JSON; LMD_INPUT names the key. */
    lmd_status (*open)(lmd_token_model **out, json_t *json);
    void (*close)(lmd_token_model *self);
    lmd_token_scratch *(*new_scratch)(const lmd_token_model *self);
    void (*free_scratch)(lmd_token_scratch *scratch);
    /* Appends the ids of one piece (not empty). */
    lmd_status (*encode)(const lmd_token_model *self, lmd_token_scratch *scratch,
                         const char *piece, size_t size, lmd_ids *out);
} lmd_token_model_kind;

struct lmd_token_model {
    const lmd_token_model_kind *kind; /* borrowed */
    lmd_vocabulary *vocabulary;       /* owned */
};

#define TOKEN_MODEL(name) extern const lmd_token_model_kind lmd_token_model_##name;
#include "token_models.def"
#undef TOKEN_MODEL

/* By "type"; unknown ones are refused by name. */
lmd_status lmd_token_model_open(lmd_token_model **out, json_t *json);
void lmd_token_model_close(lmd_token_model *model); /* accepts NULL */

#endif
