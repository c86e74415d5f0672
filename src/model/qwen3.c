/* Qwen3, dense (Yang et al. 2025, 2505.09388): Llama's graph with queries and keys normed
 * head by head before they turn, and heads of a size of their own. */
#include "gated_decoder.h"

static const lmd_key json_keys[] = {
    LMD_GATED_JSON_KEYS, // of all
    LMD_GATED_BIAS_KEYS,
    LMD_GATED_WINDOW_KEYS,
    LMD_LIMIT("num_key_value_heads", K),
    LMD_SIZE("head_dim", D),
    {0},
};

static const lmd_key gguf_keys[] = {
    LMD_GATED_GGUF_KEYS("qwen3"),
    {0},
};

static lmd_status complete(lmd_config *config, const char *path)
{
    config->has_head_norms = true;
    config->has_mlp_bias = false;
    return lmd_model_complete_gated(config, path);
}

static const char *const types[] = {"qwen3", NULL};

const lmd_family lmd_family_qwen3 = {
    .name = "qwen3",
    .types = types,
    .json_keys = json_keys,
    .gguf_keys = gguf_keys,
    /* Of transformers' Qwen3Config. */
    .defaults = {.K = 32,
                 .D = 128,
                 .context = 32768,
                 .bos = -1,
                 .eps = (double)1e-6F,
                 .window = 4096,
                 .window_start = 28},
    .complete = complete,
    .load = lmd_model_load_gated,
    LMD_GATED_FUNCTIONS,
};
