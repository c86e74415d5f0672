/* GPT-NeoX: a pre-norm decoder with partial rotary positions, whose blocks compute
 * attention and MLP from the same stream (Black et al. 2022, 2204.06745; Pythia:
 * Biderman et al. 2023, 2304.01373) or, with use_parallel_residual off, one after the
 * other; as transformers computes it in fp32.
 *
 * Hugging Face keeps query, key and value of each head together: row (3 h + i) D + j of
 * query_key_value is row j of head h's i-th. They are stacked by kind when they are
 * packed, as GGUF's converter stacks them. GGUF says nothing of the activation: there it
 * is gelu, which all published models have. */
#include "stacked_block.h"

#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <lmdepth/base/text.h>   /* lmd_text */
#include <math.h>                /* sqrt */
#include "batch.h"
#include "rotary.h"

/* ---- config ---- */

static const lmd_key json_keys[] = {
    LMD_NEED_SIZE("hidden_size", d),
    LMD_NEED_SIZE("intermediate_size", F),
    LMD_NEED_SIZE("num_hidden_layers", N),
    LMD_NEED_SIZE("num_attention_heads", H),
    LMD_SIZE("head_dim", D),
    LMD_NEED_SIZE("vocab_size", V),
    LMD_SIZE("max_position_embeddings", context),
    LMD_REAL("layer_norm_eps", eps),
    LMD_WORD("hidden_act", activation, lmd_model_activation_words),
    LMD_ROTARY_OBJECT_KEYS,
    LMD_REAL("rotary_emb_base", rope_theta),
    LMD_SHARE("rotary_pct", rotary_share),
    LMD_SHARE("rope_parameters.partial_rotary_factor", rotary_share),
    LMD_SHARE("rope_scaling.partial_rotary_factor", rotary_share),
    /* Copies of these that transformers 4 wrote and no version reads. */
    LMD_ANY("rope_theta"),
    LMD_ANY("partial_rotary_factor"),
    LMD_FLAG("use_parallel_residual", is_parallel),
    LMD_FLAG("attention_bias", has_q_bias),
    LMD_FLAG("attention_bias", has_o_bias),
    LMD_FLAG("tie_word_embeddings", is_tied),
    LMD_ANY("attention_probs_dropout_prob"),
    LMD_ANY("hidden_dropout_prob"),
    LMD_ANY("classifier_dropout"),
    LMD_ANY("gradient_checkpointing"),
    LMD_ID("bos_token_id", bos),
    LMD_ANY("bos_token_id"),
    {0},
};

static const lmd_key gguf_keys[] = {
    LMD_STACKED_GGUF_KEYS("gptneox"),
    LMD_NEED_SIZE("gptneox.rope.dimension_count", rotary_D),
    LMD_REAL("gptneox.rope.freq_base", rope_base),
    LMD_WORD("gptneox.rope.scaling.type", rope_kind, lmd_model_gguf_rope_words),
    LMD_REAL("gptneox.rope.scaling.factor", rope_factor),
    LMD_ANY("gptneox.rope.scaling.original_context_length"),
    LMD_ANY("gptneox.rope.scaling.finetuned"),
    LMD_ONLY("gptneox.rope.scaling.attn_factor", "1"),
    LMD_ONLY("gptneox.rope.scale_linear", "1"),
    LMD_NEED_FLAG("gptneox.use_parallel_residual", is_parallel),
    {0},
};

static lmd_status complete(lmd_config *config, const char *path)
{
    LMD_TRY(lmd_model_complete_stacked(config, path));
    const int D = config->D;
    if (config->rotary_D == 0) {
        config->rotary_D = (int)(D * config->rotary_share);
    }
    if (config->rotary_D < 2 || config->rotary_D % 2 != 0 || config->rotary_D > D) {
        return lmd_status_set(LMD_INPUT,
                              "%s: %d rotary dimensions of heads of %d are not "
                              "supported: an even number from 2 on is",
                              path, config->rotary_D, D);
    }
    return lmd_model_complete_rotary(config, path);
}

/* ---- weights ---- */

enum { EMBEDDING, FINAL_NORM, FINAL_NORM_BIAS, HEAD, N_OUTER };

static const lmd_want outer_wants[N_OUTER] = {
    [EMBEDDING] = LMD_MATRIX("gpt_neox.embed_in.weight", "token_embd.weight", V, d),
    [FINAL_NORM] =
        LMD_VECTOR("gpt_neox.final_layer_norm.weight", "output_norm.weight", d),
    [FINAL_NORM_BIAS] =
        LMD_VECTOR("gpt_neox.final_layer_norm.bias", "output_norm.bias", d),
    [HEAD] = LMD_MATRIX("embed_out.weight", "output.weight", V, d),
};

#define BLOCK "gpt_neox.layers.#."

static const lmd_want block_wants[LMD_N_STACKED] = {
    [LMD_STACKED_NORM] =
        LMD_VECTOR(BLOCK "input_layernorm.weight", "blk.#.attn_norm.weight", d),
    [LMD_STACKED_NORM_BIAS] =
        LMD_VECTOR(BLOCK "input_layernorm.bias", "blk.#.attn_norm.bias", d),
    [LMD_STACKED_QKV] = LMD_MATRIX(BLOCK "attention.query_key_value.weight",
                                   "blk.#.attn_qkv.weight", QKV, d),
    [LMD_STACKED_QKV_BIAS] = LMD_VECTOR_IF(BLOCK "attention.query_key_value.bias",
                                           "blk.#.attn_qkv.bias", QKV, has_q_bias),
    [LMD_STACKED_O] =
        LMD_MATRIX(BLOCK "attention.dense.weight", "blk.#.attn_output.weight", d, HD),
    [LMD_STACKED_O_BIAS] = LMD_VECTOR_IF(BLOCK "attention.dense.bias",
                                         "blk.#.attn_output.bias", d, has_o_bias),
    [LMD_STACKED_MLP_NORM] =
        LMD_VECTOR(BLOCK "post_attention_layernorm.weight", "blk.#.ffn_norm.weight", d),
    [LMD_STACKED_MLP_NORM_BIAS] =
        LMD_VECTOR(BLOCK "post_attention_layernorm.bias", "blk.#.ffn_norm.bias", d),
    [LMD_STACKED_UP] =
        LMD_MATRIX(BLOCK "mlp.dense_h_to_4h.weight", "blk.#.ffn_up.weight", F, d),
    [LMD_STACKED_UP_BIAS] =
        LMD_VECTOR(BLOCK "mlp.dense_h_to_4h.bias", "blk.#.ffn_up.bias", F),
    [LMD_STACKED_DOWN] =
        LMD_MATRIX(BLOCK "mlp.dense_4h_to_h.weight", "blk.#.ffn_down.weight", d, F),
    [LMD_STACKED_DOWN_BIAS] =
        LMD_VECTOR(BLOCK "mlp.dense_4h_to_h.bias", "blk.#.ffn_down.bias", d),
};

/* Causal masks and rotary frequencies, which old checkpoints hold. */
static const char *const harmless[] = {".attention.bias", ".attention.masked_bias",
                                       ".rotary_emb.inv_freq", NULL};

typedef struct gptneox {
    lmd_model model;
    lmd_stacked_block *blocks; /* (N) owned */
    lmd_stacked_norm norm;     /* the final one */
} gptneox;

static void bind(lmd_model *model, lmd_arena *arena)
{
    gptneox *const self = (gptneox *)model;
    const lmd_config *const config = &model->config;
    if (!self->blocks) {
        self->blocks = lmd_memory_new((size_t)config->N, sizeof *self->blocks);
    }
    lmd_model_bind_norm(&self->norm, config->d, arena);
    for (int l = 0; l < config->N; l++) {
        lmd_model_bind_stacked(&self->blocks[l], model, l, arena);
    }
}

/* Where the rows of Hugging Face's query_key_value belong. Caller frees; NULL: where they
 * are. */
static int32_t *new_places(const lmd_model *model)
{
    if (lmd_model_is_gguf(model->weights)) {
        return NULL;
    }
    const int D = model->config.D;
    int32_t *const places = lmd_memory_new((size_t)model->config.QKV, sizeof *places);
    for (int row = 0; row < model->config.QKV; row++) {
        const int head = row / (3 * D);
        const int kind = row / D % 3;
        places[row] = kind * model->config.HD + head * D + row % D;
    }
    return places;
}

static lmd_status load(lmd_model *model)
{
    gptneox *const self = (gptneox *)model;
    const lmd_weights *const weights = model->weights;
    const lmd_tensor *const *const outer = model->found.outer;
    LMD_TRY(lmd_model_load_rows(weights, outer[FINAL_NORM], self->norm.weight));
    LMD_TRY(lmd_model_load_rows(weights, outer[FINAL_NORM_BIAS], self->norm.bias));
    int32_t *const places = new_places(model);
    lmd_status status = LMD_OK;
    for (int l = 0; l < model->config.N && status == LMD_OK; l++) {
        status = lmd_model_load_stacked(&self->blocks[l], model, l, places);
    }
    lmd_memory_free(places);
    return status;
}

static void free_blocks(lmd_model *model)
{
    lmd_memory_free(((gptneox *)model)->blocks);
}

/* ---- forward ---- */

typedef struct gptneox_scratch {
    int32_t *place;         /* (T): position of each row in its prompt */
    float *frequencies;     /* (pairs) */
    float *cosines, *sines; /* (T, pairs) */
} gptneox_scratch;

static void take_scratch(gptneox_scratch *scratch, lmd_stacked_pass *pass,
                         lmd_arena *arena, const lmd_config *config, int T)
{
    const size_t pairs = (size_t)config->rope_pairs;
    scratch->place = lmd_model_take(arena, (size_t)T, sizeof(int32_t));
    scratch->frequencies = lmd_model_take(arena, pairs, sizeof(float));
    scratch->cosines = lmd_model_take(arena, (size_t)T * pairs, sizeof(float));
    scratch->sines = lmd_model_take(arena, (size_t)T * pairs, sizeof(float));
    lmd_model_take_stacked(pass, arena, config, T);
}

static size_t work_bytes(const lmd_model *model, int T)
{
    gptneox_scratch scratch;
    lmd_stacked_pass pass;
    lmd_arena arena = {0};
    take_scratch(&scratch, &pass, &arena, &model->config, T);
    return arena.used;
}

/* What turns queries and keys, from the pack's positions. */
static lmd_rotary prepare_rotary(const lmd_model *model, const lmd_batch *batch,
                                 const gptneox_scratch *scratch)
{
    const int pairs = model->config.rope_pairs;
    const int longest = lmd_model_number_positions(model, scratch->place, batch);
    lmd_model_rotary_frequencies(scratch->frequencies, &model->config, NULL);
    lmd_model_fill_rotary(scratch->cosines, scratch->sines, longest, scratch->frequencies,
                          pairs);
    return (lmd_rotary){scratch->cosines, scratch->sines, scratch->place, 2 * pairs};
}

static void forward(const lmd_model *model, lmd_kernel *kernel, const lmd_batch *batch,
                    void *work, float *states)
{
    const gptneox *const self = (const gptneox *)model;
    const lmd_config *const config = &model->config;
    const int T = batch->T, d = config->d;
    const float scale = (float)(1 / sqrt(config->D));
    lmd_arena arena = {.memory = work};
    gptneox_scratch scratch;
    lmd_stacked_pass pass = {.kernel = kernel, .config = config, .batch = batch};
    take_scratch(&scratch, &pass, &arena, config, T);
    const lmd_rotary rotary = prepare_rotary(model, batch, &scratch);
    pass.rotary = &rotary;

    lmd_model_embed(model, batch, states);
    for (int l = 0; l < config->N; l++) {
        const lmd_stacked_block *const block = &self->blocks[l];
        const float *const in = states + (size_t)l * (size_t)T * (size_t)d;
        float *const out = states + (size_t)(l + 1) * (size_t)T * (size_t)d;
        lmd_model_attend_stacked(&pass, block, in, scale, out);
        if (config->is_parallel) {
            lmd_model_mlp_stacked(&pass, block, in, pass.normed);
            lmd_kernel_add(kernel, out, out, pass.normed, T, d);
            lmd_kernel_add(kernel, out, out, in, T, d);
        } else {
            lmd_kernel_add(kernel, out, out, in, T, d);
            lmd_model_mlp_stacked(&pass, block, out, pass.normed);
            lmd_kernel_add(kernel, out, out, pass.normed, T, d);
        }
    }
}

static void final_norm(const lmd_model *model, const float *in, float *out)
{
    const lmd_stacked_norm *const norm = &((const gptneox *)model)->norm;
    lmd_kernel_layer_norm_row(out, in, norm->weight, norm->bias, model->config.eps,
                              model->config.d);
}

static void remarks(const lmd_model *model, lmd_text *out)
{
    const lmd_config *const config = &model->config;
    if (lmd_model_is_gguf(model->weights)) {
        lmd_text_append_string(
            out, "GGUF does not name the activation: gelu is taken, as Pythia has it\n");
    }
    if (!config->is_parallel) {
        lmd_text_append_string(out, "attention and MLP one after the other\n");
    }
    if (!config->has_q_bias) {
        lmd_text_append_string(out, "attention has no biases\n");
    }
    lmd_model_remark_rotary(config, out);
}

/* ---- the row ---- */

static const char *const types[] = {"gpt_neox", "gptneox", NULL};

const lmd_family lmd_family_gptneox = {
    .name = "gptneox",
    .types = types,
    .size = sizeof(gptneox),
    .json_keys = json_keys,
    .gguf_keys = gguf_keys,
    /* Of transformers' GPTNeoXConfig. */
    .defaults = {.context = 2048,
                 .bos = -1,
                 .eps = (double)1e-5F,
                 .activation = LMD_GELU,
                 .rotary_share = 0.25,
                 .is_parallel = true,
                 .has_q_bias = true,
                 .has_o_bias = true},
    .wants = {.outer = outer_wants,
              .n_outer = N_OUTER,
              .block = block_wants,
              .n_block = LMD_N_STACKED,
              .head = HEAD,
              .prefix = "gpt_neox.",
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
