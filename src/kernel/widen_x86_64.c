/* Widening on x86-64: F16C's conversion, which is exact whatever the thread does with
 * subnormal numbers; bf16 by one shift or one mask for each channel of a pair. A panel's
 * part of 32 columns costs 2 to 4 cycles a channel, its product with 200 rows 200. */
#include <cpuid.h>
#include <immintrin.h>
#include <stdatomic.h> /* atomic_int */
#include <stdbool.h>
#include <stddef.h>
#include <lmdepth/base/half.h>
#include "panel.h"
#include "widen.h"

enum { PANEL = LMD_PANEL_COLUMNS };

#define WIDE __attribute__((target("avx512f")))
#define NARROW __attribute__((target("avx2,f16c")))

/* ---- AVX-512 ---- */

WIDE static void from_f16_512(float *out, const uint16_t *in, int n)
{
    for (size_t i = 0; i < (size_t)n * PANEL; i += 16) {
        const __m256i half = _mm256_loadu_si256((const void *)(in + i));
        _mm512_storeu_ps(out + i, _mm512_cvtph_ps(half));
    }
}

WIDE static void from_bf16_512(float *out, const uint16_t *in, int n)
{
    const __m512i upper = _mm512_set1_epi32((int)0xffff0000);
    for (; n > 0; n -= 2, in += 2 * PANEL, out += 2 * PANEL) {
        for (size_t i = 0; i < PANEL; i += 16) {
            const __m512i pairs = _mm512_loadu_si512(in + 2 * i);
            _mm512_storeu_si512(out + i, _mm512_slli_epi32(pairs, 16));
            if (n > 1) {
                _mm512_storeu_si512(out + PANEL + i, _mm512_and_si512(pairs, upper));
            }
        }
    }
}

/* To nearest, ties to even, as base/half.c; a NaN stays one. */
WIDE static void to_bf16_512(uint16_t *out, const float *in, size_t n)
{
    const __m512i one = _mm512_set1_epi32(1), half = _mm512_set1_epi32(0x7fff);
    const __m512i size = _mm512_set1_epi32(0x7fffffff);
    const __m512i infinity = _mm512_set1_epi32(0x7f800000);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const __m512i bits = _mm512_loadu_si512(in + i);
        const __m512i upper = _mm512_srli_epi32(bits, 16);
        const __m512i up = _mm512_add_epi32(half, _mm512_and_si512(upper, one));
        const __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, up), 16);
        const __mmask16 is_nan =
            _mm512_cmpgt_epu32_mask(_mm512_and_si512(bits, size), infinity);
        const __m512i result =
            _mm512_mask_or_epi32(rounded, is_nan, upper, _mm512_set1_epi32(0x40));
        _mm256_storeu_si256((void *)(out + i), _mm512_cvtepi32_epi16(result));
    }
    lmd_half_narrow_bf16(out + i, in + i, n - i);
}

static const lmd_widener widener_512 = {
    .name = "avx512",
    .from = {[LMD_F16] = from_f16_512, [LMD_BF16] = from_bf16_512},
    .to_bf16 = to_bf16_512};

/* ---- AVX2 and F16C ---- */

NARROW static void from_f16_256(float *out, const uint16_t *in, int n)
{
    for (size_t i = 0; i < (size_t)n * PANEL; i += 8) {
        const __m128i half = _mm_loadu_si128((const void *)(in + i));
        _mm256_storeu_ps(out + i, _mm256_cvtph_ps(half));
    }
}

NARROW static void from_bf16_256(float *out, const uint16_t *in, int n)
{
    const __m256i upper = _mm256_set1_epi32((int)0xffff0000);
    for (; n > 0; n -= 2, in += 2 * PANEL, out += 2 * PANEL) {
        for (size_t i = 0; i < PANEL; i += 8) {
            const __m256i pairs = _mm256_loadu_si256((const void *)(in + 2 * i));
            _mm256_storeu_si256((void *)(out + i), _mm256_slli_epi32(pairs, 16));
            if (n > 1) {
                _mm256_storeu_si256((void *)(out + PANEL + i),
                                    _mm256_and_si256(pairs, upper));
            }
        }
    }
}

NARROW static inline __m256i rounded_256(const float *in)
{
    const __m256i bits = _mm256_loadu_si256((const void *)in);
    const __m256i upper = _mm256_srli_epi32(bits, 16);
    const __m256i up = _mm256_add_epi32(_mm256_set1_epi32(0x7fff),
                                        _mm256_and_si256(upper, _mm256_set1_epi32(1)));
    const __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(bits, up), 16);
    const __m256i is_nan =
        _mm256_cmpgt_epi32(_mm256_and_si256(bits, _mm256_set1_epi32(0x7fffffff)),
                           _mm256_set1_epi32(0x7f800000));
    const __m256i quiet = _mm256_or_si256(upper, _mm256_set1_epi32(0x40));
    return _mm256_blendv_epi8(rounded, quiet, is_nan);
}

NARROW static void to_bf16_256(uint16_t *out, const float *in, size_t n)
{
    enum { BY_EIGHTS = 0xd8 }; // packing goes by halves of a register
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const __m256i both =
            _mm256_packus_epi32(rounded_256(in + i), rounded_256(in + i + 8));
        _mm256_storeu_si256((void *)(out + i), _mm256_permute4x64_epi64(both, BY_EIGHTS));
    }
    lmd_half_narrow_bf16(out + i, in + i, n - i);
}

static const lmd_widener widener_256 = {
    .name = "avx2",
    .from = {[LMD_F16] = from_f16_256, [LMD_BF16] = from_bf16_256},
    .to_bf16 = to_bf16_256};

/* ---- which ---- */

/* clang 14's __builtin_cpu_supports has no word for it. */
static bool has_f16c(void)
{
    unsigned int a, b, c = 0, d;
    return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}

/* The first of all wideners that will do. */
static int choose(void)
{
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !has_f16c()) {
        return 2;
    }
    return __builtin_cpu_supports("avx512f") ? 0 : 1;
}

const lmd_widener *const *lmd_wideners(void)
{
    static const lmd_widener *const wideners[] = {&widener_512, &widener_256,
                                                  &lmd_widener_base, NULL};
    // Rows ask for it one by one, and cpuid takes a microsecond in a virtual machine.
    static atomic_int first = -1;
    int i = atomic_load_explicit(&first, memory_order_relaxed);
    if (i < 0) {
        i = choose();
        atomic_store_explicit(&first, i, memory_order_relaxed);
    }
    return wideners + i;
}
