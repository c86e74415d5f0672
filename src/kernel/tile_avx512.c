/* Products in fp32 with AVX-512: tiles of 6 rows by 64 columns (tile_wide.h). */
#include <immintrin.h>
#include "tile_x86_64.h"

enum { TILE_ROWS = 6, TILE_PANELS = 2, TILE_CHANNELS = 1 };
#include "tile_loops.h"

static inline __attribute__((always_inline)) __m512 multiply_add(__m512 sum, __m512 x,
                                                                 __m512 w)
{
    return _mm512_fmadd_ps(x, w, sum);
}

#include "tile_wide.h"

const lmd_product lmd_product_avx512 = {.name = "avx512",
                                        .arithmetic = LMD_FUSED_ARITHMETIC,
                                        .run = run,
                                        .tile_rows = TILE_ROWS};
