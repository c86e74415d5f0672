/* Mistral 7B v0.1 to v0.3 (Jiang et al. 2023, 2310.06825): Llama's graph, every block of
 * which may see a window of the prompt only. GGUF calls it llama. */
#include "gated_decoder.h"

static const lmd_key json_keys[] = {
    LMD_GATED_JSON_KEYS, // of all
    LMD_LIMIT("num_key_value_heads", K),
    LMD_SIZE("head_dim", D),
    LMD_LIMIT("sliding_window", window),
    {0},
};

static const char *const types[] = {"mistral", NULL};

const lmd_family lmd_family_mistral = {
    .name = "mistral",
    .types = types,
    .json_keys = json_keys,
    .gguf_keys = NULL,
    /* Of transformers' MistralConfig. */
    .defaults = {.K = 8,
                 .context = 131072,
                 .bos = -1,
                 .eps = (double)1e-6F,
                 .window = 4096,
                 .is_windowed = true},
    .complete = lmd_model_complete_gated,
    .load = lmd_model_load_gated,
    LMD_GATED_FUNCTIONS,
};
