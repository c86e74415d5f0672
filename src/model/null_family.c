/* The family that does nothing: the template of a new one, and a test's stand-in for one.
 * Its blocks have no weights, so every state is the embedding. To add a family: copy this
 * file to <name>.c, fill in tables and functions in this order, add the row to
 * families.def, and a tiny model to tests/conformance. */
#include "batch.h"  /* lmd_model_embed */
#include "family.h" /* lmd_family */

#include <string.h> /* memcpy */

/* ---- config ---- */

static const lmd_key keys[] = {
    LMD_NEED_SIZE("layers", N),
    LMD_NEED_SIZE("width", d),
    LMD_NEED_SIZE("vocabulary", V),
    {0},
};

static lmd_status complete(lmd_config *config, const char *path)
{
    (void)config;
    (void)path;
    return LMD_OK;
}

/* ---- weights ----
 * model.c takes, loads and looks up embedding and unembedding; bind and load are for the
 * rest: lmd_model_take_matrix and lmd_model_load_matrix. */

static const lmd_want outer_wants[] = {
    LMD_MATRIX("embedding", "token_embd.weight", V, d),
    LMD_MATRIX("unembedding", "output.weight", V, d),
};

static void bind(lmd_model *model, lmd_arena *arena)
{
    (void)model;
    (void)arena;
}

static lmd_status load(lmd_model *model)
{
    (void)model;
    return LMD_OK;
}

static void free_nothing(lmd_model *model)
{
    (void)model;
}

/* ---- forward ---- */

static size_t work_bytes(const lmd_model *model, int T)
{
    (void)model;
    (void)T;
    return 0;
}

static void forward(const lmd_model *model, lmd_kernel *kernel, const lmd_batch *batch,
                    void *work, float *states)
{
    (void)kernel;
    (void)work;
    const size_t floats = (size_t)batch->T * (size_t)model->config.d;
    lmd_model_embed(model, batch, states);
    for (int l = 0; l < model->config.N; l++) {
        memcpy(states + floats, states, floats * sizeof *states);
        states += floats;
    }
}

static void final_norm(const lmd_model *model, const float *in, float *out)
{
    if (out != in) {
        memcpy(out, in, (size_t)model->config.d * sizeof *out);
    }
}

static double flops(const lmd_model *model, const int32_t *starts, int n_prompts)
{
    (void)model;
    (void)starts;
    (void)n_prompts;
    return 0;
}

/* ---- the row ---- */

static const char *const types[] = {"null", NULL};

extern const lmd_family lmd_family_null;
const lmd_family lmd_family_null = {
    .name = "null",
    .types = types,
    .size = sizeof(lmd_model),
    .json_keys = keys,
    .gguf_keys = keys,
    .defaults = {.bos = -1},
    .wants = {.outer = outer_wants, .n_outer = 2, .head = 1, .prefix = ""},
    .complete = complete,
    .bind = bind,
    .load = load,
    .work_bytes = work_bytes,
    .forward = forward,
    .final_norm = final_norm,
    .flops = flops,
    .remarks = NULL,
    .close = free_nothing,
};
