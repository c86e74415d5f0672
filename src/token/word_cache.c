/* A direct-mapped table of two cache lines a word. A word that comes later takes the
 * place: text repeats itself enough for that to do, and nothing has to be counted. */
#include "word_cache.h"

#include <string.h>              /* memcpy, memcmp */
#include <lmdepth/base/memory.h> /* lmd_memory_new_aligned */
#include "vocabulary.h"          /* lmd_vocabulary_hash */

enum { SLOTS = 1 << 14, WORD_BYTES = 62, WORD_IDS = 16 };

typedef struct slot {
    unsigned char size; /* 0: free */
    unsigned char n;
    char word[WORD_BYTES];
    uint32_t ids[WORD_IDS];
} slot;

struct lmd_word_cache {
    slot *slots; /* (SLOTS) owned */
};

lmd_word_cache *lmd_word_cache_new(void)
{
    lmd_word_cache *const cache = lmd_memory_new(1, sizeof *cache);
    cache->slots = lmd_memory_new_aligned(SLOTS, sizeof *cache->slots);
    return cache;
}

void lmd_word_cache_free(lmd_word_cache *cache)
{
    if (cache != NULL) {
        lmd_memory_free(cache->slots);
        lmd_memory_free(cache);
    }
}

static slot *slot_of(const lmd_word_cache *cache, const char *word, size_t size)
{
    return &cache->slots[lmd_vocabulary_hash(word, size) % SLOTS];
}

const uint32_t *lmd_word_cache_get(const lmd_word_cache *cache, const char *word,
                                   size_t size, size_t *n)
{
    if (size > WORD_BYTES) {
        return NULL;
    }
    const slot *const found = slot_of(cache, word, size);
    *n = found->n;
    const bool is_it = found->size == size && memcmp(found->word, word, size) == 0;
    return is_it ? found->ids : NULL;
}

void lmd_word_cache_put(lmd_word_cache *cache, const char *word, size_t size,
                        const uint32_t *ids, size_t n)
{
    if (size == 0 || size > WORD_BYTES || n > WORD_IDS) {
        return;
    }
    slot *const taken = slot_of(cache, word, size);
    taken->size = (unsigned char)size;
    taken->n = (unsigned char)n;
    memcpy(taken->word, word, size);
    if (n > 0) {
        memcpy(taken->ids, ids, n * sizeof *ids);
    }
}
