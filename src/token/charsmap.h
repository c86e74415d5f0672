/* SentencePiece's precompiled character map: which bytes a text's beginning turns into.
 * A double-array trie (the layout of the Darts-clone library) whose values are offsets
 * into strings that end in zero. */
#ifndef LMDEPTH_TOKEN_CHARSMAP_H
#define LMDEPTH_TOKEN_CHARSMAP_H

#include <stdbool.h>             /* bool */
#include <stddef.h>              /* size_t */
#include <lmdepth/base/status.h> /* lmd_status */

typedef struct lmd_charsmap lmd_charsmap;

/* From the bytes of a model file, which are copied. LMD_INPUT: damage. */
lmd_status lmd_charsmap_new(lmd_charsmap **out, const char *bytes, size_t size);
void lmd_charsmap_free(lmd_charsmap *map); /* accepts NULL */

/* The longest (or shortest) key that well-formed UTF-8 begins with: its length, and what
 * it turns into (borrowed, ends in zero); 0 when there is none. */
size_t lmd_charsmap_match(const lmd_charsmap *map, bool longest, const char *text,
                          size_t size, const char **content);

#endif
