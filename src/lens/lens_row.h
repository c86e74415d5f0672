/* What a lens is: a transform of every state but the last, and how its file is read. */
#ifndef LMDEPTH_LENS_LENS_ROW_H
#define LMDEPTH_LENS_LENS_ROW_H

#include <lmdepth/base/status.h> /* lmd_status */
#include <lmdepth/model.h>       /* lmd_model */

typedef struct lmd_transform lmd_transform; /* a kind's own data */

typedef struct lmd_lens_row {
    const char *kind; /* its row in lenses.def */

    /* Reads `path` (NULL when none was given: LMD_USAGE where one is needed). *out may
     * stay NULL for a lens without data. */
    lmd_status (*open)(lmd_transform **out, const char *path, const lmd_model *model);

    /* out (d) = t_l(in (d)) at state l < N; from any thread. */
    void (*transform)(const lmd_transform *transform, const lmd_model *model, int state,
                      const float *in, float *out);

    /* Operations of that. */
    double (*flops)(const lmd_transform *transform, const lmd_model *model);

    void (*close)(lmd_transform *transform); /* accepts NULL */
} lmd_lens_row;

#endif
