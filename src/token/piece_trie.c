/* Edges in one open-addressing table, keyed by node and byte: a step is one look-up, and
 * nothing is spent on the edges that are not there. */
#include "piece_trie.h"

#include <lmdepth/base/hash.h>   /* lmd_hash_mix */
#include <lmdepth/base/memory.h> /* lmd_memory_new */

typedef struct edge {
    uint64_t key;  /* node << 8 | byte */
    uint32_t node; /* where it leads; 0: a free slot */
    int id;        /* the piece that ends there, -1: none */
} edge;

struct lmd_piece_trie {
    edge *edges; /* (n_slots) owned */
    size_t n_slots;
    uint32_t n_nodes; /* beside the root */
};

lmd_piece_trie *lmd_piece_trie_new(void)
{
    lmd_piece_trie *const trie = lmd_memory_new(1, sizeof *trie);
    trie->n_slots = 1024;
    trie->edges = lmd_memory_new(trie->n_slots, sizeof *trie->edges);
    return trie;
}

void lmd_piece_trie_free(lmd_piece_trie *trie)
{
    if (trie != NULL) {
        lmd_memory_free(trie->edges);
        lmd_memory_free(trie);
    }
}

static edge *edge_of(const lmd_piece_trie *trie, uint64_t key)
{
    const size_t mask = trie->n_slots - 1;
    size_t slot = lmd_hash_mix(key ^ UINT64_C(0x9E3779B97F4A7C15)) & mask;
    while (trie->edges[slot].node != 0 && trie->edges[slot].key != key) {
        slot = (slot + 1) & mask;
    }
    return &trie->edges[slot];
}

static void grow(lmd_piece_trie *trie)
{
    edge *const old = trie->edges;
    const size_t n_old = trie->n_slots;
    trie->n_slots *= 2;
    trie->edges = lmd_memory_new(trie->n_slots, sizeof *trie->edges);
    for (size_t i = 0; i < n_old; i++) {
        if (old[i].node != 0) {
            *edge_of(trie, old[i].key) = old[i];
        }
    }
    lmd_memory_free(old);
}

void lmd_piece_trie_add(lmd_piece_trie *trie, const char *piece, size_t size, int id)
{
    uint32_t node = 0;
    for (size_t i = 0; i < size; i++) {
        if (2 * ((size_t)trie->n_nodes + 1) > trie->n_slots) {
            grow(trie);
        }
        const uint64_t key = (uint64_t)node << 8 | (unsigned char)piece[i];
        edge *const next = edge_of(trie, key);
        if (next->node == 0) {
            *next = (edge){key, ++trie->n_nodes, -1};
        }
        next->id = i + 1 == size ? id : next->id;
        node = next->node;
    }
}

bool lmd_piece_trie_step(const lmd_piece_trie *trie, unsigned char byte, uint32_t *node,
                         int *id)
{
    const edge *const next = edge_of(trie, (uint64_t)*node << 8 | byte);
    *node = next->node;
    *id = next->id;
    return next->node != 0;
}
