/* Products of bf16 with AVX-512-BF16: tiles of 14 rows by 32 columns (tile_wide.h), two
 * channels at a time. Weights are the panels as they lie; rows are packed as pairs too.
 *
 * VDPBF16PS adds the product of the odd channel first, then that of the even one, each
 * fused and rounded to nearest; it takes subnormal numbers for 0 and makes none. So
 * a sum is one chain in that order, and not that of products on widened floats.
 */
#include <immintrin.h>
#include "tile_x86_64.h"

enum { TILE_ROWS = 14, TILE_CHANNELS = 2 };
#include "tile_loops.h"

static inline __attribute__((always_inline)) __m512bh pairs(__m512 x)
{
    return (__m512bh)_mm512_castps_si512(x);
}

static inline __attribute__((always_inline)) void
add_channel(__m512 sums[TILE_ROWS][2], const float *a, const float *b)
{
    const __m512bh low = pairs(_mm512_load_ps(b)), high = pairs(_mm512_load_ps(b + 16));
    _Pragma("GCC unroll 14") for (int i = 0; i < TILE_ROWS; i++)
    {
        const __m512bh x = pairs(_mm512_set1_ps(a[i]));
        sums[i][0] = _mm512_dpbf16_ps(sums[i][0], x, low);
        sums[i][1] = _mm512_dpbf16_ps(sums[i][1], x, high);
    }
}

#include "tile_wide.h"

const lmd_product lmd_product_avx512_bf16 = {.name = "avx512_bf16",
                                             .arithmetic =
                                                 "bf16; tiles avx512_bf16 14x32",
                                             .run = run,
                                             .tile_rows = TILE_ROWS,
                                             .rows = LMD_ROWS_PAIRS};
