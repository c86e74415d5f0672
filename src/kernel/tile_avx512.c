/* Products in fp32 with AVX-512: tiles of 14 rows by 32 columns (tile_wide.h). */
#include <immintrin.h>
#include "tile_x86_64.h"

enum { TILE_ROWS = 14, TILE_CHANNELS = 1 };
#include "tile_loops.h"

static inline __attribute__((always_inline)) void
add_channel(__m512 sums[TILE_ROWS][2], const float *a, const float *b)
{
    const __m512 low = _mm512_load_ps(b), high = _mm512_load_ps(b + 16);
    _Pragma("GCC unroll 14") for (int i = 0; i < TILE_ROWS; i++)
    {
        const __m512 x = _mm512_set1_ps(a[i]);
        sums[i][0] = _mm512_fmadd_ps(x, low, sums[i][0]);
        sums[i][1] = _mm512_fmadd_ps(x, high, sums[i][1]);
    }
}

#include "tile_wide.h"

const lmd_product lmd_product_avx512 = {.name = "avx512",
                                        .arithmetic = "f32; tiles avx512 14x32",
                                        .run = run,
                                        .tile_rows = TILE_ROWS};
