/* Mamba: blocks of one convolution and one selective scan instead of attention and MLP
 * (Gu and Dao 2023, 2312.00752), as transformers computes it in fp32. A block with input
 * r (T, d):
 *
 *     x, gate = in_proj(rms_norm(r))              (T, inner) each
 *     x       = silu(convolution(x))              causal, channel by channel
 *     p, B, C = x_proj(x)                         (T, rank), (T, n_states) twice
 *     y       = scan(x, dt_proj(p), A, B, C, D) * silu(gate)
 *     r       = r + out_proj(y)
 *
 * Hugging Face's hidden_states of this family begin after the first block: its index i is
 * our state i + 1, and what goes into the first block is our state 0. The stream is fp32
 * throughout, so residual_in_fp32 changes nothing.
 *
 * Hugging Face keeps the logarithm of -A, GGUF A itself. */
#include "batch.h"  /* lmd_model_embed */
#include "family.h" /* lmd_family */

#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <math.h>                /* exp */

/* ---- config ---- */

static const lmd_word rank_words[] = {{"auto", 0}, {0}};

/* Of transformers, and what the published configs have kept of the original code's. The
 * gate's activation is silu there, whatever hidden_act says of the convolution's. */
static const lmd_key json_keys[] = {
    LMD_ONLY("hidden_act", "silu|swish"),
    LMD_ONLY("rms_norm", "true"),
    LMD_NEED_SIZE("hidden_size", d),
    LMD_NEED_SIZE("num_hidden_layers", N),
    LMD_NEED_SIZE("vocab_size", V),
    LMD_SIZE("state_size", n_states),
    LMD_SIZE("expand", expand),
    LMD_SIZE("intermediate_size", inner), /* counts more than expand */
    LMD_SIZE("conv_kernel", conv_width),
    LMD_SIZE_OR_WORD("time_step_rank", delta_rank, rank_words),
    LMD_REAL("layer_norm_epsilon", eps),
    LMD_FLAG("use_bias", has_mixer_bias),
    LMD_FLAG("use_conv_bias", has_conv_bias),
    LMD_FLAG("tie_word_embeddings", is_tied),
    LMD_ID("bos_token_id", bos),
    LMD_ANY("bos_token_id"),
    LMD_ANY("residual_in_fp32"),
    LMD_ANY("rescale_prenorm_residual"), /* these, of the random start */
    LMD_ANY("time_step_scale"),
    LMD_ANY("time_step_min"),
    LMD_ANY("time_step_max"),
    LMD_ANY("time_step_floor"),
    LMD_ANY("time_step_init_scheme"),
    LMD_ANY("use_mambapy"), /* these, ways to the same numbers */
    LMD_ANY("use_associative_scan"),
    LMD_ANY("fused_add_norm"),
    LMD_ANY("d_model"), /* these, other names; Hugging Face reads those above */
    LMD_ANY("d_inner"),
    LMD_ANY("n_layer"),
    LMD_ANY("pad_vocab_size_multiple"),
    {0},
};

static const lmd_key gguf_keys[] = {
    LMD_ONLY("general.type", "model"),
    LMD_ONLY("split.count", "0|1"),
    LMD_ANY("split.*"),
    LMD_NEED_SIZE("mamba.embedding_length", d),
    LMD_NEED_SIZE("mamba.block_count", N),
    LMD_SIZE("mamba.vocab_size", V),
    LMD_NEED_SIZE("mamba.ssm.inner_size", inner),
    LMD_NEED_SIZE("mamba.ssm.state_size", n_states),
    LMD_NEED_SIZE("mamba.ssm.conv_kernel", conv_width),
    LMD_NEED_SIZE("mamba.ssm.time_step_rank", delta_rank),
    LMD_NEED_REAL("mamba.attention.layer_norm_rms_epsilon", eps),
    LMD_ONLY("mamba.ssm.dt_b_c_rms", "false"),
    LMD_ANY("mamba.context_length"), /* converters write 2^20: there is no limit */
    LMD_ANY("mamba.feed_forward_length"),
    LMD_ANY("mamba.attention.head_count"),
    LMD_ID("tokenizer.ggml.bos_token_id", bos),
    LMD_ANY("tokenizer.ggml.bos_token_id"),
    {0},
};

enum { LARGEST_INNER = 1 << 24 };

static lmd_status complete(lmd_config *config, const char *path)
{
    const int64_t inner =
        config->inner ? config->inner : (int64_t)config->expand * config->d;
    if (inner > LARGEST_INNER) {
        return lmd_status_set(LMD_INPUT, "%s: %d times width %d is too wide", path,
                              config->expand, config->d);
    }
    if (config->n_states > LMD_SCAN_STATES) {
        return lmd_status_set(LMD_INPUT, "%s: %d states of a channel: more than %d", path,
                              config->n_states, LMD_SCAN_STATES);
    }
    config->inner = (int)inner;
    config->inner_pair = 2 * config->inner;
    config->delta_rank = config->delta_rank ? config->delta_rank : (config->d + 15) / 16;
    config->projected = config->delta_rank + 2 * config->n_states;
    return LMD_OK;
}

/* ---- weights ---- */

enum { EMBEDDING, FINAL_NORM, HEAD, N_OUTER };

static const lmd_want outer_wants[N_OUTER] = {
    [EMBEDDING] = LMD_MATRIX("backbone.embeddings.weight", "token_embd.weight", V, d),
    [FINAL_NORM] = LMD_VECTOR("backbone.norm_f.weight", "output_norm.weight", d),
    [HEAD] = LMD_MATRIX("lm_head.weight", "output.weight", V, d),
};

enum {
    NORM,
    IN_ROWS,
    IN_BIAS,
    CONV_ROWS,
    CONV_BIAS,
    X_ROWS,
    DELTA_ROWS,
    DELTA_BIAS,
    A_ROWS,
    SKIP,
    OUT_ROWS,
    OUT_BIAS,
    N_BLOCK
};

#define MIXER(name) "backbone.layers.#.mixer." name

static const lmd_want block_wants[N_BLOCK] = {
    [NORM] = LMD_VECTOR("backbone.layers.#.norm.weight", "blk.#.attn_norm.weight", d),
    [IN_ROWS] = LMD_MATRIX(MIXER("in_proj.weight"), "blk.#.ssm_in.weight", inner_pair, d),
    [IN_BIAS] = LMD_VECTOR_IF(MIXER("in_proj.bias"), "blk.#.ssm_in.bias", inner_pair,
                              has_mixer_bias),
    [CONV_ROWS] = LMD_CHANNELS(MIXER("conv1d.weight"), "blk.#.ssm_conv1d.weight", inner,
                               conv_width),
    [CONV_BIAS] = LMD_VECTOR_IF(MIXER("conv1d.bias"), "blk.#.ssm_conv1d.bias", inner,
                                has_conv_bias),
    [X_ROWS] = LMD_MATRIX(MIXER("x_proj.weight"), "blk.#.ssm_x.weight", projected, inner),
    [DELTA_ROWS] =
        LMD_MATRIX(MIXER("dt_proj.weight"), "blk.#.ssm_dt.weight", inner, delta_rank),
    [DELTA_BIAS] = LMD_VECTOR(MIXER("dt_proj.bias"), "blk.#.ssm_dt.bias", inner),
    [A_ROWS] = LMD_MATRIX(MIXER("A_log"), "blk.#.ssm_a", inner, n_states),
    [SKIP] = LMD_VECTOR(MIXER("D"), "blk.#.ssm_d", inner),
    [OUT_ROWS] = LMD_MATRIX(MIXER("out_proj.weight"), "blk.#.ssm_out.weight", d, inner),
    [OUT_BIAS] =
        LMD_VECTOR_IF(MIXER("out_proj.bias"), "blk.#.ssm_out.bias", d, has_mixer_bias),
};

typedef struct mamba_block {
    float *norm;       /* (d) */
    lmd_matrix in;     /* (2 inner, d): of x, then of the gate */
    float *in_bias;    /* (2 inner) or NULL */
    float *conv;       /* (conv_width, inner) */
    float *conv_bias;  /* (inner) or NULL */
    lmd_matrix x;      /* (projected, inner): of delta's low rank, B and C */
    lmd_matrix delta;  /* (inner, delta_rank) */
    float *delta_bias; /* (inner) */
    float *A;          /* (n_states, inner) */
    float *skip;       /* (inner) */
    lmd_matrix out;    /* (d, inner) */
    float *out_bias;   /* (d) or NULL */
} mamba_block;

typedef struct mamba {
    lmd_model model;
    mamba_block *blocks; /* (N) owned; what they point to lies in the packed memory */
    float *norm;         /* (d) of the final norm */
} mamba;

static float *take_floats(lmd_arena *arena, int n)
{
    return lmd_model_take(arena, (size_t)n, sizeof(float));
}

static void take_matrix(lmd_arena *arena, lmd_matrix *matrix, int O, int C,
                        const lmd_tensor *tensor)
{
    lmd_model_take_matrix(arena, matrix, O, C, lmd_model_packed_type(&tensor, 1));
}

static void bind_block(mamba_block *block, const lmd_config *config,
                       const lmd_tensor *const *from, lmd_arena *arena)
{
    const int d = config->d, inner = config->inner;
    block->norm = take_floats(arena, d);
    take_matrix(arena, &block->in, config->inner_pair, d, from[IN_ROWS]);
    block->in_bias = from[IN_BIAS] ? take_floats(arena, config->inner_pair) : NULL;
    block->conv =
        lmd_model_take(arena, (size_t)config->conv_width * (size_t)inner, sizeof(float));
    block->conv_bias = from[CONV_BIAS] ? take_floats(arena, inner) : NULL;
    take_matrix(arena, &block->x, config->projected, inner, from[X_ROWS]);
    take_matrix(arena, &block->delta, inner, config->delta_rank, from[DELTA_ROWS]);
    block->delta_bias = take_floats(arena, inner);
    block->A =
        lmd_model_take(arena, (size_t)config->n_states * (size_t)inner, sizeof(float));
    block->skip = take_floats(arena, inner);
    take_matrix(arena, &block->out, d, inner, from[OUT_ROWS]);
    block->out_bias = from[OUT_BIAS] ? take_floats(arena, d) : NULL;
}

static void bind(lmd_model *model, lmd_arena *arena)
{
    mamba *const self = (mamba *)model;
    const lmd_config *const config = &model->config;
    if (!self->blocks) {
        self->blocks = lmd_memory_new((size_t)config->N, sizeof *self->blocks);
    }
    self->norm = take_floats(arena, config->d);
    for (int l = 0; l < config->N; l++) {
        bind_block(&self->blocks[l], config, model->found.blocks + (size_t)l * N_BLOCK,
                   arena);
    }
}

static lmd_status load_matrix(const lmd_weights *weights, const lmd_tensor *tensor,
                              lmd_matrix *matrix)
{
    lmd_matrix_clear_padding(matrix);
    return lmd_model_load_matrix(weights, &(lmd_source){.tensor = tensor}, matrix);
}

/* out (n, inner) = the tensor's (inner, n), transposed: its neighbours are channels, as
 * the kernels walk. */
static lmd_status load_columns(const lmd_weights *weights, const lmd_tensor *tensor,
                               float *out, int inner, int n)
{
    const size_t rows = (size_t)inner, columns = (size_t)n;
    float *const buffer = lmd_memory_new(rows * columns, sizeof *buffer);
    const lmd_status status = lmd_model_load_rows(weights, tensor, buffer);
    for (size_t i = 0; i < columns && status == LMD_OK; i++) {
        for (size_t c = 0; c < rows; c++) {
            out[i * rows + c] = buffer[c * columns + i];
        }
    }
    lmd_memory_free(buffer);
    return status;
}

/* x = -exp(x), in fp64 and rounded once: expf differs between processors. */
static void exponentiate(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        x[i] = -(float)exp((double)x[i]);
    }
}

static lmd_status load_block(const lmd_model *model, mamba_block *block,
                             const lmd_tensor *const *from)
{
    const lmd_weights *const weights = model->weights;
    const lmd_config *const config = &model->config;
    const int inner = config->inner;
    LMD_TRY(lmd_model_load_rows(weights, from[NORM], block->norm));
    LMD_TRY(load_matrix(weights, from[IN_ROWS], &block->in));
    LMD_TRY(lmd_model_load_rows(weights, from[IN_BIAS], block->in_bias));
    LMD_TRY(
        load_columns(weights, from[CONV_ROWS], block->conv, inner, config->conv_width));
    LMD_TRY(lmd_model_load_rows(weights, from[CONV_BIAS], block->conv_bias));
    LMD_TRY(load_matrix(weights, from[X_ROWS], &block->x));
    LMD_TRY(load_matrix(weights, from[DELTA_ROWS], &block->delta));
    LMD_TRY(lmd_model_load_rows(weights, from[DELTA_BIAS], block->delta_bias));
    LMD_TRY(load_columns(weights, from[A_ROWS], block->A, inner, config->n_states));
    if (!lmd_model_is_gguf(weights)) {
        exponentiate(block->A, (size_t)config->n_states * (size_t)inner);
    }
    LMD_TRY(lmd_model_load_rows(weights, from[SKIP], block->skip));
    LMD_TRY(load_matrix(weights, from[OUT_ROWS], &block->out));
    return lmd_model_load_rows(weights, from[OUT_BIAS], block->out_bias);
}

static lmd_status load(lmd_model *model)
{
    mamba *const self = (mamba *)model;
    const lmd_tensor *const *const outer = model->found.outer;
    LMD_TRY(lmd_model_load_rows(model->weights, outer[FINAL_NORM], self->norm));
    for (int l = 0; l < model->config.N; l++) {
        LMD_TRY(load_block(model, &self->blocks[l],
                           model->found.blocks + (size_t)l * N_BLOCK));
    }
    return LMD_OK;
}

static void free_blocks(lmd_model *model)
{
    lmd_memory_free(((mamba *)model)->blocks);
}

/* ---- forward ---- */

typedef struct mamba_scratch {
    float *normed;    /* (T, d); then what the block adds to the stream */
    float *pair;      /* (T, 2 inner): x before the convolution, and the gate */
    float *x;         /* (T, inner); then the scan's output */
    float *projected; /* (T, projected): delta's low rank, B and C */
    float *delta;     /* (T, inner) */
} mamba_scratch;

static void take_scratch(mamba_scratch *scratch, lmd_arena *arena,
                         const lmd_config *config, int T)
{
    const size_t rows = (size_t)T;
    const size_t inner = (size_t)config->inner;
    scratch->normed = lmd_model_take(arena, rows * (size_t)config->d, sizeof(float));
    scratch->pair = lmd_model_take(arena, rows * 2 * inner, sizeof(float));
    scratch->x = lmd_model_take(arena, rows * inner, sizeof(float));
    scratch->projected =
        lmd_model_take(arena, rows * (size_t)config->projected, sizeof(float));
    scratch->delta = lmd_model_take(arena, rows * inner, sizeof(float));
}

static size_t work_bytes(const lmd_model *model, int T)
{
    mamba_scratch scratch;
    lmd_arena arena = {0};
    take_scratch(&scratch, &arena, &model->config, T);
    return arena.used;
}

/* normed (T, d), the block's normalised input, becomes what the block adds. */
static void mix(const mamba_block *b, const lmd_config *config, lmd_kernel *kernel,
                const lmd_batch *batch, const mamba_scratch *s)
{
    const int T = batch->T, inner = config->inner;
    const size_t pair_stride = (size_t)config->inner_pair;
    const size_t stride = (size_t)config->projected;
    const lmd_convolution convolution = {b->conv, b->conv_bias, config->conv_width,
                                         inner};
    const lmd_selective_scan scan = {
        .A = b->A,
        .skip = b->skip,
        .delta_bias = b->delta_bias,
        .x = s->x,
        .delta = s->delta,
        .B = s->projected + config->delta_rank,
        .C = s->projected + config->delta_rank + config->n_states,
        .gate = s->pair + inner,
        .bc_stride = stride,
        .gate_stride = pair_stride,
        .width = inner,
        .n_states = config->n_states,
    };
    lmd_kernel_linear(kernel, s->pair, s->normed, (size_t)config->d, &b->in, b->in_bias,
                      T);
    lmd_kernel_convolve(kernel, s->x, s->pair, pair_stride, &convolution, batch->starts,
                        batch->n_prompts);
    lmd_kernel_linear(kernel, s->projected, s->x, (size_t)inner, &b->x, NULL, T);
    lmd_kernel_linear(kernel, s->delta, s->projected, stride, &b->delta, NULL, T);
    lmd_kernel_scan(kernel, s->x, &scan, batch->starts, batch->n_prompts);
    lmd_kernel_linear(kernel, s->normed, s->x, (size_t)inner, &b->out, b->out_bias, T);
}

static void forward(const lmd_model *model, lmd_kernel *kernel, const lmd_batch *batch,
                    void *work, float *states)
{
    const mamba *const self = (const mamba *)model;
    const lmd_config *const config = &model->config;
    const int T = batch->T, d = config->d;
    const size_t state = (size_t)T * (size_t)d;
    lmd_arena arena = {.memory = work};
    mamba_scratch s;
    take_scratch(&s, &arena, config, T);
    lmd_model_embed(model, batch, states);
    for (int l = 0; l < config->N; l++) {
        const mamba_block *const b = &self->blocks[l];
        const float *const in = states + (size_t)l * state;
        lmd_kernel_rms_norm(kernel, s.normed, in, b->norm, config->eps, T, d);
        mix(b, config, kernel, batch, &s);
        lmd_kernel_add(kernel, states + (size_t)(l + 1) * state, in, s.normed, T, d);
    }
}

static void final_norm(const lmd_model *model, const float *in, float *out)
{
    const mamba *const self = (const mamba *)model;
    lmd_kernel_rms_norm_row(out, in, self->norm, model->config.eps, model->config.d);
}

/* Four products, the convolution, and three multiply-adds a state of the scan. */
static double flops(const lmd_model *model, const int32_t *starts, int n_prompts)
{
    const lmd_config *const config = &model->config;
    const double inner = config->inner;
    const double products = 3.0 * config->d + config->projected + config->delta_rank;
    const double scan = config->conv_width + 3.0 * config->n_states;
    return config->N * 2.0 * starts[n_prompts] * inner * (products + scan);
}

static void remarks(const lmd_model *model, lmd_text *out)
{
    const lmd_config *const config = &model->config;
    lmd_text_append_format(out,
                           "no attention: scans of %d channels with %d states each, "
                           "after convolutions of %d positions\n",
                           config->inner, config->n_states, config->conv_width);
}

/* ---- the row ---- */

static const char *const types[] = {"mamba", NULL};

const lmd_family lmd_family_mamba = {
    .name = "mamba",
    .types = types,
    .size = sizeof(mamba),
    .json_keys = json_keys,
    .gguf_keys = gguf_keys,
    /* Of transformers' MambaConfig. */
    .defaults = {.bos = -1,
                 .eps = (double)1e-5F,
                 .expand = 2,
                 .n_states = 16,
                 .conv_width = 4,
                 .has_conv_bias = true,
                 .is_tied = true},
    .wants = {.outer = outer_wants,
              .n_outer = N_OUTER,
              .block = block_wants,
              .n_block = N_BLOCK,
              .head = HEAD,
              .prefix = "backbone."},
    .complete = complete,
    .bind = bind,
    .load = load,
    .work_bytes = work_bytes,
    .forward = forward,
    .final_norm = final_norm,
    .flops = flops,
    .remarks = remarks,
    .close = free_blocks,
};
