/* GPT-2 (Radford et al. 2019) and GPT-NeoX (Black et al. 2022, 2204.06745) differ in
 * positions, in the order of the halves and in how a file keeps the stacked matrix. The
 * product for queries, keys and values is one, so the normed stream is read once, and
 * rotation and attention find the three by their strides. */
#include "stacked_block.h"

#include "batch.h"

/* ---- config ---- */

lmd_status lmd_model_complete_stacked(lmd_config *config, const char *path)
{
    const int d = config->d, H = config->H;
    if (d % H != 0 || (config->D && config->D != d / H)) {
        return lmd_status_set(LMD_INPUT, "%s: %d heads of size %d do not make width %d",
                              path, H, config->D ? config->D : d / H, d);
    }
    if (config->K && config->K != H) {
        return lmd_status_set(LMD_INPUT,
                              "%s: %d heads with %d key/value heads are not supported",
                              path, H, config->K);
    }
    if (config->value_D && config->value_D != d / H) {
        return lmd_status_set(LMD_INPUT,
                              "%s: heads of %d values on keys of %d are not supported",
                              path, config->value_D, d / H);
    }
    config->D = d / H;
    config->K = H;
    config->HD = d;
    config->KD = d;
    config->QKV = 3 * d;
    return LMD_OK;
}

/* ---- weights ---- */

static const lmd_tensor *const *tensors_of(const lmd_model *model, int l)
{
    return model->found.blocks + (size_t)l * LMD_N_STACKED;
}

void lmd_model_bind_norm(lmd_stacked_norm *norm, int d, lmd_arena *arena)
{
    norm->weight = lmd_model_take(arena, (size_t)d, sizeof(float));
    norm->bias = lmd_model_take(arena, (size_t)d, sizeof(float));
}

/* `from`: the matrix's tensor and then its bias. */
static void bind_layer(lmd_stacked_layer *layer, const lmd_tensor *const *from,
                       const int shape[2], lmd_arena *arena)
{
    const lmd_matrix_type type = lmd_model_packed_type(from, 1);
    lmd_model_take_matrix(arena, &layer->W, shape[0], shape[1], type);
    layer->bias = from[1] ? lmd_model_take(arena, (size_t)shape[0], sizeof(float)) : NULL;
}

void lmd_model_bind_stacked(lmd_stacked_block *block, const lmd_model *model, int l,
                            lmd_arena *arena)
{
    const lmd_config *const config = &model->config;
    const lmd_tensor *const *const from = tensors_of(model, l);
    const int d = config->d, HD = config->HD, F = config->F;
    lmd_model_bind_norm(&block->norm, d, arena);
    bind_layer(&block->qkv, from + LMD_STACKED_QKV, (const int[]){config->QKV, d}, arena);
    bind_layer(&block->o, from + LMD_STACKED_O, (const int[]){d, HD}, arena);
    lmd_model_bind_norm(&block->mlp_norm, d, arena);
    bind_layer(&block->up, from + LMD_STACKED_UP, (const int[]){F, d}, arena);
    bind_layer(&block->down, from + LMD_STACKED_DOWN, (const int[]){d, F}, arena);
}

static lmd_status load_layer(const lmd_model *model, int l, int which,
                             const int32_t *places, lmd_stacked_layer *layer)
{
    const lmd_tensor *const *const from = tensors_of(model, l) + which;
    const bool is_transposed =
        model->family->wants.block[which].form == LMD_FORM_TRANSPOSED &&
        !lmd_model_is_gguf(model->weights);
    const lmd_source source = {from[0], places, 0, is_transposed};
    lmd_matrix_clear_padding(&layer->W);
    LMD_TRY(lmd_model_load_matrix(model->weights, &source, &layer->W));
    return lmd_model_load_vector(model->weights, from[1], places, layer->bias);
}

static lmd_status load_norm(const lmd_model *model, int l, int which,
                            lmd_stacked_norm *norm)
{
    const lmd_tensor *const *const from = tensors_of(model, l) + which;
    LMD_TRY(lmd_model_load_rows(model->weights, from[0], norm->weight));
    return lmd_model_load_rows(model->weights, from[1], norm->bias);
}

lmd_status lmd_model_load_stacked(lmd_stacked_block *block, const lmd_model *model, int l,
                                  const int32_t *qkv_places)
{
    LMD_TRY(load_norm(model, l, LMD_STACKED_NORM, &block->norm));
    LMD_TRY(load_layer(model, l, LMD_STACKED_QKV, qkv_places, &block->qkv));
    LMD_TRY(load_layer(model, l, LMD_STACKED_O, NULL, &block->o));
    LMD_TRY(load_norm(model, l, LMD_STACKED_MLP_NORM, &block->mlp_norm));
    LMD_TRY(load_layer(model, l, LMD_STACKED_UP, NULL, &block->up));
    return load_layer(model, l, LMD_STACKED_DOWN, NULL, &block->down);
}

/* ---- forward ---- */

void lmd_model_take_stacked(lmd_stacked_pass *pass, lmd_arena *arena,
                            const lmd_config *config, int T)
{
    const size_t rows = (size_t)T;
    pass->normed = lmd_model_take(arena, rows * (size_t)config->d, sizeof(float));
    lmd_arena mlp = *arena;
    pass->qkv = lmd_model_take(arena, rows * (size_t)config->QKV, sizeof(float));
    pass->mixed = lmd_model_take(arena, rows * (size_t)config->HD, sizeof(float));
    pass->hidden = lmd_model_take(&mlp, rows * (size_t)config->F, sizeof(float));
    arena->used = mlp.used > arena->used ? mlp.used : arena->used;
}

static void apply(const lmd_stacked_pass *pass, const lmd_stacked_layer *layer,
                  const float *in, float *out)
{
    lmd_kernel_linear(pass->kernel, out, in, (size_t)layer->W.C, &layer->W, layer->bias,
                      pass->batch->T);
}

static void normalise(const lmd_stacked_pass *pass, const lmd_stacked_norm *norm,
                      const float *in)
{
    lmd_kernel_layer_norm(pass->kernel, pass->normed, in, norm->weight, norm->bias,
                          pass->config->eps, pass->batch->T, pass->config->d);
}

void lmd_model_attend_stacked(const lmd_stacked_pass *pass,
                              const lmd_stacked_block *block, const float *in,
                              float scale, float *out)
{
    const lmd_config *const config = pass->config;
    const lmd_batch *const batch = pass->batch;
    const int H = config->H, D = config->D;
    const size_t stride = (size_t)config->QKV;
    float *const q = pass->qkv;
    float *const k = q + config->HD;
    const lmd_attention attention = {.q = q,
                                     .k = k,
                                     .v = k + config->KD,
                                     .q_stride = stride,
                                     .kv_stride = stride,
                                     .H = H,
                                     .K = H,
                                     .D = D,
                                     .scale = scale};
    normalise(pass, &block->norm, in);
    apply(pass, &block->qkv, pass->normed, pass->qkv);
    if (pass->rotary) {
        lmd_kernel_rotate(pass->kernel, q, stride, pass->rotary, batch->T, H, D);
        lmd_kernel_rotate(pass->kernel, k, stride, pass->rotary, batch->T, H, D);
    }
    lmd_kernel_attention(pass->kernel, pass->mixed, &attention, batch->starts,
                         batch->n_prompts);
    apply(pass, &block->o, pass->mixed, out);
}

void lmd_model_mlp_stacked(const lmd_stacked_pass *pass, const lmd_stacked_block *block,
                           const float *in, float *out)
{
    const lmd_config *const config = pass->config;
    normalise(pass, &block->mlp_norm, in);
    apply(pass, &block->up, pass->normed, pass->hidden);
    lmd_kernel_activate(pass->kernel, pass->hidden, config->activation, pass->batch->T,
                        config->F);
    apply(pass, &block->down, pass->hidden, out);
}

double lmd_model_flops_stacked(const lmd_model *model, const int32_t *starts,
                               int n_prompts)
{
    const lmd_config *const config = &model->config;
    const double products = config->QKV + config->HD + 2.0 * config->F;
    const double T = starts[n_prompts];
    const double pairs = lmd_model_pairs(starts, n_prompts, 0);
    return config->N * (2 * T * config->d * products + 4 * pairs * config->HD);
}
