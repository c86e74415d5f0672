/* Byte-pair merging (Sennrich, Haddow and Birch 2016) in O(n log n): a queue of candidate
 * pairs by rank and place over a doubly linked list of symbols, so that a word of
 * millions of characters is no trouble.
 *
 * The order in which Hugging Face's implementation works is part of the result: the
 * lowest rank first, of equals the leftmost, and a candidate is still good when the pair
 * that now stands at its place makes the same token, even if by another merge. */
#include "bpe_merge.h"

#include <stdbool.h>             /* bool */
#include <lmdepth/base/hash.h>   /* lmd_hash_mix */
#include <lmdepth/base/memory.h> /* lmd_memory_new */

#define NONE UINT32_MAX

typedef struct pair {
    uint64_t key;  /* left << 32 | right */
    uint32_t rank; /* + 1; 0: a free slot */
    uint32_t merged;
} pair;

struct lmd_merges {
    pair *slots;      /* (n_slots) owned */
    size_t n_slots;   /* a power of two, at least twice the count */
    uint32_t *merged; /* (count) owned; what a rank makes; NULL: ranks are shared */
    uint32_t count;
    size_t capacity;
    size_t n_ranks; /* one more than the largest rank */
};

lmd_merges *lmd_merges_new(void)
{
    lmd_merges *const merges = lmd_memory_new(1, sizeof *merges);
    merges->n_slots = 1024;
    merges->slots = lmd_memory_new(merges->n_slots, sizeof *merges->slots);
    return merges;
}

void lmd_merges_free(lmd_merges *merges)
{
    if (merges != NULL) {
        lmd_memory_free(merges->slots);
        lmd_memory_free(merges->merged);
        lmd_memory_free(merges);
    }
}

static pair *slot_of(const lmd_merges *merges, uint64_t key)
{
    const size_t mask = merges->n_slots - 1;
    size_t slot = lmd_hash_mix(key ^ UINT64_C(0x9E3779B97F4A7C15)) & mask;
    while (merges->slots[slot].rank != 0 && merges->slots[slot].key != key) {
        slot = (slot + 1) & mask;
    }
    return &merges->slots[slot];
}

static void grow_slots(lmd_merges *merges)
{
    pair *const old = merges->slots;
    const size_t n_old = merges->n_slots;
    merges->n_slots *= 2;
    merges->slots = lmd_memory_new(merges->n_slots, sizeof *merges->slots);
    for (size_t i = 0; i < n_old; i++) {
        if (old[i].rank != 0) {
            *slot_of(merges, old[i].key) = old[i];
        }
    }
    lmd_memory_free(old);
}

static void add_pair(lmd_merges *merges, uint64_t key, uint32_t rank, uint32_t merged)
{
    if (2 * ((size_t)merges->count + 1) > merges->n_slots) {
        grow_slots(merges);
    }
    *slot_of(merges, key) = (pair){key, rank + 1, merged};
    merges->count++;
    merges->n_ranks = rank >= merges->n_ranks ? (size_t)rank + 1 : merges->n_ranks;
}

void lmd_merges_add(lmd_merges *merges, uint32_t left, uint32_t right, uint32_t merged)
{
    if (merges->count == merges->capacity) {
        merges->capacity = merges->capacity == 0 ? 512 : 2 * merges->capacity;
        merges->merged =
            lmd_memory_resize(merges->merged, merges->capacity, sizeof *merges->merged);
    }
    merges->merged[merges->count] = merged;
    add_pair(merges, (uint64_t)left << 32 | right, merges->count, merged);
}

void lmd_merges_add_ranked(lmd_merges *merges, uint32_t left, uint32_t right,
                           uint32_t merged, uint32_t rank)
{
    add_pair(merges, (uint64_t)left << 32 | right, rank, merged);
}

/* ---- merging ---- */

void lmd_merge_scratch_clear(lmd_merge_scratch *scratch)
{
    lmd_merge_queue_clear(&scratch->queue);
    lmd_memory_free(scratch->links);
    *scratch = (lmd_merge_scratch){0};
}

static void link_symbols(lmd_merge_scratch *scratch, const uint32_t *symbols, size_t n)
{
    if (n > scratch->capacity) {
        scratch->capacity = n + n / 2;
        scratch->links =
            lmd_memory_resize(scratch->links, scratch->capacity, sizeof *scratch->links);
    }
    for (size_t i = 0; i < n; i++) {
        scratch->links[i] =
            (lmd_merge_link){symbols[i], (uint32_t)i - 1, (uint32_t)i + 1};
    }
    scratch->links[0].before = NONE;
    scratch->links[n - 1].after = NONE;
}

/* The pair at `place`, of which there is one. */
static const pair *pair_at(const lmd_merges *merges, const lmd_merge_link *links,
                           uint32_t place)
{
    const lmd_merge_link *const left = &links[place];
    return slot_of(merges, (uint64_t)left->symbol << 32 | links[left->after].symbol);
}

static void add_candidate(const lmd_merges *merges, lmd_merge_scratch *scratch,
                          uint32_t place)
{
    if (place == NONE || scratch->links[place].after == NONE) {
        return;
    }
    const pair *const found = pair_at(merges, scratch->links, place);
    if (found->rank != 0) {
        lmd_merge_queue_push(&scratch->queue, found->rank - 1, place);
    }
}

/* What the pair at `place` makes, if that is what the candidate of a rank promised; else
 * NONE. Pairs of one rank at one place are as good as each other. */
static uint32_t find_merged(const lmd_merges *merges, const lmd_merge_link *links,
                            uint32_t place, uint32_t rank)
{
    if (links[place].symbol == NONE || links[place].after == NONE) {
        return NONE;
    }
    const pair *const now = pair_at(merges, links, place);
    const bool is_current =
        now->rank == rank + 1 ||
        (now->rank != 0 && merges->merged != NULL && merges->merged[rank] == now->merged);
    return is_current ? now->merged : NONE;
}

/* The symbol at `place` swallows its right neighbour. */
static void merge_at(lmd_merge_link *links, uint32_t place, uint32_t merged)
{
    const uint32_t right = links[place].after;
    const uint32_t next = links[right].after;
    links[place].symbol = merged;
    links[place].after = next;
    links[right].symbol = NONE;
    if (next != NONE) {
        links[next].before = place;
    }
}

size_t lmd_merges_apply(const lmd_merges *merges, lmd_merge_scratch *scratch,
                        uint32_t *symbols, size_t n)
{
    if (n < 2) {
        return n;
    }
    link_symbols(scratch, symbols, n);
    lmd_merge_queue_start(&scratch->queue, n, merges->n_ranks);
    for (size_t i = 0; i < n; i++) {
        add_candidate(merges, scratch, (uint32_t)i);
    }
    lmd_merge_link *const links = scratch->links;
    uint32_t rank = 0;
    uint32_t place = 0;
    while (lmd_merge_queue_pop(&scratch->queue, &rank, &place)) {
        const uint32_t merged = find_merged(merges, links, place, rank);
        if (merged != NONE) {
            merge_at(links, place, merged);
            add_candidate(merges, scratch, links[place].before);
            add_candidate(merges, scratch, place);
        }
    }
    size_t left = 0;
    for (place = 0; place != NONE; place = links[place].after) { // the first one stays
        symbols[left++] = links[place].symbol;
    }
    return left;
}
