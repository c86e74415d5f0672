/* Half floats of a panel made wide for the products, once for all rows of a block, and
 * rows rounded to bf16 for those that want them so. Every way gives the same values. */
#ifndef WIDEN_H
#define WIDEN_H

#include <stddef.h> /* size_t */
#include <stdint.h> /* uint16_t */
#include <lmdepth/kernel.h>

/* out (n, 32) = n channels of a panel, from the first of a run on. */
typedef void lmd_widen_loop(float *out, const uint16_t *in, int n);

typedef struct lmd_widener {
    const char *name;
    lmd_widen_loop *from[3]; /* by lmd_matrix_type; none for LMD_F32 */
    void (*to_bf16)(uint16_t *out, const float *in, size_t n); /* as base/half.h */
} lmd_widener;

extern const lmd_widener lmd_widener_base;

/* Those that this processor can run, the fastest first, then NULL. */
const lmd_widener *const *lmd_wideners(void);

#endif
