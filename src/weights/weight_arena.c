/* A vocabulary has some hundred thousand strings; one allocation each would take longer
 * to free than the file takes to read, so pieces are cut from chunks that double. */
#include "weight_arena.h"

#include <assert.h>
#include <stdalign.h>            /* alignas */
#include <stdint.h>              /* SIZE_MAX */
#include <string.h>              /* memcpy */
#include <lmdepth/base/memory.h> /* lmd_memory_new */

enum { FIRST_CHUNK = 4096, LARGEST_CHUNK = 1 << 20 };

typedef struct lmd_arena_chunk {
    struct lmd_arena_chunk *next; /* owned */
    size_t size;
    size_t used;
    alignas(max_align_t) unsigned char bytes[];
} lmd_arena_chunk;

static lmd_arena_chunk *add_chunk(lmd_arena *arena, size_t n_bytes)
{
    size_t size = FIRST_CHUNK;
    if (arena->chunks != NULL && arena->chunks->size < LARGEST_CHUNK) {
        size = 2 * arena->chunks->size;
    } else if (arena->chunks != NULL) {
        size = LARGEST_CHUNK;
    }
    size = size < n_bytes ? n_bytes : size;
    lmd_arena_chunk *chunk = lmd_memory_new(1, sizeof *chunk + size);
    chunk->next = arena->chunks;
    chunk->size = size;
    arena->chunks = chunk;
    return chunk;
}

void *lmd_weights_arena_new(lmd_arena *arena, size_t count, size_t size)
{
    assert(size == 0 || count <= SIZE_MAX / 2 / size);
    const size_t step = alignof(max_align_t);
    const size_t n_bytes = (count * size + step - 1) / step * step;
    lmd_arena_chunk *chunk = arena->chunks;
    if (chunk == NULL || chunk->size - chunk->used < n_bytes) {
        chunk = add_chunk(arena, n_bytes);
    }
    void *const piece = chunk->bytes + chunk->used;
    chunk->used += n_bytes;
    return piece;
}

char *lmd_weights_arena_copy(lmd_arena *arena, const void *bytes, size_t n_bytes)
{
    char *const copy = lmd_weights_arena_new(arena, n_bytes + 1, 1);
    if (n_bytes > 0) {
        memcpy(copy, bytes, n_bytes);
    }
    return copy;
}

void lmd_weights_arena_clear(lmd_arena *arena)
{
    while (arena->chunks != NULL) {
        lmd_arena_chunk *const chunk = arena->chunks;
        arena->chunks = chunk->next;
        lmd_memory_free(chunk);
    }
}
