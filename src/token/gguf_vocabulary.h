/* The parts of reading a GGUF file's vocabulary that its kinds share. */
#ifndef LMDEPTH_TOKEN_GGUF_VOCABULARY_H
#define LMDEPTH_TOKEN_GGUF_VOCABULARY_H

#include <lmdepth/weights.h> /* lmd_weights */
#include "tokenizer.h"

typedef struct lmd_gguf_pieces {
    const lmd_bytes *at; /* (n) borrowed */
    size_t n;
    const int64_t *types; /* (n) borrowed; NULL: all normal */
} lmd_gguf_pieces;

/* tokens and token_type; every piece is UTF-8. */
lmd_status lmd_gguf_read_pieces(const lmd_weights *file, lmd_gguf_pieces *pieces);

/* Unused pieces, and the "[PAD<id>]" that converters write where the model has no token,
 * are no tokens. */
bool lmd_gguf_is_token(const lmd_gguf_pieces *pieces, size_t id);

/* Makes a piece that is looked for in text (types unknown, control, user-defined) an
 * added token. User-defined ones are looked for in normalized text if `normalized`. */
lmd_status lmd_gguf_add_token(lmd_tokenizer *tokenizer, const lmd_gguf_pieces *pieces,
                              size_t id, bool normalized);

/* Kind llama: fills normalizer, model and added tokens. */
lmd_status lmd_gguf_read_llama(lmd_tokenizer *tokenizer, const lmd_weights *file);

#endif
