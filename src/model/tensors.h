/* A model's tensors: their names in both worlds, where they are in a file, and how they
 * get from there into packed memory. */
#ifndef LMDEPTH_MODEL_TENSORS_H
#define LMDEPTH_MODEL_TENSORS_H

#include <stdbool.h>             /* bool */
#include <stddef.h>              /* size_t */
#include <stdint.h>              /* int32_t */
#include <lmdepth/base/status.h> /* lmd_status */
#include <lmdepth/kernel.h>      /* lmd_matrix */
#include <lmdepth/weights.h>     /* lmd_weights, lmd_tensor */
#include "settings.h"            /* lmd_config */

/* ---- what a family expects ---- */

/* One tensor, or one in every block. In a name # stands for the block's number. */
typedef struct lmd_want {
    const char *hugging_face;
    const char *gguf;
    bool is_vector; /* (C); else (O, C) */
    size_t O, C;    /* members of lmd_config, int */
} lmd_want;

#define LMD_MATRIX(hugging_face, gguf, O, C)                                             \
    {                                                                                    \
        (hugging_face), (gguf), false, offsetof(lmd_config, O), offsetof(lmd_config, C)  \
    }
#define LMD_VECTOR(hugging_face, gguf, C)                                                \
    {                                                                                    \
        (hugging_face), (gguf), true, 0, offsetof(lmd_config, C)                         \
    }

typedef struct lmd_wants {
    const lmd_want *outer; /* borrowed: tensors outside the blocks */
    int n_outer;
    const lmd_want *block; /* borrowed: of every block */
    int n_block;
    int head;           /* which outer one is the unembedding: none is needed when tied */
    const char *prefix; /* may be missing from all Hugging Face names: "model." */
    const char *harmless; /* tensors whose names end so are no weights; NULL: none */
} lmd_wants;

/* ---- what is there ---- */

typedef struct lmd_found {
    const lmd_tensor **outer;  /* owned (n_outer); NULL where a tied head is not there */
    const lmd_tensor **blocks; /* owned (N, n_block) */
    int64_t parameters;        /* a tied head counts once */
} lmd_found;

bool lmd_model_is_gguf(const lmd_weights *weights);

/* Is there a tensor of this want outside the blocks? */
bool lmd_model_has_tensor(const lmd_weights *weights, const lmd_wants *wants, int outer);

/* Finds all, checks every shape, and refuses what nobody wants: LMD_INPUT with all the
 * names that are missing, the first wrong shape, or all that are not wanted. `found` is
 * {0} before and to be cleared in any case. */
lmd_status lmd_model_find_tensors(lmd_found *found, const lmd_weights *weights,
                                  const lmd_wants *wants, const lmd_config *config);
void lmd_model_clear_found(lmd_found *found);

/* ---- loading, a few MB at a time ---- */

/* Packs a tensor's row r as row places[r] of the matrix, or as row r. */
lmd_status lmd_model_load_matrix(const lmd_weights *weights, const lmd_tensor *tensor,
                                 const int32_t *places, lmd_matrix *matrix);

/* The tensor as it is, row after row. */
lmd_status lmd_model_load_rows(const lmd_weights *weights, const lmd_tensor *tensor,
                               float *out);

/* LMD_INPUT, with both names, unless two tensors have the same values. */
lmd_status lmd_model_check_equal(const lmd_weights *weights, const lmd_tensor *a,
                                 const lmd_tensor *b);

#endif
