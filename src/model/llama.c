/* Llama: a pre-norm decoder with RMSNorm, rotary positions, grouped queries and a gated
 * MLP (Touvron et al. 2023, 2302.13971 and 2307.09288), as transformers computes it in
 * fp32. Members differ in their config alone.
 *
 * GGUF keeps the rows of W_q and W_k in the order of Meta's code, where the two numbers
 * that turn together are neighbours: row 2j + i of a head is row j + i D/2 here (i = 0,
 * 1). They are put back when they are packed, so there is one rotary kernel. */
#include "family.h"
#include "rotary.h"

#include <assert.h>              /* assert */
#include <limits.h>              /* INT_MAX */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <math.h>                /* sqrt */
#include <string.h>              /* memcpy */

/* ---- config ---- */

static const lmd_key json_keys[] = {
    LMD_ONLY("rope_scaling.rope_type", "default"),
    LMD_ONLY("rope_scaling.type", "default"),
    LMD_ONLY("rope_parameters.rope_type", "default"),
    LMD_ONLY("rope_parameters.type", "default"),
    LMD_ONLY("rope_parameters.partial_rotary_factor", "1"),
    LMD_ONLY("partial_rotary_factor", "1"),
    LMD_ONLY("attention_bias", "false"),
    LMD_ONLY("mlp_bias", "false"),
    LMD_ONLY("hidden_act", "silu|swish"),
    LMD_ONLY("pretraining_tp", "1"),
    LMD_NEED_SIZE("hidden_size", d),
    LMD_NEED_SIZE("intermediate_size", F),
    LMD_NEED_SIZE("num_hidden_layers", N),
    LMD_NEED_SIZE("num_attention_heads", H),
    LMD_SIZE("num_key_value_heads", K),
    LMD_SIZE("head_dim", D),
    LMD_NEED_SIZE("vocab_size", V),
    LMD_SIZE("max_position_embeddings", context),
    LMD_REAL("rms_norm_eps", eps),
    LMD_REAL("rope_theta", rope_base),
    LMD_REAL("rope_parameters.rope_theta", rope_base),
    LMD_FLAG("tie_word_embeddings", is_tied),
    LMD_ID("bos_token_id", bos),
    LMD_ANY("bos_token_id"),
    LMD_ANY("is_llama_config"),
    {0},
};

static const lmd_key gguf_keys[] = {
    LMD_ONLY("general.type", "model"),
    LMD_ONLY("split.count", "0|1"),
    LMD_ANY("split.*"),
    LMD_ONLY("llama.rope.scaling.type", "none"),
    LMD_ONLY("llama.rope.scaling.factor", "1"),
    LMD_ONLY("llama.rope.scaling.attn_factor", "1"),
    LMD_ONLY("llama.rope.scale_linear", "1"),
    LMD_ANY("llama.rope.scaling.original_context_length"),
    LMD_ANY("llama.rope.scaling.finetuned"),
    LMD_ONLY("llama.attention.causal", "true"),
    LMD_ONLY("llama.tensor_data_layout", "Meta AI original pth"),
    LMD_NEED_SIZE("llama.embedding_length", d),
    LMD_NEED_SIZE("llama.feed_forward_length", F),
    LMD_NEED_SIZE("llama.block_count", N),
    LMD_NEED_SIZE("llama.attention.head_count", H),
    LMD_SIZE("llama.attention.head_count_kv", K),
    LMD_SIZE("llama.attention.key_length", D),
    LMD_SIZE("llama.attention.value_length", value_D),
    LMD_SIZE("llama.rope.dimension_count", rotary_D),
    LMD_SIZE("llama.vocab_size", V),
    LMD_NEED_SIZE("llama.context_length", context),
    LMD_NEED_REAL("llama.attention.layer_norm_rms_epsilon", eps),
    LMD_REAL("llama.rope.freq_base", rope_base),
    LMD_ID("tokenizer.ggml.bos_token_id", bos),
    LMD_ANY("tokenizer.ggml.bos_token_id"),
    {0},
};

static lmd_status complete(lmd_config *config, const char *path)
{
    if (config->D == 0 && config->d % config->H != 0) {
        return lmd_status_set(LMD_INPUT, "%s: width %d is no multiple of %d heads", path,
                              config->d, config->H);
    }
    config->K = config->K ? config->K : config->H;
    config->D = config->D ? config->D : config->d / config->H;
    const int D = config->D;
    if (config->H % config->K != 0) {
        return lmd_status_set(LMD_INPUT, "%s: %d heads can't share %d key/value heads",
                              path, config->H, config->K);
    }
    if (D % 2 != 0) {
        return lmd_status_set(LMD_INPUT, "%s: heads of odd size %d can't rotate", path,
                              D);
    }
    if ((config->value_D && config->value_D != D) ||
        (config->rotary_D && config->rotary_D != D)) {
        return lmd_status_set(LMD_INPUT,
                              "%s: heads of %d values and %d rotary dimensions on keys "
                              "of %d are not supported",
                              path, config->value_D ? config->value_D : D,
                              config->rotary_D ? config->rotary_D : D, D);
    }
    if (config->H > INT_MAX / D) {
        return lmd_status_set(LMD_INPUT, "%s: %d heads of %d are too many", path,
                              config->H, D);
    }
    config->HD = config->H * D;
    config->KD = config->K * D;
    return LMD_OK;
}

/* ---- weights ---- */

enum { EMBEDDING, FINAL_NORM, HEAD, N_OUTER };

static const lmd_want outer_wants[N_OUTER] = {
    [EMBEDDING] = LMD_MATRIX("model.embed_tokens.weight", "token_embd.weight", V, d),
    [FINAL_NORM] = LMD_VECTOR("model.norm.weight", "output_norm.weight", d),
    [HEAD] = LMD_MATRIX("lm_head.weight", "output.weight", V, d),
};

enum {
    ATTENTION_NORM,
    Q_ROWS,
    K_ROWS,
    V_ROWS,
    O_ROWS,
    MLP_NORM,
    GATE,
    UP,
    DOWN,
    N_BLOCK
};

static const lmd_want block_wants[N_BLOCK] = {
    [ATTENTION_NORM] =
        LMD_VECTOR("model.layers.#.input_layernorm.weight", "blk.#.attn_norm.weight", d),
    [Q_ROWS] = LMD_MATRIX("model.layers.#.self_attn.q_proj.weight", "blk.#.attn_q.weight",
                          HD, d),
    [K_ROWS] = LMD_MATRIX("model.layers.#.self_attn.k_proj.weight", "blk.#.attn_k.weight",
                          KD, d),
    [V_ROWS] = LMD_MATRIX("model.layers.#.self_attn.v_proj.weight", "blk.#.attn_v.weight",
                          KD, d),
    [O_ROWS] = LMD_MATRIX("model.layers.#.self_attn.o_proj.weight",
                          "blk.#.attn_output.weight", d, HD),
    [MLP_NORM] = LMD_VECTOR("model.layers.#.post_attention_layernorm.weight",
                            "blk.#.ffn_norm.weight", d),
    [GATE] =
        LMD_MATRIX("model.layers.#.mlp.gate_proj.weight", "blk.#.ffn_gate.weight", F, d),
    [UP] = LMD_MATRIX("model.layers.#.mlp.up_proj.weight", "blk.#.ffn_up.weight", F, d),
    [DOWN] =
        LMD_MATRIX("model.layers.#.mlp.down_proj.weight", "blk.#.ffn_down.weight", d, F),
};

typedef struct llama_block {
    float *attention_norm; /* (d) */
    lmd_matrix q;          /* (H D, d) */
    lmd_matrix k, v;       /* (K D, d) */
    lmd_matrix o;          /* (d, H D) */
    float *mlp_norm;       /* (d) */
    lmd_matrix gate, up;   /* (F, d) */
    lmd_matrix down;       /* (d, F) */
} llama_block;

typedef struct llama {
    lmd_model model;
    llama_block *blocks; /* (N) owned; what they point to lies in the packed memory */
    float *norm;         /* (d) of the final norm */
    float *embedding;    /* (V, d); NULL when tied: the unembedding's rows serve */
} llama;

static void bind_block(llama_block *block, const lmd_config *config, lmd_arena *arena)
{
    const int d = config->d;
    block->attention_norm = lmd_model_take(arena, (size_t)d, sizeof(float));
    lmd_model_take_matrix(arena, &block->q, config->HD, d);
    lmd_model_take_matrix(arena, &block->k, config->KD, d);
    lmd_model_take_matrix(arena, &block->v, config->KD, d);
    lmd_model_take_matrix(arena, &block->o, d, config->HD);
    block->mlp_norm = lmd_model_take(arena, (size_t)d, sizeof(float));
    lmd_model_take_matrix(arena, &block->gate, config->F, d);
    lmd_model_take_matrix(arena, &block->up, config->F, d);
    lmd_model_take_matrix(arena, &block->down, d, config->F);
}

static void bind(lmd_model *model, lmd_arena *arena)
{
    llama *const self = (llama *)model;
    const lmd_config *const config = &model->config;
    const size_t d = (size_t)config->d;
    if (!self->blocks) {
        self->blocks = lmd_memory_new((size_t)config->N, sizeof *self->blocks);
    }
    self->norm = lmd_model_take(arena, d, sizeof(float));
    if (!config->is_tied) {
        self->embedding = lmd_model_take(arena, (size_t)config->V * d, sizeof(float));
    }
    for (int l = 0; l < config->N; l++) {
        bind_block(&self->blocks[l], config, arena);
    }
}

/* Where GGUF's rows of W_q or W_k belong. Caller frees; NULL: where they are. */
static int32_t *new_places(const lmd_model *model, int heads)
{
    if (!lmd_model_is_gguf(model->weights)) {
        return NULL;
    }
    const int D = model->config.D;
    const int n_rows = heads * D;
    int32_t *const places = lmd_memory_new((size_t)n_rows, sizeof *places);
    for (int row = 0; row < n_rows; row++) {
        const int in_head = row % D;
        places[row] = row - in_head + in_head / 2 + in_head % 2 * (D / 2);
    }
    return places;
}

static lmd_status load_block(const lmd_model *model, llama_block *block,
                             const lmd_tensor *const *from, const int32_t *q_places,
                             const int32_t *k_places)
{
    const lmd_weights *const weights = model->weights;
    LMD_TRY(lmd_model_load_rows(weights, from[ATTENTION_NORM], block->attention_norm));
    LMD_TRY(lmd_model_load_matrix(weights, from[Q_ROWS], q_places, &block->q));
    LMD_TRY(lmd_model_load_matrix(weights, from[K_ROWS], k_places, &block->k));
    LMD_TRY(lmd_model_load_matrix(weights, from[V_ROWS], NULL, &block->v));
    LMD_TRY(lmd_model_load_matrix(weights, from[O_ROWS], NULL, &block->o));
    LMD_TRY(lmd_model_load_rows(weights, from[MLP_NORM], block->mlp_norm));
    LMD_TRY(lmd_model_load_matrix(weights, from[GATE], NULL, &block->gate));
    LMD_TRY(lmd_model_load_matrix(weights, from[UP], NULL, &block->up));
    return lmd_model_load_matrix(weights, from[DOWN], NULL, &block->down);
}

static lmd_status load(lmd_model *model)
{
    llama *const self = (llama *)model;
    const lmd_tensor *const *const outer = model->found.outer;
    LMD_TRY(lmd_model_load_rows(model->weights, outer[FINAL_NORM], self->norm));
    if (self->embedding) {
        LMD_TRY(lmd_model_load_rows(model->weights, outer[EMBEDDING], self->embedding));
    }
    int32_t *const q_places = new_places(model, model->config.H);
    int32_t *const k_places = new_places(model, model->config.K);
    lmd_status status = LMD_OK;
    for (int l = 0; l < model->config.N && status == LMD_OK; l++) {
        status =
            load_block(model, &self->blocks[l], model->found.blocks + (size_t)l * N_BLOCK,
                       q_places, k_places);
    }
    lmd_memory_free(q_places);
    lmd_memory_free(k_places);
    return status;
}

static void free_blocks(lmd_model *model)
{
    lmd_memory_free(((llama *)model)->blocks);
}

/* ---- forward ---- */

typedef struct llama_scratch {
    int32_t *place;         /* (T): position of each row in its prompt */
    float *cosines, *sines; /* (T, D/2) */
    float *normed;          /* (T, d) */
    float *update;          /* (T, d): what a half block adds to the stream */
    float *q, *mixed;       /* (T, H D): queries, attention's output */
    float *k, *v;           /* (T, K D) */
    float *gate, *up;       /* (T, F); in the place of q to v, which are done with */
} llama_scratch;

static void take_scratch(llama_scratch *scratch, lmd_arena *arena,
                         const lmd_config *config, int T)
{
    const size_t rows = (size_t)T;
    const size_t half = (size_t)T * (size_t)(config->D / 2);
    scratch->place = lmd_model_take(arena, (size_t)T, sizeof(int32_t));
    scratch->cosines = lmd_model_take(arena, half, sizeof(float));
    scratch->sines = lmd_model_take(arena, half, sizeof(float));
    scratch->normed = lmd_model_take(arena, rows * (size_t)config->d, sizeof(float));
    scratch->update = lmd_model_take(arena, rows * (size_t)config->d, sizeof(float));
    lmd_arena mlp = *arena;
    scratch->q = lmd_model_take(arena, rows * (size_t)config->HD, sizeof(float));
    scratch->mixed = lmd_model_take(arena, rows * (size_t)config->HD, sizeof(float));
    scratch->k = lmd_model_take(arena, rows * (size_t)config->KD, sizeof(float));
    scratch->v = lmd_model_take(arena, rows * (size_t)config->KD, sizeof(float));
    scratch->gate = lmd_model_take(&mlp, rows * (size_t)config->F, sizeof(float));
    scratch->up = lmd_model_take(&mlp, rows * (size_t)config->F, sizeof(float));
    arena->used = mlp.used > arena->used ? mlp.used : arena->used;
}

static size_t work_bytes(const lmd_model *model, int T)
{
    llama_scratch scratch;
    lmd_arena arena = {0};
    take_scratch(&scratch, &arena, &model->config, T);
    return arena.used;
}

/* Numbers each prompt's positions from 0; returns the longest prompt's length. */
static int number_positions(int32_t *place, const lmd_batch *batch)
{
    int longest = 0;
    for (int p = 0; p < batch->n_prompts; p++) {
        const int length = batch->starts[p + 1] - batch->starts[p];
        for (int t = 0; t < length; t++) {
            place[batch->starts[p] + t] = t;
        }
        longest = length > longest ? length : longest;
    }
    return longest;
}

/* out (T, d): the rows of the ids. */
static void embed(const llama *self, const lmd_batch *batch, float *out)
{
    const lmd_model *const model = &self->model;
    const size_t d = (size_t)model->config.d;
    for (int t = 0; t < batch->T; t++) {
        const uint32_t id = batch->ids[t];
        float *const row = out + (size_t)t * d;
        assert(id < (uint32_t)model->config.V);
        if (self->embedding) {
            memcpy(row, self->embedding + id * d, d * sizeof *row);
        } else {
            const int place = model->places ? model->places[id] : (int)id;
            lmd_matrix_get_row(&model->unembedding, place, row);
        }
    }
}

static void forward(const lmd_model *model, lmd_kernel *kernel, const lmd_batch *batch,
                    void *work, float *states)
{
    const llama *const self = (const llama *)model;
    const lmd_config *const config = &model->config;
    const int T = batch->T, d = config->d, H = config->H, K = config->K, D = config->D;
    const int HD = config->HD, KD = config->KD, F = config->F;
    const float scale = (float)(1 / sqrt(D));
    lmd_arena arena = {work, 0};
    llama_scratch s;
    take_scratch(&s, &arena, config, T);
    const int longest = number_positions(s.place, batch);
    assert(config->context == 0 || longest <= config->context);
    lmd_model_fill_rotary(s.cosines, s.sines, longest, D, config->rope_base);

    embed(self, batch, states);
    for (int l = 0; l < config->N; l++) {
        const llama_block *const b = &self->blocks[l];
        const float *const in = states + (size_t)l * (size_t)T * (size_t)d;
        float *const out = states + (size_t)(l + 1) * (size_t)T * (size_t)d;

        lmd_kernel_rms_norm(kernel, s.normed, in, b->attention_norm, config->eps, T, d);
        lmd_kernel_linear(kernel, s.q, s.normed, &b->q, NULL, T);
        lmd_kernel_linear(kernel, s.k, s.normed, &b->k, NULL, T);
        lmd_kernel_linear(kernel, s.v, s.normed, &b->v, NULL, T);
        lmd_kernel_rotate(kernel, s.q, HD, s.cosines, s.sines, s.place, T, H, D);
        lmd_kernel_rotate(kernel, s.k, KD, s.cosines, s.sines, s.place, T, K, D);
        lmd_kernel_attention(kernel, s.mixed, s.q, s.k, s.v, batch->starts,
                             batch->n_prompts, (const int[3]){H, K, D}, scale);
        lmd_kernel_linear(kernel, s.update, s.mixed, &b->o, NULL, T);
        lmd_kernel_add(kernel, out, in, s.update, T, d);

        lmd_kernel_rms_norm(kernel, s.normed, out, b->mlp_norm, config->eps, T, d);
        lmd_kernel_linear(kernel, s.gate, s.normed, &b->gate, NULL, T);
        lmd_kernel_linear(kernel, s.up, s.normed, &b->up, NULL, T);
        lmd_kernel_silu_gate(kernel, s.gate, s.up, T, F);
        lmd_kernel_linear(kernel, s.update, s.gate, &b->down, NULL, T);
        lmd_kernel_add(kernel, out, out, s.update, T, d);
    }
}

static void final_norm(const lmd_model *model, const float *in, float *out)
{
    const llama *const self = (const llama *)model;
    lmd_kernel_rms_norm_row(out, in, self->norm, model->config.eps, model->config.d);
}

static double flops(const lmd_model *model, const int32_t *starts, int n_prompts)
{
    const lmd_config *const config = &model->config;
    const double products = 2.0 * config->HD + 2.0 * config->KD + 3.0 * config->F;
    double sum = 0;
    for (int p = 0; p < n_prompts; p++) {
        const double length = starts[p + 1] - starts[p];
        const double pairs = length * (length + 1) / 2; /* (query, key) that attend */
        sum += 2 * length * config->d * products + 4 * pairs * config->HD;
    }
    return config->N * sum;
}

/* ---- the row ---- */

static const char *const types[] = {"llama", NULL};

const lmd_family lmd_family_llama = {
    .name = "llama",
    .types = types,
    .size = sizeof(llama),
    .json_keys = json_keys,
    .gguf_keys = gguf_keys,
    /* Of transformers' LlamaConfig; GGUF's default base is the same. */
    .defaults = {.context = 2048, .bos = -1, .eps = (double)1e-6F, .rope_base = 10000},
    .wants = {.outer = outer_wants,
              .n_outer = N_OUTER,
              .block = block_wants,
              .n_block = N_BLOCK,
              .head = HEAD,
              .prefix = "model.",
              /* Checkpoints of old conversions hold the rotary frequencies. */
              .harmless = ".rotary_emb.inv_freq"},
    .complete = complete,
    .bind = bind,
    .load = load,
    .work_bytes = work_bytes,
    .forward = forward,
    .final_norm = final_norm,
    .flops = flops,
    .close = free_blocks,
};
