/* The graph that llama, mistral, qwen2 and qwen3 share: a pre-norm decoder with RMSNorm,
 * rotary positions, grouped queries and a gated MLP; with or without biases, norms of
 * queries and keys, and windows of attention. A family of it is its tables of keys, what
 * it settles in `complete`, and LMD_GATED_FUNCTIONS. */
#ifndef LMDEPTH_MODEL_GATED_DECODER_H
#define LMDEPTH_MODEL_GATED_DECODER_H

#include "family.h" /* lmd_family */
#include "rotary.h" /* LMD_ROTARY_KEYS */

/* ---- keys ---- */

/* Rows of config.json that all of them have alike. */
#define LMD_GATED_JSON_KEYS                                                              \
    LMD_NEED_SIZE("hidden_size", d), LMD_NEED_SIZE("intermediate_size", F),              \
        LMD_NEED_SIZE("num_hidden_layers", N), LMD_NEED_SIZE("num_attention_heads", H),  \
        LMD_NEED_SIZE("vocab_size", V), LMD_SIZE("max_position_embeddings", context),    \
        LMD_REAL("rms_norm_eps", eps),                                                   \
        LMD_WORD("hidden_act", activation, lmd_model_activation_words),                  \
        LMD_FLAG("tie_word_embeddings", is_tied), LMD_ID("bos_token_id", bos),           \
        LMD_ANY("bos_token_id"), LMD_ONLY("partial_rotary_factor", "1"),                 \
        LMD_ONLY("rope_parameters.partial_rotary_factor", "1"), LMD_ROTARY_KEYS

/* Transformers' one switch for the biases of all four projections. */
#define LMD_GATED_BIAS_KEYS                                                              \
    LMD_FLAG("attention_bias", has_q_bias), LMD_FLAG("attention_bias", has_k_bias),      \
        LMD_FLAG("attention_bias", has_v_bias), LMD_FLAG("attention_bias", has_o_bias)

/* Qwen's windows: of blocks from max_window_layers on, or of those that are listed. */
#define LMD_GATED_WINDOW_KEYS                                                            \
    LMD_FLAG("use_sliding_window", is_windowed), LMD_LIMIT("sliding_window", window),    \
        LMD_COUNT("max_window_layers", window_start),                                    \
        LMD_LIST("layer_types", windowed, lmd_model_layer_words)

extern const lmd_word lmd_model_layer_words[];

/* Rows of GGUF metadata that all of them have alike. */
#define LMD_GATED_GGUF_KEYS(name)                                                        \
    LMD_ONLY("general.type", "model"), LMD_ONLY("split.count", "0|1"),                   \
        LMD_ANY("split.*"),                                                              \
        LMD_WORD(name ".rope.scaling.type", rope_kind, lmd_model_gguf_rope_words),       \
        LMD_REAL(name ".rope.scaling.factor", rope_factor),                              \
        LMD_ONLY(name ".rope.scaling.attn_factor", "1"),                                 \
        LMD_ONLY(name ".rope.scale_linear", "1"),                                        \
        LMD_ANY(name ".rope.scaling.original_context_length"),                           \
        LMD_ANY(name ".rope.scaling.finetuned"),                                         \
        LMD_ONLY(name ".attention.causal", "true"),                                      \
        LMD_NEED_SIZE(name ".embedding_length", d),                                      \
        LMD_NEED_SIZE(name ".feed_forward_length", F),                                   \
        LMD_NEED_SIZE(name ".block_count", N),                                           \
        LMD_NEED_SIZE(name ".attention.head_count", H),                                  \
        LMD_SIZE(name ".attention.head_count_kv", K),                                    \
        LMD_SIZE(name ".attention.key_length", D),                                       \
        LMD_SIZE(name ".attention.value_length", value_D),                               \
        LMD_SIZE(name ".rope.dimension_count", rotary_D),                                \
        LMD_SIZE(name ".vocab_size", V), LMD_NEED_SIZE(name ".context_length", context), \
        LMD_NEED_REAL(name ".attention.layer_norm_rms_epsilon", eps),                    \
        LMD_REAL(name ".rope.freq_base", rope_base),                                     \
        LMD_ID("tokenizer.ggml.bos_token_id", bos),                                      \
        LMD_ANY("tokenizer.ggml.bos_token_id")

/* ---- what is in memory ---- */

typedef struct lmd_gated_block {
    float *attention_norm;  /* (d) */
    lmd_matrix qkv;         /* (H D + 2 K D, d): queries, keys, values */
    float *qkv_bias;        /* (H D + 2 K D), or NULL */
    float *q_norm, *k_norm; /* (D), or NULL */
    lmd_matrix o;           /* (d, H D) */
    float *o_bias;          /* (d), or NULL */
    float *mlp_norm;        /* (d) */
    lmd_matrix gate_up;     /* (2 F, d) */
    float *gate_up_bias;    /* (2 F), or NULL */
    lmd_matrix down;        /* (d, F) */
    float *down_bias;       /* (d), or NULL */
} lmd_gated_block;

typedef struct lmd_gated_decoder {
    lmd_model model;
    lmd_gated_block *blocks; /* (N) owned; what they point to is in the packed memory */
    float *norm;             /* (d) of the final norm */
    float *frequencies;      /* (rope_pairs) of the rotary positions */
} lmd_gated_decoder;

enum {
    LMD_GATED_EMBEDDING,
    LMD_GATED_NORM,
    LMD_GATED_HEAD,
    LMD_GATED_ROPE_FACTORS,
    LMD_GATED_OUTER
};

enum {
    LMD_GATED_ATTENTION_NORM,
    LMD_GATED_Q,
    LMD_GATED_K,
    LMD_GATED_V,
    LMD_GATED_O,
    LMD_GATED_Q_BIAS,
    LMD_GATED_K_BIAS,
    LMD_GATED_V_BIAS,
    LMD_GATED_O_BIAS,
    LMD_GATED_Q_NORM,
    LMD_GATED_K_NORM,
    LMD_GATED_MLP_NORM,
    LMD_GATED_GATE,
    LMD_GATED_UP,
    LMD_GATED_DOWN,
    LMD_GATED_GATE_BIAS,
    LMD_GATED_UP_BIAS,
    LMD_GATED_DOWN_BIAS,
    LMD_GATED_BLOCK
};

extern const lmd_want lmd_model_gated_outer[LMD_GATED_OUTER];
extern const lmd_want lmd_model_gated_block[LMD_GATED_BLOCK];
extern const char *const lmd_model_gated_harmless[];

/* ---- functions ---- */

/* K, D, HD, KD and rotary positions; what doesn't fit together is refused. */
lmd_status lmd_model_complete_gated(lmd_config *config, const char *path);

void lmd_model_bind_gated(lmd_model *model, lmd_arena *arena);
lmd_status lmd_model_load_gated(lmd_model *model);

/* The same for a family whose GGUF files keep the rows of W_q and W_k in the order of
 * Meta's code (llama). */
lmd_status lmd_model_load_gated_meta(lmd_model *model);

size_t lmd_model_work_gated(const lmd_model *model, int T);
void lmd_model_forward_gated(const lmd_model *model, lmd_kernel *kernel,
                             const lmd_batch *batch, void *work, float *states);
void lmd_model_norm_gated(const lmd_model *model, const float *in, float *out);
double lmd_model_flops_gated(const lmd_model *model, const int32_t *starts,
                             int n_prompts);
void lmd_model_remark_gated(const lmd_model *model, lmd_text *out);
void lmd_model_close_gated(lmd_model *model);

/* All of a row of families.def but name, types, keys, defaults, complete and load. */
#define LMD_GATED_FUNCTIONS                                                              \
    .size = sizeof(lmd_gated_decoder),                                                   \
    .wants = {.outer = lmd_model_gated_outer,                                            \
              .n_outer = LMD_GATED_OUTER,                                                \
              .block = lmd_model_gated_block,                                            \
              .n_block = LMD_GATED_BLOCK,                                                \
              .head = LMD_GATED_HEAD,                                                    \
              .prefix = "model.",                                                        \
              .harmless = lmd_model_gated_harmless},                                     \
    .bind = lmd_model_bind_gated, .work_bytes = lmd_model_work_gated,                    \
    .forward = lmd_model_forward_gated, .final_norm = lmd_model_norm_gated,              \
    .flops = lmd_model_flops_gated, .remarks = lmd_model_remark_gated,                   \
    .close = lmd_model_close_gated

#endif
