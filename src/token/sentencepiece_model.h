/* The file tokenizer.model of SentencePiece: a protocol buffer, of which only the fields
 * that bear on ids are read. */
#ifndef LMDEPTH_TOKEN_SENTENCEPIECE_MODEL_H
#define LMDEPTH_TOKEN_SENTENCEPIECE_MODEL_H

#include "scored_pieces.h" /* lmd_scored_piece */

enum { LMD_SENTENCEPIECE_UNIGRAM = 1, LMD_SENTENCEPIECE_BPE = 2 };

/* Strings are borrowed from the bytes that were read. */
typedef struct lmd_sentencepiece_model {
    lmd_scored_piece *pieces; /* (n) owned */
    size_t n;
    size_t capacity;
    int64_t kind;          /* trainer_spec.model_type */
    int64_t bos;           /* trainer_spec.bos_id; -1: none */
    bool byte_fallback;    /* trainer_spec */
    bool space_is_last;    /* trainer_spec.treat_whitespace_as_suffix */
    bool adds_space;       /* normalizer_spec.add_dummy_prefix */
    bool removes_extra;    /* normalizer_spec.remove_extra_whitespaces */
    bool escapes;          /* normalizer_spec.escape_whitespaces */
    const char *map_bytes; /* normalizer_spec.precompiled_charsmap; NULL: none */
    size_t map_size;
} lmd_sentencepiece_model;

/* LMD_INPUT names the byte or the piece. Clear it in either case. */
lmd_status lmd_sentencepiece_read(lmd_sentencepiece_model *model, const char *bytes,
                                  size_t size);
void lmd_sentencepiece_clear(lmd_sentencepiece_model *model);

#endif
