/* The pieces of a SentencePiece model: text, score and type of each id, as a GGUF file of
 * kind llama and a tokenizer.model give them; and the models that are made of them. */
#ifndef LMDEPTH_TOKEN_SCORED_PIECES_H
#define LMDEPTH_TOKEN_SCORED_PIECES_H

#include <stdbool.h>     /* bool */
#include "token_model.h" /* lmd_token_model */

/* SentencePiece's numbers, which GGUF has taken over. */
typedef enum lmd_piece_type {
    LMD_PIECE_NORMAL = 1,
    LMD_PIECE_UNKNOWN = 2,
    LMD_PIECE_CONTROL = 3,
    LMD_PIECE_USER_DEFINED = 4,
    LMD_PIECE_UNUSED = 5,
    LMD_PIECE_BYTE = 6
} lmd_piece_type;

/* What a space is written as: U+2581. */
#define LMD_SPACE_MARK "\xE2\x96\x81"

typedef struct lmd_scored_piece {
    const char *text; /* borrowed */
    size_t size;
    float score;
    int type; /* lmd_piece_type; 0: this id is no token */
} lmd_scored_piece;

typedef struct lmd_scored_pieces {
    const lmd_scored_piece *at; /* (n) borrowed; at[id] */
    size_t n;
    int unknown; /* id; -1: none */
    bool byte_fallback;
} lmd_scored_pieces;

/* Ids of <0x00> ... <0xFF> among a vocabulary's pieces; -1: none. */
void lmd_scored_find_bytes(const lmd_vocabulary *vocabulary, int by_byte[256]);

/* Appends what an unknown character becomes: its bytes, when all have pieces, else the
 * unknown token, once for neighbours. `is_unknown` tells whether the id before it is such
 * a token. LMD_INPUT when there is no unknown token. */
lmd_status lmd_scored_append_unknown(const int by_byte[256], int unknown,
                                     const char *character, size_t size, bool *is_unknown,
                                     lmd_ids *out);

/* Makes a model that merges the neighbours with the best score. LMD_INPUT names the
 * piece. The pieces are copied. */
lmd_status lmd_scored_bpe_open(lmd_token_model **out, const lmd_scored_pieces *pieces);

/* Makes a model that takes the most probable pieces. As above. */
lmd_status lmd_scored_unigram_open(lmd_token_model **out,
                                   const lmd_scored_pieces *pieces);

#endif
