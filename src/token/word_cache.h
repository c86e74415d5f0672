/* Ids of words seen lately, one cache an encoder, of fixed size. */
#ifndef LMDEPTH_TOKEN_WORD_CACHE_H
#define LMDEPTH_TOKEN_WORD_CACHE_H

#include <stdbool.h> /* bool */
#include <stddef.h>  /* size_t */
#include <stdint.h>  /* uint32_t */

typedef struct lmd_word_cache lmd_word_cache;

lmd_word_cache *lmd_word_cache_new(void);
void lmd_word_cache_free(lmd_word_cache *cache); /* accepts NULL */

/* The ids of a word; NULL when it is not there. Borrowed until the next put. */
const uint32_t *lmd_word_cache_get(const lmd_word_cache *cache, const char *word,
                                   size_t size, size_t *n);

/* Remembers a word, unless it is long. */
void lmd_word_cache_put(lmd_word_cache *cache, const char *word, size_t size,
                        const uint32_t *ids, size_t n);

#endif
