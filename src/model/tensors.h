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

typedef enum lmd_form {
    LMD_FORM_MATRIX,     /* (O, C) */
    LMD_FORM_TRANSPOSED, /* Hugging Face (C, O), as GPT-2's Conv1D has it; GGUF (O, C) */
    LMD_FORM_CHANNELS,   /* Hugging Face (O, 1, C), a convolution's; GGUF (O, C) */
    LMD_FORM_VECTOR      /* (C) */
} lmd_form;

/* One tensor, or one in every block. In a name # stands for the block's number. */
typedef struct lmd_want {
    const char *hugging_face; /* NULL: not in that world */
    const char *gguf;         /* the same */
    lmd_form form;
    size_t O, C; /* members of lmd_config, int */
    size_t flag; /* member of lmd_config, bool: wanted only when true, refused when false.
                  * GGUF has no keys for these: there the presence of the first tensor
                  * with this flag sets it, in the first block. 0: always wanted */
} lmd_want;

#define LMD_MATRIX(hugging_face, gguf, O, C)                                             \
    {                                                                                    \
        (hugging_face), (gguf), LMD_FORM_MATRIX, offsetof(lmd_config, O),                \
            offsetof(lmd_config, C), 0                                                   \
    }
#define LMD_TRANSPOSED(hugging_face, gguf, O, C)                                         \
    {                                                                                    \
        (hugging_face), (gguf), LMD_FORM_TRANSPOSED, offsetof(lmd_config, O),            \
            offsetof(lmd_config, C), 0                                                   \
    }
#define LMD_CHANNELS(hugging_face, gguf, O, C)                                           \
    {                                                                                    \
        (hugging_face), (gguf), LMD_FORM_CHANNELS, offsetof(lmd_config, O),              \
            offsetof(lmd_config, C), 0                                                   \
    }
#define LMD_VECTOR(hugging_face, gguf, C)                                                \
    {                                                                                    \
        (hugging_face), (gguf), LMD_FORM_VECTOR, 0, offsetof(lmd_config, C), 0           \
    }
#define LMD_VECTOR_IF(hugging_face, gguf, C, flag)                                       \
    {                                                                                    \
        (hugging_face), (gguf), LMD_FORM_VECTOR, 0, offsetof(lmd_config, C),             \
            offsetof(lmd_config, flag)                                                   \
    }

typedef struct lmd_wants {
    const lmd_want *outer; /* borrowed: tensors outside the blocks */
    int n_outer;
    const lmd_want *block; /* borrowed: of every block */
    int n_block;
    int head;           /* which outer one is the unembedding: none is needed when tied */
    const char *prefix; /* may be missing from all Hugging Face names: "model." */
    const char *const *harmless; /* tensors whose names end so are no weights (old
                                  * conversions keep masks and frequencies); ends in
                                  * NULL; NULL: none */
} lmd_wants;

/* ---- what is there ---- */

typedef struct lmd_found {
    const lmd_tensor **outer;  /* owned (n_outer); NULL where a tied head is not there, or
                                * what is not wanted */
    const lmd_tensor **blocks; /* owned (N, n_block); NULL: not wanted */
    int64_t parameters;        /* a tied head counts once */
} lmd_found;

bool lmd_model_is_gguf(const lmd_weights *weights);

/* Is there a tensor of this want outside the blocks? */
bool lmd_model_has_tensor(const lmd_weights *weights, const lmd_wants *wants, int outer);

/* Sets the flags of all wants from what a GGUF file holds. */
void lmd_model_set_flags(lmd_config *config, const lmd_weights *weights,
                         const lmd_wants *wants);

/* Finds all, checks every shape, and refuses what nobody wants: LMD_INPUT with all the
 * names that are missing, the first wrong shape, or all that are not wanted. `found` is
 * {0} before and to be cleared in any case. */
lmd_status lmd_model_find_tensors(lmd_found *found, const lmd_weights *weights,
                                  const lmd_wants *wants, const lmd_config *config);
void lmd_model_clear_found(lmd_found *found);

/* ---- loading, some MB at a time, in large sequential requests ---- */

/* How a matrix made of these n tensors one below the other is packed: F16 and BF16 as
 * stored when all agree; else F32 (quantised ones are widened once). An arena of bf16
 * overrules it. */
lmd_matrix_type lmd_model_packed_type(const lmd_tensor *const *tensors, int n);

/* Where a tensor's rows go: row r becomes row first + places[r] of the matrix. Of a
 * transposed one, which has no places, column r. */
typedef struct lmd_source {
    const lmd_tensor *tensor; /* borrowed */
    const int32_t *places;    /* (rows) borrowed; NULL: 0, 1, 2, ... */
    int first;
    bool is_transposed; /* the file has (C, O): packed channel by channel */
} lmd_source;

/* Packs one tensor; the matrix's padding is the caller's to clear. */
lmd_status lmd_model_load_matrix(const lmd_weights *weights, const lmd_source *source,
                                 lmd_matrix *matrix);

/* The tensor as it is, row after row. NULL: nothing is done. */
lmd_status lmd_model_load_rows(const lmd_weights *weights, const lmd_tensor *tensor,
                               float *out);

/* A vector, value i at out[places[i]]; places NULL: as it is. Tensor NULL: nothing. */
lmd_status lmd_model_load_vector(const lmd_weights *weights, const lmd_tensor *tensor,
                                 const int32_t *places, float *out);

/* LMD_INPUT, with both names, unless two tensors have the same values. */
lmd_status lmd_model_check_equal(const lmd_weights *weights, const lmd_tensor *a,
                                 const lmd_tensor *b);

#endif
