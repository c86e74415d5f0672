/* Widening on any processor: integers that compilers turn into vectors of whatever width
 * there is. */
#include <lmdepth/base/half.h>
#include "panel.h"
#include "widen.h"

enum { PANEL = LMD_PANEL_COLUMNS };

static void from_f16(float *out, const uint16_t *in, int n)
{
    for (size_t i = 0; i < (size_t)n * PANEL; i++) {
        out[i] = lmd_half_from_f16(in[i]);
    }
}

static void from_bf16(float *out, const uint16_t *in, int n)
{
    for (int c = 0; c < n; c++, out += PANEL) {
        const uint16_t *run = in + (size_t)(c / 2) * 2 * PANEL + c % 2;
        for (size_t i = 0; i < PANEL; i++) {
            out[i] = lmd_half_from_bf16(run[2 * i]);
        }
    }
}

const lmd_widener lmd_widener_base = {
    .name = "base",
    .from = {[LMD_F16] = from_f16, [LMD_BF16] = from_bf16},
    .to_bf16 = lmd_half_narrow_bf16};
