/* Byte-pair encoding. */
#ifndef LMDEPTH_TOKEN_BPE_H
#define LMDEPTH_TOKEN_BPE_H

#include <stdbool.h>     /* bool */
#include "bpe_merge.h"   /* lmd_merges */
#include "token_model.h" /* lmd_token_model */

typedef struct lmd_bpe {
    lmd_token_model base;
    lmd_merges *merges;     /* owned */
    bool ignore_merges;     /* a piece that is in the vocabulary is one token */
    bool byte_fallback;     /* unknown characters as <0xAB> pieces */
    bool fuse_unknown;      /* neighbours that are unknown become one token */
    bool has_unknown;       /* an unknown token is named */
    int unknown;            /* its id; -1 when the vocabulary lacks it */
    int by_character[2048]; /* ids of the characters of one or two bytes, -1: none */
    int by_byte[256];       /* ids of <0x00> ... <0xFF>, -1: none */
} lmd_bpe;

/* An empty model whose vocabulary and merges the caller fills, and then seals: from then
 * on it is immutable. */
lmd_bpe *lmd_bpe_new(void);
void lmd_bpe_seal(lmd_bpe *bpe);

/* Adds the next merge: pieces left and right of the vocabulary become left right.
 * LMD_INPUT when one of the three is not in it. */
lmd_status lmd_bpe_add_merge(lmd_bpe *bpe, const char *left, size_t left_size,
                             const char *right, size_t right_size);

/* The same from "left right". */
lmd_status lmd_bpe_add_merge_line(lmd_bpe *bpe, const char *line, size_t size);

#endif
