/* GPT-2: a pre-norm decoder with learned positions, LayerNorm and an ungated MLP (Radford
 * et al. 2019), as transformers computes it in fp32. State 0 is the sum of the token's
 * and the position's embedding.
 *
 * Hugging Face keeps the matrices of the blocks transposed (Conv1D), GGUF does not. GGUF
 * says nothing of activation and scale: there they are those of OpenAI's models. */
#include "stacked_block.h"

#include <assert.h>              /* assert */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <lmdepth/base/text.h>   /* lmd_text */
#include <math.h>                /* sqrt */
#include "batch.h"

/* ---- config ---- */

static const lmd_key json_keys[] = {
    LMD_NEED_SIZE("n_embd", d),
    LMD_SIZE("n_inner", F),
    LMD_NEED_SIZE("n_layer", N),
    LMD_NEED_SIZE("n_head", H),
    LMD_NEED_SIZE("vocab_size", V),
    LMD_SIZE("n_ctx", context), /* of old configs; where n_positions says it too, that */
    LMD_SIZE("n_positions", context),
    LMD_REAL("layer_norm_epsilon", eps),
    LMD_WORD("activation_function", activation, lmd_model_activation_words),
    LMD_FLAG("scale_attn_weights", is_scaled),
    LMD_FLAG("scale_attn_by_inverse_layer_idx", is_scaled_by_block),
    LMD_FLAG("tie_word_embeddings", is_tied),
    LMD_ONLY("add_cross_attention", "false"),
    LMD_ANY("reorder_and_upcast_attn"), /* order and precision for half floats */
    LMD_ANY("summary_*"),               /* of a head for multiple choice */
    LMD_ANY("predict_special_tokens"),
    LMD_ANY("gradient_checkpointing"),
    LMD_ID("bos_token_id", bos),
    LMD_ANY("bos_token_id"),
    {0},
};

static const lmd_key gguf_keys[] = {
    LMD_STACKED_GGUF_KEYS("gpt2"),
    {0},
};

static lmd_status complete(lmd_config *config, const char *path)
{
    config->F = config->F ? config->F : 4 * config->d;
    return lmd_model_complete_stacked(config, path);
}

/* ---- weights ---- */

enum { EMBEDDING, POSITIONS, FINAL_NORM, FINAL_NORM_BIAS, HEAD, N_OUTER };

static const lmd_want outer_wants[N_OUTER] = {
    [EMBEDDING] = LMD_MATRIX("transformer.wte.weight", "token_embd.weight", V, d),
    [POSITIONS] =
        LMD_MATRIX("transformer.wpe.weight", "position_embd.weight", context, d),
    [FINAL_NORM] = LMD_VECTOR("transformer.ln_f.weight", "output_norm.weight", d),
    [FINAL_NORM_BIAS] = LMD_VECTOR("transformer.ln_f.bias", "output_norm.bias", d),
    [HEAD] = LMD_MATRIX("lm_head.weight", "output.weight", V, d),
};

#define BLOCK "transformer.h.#."

static const lmd_want block_wants[LMD_N_STACKED] = {
    [LMD_STACKED_NORM] = LMD_VECTOR(BLOCK "ln_1.weight", "blk.#.attn_norm.weight", d),
    [LMD_STACKED_NORM_BIAS] = LMD_VECTOR(BLOCK "ln_1.bias", "blk.#.attn_norm.bias", d),
    [LMD_STACKED_QKV] =
        LMD_TRANSPOSED(BLOCK "attn.c_attn.weight", "blk.#.attn_qkv.weight", QKV, d),
    [LMD_STACKED_QKV_BIAS] =
        LMD_VECTOR(BLOCK "attn.c_attn.bias", "blk.#.attn_qkv.bias", QKV),
    [LMD_STACKED_O] =
        LMD_TRANSPOSED(BLOCK "attn.c_proj.weight", "blk.#.attn_output.weight", d, HD),
    [LMD_STACKED_O_BIAS] =
        LMD_VECTOR(BLOCK "attn.c_proj.bias", "blk.#.attn_output.bias", d),
    [LMD_STACKED_MLP_NORM] = LMD_VECTOR(BLOCK "ln_2.weight", "blk.#.ffn_norm.weight", d),
    [LMD_STACKED_MLP_NORM_BIAS] = LMD_VECTOR(BLOCK "ln_2.bias", "blk.#.ffn_norm.bias", d),
    [LMD_STACKED_UP] =
        LMD_TRANSPOSED(BLOCK "mlp.c_fc.weight", "blk.#.ffn_up.weight", F, d),
    [LMD_STACKED_UP_BIAS] = LMD_VECTOR(BLOCK "mlp.c_fc.bias", "blk.#.ffn_up.bias", F),
    [LMD_STACKED_DOWN] =
        LMD_TRANSPOSED(BLOCK "mlp.c_proj.weight", "blk.#.ffn_down.weight", d, F),
    [LMD_STACKED_DOWN_BIAS] =
        LMD_VECTOR(BLOCK "mlp.c_proj.bias", "blk.#.ffn_down.bias", d),
};

/* Causal masks, which old checkpoints hold. */
static const char *const harmless[] = {".attn.bias", ".attn.masked_bias", NULL};

typedef struct gpt2 {
    lmd_model model;
    lmd_stacked_block *blocks; /* (N) owned */
    lmd_stacked_norm norm;     /* the final one */
    float *positions;          /* (context, d) */
} gpt2;

static void bind(lmd_model *model, lmd_arena *arena)
{
    gpt2 *const self = (gpt2 *)model;
    const lmd_config *const config = &model->config;
    const size_t positions = (size_t)config->context * (size_t)config->d;
    if (!self->blocks) {
        self->blocks = lmd_memory_new((size_t)config->N, sizeof *self->blocks);
    }
    lmd_model_bind_norm(&self->norm, config->d, arena);
    self->positions = lmd_model_take(arena, positions, sizeof(float));
    for (int l = 0; l < config->N; l++) {
        lmd_model_bind_stacked(&self->blocks[l], model, l, arena);
    }
}

static lmd_status load(lmd_model *model)
{
    gpt2 *const self = (gpt2 *)model;
    const lmd_weights *const weights = model->weights;
    const lmd_tensor *const *const outer = model->found.outer;
    LMD_TRY(lmd_model_load_rows(weights, outer[FINAL_NORM], self->norm.weight));
    LMD_TRY(lmd_model_load_rows(weights, outer[FINAL_NORM_BIAS], self->norm.bias));
    LMD_TRY(lmd_model_load_rows(weights, outer[POSITIONS], self->positions));
    for (int l = 0; l < model->config.N; l++) {
        LMD_TRY(lmd_model_load_stacked(&self->blocks[l], model, l, NULL));
    }
    return LMD_OK;
}

static void free_blocks(lmd_model *model)
{
    lmd_memory_free(((gpt2 *)model)->blocks);
}

/* ---- forward ---- */

static size_t work_bytes(const lmd_model *model, int T)
{
    lmd_stacked_pass pass;
    lmd_arena arena = {0};
    lmd_model_take_stacked(&pass, &arena, &model->config, T);
    return arena.used;
}

/* out (T, d): token and position. */
static void embed(const gpt2 *self, const lmd_batch *batch, float *out)
{
    const size_t d = (size_t)self->model.config.d;
    lmd_model_embed(&self->model, batch, out);
    for (int p = 0; p < batch->n_prompts; p++) {
        const size_t length = (size_t)(batch->starts[p + 1] - batch->starts[p]);
        float *const rows = out + (size_t)batch->starts[p] * d;
        assert(length <= (size_t)self->model.config.context);
        for (size_t i = 0; i < length * d; i++) {
            rows[i] += self->positions[i];
        }
    }
}

/* Of block l's scores. */
static float scale_of(const lmd_config *config, int l)
{
    const double scale = config->is_scaled ? 1 / sqrt(config->D) : 1;
    return (float)(config->is_scaled_by_block ? scale / (l + 1) : scale);
}

static void forward(const lmd_model *model, lmd_kernel *kernel, const lmd_batch *batch,
                    void *work, float *states)
{
    const gpt2 *const self = (const gpt2 *)model;
    const lmd_config *const config = &model->config;
    const int T = batch->T, d = config->d;
    lmd_stacked_pass pass = {.kernel = kernel, .config = config, .batch = batch};
    lmd_arena arena = {.memory = work};
    lmd_model_take_stacked(&pass, &arena, config, T);

    embed(self, batch, states);
    for (int l = 0; l < config->N; l++) {
        const lmd_stacked_block *const block = &self->blocks[l];
        const float *const in = states + (size_t)l * (size_t)T * (size_t)d;
        float *const out = states + (size_t)(l + 1) * (size_t)T * (size_t)d;
        lmd_model_attend_stacked(&pass, block, in, scale_of(config, l), out);
        lmd_kernel_add(kernel, out, out, in, T, d);
        lmd_model_mlp_stacked(&pass, block, out, pass.normed);
        lmd_kernel_add(kernel, out, out, pass.normed, T, d);
    }
}

static void final_norm(const lmd_model *model, const float *in, float *out)
{
    const lmd_stacked_norm *const norm = &((const gpt2 *)model)->norm;
    lmd_kernel_layer_norm_row(out, in, norm->weight, norm->bias, model->config.eps,
                              model->config.d);
}

static void remarks(const lmd_model *model, lmd_text *out)
{
    const lmd_config *const config = &model->config;
    if (lmd_model_is_gguf(model->weights)) {
        lmd_text_append_string(out, "GGUF does not name the activation: gelu_new is "
                                    "taken, and scores divided by sqrt(head size)\n");
    }
    if (!config->is_scaled) {
        lmd_text_append_string(out, "scores are not divided by sqrt(head size)\n");
    }
    if (config->is_scaled_by_block) {
        lmd_text_append_string(out, "scores of block l are divided by l\n");
    }
}

/* ---- the row ---- */

static const char *const types[] = {"gpt2", NULL};

const lmd_family lmd_family_gpt2 = {
    .name = "gpt2",
    .types = types,
    .size = sizeof(gpt2),
    .json_keys = json_keys,
    .gguf_keys = gguf_keys,
    /* Of transformers' GPT2Config. */
    .defaults = {.context = 1024,
                 .bos = -1,
                 .eps = (double)1e-5F,
                 .is_tied = true,
                 .is_scaled = true,
                 .activation = LMD_GELU_TANH},
    .wants = {.outer = outer_wants,
              .n_outer = N_OUTER,
              .block = block_wants,
              .n_block = LMD_N_STACKED,
              .head = HEAD,
              .prefix = "transformer.",
              .harmless = harmless},
    .complete = complete,
    .bind = bind,
    .load = load,
    .work_bytes = work_bytes,
    .forward = forward,
    .final_norm = final_norm,
    .flops = lmd_model_flops_stacked,
    .remarks = remarks,
    .close = free_blocks,
};
