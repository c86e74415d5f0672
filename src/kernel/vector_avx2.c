/* The vectorised loops for x86-64 with AVX2: 16 registers of 256 bits, 8 of them sums. */
#include <immintrin.h>

#define LMD_VECTOR_TABLE lmd_vector_avx2
#define LMD_VECTOR_BYTES 32
#define LMD_PANEL_ROWS 4
#include "vector_types.h"

static inline vec larger(vec a, vec b)
{
    return (vec)_mm256_max_ps((__m256)a, (__m256)b);
}

static inline vec smaller(vec a, vec b)
{
    return (vec)_mm256_min_ps((__m256)a, (__m256)b);
}

static inline uvec wider(uvec a, uvec b)
{
    return (uvec)_mm256_max_epu32((__m256i)a, (__m256i)b);
}

static inline vec fused(vec a, vec b, vec c)
{
    return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}

#include "vector_loops.h"
