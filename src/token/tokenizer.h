/* What the files of room token share: the tokenizer that readers fill and encoders use.
 */
#ifndef LMDEPTH_TOKEN_TOKENIZER_H
#define LMDEPTH_TOKEN_TOKENIZER_H

#include <stdbool.h>       /* bool */
#include <jansson.h>       /* json_t */
#include <lmdepth/token.h> /* lmd_tokenizer */
#include "added_tokens.h"
#include "normalizer.h"
#include "pretokenizer.h"
#include "token_model.h"

struct lmd_tokenizer {
    char *path; /* owned */
    char sha256[LMD_SHA256_HEX];
    char *description;              /* owned */
    lmd_normalizer *normalizer;     /* owned; NULL: none */
    lmd_pretokenizer *pretokenizer; /* owned; NULL: none */
    lmd_token_model *model;         /* owned */
    lmd_added_tokens *added;        /* owned */
    int vocab;                      /* one more than the largest id */
    int bos;                        /* -1: not known */
    bool adds_bos;
    bool is_byte_level;  /* pieces are written as byte_level.h has it */
    lmd_text pieces;     /* what ids stand for, one after the other */
    size_t *piece_start; /* (vocab + 1) owned; where each begins in `pieces` */
};

/* Adds a token that is found in text, normalized first if it asks for that. */
lmd_status lmd_tokenizer_add_token(lmd_tokenizer *tokenizer,
                                   const lmd_added_token *token);

/* The id of a token by its content, added or of the model; -1 when there is none. */
int lmd_tokenizer_find(const lmd_tokenizer *tokenizer, const char *content, size_t size);

/* Fills an empty tokenizer whose path is set. Messages do not name the path. */
lmd_status lmd_tokenizer_read_json(lmd_tokenizer *tokenizer, const char *bytes,
                                   size_t size);
lmd_status lmd_tokenizer_read_gguf(lmd_tokenizer *tokenizer);

/* The same from the parsed file. */
lmd_status lmd_tokenizer_read_parts(lmd_tokenizer *tokenizer, json_t *json);

/* tokenizer.model; vocab.json with merges.txt. `config` is tokenizer_config.json, NULL
 * when there is none. */
lmd_status lmd_tokenizer_read_sentencepiece(lmd_tokenizer *tokenizer, const char *bytes,
                                            size_t size, const json_t *config);
lmd_status lmd_tokenizer_read_vocab(lmd_tokenizer *tokenizer, const lmd_text *vocab,
                                    const lmd_text *merges, const json_t *config);

/* Adds a token with the flags of a JSON object and this id, which must be the one of its
 * content where that is known. */
lmd_status lmd_tokenizer_add_json_token(lmd_tokenizer *tokenizer, const json_t *json,
                                        int64_t id);

/* tokenizer_config.json beside the tokenizer's file: add_bos_token and bos_token; then,
 * for the BOS of a tokenizer that names none, config.json. No such files: nothing
 * happens. */
lmd_status lmd_tokenizer_read_config(lmd_tokenizer *tokenizer);

/* That file, parsed; *config is NULL when there is none. The caller owns it. */
lmd_status lmd_tokenizer_load_config(const lmd_tokenizer *tokenizer, json_t **config);

/* The class of tokenizer that a folder without a tokenizer.json is for, as transformers 4
 * finds it: tokenizer_config.json names it, else config.json does, by tokenizer_class or
 * by its model_type; NULL when neither does. The caller owns it. */
lmd_status lmd_tokenizer_find_class(const lmd_tokenizer *tokenizer, const json_t *config,
                                    char **name);

/* Is there no config.json beside the tokenizer's file? */
bool lmd_tokenizer_is_alone(const lmd_tokenizer *tokenizer);

/* What it says beyond that where there is no tokenizer.json: added_tokens_decoder. */
lmd_status lmd_tokenizer_add_config_tokens(lmd_tokenizer *tokenizer, json_t *config);

/* The whole of lmd_token_open for a tokenizer.json or tokenizer.model that is in memory
 * already (fuzzing). */
lmd_status lmd_tokenizer_open_json_bytes(lmd_tokenizer **out, const char *bytes,
                                         size_t size);
lmd_status lmd_tokenizer_open_model_bytes(lmd_tokenizer **out, const char *bytes,
                                          size_t size);

#endif
