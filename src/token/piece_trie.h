/* Pieces by their bytes, for finding all that a text begins with. */
#ifndef LMDEPTH_TOKEN_PIECE_TRIE_H
#define LMDEPTH_TOKEN_PIECE_TRIE_H

#include <stdbool.h> /* bool */
#include <stddef.h>  /* size_t */
#include <stdint.h>  /* uint32_t */

typedef struct lmd_piece_trie lmd_piece_trie;

lmd_piece_trie *lmd_piece_trie_new(void);
void lmd_piece_trie_free(lmd_piece_trie *trie); /* accepts NULL */

/* A piece (not empty); one that is there already gets the new id. */
void lmd_piece_trie_add(lmd_piece_trie *trie, const char *piece, size_t size, int id);

/* One step from a node (0: the root) along a byte; false when there is nothing. *id: the
 * piece that ends there, -1: none. */
bool lmd_piece_trie_step(const lmd_piece_trie *trie, unsigned char byte, uint32_t *node,
                         int *id);

#endif
