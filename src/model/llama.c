/* Llama 1 to 3.2 and what has its graph: TinyLlama, SmolLM2, Yi (Touvron et al. 2023,
 * 2302.13971 and 2307.09288). Members differ in their config alone. In GGUF it stands for
 * Mistral too, and rotary frequencies may have factors there (llama3 scaling). */
#include "gated_decoder.h"

static const lmd_key json_keys[] = {
    LMD_GATED_JSON_KEYS, // of all
    LMD_GATED_BIAS_KEYS,
    LMD_FLAG("mlp_bias", has_mlp_bias),
    LMD_SIZE("num_key_value_heads", K),
    LMD_SIZE("head_dim", D),
    LMD_ANY("pretraining_tp"), // the same sums in slices
    LMD_ANY("is_llama_config"),
    {0},
};

static const lmd_key gguf_keys[] = {
    LMD_GATED_GGUF_KEYS("llama"),
    LMD_ONLY("llama.tensor_data_layout", "Meta AI original pth"),
    LMD_SIZE("llama.attention.sliding_window", window),
    {0},
};

static lmd_status complete(lmd_config *config, const char *path)
{
    config->has_head_norms = false; // such tensors are refused
    return lmd_model_complete_gated(config, path);
}

static const char *const types[] = {"llama", NULL};

const lmd_family lmd_family_llama = {
    .name = "llama",
    .types = types,
    .json_keys = json_keys,
    .gguf_keys = gguf_keys,
    /* Of transformers' LlamaConfig. */
    .defaults = {.context = 2048, .bos = -1, .eps = (double)1e-6F, .is_windowed = true},
    .complete = complete,
    .load = lmd_model_load_gated_meta,
    LMD_GATED_FUNCTIONS,
};
