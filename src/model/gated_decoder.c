/* The pre-norm decoder with a gated MLP (Touvron et al. 2023, 2302.13971 and 2307.09288;
 * grouped queries: Ainslie et al. 2023, 2305.13245; windows: Jiang et al. 2023,
 * 2310.06825), as transformers computes it in fp32. Queries, keys and values are one
 * product, gate and up another: fewer and larger ones, and the input is read once.
 *
 * GGUF files of the llama architecture keep the rows of W_q and W_k, and their biases, in
 * the order of Meta's code, where the two numbers that turn together are neighbours: row
 * 2j + i of a head is row j + i D/2 here (i = 0, 1). They are put back when they are
 * packed, so there is one rotary kernel. */
#include "gated_decoder.h"

#include <limits.h>              /* INT_MAX */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <math.h>                /* sqrt */
#include "batch.h"               /* lmd_model_embed */

/* ---- config ---- */

const lmd_word lmd_model_layer_words[] = {
    {"full_attention", 0},
    {"sliding_attention", 1},
    {0},
};

static lmd_status complete_heads(lmd_config *config, const char *path)
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
    if (config->H > INT_MAX / 4 / D) {
        return lmd_status_set(LMD_INPUT, "%s: %d heads of %d are too many", path,
                              config->H, D);
    }
    config->HD = config->H * D;
    config->KD = config->K * D;
    config->rotary_D = D;
    return LMD_OK;
}

/* The keys that a query of block l sees; 0: all. */
static int window_of(const lmd_config *config, int l)
{
    const lmd_block_flags *const listed = &config->windowed;
    const bool is_bound = listed->count ? listed->is_set[l] : l >= config->window_start;
    return config->is_windowed && is_bound ? config->window : 0;
}

static lmd_status complete_windows(const lmd_config *config, const char *path)
{
    const lmd_block_flags *const listed = &config->windowed;
    if (listed->count && listed->count != config->N) {
        return lmd_status_set(LMD_INPUT, "%s: key 'layer_types' lists %d of %d blocks",
                              path, listed->count, config->N);
    }
    for (int l = 0; l < listed->count; l++) {
        if (listed->is_set[l] && window_of(config, l) == 0) {
            return lmd_status_set(
                LMD_INPUT,
                "%s: key 'layer_types' says sliding_attention for block "
                "%d, but no sliding window is in use",
                path, l);
        }
    }
    return LMD_OK;
}

lmd_status lmd_model_complete_gated(lmd_config *config, const char *path)
{
    LMD_TRY(complete_heads(config, path));
    LMD_TRY(complete_windows(config, path));
    return lmd_model_complete_rotary(config, path);
}

/* ---- tensors ---- */

const lmd_want lmd_model_gated_outer[LMD_GATED_OUTER] = {
    [LMD_GATED_EMBEDDING] =
        LMD_MATRIX("model.embed_tokens.weight", "token_embd.weight", V, d),
    [LMD_GATED_NORM] = LMD_VECTOR("model.norm.weight", "output_norm.weight", d),
    [LMD_GATED_HEAD] = LMD_MATRIX("lm_head.weight", "output.weight", V, d),
    [LMD_GATED_ROPE_FACTORS] =
        LMD_VECTOR_IF(NULL, "rope_freqs.weight", rope_pairs, has_rope_factors),
};

#define LAYER "model.layers.#."
const lmd_want lmd_model_gated_block[LMD_GATED_BLOCK] = {
    [LMD_GATED_ATTENTION_NORM] =
        LMD_VECTOR(LAYER "input_layernorm.weight", "blk.#.attn_norm.weight", d),
    [LMD_GATED_Q] =
        LMD_MATRIX(LAYER "self_attn.q_proj.weight", "blk.#.attn_q.weight", HD, d),
    [LMD_GATED_K] =
        LMD_MATRIX(LAYER "self_attn.k_proj.weight", "blk.#.attn_k.weight", KD, d),
    [LMD_GATED_V] =
        LMD_MATRIX(LAYER "self_attn.v_proj.weight", "blk.#.attn_v.weight", KD, d),
    [LMD_GATED_O] =
        LMD_MATRIX(LAYER "self_attn.o_proj.weight", "blk.#.attn_output.weight", d, HD),
    [LMD_GATED_Q_BIAS] =
        LMD_VECTOR_IF(LAYER "self_attn.q_proj.bias", "blk.#.attn_q.bias", HD, has_q_bias),
    [LMD_GATED_K_BIAS] =
        LMD_VECTOR_IF(LAYER "self_attn.k_proj.bias", "blk.#.attn_k.bias", KD, has_k_bias),
    [LMD_GATED_V_BIAS] =
        LMD_VECTOR_IF(LAYER "self_attn.v_proj.bias", "blk.#.attn_v.bias", KD, has_v_bias),
    [LMD_GATED_O_BIAS] = LMD_VECTOR_IF(LAYER "self_attn.o_proj.bias",
                                       "blk.#.attn_output.bias", d, has_o_bias),
    [LMD_GATED_Q_NORM] = LMD_VECTOR_IF(LAYER "self_attn.q_norm.weight",
                                       "blk.#.attn_q_norm.weight", D, has_head_norms),
    [LMD_GATED_K_NORM] = LMD_VECTOR_IF(LAYER "self_attn.k_norm.weight",
                                       "blk.#.attn_k_norm.weight", D, has_head_norms),
    [LMD_GATED_MLP_NORM] =
        LMD_VECTOR(LAYER "post_attention_layernorm.weight", "blk.#.ffn_norm.weight", d),
    [LMD_GATED_GATE] =
        LMD_MATRIX(LAYER "mlp.gate_proj.weight", "blk.#.ffn_gate.weight", F, d),
    [LMD_GATED_UP] = LMD_MATRIX(LAYER "mlp.up_proj.weight", "blk.#.ffn_up.weight", F, d),
    [LMD_GATED_DOWN] =
        LMD_MATRIX(LAYER "mlp.down_proj.weight", "blk.#.ffn_down.weight", d, F),
    [LMD_GATED_GATE_BIAS] =
        LMD_VECTOR_IF(LAYER "mlp.gate_proj.bias", "blk.#.ffn_gate.bias", F, has_mlp_bias),
    [LMD_GATED_UP_BIAS] =
        LMD_VECTOR_IF(LAYER "mlp.up_proj.bias", "blk.#.ffn_up.bias", F, has_mlp_bias),
    [LMD_GATED_DOWN_BIAS] =
        LMD_VECTOR_IF(LAYER "mlp.down_proj.bias", "blk.#.ffn_down.bias", d, has_mlp_bias),
};

/* Checkpoints of old conversions hold the rotary frequencies. */
const char *const lmd_model_gated_harmless[] = {".rotary_emb.inv_freq", NULL};

/* ---- packed memory ---- */

static bool has_attention_bias(const lmd_config *config)
{
    return config->has_q_bias || config->has_k_bias || config->has_v_bias;
}

/* NULL when it is not wanted. */
static float *take_vector(lmd_arena *arena, bool is_wanted, int n)
{
    return is_wanted ? lmd_model_take(arena, (size_t)n, sizeof(float)) : NULL;
}

static void bind_block(lmd_gated_block *block, const lmd_config *config,
                       const lmd_tensor *const *from, lmd_arena *arena)
{
    const int d = config->d, D = config->D, F = config->F;
    const int qkv_rows = config->HD + 2 * config->KD;
    block->attention_norm = take_vector(arena, true, d);
    lmd_model_take_matrix(arena, &block->qkv, qkv_rows, d,
                          lmd_model_packed_type(from + LMD_GATED_Q, 3));
    block->qkv_bias = take_vector(arena, has_attention_bias(config), qkv_rows);
    block->q_norm = take_vector(arena, config->has_head_norms, D);
    block->k_norm = take_vector(arena, config->has_head_norms, D);
    lmd_model_take_matrix(arena, &block->o, d, config->HD,
                          lmd_model_packed_type(from + LMD_GATED_O, 1));
    block->o_bias = take_vector(arena, config->has_o_bias, d);
    block->mlp_norm = take_vector(arena, true, d);
    lmd_model_take_matrix(arena, &block->gate_up, 2 * F, d,
                          lmd_model_packed_type(from + LMD_GATED_GATE, 2));
    block->gate_up_bias = take_vector(arena, config->has_mlp_bias, 2 * F);
    lmd_model_take_matrix(arena, &block->down, d, F,
                          lmd_model_packed_type(from + LMD_GATED_DOWN, 1));
    block->down_bias = take_vector(arena, config->has_mlp_bias, d);
}

void lmd_model_bind_gated(lmd_model *model, lmd_arena *arena)
{
    lmd_gated_decoder *const self = (lmd_gated_decoder *)model;
    const lmd_config *const config = &model->config;
    if (!self->blocks) {
        self->blocks = lmd_memory_new((size_t)config->N, sizeof *self->blocks);
    }
    self->norm = take_vector(arena, true, config->d);
    self->frequencies = take_vector(arena, true, config->rope_pairs);
    for (int l = 0; l < config->N; l++) {
        bind_block(&self->blocks[l], config,
                   model->found.blocks + (size_t)l * LMD_GATED_BLOCK, arena);
    }
}

/* ---- loading ---- */

typedef struct places {
    int32_t *q,
        *k; /* owned (H D), (K D): where rows of W_q and W_k belong; NULL: as is */
} row_places;

static int32_t *new_places(int n_rows, int D)
{
    int32_t *const to = lmd_memory_new((size_t)n_rows, sizeof *to);
    for (int row = 0; row < n_rows; row++) {
        const int in_head = row % D;
        to[row] = row - in_head + in_head / 2 + in_head % 2 * (D / 2);
    }
    return to;
}

static lmd_status load_qkv(const lmd_model *model, lmd_gated_block *block,
                           const lmd_tensor *const *from, const row_places *places)
{
    const int HD = model->config.HD, KD = model->config.KD;
    const lmd_source sources[3] = {
        {.tensor = from[LMD_GATED_Q], .places = places->q, .first = 0},
        {.tensor = from[LMD_GATED_K], .places = places->k, .first = HD},
        {.tensor = from[LMD_GATED_V], .places = NULL, .first = HD + KD},
    };
    lmd_matrix_clear_padding(&block->qkv);
    for (int i = 0; i < 3; i++) {
        LMD_TRY(lmd_model_load_matrix(model->weights, &sources[i], &block->qkv));
        float *const bias = block->qkv_bias ? block->qkv_bias + sources[i].first : NULL;
        for (int64_t row = 0; bias && row < sources[i].tensor->n_rows; row++) {
            bias[row] = 0; // of three projections one may have none
        }
        LMD_TRY(lmd_model_load_vector(model->weights, from[LMD_GATED_Q_BIAS + i],
                                      sources[i].places, bias));
    }
    return LMD_OK;
}

/* Tensor `from`, which is (rows, columns), into rows [first, first + rows). */
static lmd_status load_rows(const lmd_model *model, const lmd_tensor *from, int first,
                            lmd_matrix *matrix)
{
    const lmd_source source = {.tensor = from, .first = first};
    return lmd_model_load_matrix(model->weights, &source, matrix);
}

static lmd_status load_mlp(const lmd_model *model, lmd_gated_block *block,
                           const lmd_tensor *const *from)
{
    const lmd_weights *const weights = model->weights;
    const int F = model->config.F;
    float *const up_bias = block->gate_up_bias ? block->gate_up_bias + F : NULL;
    lmd_matrix_clear_padding(&block->gate_up);
    lmd_matrix_clear_padding(&block->down);
    LMD_TRY(load_rows(model, from[LMD_GATED_GATE], 0, &block->gate_up));
    LMD_TRY(load_rows(model, from[LMD_GATED_UP], F, &block->gate_up));
    LMD_TRY(load_rows(model, from[LMD_GATED_DOWN], 0, &block->down));
    LMD_TRY(lmd_model_load_rows(weights, from[LMD_GATED_GATE_BIAS], block->gate_up_bias));
    LMD_TRY(lmd_model_load_rows(weights, from[LMD_GATED_UP_BIAS], up_bias));
    return lmd_model_load_rows(weights, from[LMD_GATED_DOWN_BIAS], block->down_bias);
}

static lmd_status load_block(const lmd_model *model, lmd_gated_block *block,
                             const lmd_tensor *const *from, const row_places *places)
{
    const lmd_weights *const weights = model->weights;
    LMD_TRY(lmd_model_load_rows(weights, from[LMD_GATED_ATTENTION_NORM],
                                block->attention_norm));
    LMD_TRY(load_qkv(model, block, from, places));
    LMD_TRY(lmd_model_load_rows(weights, from[LMD_GATED_Q_NORM], block->q_norm));
    LMD_TRY(lmd_model_load_rows(weights, from[LMD_GATED_K_NORM], block->k_norm));
    lmd_matrix_clear_padding(&block->o);
    LMD_TRY(load_rows(model, from[LMD_GATED_O], 0, &block->o));
    LMD_TRY(lmd_model_load_rows(weights, from[LMD_GATED_O_BIAS], block->o_bias));
    LMD_TRY(lmd_model_load_rows(weights, from[LMD_GATED_MLP_NORM], block->mlp_norm));
    return load_mlp(model, block, from);
}

static lmd_status load_frequencies(lmd_gated_decoder *self)
{
    const lmd_model *const model = &self->model;
    const lmd_tensor *const tensor = model->found.outer[LMD_GATED_ROPE_FACTORS];
    const int n = model->config.rope_pairs;
    float *const factors = lmd_memory_new((size_t)n, sizeof *factors);
    lmd_status status = lmd_model_load_rows(model->weights, tensor, factors);
    for (int i = 0; tensor && i < n && status == LMD_OK; i++) {
        if (!(factors[i] > 0)) {
            status = lmd_status_set(LMD_INPUT, "%s: tensor '%s' has a factor of %g",
                                    lmd_weights_path(model->weights), tensor->name,
                                    (double)factors[i]);
        }
    }
    if (status == LMD_OK) {
        lmd_model_rotary_frequencies(self->frequencies, &model->config,
                                     tensor ? factors : NULL);
    }
    lmd_memory_free(factors);
    return status;
}

static lmd_status load(lmd_model *model, const row_places *places)
{
    lmd_gated_decoder *const self = (lmd_gated_decoder *)model;
    LMD_TRY(lmd_model_load_rows(model->weights, model->found.outer[LMD_GATED_NORM],
                                self->norm));
    LMD_TRY(load_frequencies(self));
    for (int l = 0; l < model->config.N; l++) {
        LMD_TRY(load_block(model, &self->blocks[l],
                           model->found.blocks + (size_t)l * LMD_GATED_BLOCK, places));
    }
    return LMD_OK;
}

lmd_status lmd_model_load_gated(lmd_model *model)
{
    return load(model, &(row_places){0});
}

lmd_status lmd_model_load_gated_meta(lmd_model *model)
{
    if (!lmd_model_is_gguf(model->weights)) {
        return lmd_model_load_gated(model);
    }
    const lmd_config *const config = &model->config;
    const row_places places = {new_places(config->HD, config->D),
                               new_places(config->KD, config->D)};
    const lmd_status status = load(model, &places);
    lmd_memory_free(places.q);
    lmd_memory_free(places.k);
    return status;
}

void lmd_model_close_gated(lmd_model *model)
{
    lmd_memory_free(((lmd_gated_decoder *)model)->blocks);
}

/* ---- forward ---- */

typedef struct forward_scratch {
    int32_t *place;         /* (T): position of each row in its prompt */
    float *cosines, *sines; /* (T, rope_pairs) */
    float *normed;          /* (T, d) */
    float *update;          /* (T, d): what a half block adds to the stream */
    float *qkv;             /* (T, H D + 2 K D) */
    float *mixed;           /* (T, H D): attention's output */
    float *gate_up;         /* (T, 2 F); in the place of qkv and mixed, done with */
} forward_scratch;

static float *take_rows(lmd_arena *arena, int T, int width)
{
    return lmd_model_take(arena, (size_t)T * (size_t)width, sizeof(float));
}

static void take_scratch(forward_scratch *scratch, lmd_arena *arena,
                         const lmd_config *config, int T)
{
    scratch->place = lmd_model_take(arena, (size_t)T, sizeof(int32_t));
    scratch->cosines = take_rows(arena, T, config->rope_pairs);
    scratch->sines = take_rows(arena, T, config->rope_pairs);
    scratch->normed = take_rows(arena, T, config->d);
    scratch->update = take_rows(arena, T, config->d);
    lmd_arena mlp = *arena;
    scratch->qkv = take_rows(arena, T, config->HD + 2 * config->KD);
    scratch->mixed = take_rows(arena, T, config->HD);
    scratch->gate_up = take_rows(&mlp, T, 2 * config->F);
    arena->used = mlp.used > arena->used ? mlp.used : arena->used;
}

size_t lmd_model_work_gated(const lmd_model *model, int T)
{
    forward_scratch scratch;
    lmd_arena arena = {0};
    take_scratch(&scratch, &arena, &model->config, T);
    return arena.used;
}

/* mixed (T, H D) = attention of block l over `normed`. */
static void attend(const lmd_gated_decoder *self, lmd_kernel *kernel,
                   const lmd_batch *batch, const forward_scratch *s, int l)
{
    const lmd_config *const config = &self->model.config;
    const lmd_gated_block *const b = &self->blocks[l];
    const int T = batch->T, H = config->H, K = config->K, D = config->D;
    const size_t stride = (size_t)config->HD + 2 * (size_t)config->KD;
    float *const q = s->qkv;
    float *const k = q + config->HD;
    const lmd_rotary rotary = {s->cosines, s->sines, s->place, config->rotary_D};
    const lmd_attention attention = {.q = q,
                                     .k = k,
                                     .v = k + config->KD,
                                     .q_stride = stride,
                                     .kv_stride = stride,
                                     .H = H,
                                     .K = K,
                                     .D = D,
                                     .window = window_of(config, l),
                                     .scale = (float)(1 / sqrt(D))};
    lmd_kernel_linear(kernel, q, s->normed, (size_t)config->d, &b->qkv, b->qkv_bias, T);
    if (b->q_norm) {
        lmd_kernel_rms_norm_heads(kernel, q, stride, b->q_norm, config->eps, T, H, D);
        lmd_kernel_rms_norm_heads(kernel, k, stride, b->k_norm, config->eps, T, K, D);
    }
    lmd_kernel_rotate(kernel, q, stride, &rotary, T, H, D);
    lmd_kernel_rotate(kernel, k, stride, &rotary, T, K, D);
    lmd_kernel_attention(kernel, s->mixed, &attention, batch->starts, batch->n_prompts);
}

void lmd_model_forward_gated(const lmd_model *model, lmd_kernel *kernel,
                             const lmd_batch *batch, void *work, float *states)
{
    const lmd_gated_decoder *const self = (const lmd_gated_decoder *)model;
    const lmd_config *const config = &model->config;
    const int T = batch->T, d = config->d, F = config->F;
    lmd_arena arena = {.memory = work};
    forward_scratch s;
    take_scratch(&s, &arena, config, T);
    const int longest = lmd_model_number_positions(model, s.place, batch);
    lmd_model_fill_rotary(s.cosines, s.sines, longest, self->frequencies,
                          config->rope_pairs);

    lmd_model_embed(model, batch, states);
    for (int l = 0; l < config->N; l++) {
        const lmd_gated_block *const b = &self->blocks[l];
        const float *const in = states + (size_t)l * (size_t)T * (size_t)d;
        float *const out = states + (size_t)(l + 1) * (size_t)T * (size_t)d;

        lmd_kernel_rms_norm(kernel, s.normed, in, b->attention_norm, config->eps, T, d);
        attend(self, kernel, batch, &s, l);
        lmd_kernel_linear(kernel, s.update, s.mixed, (size_t)config->HD, &b->o, b->o_bias,
                          T);
        lmd_kernel_add(kernel, out, in, s.update, T, d);

        lmd_kernel_rms_norm(kernel, s.normed, out, b->mlp_norm, config->eps, T, d);
        lmd_kernel_linear(kernel, s.gate_up, s.normed, (size_t)d, &b->gate_up,
                          b->gate_up_bias, T);
        lmd_kernel_gate(kernel, s.gate_up, config->activation, T, F);
        lmd_kernel_linear(kernel, s.update, s.gate_up, 2 * (size_t)F, &b->down,
                          b->down_bias, T);
        lmd_kernel_add(kernel, out, out, s.update, T, d);
    }
}

void lmd_model_norm_gated(const lmd_model *model, const float *in, float *out)
{
    const lmd_gated_decoder *const self = (const lmd_gated_decoder *)model;
    lmd_kernel_rms_norm_row(out, in, self->norm, model->config.eps, model->config.d);
}

/* ---- what it is ---- */

double lmd_model_flops_gated(const lmd_model *model, const int32_t *starts, int n_prompts)
{
    const lmd_config *const config = &model->config;
    const double products = 2.0 * config->HD + 2.0 * config->KD + 3.0 * config->F;
    double sum = 0;
    for (int l = 0; l < config->N; l++) {
        sum += 2.0 * starts[n_prompts] * config->d * products +
               4 * lmd_model_pairs(starts, n_prompts, window_of(config, l)) * config->HD;
    }
    return sum;
}

static void remark_biases(const lmd_config *config, lmd_text *out)
{
    const bool has[] = {config->has_q_bias, config->has_k_bias, config->has_v_bias,
                        config->has_o_bias, config->has_mlp_bias};
    static const char *const names[] = {"queries", "keys", "values", "attention's output",
                                        "MLP"};
    const char *before = "biases on ";
    for (size_t i = 0; i < sizeof has / sizeof *has; i++) {
        if (has[i]) {
            lmd_text_append_format(out, "%s%s", before, names[i]);
            before = ", ";
        }
    }
    lmd_text_append_string(out, *before == ',' ? "\n" : "");
}

static void remark_window(const lmd_config *config, lmd_text *out)
{
    int count = 0;
    int window = 0;
    for (int l = 0; l < config->N; l++) {
        count += window_of(config, l) > 0;
        window = window_of(config, l) > 0 ? window_of(config, l) : window;
    }
    if (count == 0) {
        return;
    }
    lmd_text_append_format(out, "attention sees the last %d tokens in ", window);
    if (count < config->N) {
        lmd_text_append_format(out, "%d of %d blocks", count, config->N);
    } else {
        lmd_text_append_string(out, "every block");
    }
    if (window < config->context) {
        lmd_text_append_format(out, ", fewer than the longest prompt has (%d)\n",
                               config->context);
    } else {
        lmd_text_append_string(out, ", all of the longest prompt\n");
    }
}

void lmd_model_remark_gated(const lmd_model *model, lmd_text *out)
{
    remark_biases(&model->config, out);
    if (model->config.has_head_norms) {
        lmd_text_append_string(out, "queries and keys are normed head by head\n");
    }
    remark_window(&model->config, out);
    lmd_model_remark_rotary(&model->config, out);
}
