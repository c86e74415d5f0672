/* Memory for names, strings and arrays of a header: many small pieces, freed together. */
#ifndef LMDEPTH_WEIGHTS_ARENA_H
#define LMDEPTH_WEIGHTS_ARENA_H

#include <stddef.h> /* size_t */

/* {0} is an empty one. */
typedef struct lmd_arena {
    struct lmd_arena_chunk *chunks; /* owned; the newest first */
} lmd_arena;

/* count * size zero bytes, aligned for any type. The product must not overflow. */
void *lmd_weights_arena_new(lmd_arena *arena, size_t count, size_t size);

/* A copy followed by a zero byte. */
char *lmd_weights_arena_copy(lmd_arena *arena, const void *bytes, size_t n_bytes);

void lmd_weights_arena_clear(lmd_arena *arena);

#endif
