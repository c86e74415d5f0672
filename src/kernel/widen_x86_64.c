/* Widening on x86-64: F16C's conversion, which is exact whatever the thread does with
 * subnormal numbers; bf16 by one shift or one mask for each channel of a pair. A panel's
 * part of 32 columns costs 2 to 4 cycles a channel, its product with 200 rows 200. */
#include <cpuid.h>
#include <immintrin.h>
#include <stdbool.h>
#include <stddef.h>
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

static const lmd_widener widener_512 = {
    .name = "avx512", .from = {[LMD_F16] = from_f16_512, [LMD_BF16] = from_bf16_512}};

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

static const lmd_widener widener_256 = {
    .name = "avx2", .from = {[LMD_F16] = from_f16_256, [LMD_BF16] = from_bf16_256}};

/* ---- which ---- */

/* clang 14's __builtin_cpu_supports has no word for it. */
static bool has_f16c(void)
{
    unsigned int a, b, c = 0, d;
    return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}

const lmd_widener *const *lmd_wideners(void)
{
    static const lmd_widener *const wideners[] = {&widener_512, &widener_256,
                                                  &lmd_widener_base, NULL};
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !has_f16c()) {
        return wideners + 2;
    }
    return __builtin_cpu_supports("avx512f") ? wideners : wideners + 1;
}
