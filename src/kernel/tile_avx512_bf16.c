/* Products of bf16 with AVX-512-BF16: tiles of 6 rows by 64 columns (tile_wide.h), two
 * channels at a time. Weights are the panels as they lie; rows are packed as pairs too.
 *
 * VDPBF16PS adds the product of the odd channel first, then that of the even one, each
 * fused and rounded to nearest; it takes subnormal numbers for 0 and makes none. So
 * a sum is one chain in that order, and not that of products on widened floats.
 */
#include <immintrin.h>
#include "tile_x86_64.h"

enum { TILE_ROWS = 6, TILE_PANELS = 2, TILE_CHANNELS = 2 };
#include "tile_loops.h"

static inline __attribute__((always_inline)) __m512bh pairs(__m512 x)
{
    return (__m512bh)_mm512_castps_si512(x);
}

static inline __attribute__((always_inline)) __m512 multiply_add(__m512 sum, __m512 x,
                                                                 __m512 w)
{
    return _mm512_dpbf16_ps(sum, pairs(x), pairs(w));
}

#include "tile_wide.h"

const lmd_product lmd_product_avx512_bf16 = {.name = "avx512_bf16",
                                             .arithmetic = "bf16; pairs avx512_bf16",
                                             .run = run,
                                             .tile_rows = TILE_ROWS,
                                             .rows = LMD_ROWS_PAIRS,
                                             .peak = LMD_PEAK_PAIRS};
