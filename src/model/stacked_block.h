/* The block that GPT-2 and GPT-NeoX have in common: LayerNorms, one product for queries,
 * keys and values, an MLP without a gate, biases. Each half is a function here; a family
 * puts the halves in its order. */
#ifndef LMDEPTH_MODEL_STACKED_BLOCK_H
#define LMDEPTH_MODEL_STACKED_BLOCK_H

#include <stddef.h>              /* size_t */
#include <stdint.h>              /* int32_t */
#include <lmdepth/base/status.h> /* lmd_status */
#include <lmdepth/kernel.h>      /* lmd_matrix, lmd_rotary */
#include "family.h"              /* lmd_model, lmd_arena */

/* Rows of GGUF metadata that both have alike. */
#define LMD_STACKED_GGUF_KEYS(name)                                                      \
    LMD_ONLY("general.type", "model"), LMD_ONLY("split.count", "0|1"),                   \
        LMD_ANY("split.*"), LMD_ONLY(name ".attention.causal", "true"),                  \
        LMD_NEED_SIZE(name ".embedding_length", d),                                      \
        LMD_NEED_SIZE(name ".feed_forward_length", F),                                   \
        LMD_NEED_SIZE(name ".block_count", N),                                           \
        LMD_NEED_SIZE(name ".attention.head_count", H),                                  \
        LMD_SIZE(name ".attention.head_count_kv", K),                                    \
        LMD_SIZE(name ".attention.key_length", D),                                       \
        LMD_SIZE(name ".attention.value_length", value_D),                               \
        LMD_SIZE(name ".vocab_size", V), LMD_NEED_SIZE(name ".context_length", context), \
        LMD_NEED_REAL(name ".attention.layer_norm_epsilon", eps),                        \
        LMD_ID("tokenizer.ggml.bos_token_id", bos),                                      \
        LMD_ANY("tokenizer.ggml.bos_token_id")

/* Order of the family's lmd_wants.block. */
enum {
    LMD_STACKED_NORM,
    LMD_STACKED_NORM_BIAS,
    LMD_STACKED_QKV,
    LMD_STACKED_QKV_BIAS,
    LMD_STACKED_O,
    LMD_STACKED_O_BIAS,
    LMD_STACKED_MLP_NORM,
    LMD_STACKED_MLP_NORM_BIAS,
    LMD_STACKED_UP,
    LMD_STACKED_UP_BIAS,
    LMD_STACKED_DOWN,
    LMD_STACKED_DOWN_BIAS,
    LMD_N_STACKED
};

/* LayerNorm's (d). */
typedef struct lmd_stacked_norm {
    float *weight, *bias;
} lmd_stacked_norm;

/* A matrix (O, C) and its bias (O), NULL when there is none. */
typedef struct lmd_stacked_layer {
    lmd_matrix W;
    float *bias;
} lmd_stacked_layer;

/* What it points to lies in the packed memory. */
typedef struct lmd_stacked_block {
    lmd_stacked_norm norm, mlp_norm;
    lmd_stacked_layer qkv;  /* (3 H D, d): all queries, all keys, all values */
    lmd_stacked_layer o;    /* (d, H D) */
    lmd_stacked_layer up;   /* (F, d) */
    lmd_stacked_layer down; /* (d, F) */
} lmd_stacked_block;

/* Fills in D, K, HD, KD, QKV from d and H; refuses what does not fit together. */
lmd_status lmd_model_complete_stacked(lmd_config *config, const char *path);

void lmd_model_bind_norm(lmd_stacked_norm *norm, int d, lmd_arena *arena);

/* Block l; the types of its matrices are those of the file. */
void lmd_model_bind_stacked(lmd_stacked_block *block, const lmd_model *model, int l,
                            lmd_arena *arena);

/* qkv_places (3 H D): where the file's rows of the stacked matrix belong; NULL: where
 * they are. */
lmd_status lmd_model_load_stacked(lmd_stacked_block *block, const lmd_model *model, int l,
                                  const int32_t *qkv_places);

/* One forward pass. */
typedef struct lmd_stacked_pass {
    lmd_kernel *kernel;       /* borrowed */
    const lmd_config *config; /* borrowed */
    const lmd_batch *batch;   /* borrowed */
    const lmd_rotary *rotary; /* borrowed; NULL: queries and keys don't turn */
    float *normed;            /* (T, d) */
    float *qkv;               /* (T, 3 H D) */
    float *mixed;             /* (T, H D): attention's output */
    float *hidden;            /* (T, F); in the place of qkv and mixed */
} lmd_stacked_pass;

/* The buffers. */
void lmd_model_take_stacked(lmd_stacked_pass *pass, lmd_arena *arena,
                            const lmd_config *config, int T);

/* out (T, d): what attention over in (T, d) adds to the stream; scale of q k^T. */
void lmd_model_attend_stacked(const lmd_stacked_pass *pass,
                              const lmd_stacked_block *block, const float *in,
                              float scale, float *out);

/* out (T, d): what the MLP over in (T, d) adds to the stream; out may be pass->normed. */
void lmd_model_mlp_stacked(const lmd_stacked_pass *pass, const lmd_stacked_block *block,
                           const float *in, float *out);

/* As lmd_model_flops. */
double lmd_model_flops_stacked(const lmd_model *model, const int32_t *starts,
                               int n_prompts);

#endif
