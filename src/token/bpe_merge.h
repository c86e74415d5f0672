/* The merges of a byte-pair encoding, and their application to a word. */
#ifndef LMDEPTH_TOKEN_BPE_MERGE_H
#define LMDEPTH_TOKEN_BPE_MERGE_H

#include <stddef.h> /* size_t */
#include <stdint.h> /* uint32_t */
#include "merge_queue.h"

typedef struct lmd_merges lmd_merges;

lmd_merges *lmd_merges_new(void);
void lmd_merges_free(lmd_merges *merges); /* accepts NULL */

/* The next merge in rank: ids left, right become `merged`. A pair that was there already
 * takes the new rank. */
void lmd_merges_add(lmd_merges *merges, uint32_t left, uint32_t right, uint32_t merged);

/* The same with a rank that several merges may share, as scores do: of equals the
 * leftmost is next. A table is made with one of the two functions only. */
void lmd_merges_add_ranked(lmd_merges *merges, uint32_t left, uint32_t right,
                           uint32_t merged, uint32_t rank);

/* A symbol and the places of its neighbours. */
typedef struct lmd_merge_link {
    uint32_t symbol;
    uint32_t before;
    uint32_t after;
} lmd_merge_link;

/* Memory of a running merge; {0} is an empty one. */
typedef struct lmd_merge_scratch {
    lmd_merge_queue queue;
    lmd_merge_link *links; /* (capacity) owned */
    size_t capacity;
} lmd_merge_scratch;

void lmd_merge_scratch_clear(lmd_merge_scratch *scratch);

/* Merges the n symbols of a word in place, n < 2^32 - 1; returns how many are left. */
size_t lmd_merges_apply(const lmd_merges *merges, lmd_merge_scratch *scratch,
                        uint32_t *symbols, size_t n);

#endif
