/* The logit lens (nostalgebraist 2020): the state itself, q_l = softmax(U FN(s_l)). */
#include "lens_row.h"

#include <stddef.h> /* size_t */
#include <string.h> /* memcpy */

static lmd_status open(lmd_transform **out, const char *path, const lmd_model *model)
{
    (void)model;
    *out = NULL;
    if (path) {
        return lmd_status_set(LMD_USAGE, "lens kind logit has no file, but path is '%s'",
                              path);
    }
    return LMD_OK;
}

static void transform(const lmd_transform *transform, const lmd_model *model, int state,
                      const float *in, float *out)
{
    (void)transform;
    (void)state;
    memcpy(out, in, (size_t)lmd_model_get_shape(model)->d * sizeof *out);
}

static double flops(const lmd_transform *transform, const lmd_model *model)
{
    (void)transform;
    (void)model;
    return 0;
}

static void close(lmd_transform *transform)
{
    (void)transform;
}

extern const lmd_lens_row lmd_lens_row_logit;
const lmd_lens_row lmd_lens_row_logit = {
    .kind = "logit",
    .open = open,
    .transform = transform,
    .flops = flops,
    .close = close,
};
