/* Qwen2 and Qwen2.5 (Yang et al. 2024, 2407.10671): Llama's graph with biases on queries,
 * keys and values, and windows that no published member uses. */
#include "gated_decoder.h"

static const lmd_key json_keys[] = {
    LMD_GATED_JSON_KEYS, // of all
    LMD_GATED_WINDOW_KEYS,
    LMD_LIMIT("num_key_value_heads", K),
    LMD_SIZE("head_dim", D),
    LMD_ANY("use_mrope"), // of a vision model's config; the text model has none
    {0},
};

static const lmd_key gguf_keys[] = {
    LMD_GATED_GGUF_KEYS("qwen2"),
    {0},
};

static lmd_status complete(lmd_config *config, const char *path)
{
    config->has_q_bias = config->has_k_bias = config->has_v_bias = true;
    config->has_o_bias = config->has_mlp_bias = config->has_head_norms = false;
    return lmd_model_complete_gated(config, path);
}

static const char *const types[] = {"qwen2", NULL};

const lmd_family lmd_family_qwen2 = {
    .name = "qwen2",
    .types = types,
    .json_keys = json_keys,
    .gguf_keys = gguf_keys,
    /* Of transformers' Qwen2Config. */
    .defaults = {.K = 32,
                 .context = 32768,
                 .bos = -1,
                 .eps = (double)1e-6F,
                 .window = 4096,
                 .window_start = 28},
    .complete = complete,
    .load = lmd_model_load_gated,
    LMD_GATED_FUNCTIONS,
};
