/* Pieces and their ids, both ways. Pieces are stored as the model sees them (byte-level
 * ones as characters). */
#ifndef LMDEPTH_TOKEN_VOCABULARY_H
#define LMDEPTH_TOKEN_VOCABULARY_H

#include <stddef.h>              /* size_t */
#include <stdint.h>              /* uint32_t */
#include <lmdepth/base/status.h> /* lmd_status */

/* Ids beyond this are taken for damage. */
enum { LMD_VOCABULARY_IDS = 1 << 24 };

typedef struct lmd_vocabulary lmd_vocabulary;

lmd_vocabulary *lmd_vocabulary_new(void);
void lmd_vocabulary_free(lmd_vocabulary *vocabulary); /* accepts NULL */

/* Adds a piece, which is copied. A piece seen before gets the new id; of two pieces with
 * one id the later one is what the id stands for. LMD_INPUT: an id out of bounds. */
lmd_status lmd_vocabulary_add(lmd_vocabulary *vocabulary, const char *piece, size_t size,
                              int64_t id);

/* The id of a piece, -1 when there is none. */
int lmd_vocabulary_find(const lmd_vocabulary *vocabulary, const char *piece, size_t size);

/* What an id stands for; NULL (size 0) when nothing. Borrowed. */
const char *lmd_vocabulary_piece(const lmd_vocabulary *vocabulary, int id, size_t *size);

/* Number of different pieces; one more than the largest id. */
size_t lmd_vocabulary_count(const lmd_vocabulary *vocabulary);
int lmd_vocabulary_end(const lmd_vocabulary *vocabulary);

/* A hash of bytes, for tables in memory only. */
uint64_t lmd_vocabulary_hash(const char *bytes, size_t size);

#endif
