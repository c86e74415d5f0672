/* The lens that sees nothing: every state but the last becomes zero. The template of a
 * new lens and a test's stand-in for one. To add a lens: copy this file to <kind>.c, read
 * its file in open, apply it in transform, add the row to lenses.def. */
#include "lens_row.h"

#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <stddef.h>              /* size_t */

struct lmd_transform {
    int d;
};

static lmd_status open_nothing(lmd_transform **out, const char *path,
                               const lmd_model *model)
{
    (void)path;
    *out = lmd_memory_new(1, sizeof **out);
    (*out)->d = lmd_model_get_shape(model)->d;
    return LMD_OK;
}

static void see_nothing(const lmd_transform *transform, const lmd_model *model, int state,
                        const float *in, float *out)
{
    (void)model;
    (void)state;
    (void)in;
    for (int i = 0; i < transform->d; i++) {
        out[i] = 0;
    }
}

static double count_nothing(const lmd_transform *transform, const lmd_model *model)
{
    (void)transform;
    (void)model;
    return 0;
}

static void close_nothing(lmd_transform *transform)
{
    lmd_memory_free(transform);
}

extern const lmd_lens_row lmd_lens_row_null;
const lmd_lens_row lmd_lens_row_null = {
    .kind = "null",
    .open = open_nothing,
    .transform = see_nothing,
    .flops = count_nothing,
    .close = close_nothing,
};
