/* The vectorised loops for x86-64 with AVX-512: 32 registers of 512 bits. 12 sums hide
 * the latency of an addition (4 cycles, two a cycle). */
#include <immintrin.h>

#define LMD_VECTOR_TABLE lmd_vector_avx512
#define LMD_VECTOR_BYTES 64
#define LMD_PANEL_ROWS 12
#include "vector_types.h"

static inline vec larger(vec a, vec b)
{
    return (vec)_mm512_max_ps((__m512)a, (__m512)b);
}

static inline vec smaller(vec a, vec b)
{
    return (vec)_mm512_min_ps((__m512)a, (__m512)b);
}

static inline uvec wider(uvec a, uvec b)
{
    return (uvec)_mm512_max_epu32((__m512i)a, (__m512i)b);
}

static inline vec fused(vec a, vec b, vec c)
{
    return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}

#include "vector_loops.h"
