/* The multiply-add peak of x86-64: pairs of bf16 in AMX's tiles or on 512 bits, fused on
 * 512 bits, fused on 256 bits, or a multiply and an add on 128 bits. Two units of latency
 * 4 or 5 need 10 independent sums; more than 16 would not be unrolled, and 16 registers
 * hold 14 sums at most: no spills, seen in the disassembly of both compilers. AMX's unit
 * takes 16 cycles for a product and gives it after 52: four sums. */
#include <immintrin.h>
#include <stdbool.h>
#include "peak.h"
#include "tile_x86_64.h"

static const float factor = 0.999f, term = 0.001f;

__attribute__((target("avx512f,avx512bf16"))) static double rounds_pairs(size_t rounds,
                                                                         float *sink)
{
    enum { SUMS = 14 };
    const __m512bh x = (__m512bh)_mm512_set1_epi32(0x3f7f3f7f); // both 0.996
    __m512 sums[SUMS];
    for (int i = 0; i < SUMS; i++) {
        sums[i] = _mm512_set1_ps((float)i);
    }
    for (size_t round = 0; round < rounds; round++) {
        for (int i = 0; i < SUMS; i++) {
            sums[i] = _mm512_dpbf16_ps(sums[i], x, x);
        }
    }
    __m512 all = sums[0];
    for (int i = 1; i < SUMS; i++) {
        all = _mm512_add_ps(all, sums[i]);
    }
    *sink = _mm512_cvtss_f32(all);
    return (double)rounds * SUMS * 32 * 2;
}

__attribute__((target("avx512f"))) static double rounds_512(size_t rounds, float *sink)
{
    enum { SUMS = 14 };
    const __m512 x = _mm512_set1_ps(factor), y = _mm512_set1_ps(term);
    __m512 sums[SUMS];
    for (int i = 0; i < SUMS; i++) {
        sums[i] = _mm512_set1_ps((float)i);
    }
    for (size_t round = 0; round < rounds; round++) {
        for (int i = 0; i < SUMS; i++) {
            sums[i] = _mm512_fmadd_ps(sums[i], x, y);
        }
    }
    __m512 all = sums[0];
    for (int i = 1; i < SUMS; i++) {
        all = _mm512_add_ps(all, sums[i]);
    }
    *sink = _mm512_cvtss_f32(all);
    return (double)rounds * SUMS * 16 * 2;
}

__attribute__((target("avx2,fma"))) static double rounds_256(size_t rounds, float *sink)
{
    enum { SUMS = 12 };
    const __m256 x = _mm256_set1_ps(factor), y = _mm256_set1_ps(term);
    __m256 sums[SUMS];
    for (int i = 0; i < SUMS; i++) {
        sums[i] = _mm256_set1_ps((float)i);
    }
    for (size_t round = 0; round < rounds; round++) {
        for (int i = 0; i < SUMS; i++) {
            sums[i] = _mm256_fmadd_ps(sums[i], x, y);
        }
    }
    __m256 all = sums[0];
    for (int i = 1; i < SUMS; i++) {
        all = _mm256_add_ps(all, sums[i]);
    }
    *sink = _mm256_cvtss_f32(all);
    return (double)rounds * SUMS * 8 * 2;
}

static double rounds_128(size_t rounds, float *sink)
{
    enum { SUMS = 12 };
    const __m128 x = _mm_set1_ps(factor), y = _mm_set1_ps(term);
    __m128 sums[SUMS];
    for (int i = 0; i < SUMS; i++) {
        sums[i] = _mm_set1_ps((float)i);
    }
    for (size_t round = 0; round < rounds; round++) {
        for (int i = 0; i < SUMS; i++) {
            sums[i] = _mm_add_ps(_mm_mul_ps(sums[i], x), y);
        }
    }
    __m128 all = sums[0];
    for (int i = 1; i < SUMS; i++) {
        all = _mm_add_ps(all, sums[i]);
    }
    *sink = _mm_cvtss_f32(all);
    return (double)rounds * SUMS * 4 * 2;
}

double lmd_peak_rounds(lmd_peak_kind kind, size_t rounds, float *sink)
{
    __builtin_cpu_init();
    if (kind == LMD_PEAK_TILES && lmd_product_has_amx()) {
        return lmd_peak_amx_rounds(rounds / 16, sink);
    }
    if (kind != LMD_PEAK_FLOATS && __builtin_cpu_supports("avx512bf16")) {
        return rounds_pairs(rounds, sink);
    }
    if (__builtin_cpu_supports("avx512f")) {
        return rounds_512(rounds, sink);
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        return rounds_256(rounds, sink);
    }
    return rounds_128(rounds, sink);
}
