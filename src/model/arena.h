/* Pieces of one block of memory, each aligned to 64 bytes. Without a block it only
 * counts, so that one function of a family both sizes and lays out. */
#ifndef LMDEPTH_MODEL_ARENA_H
#define LMDEPTH_MODEL_ARENA_H

#include <stdbool.h>        /* bool */
#include <stddef.h>         /* size_t */
#include <lmdepth/kernel.h> /* lmd_matrix */

typedef struct lmd_arena {
    char *memory; /* borrowed; NULL: only count */
    size_t used;
    bool is_bf16; /* matrices are, whatever their tensors */
} lmd_arena;

/* count objects of `size` bytes; NULL when only counting. */
static inline void *lmd_model_take(lmd_arena *arena, size_t count, size_t size)
{
    void *const piece = arena->memory ? arena->memory + arena->used : NULL;
    arena->used += (count * size + 63) / 64 * 64;
    return piece;
}

static inline void lmd_model_take_matrix(lmd_arena *arena, lmd_matrix *matrix, int O,
                                         int C, lmd_matrix_type own)
{
    const lmd_matrix_type type = arena->is_bf16 ? LMD_BF16 : own;
    void *const piece = lmd_model_take(arena, lmd_matrix_bytes(O, C, type), 1);
    if (piece) {
        lmd_matrix_bind(matrix, O, C, type, piece);
    }
}

#endif
