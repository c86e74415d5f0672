/* Vectors of the register width of one instruction set (GCC and clang extensions), and
 * exp on them. Included with LMD_VECTOR_BYTES set, by vector_loops.h.
 *
 * exp(x) = 2^n e^r with n = round(x / ln 2) and r = x - n ln 2 in two parts (Cody and
 * Waite 1980), |r| <= 0.347; e^r = 1 + r + r^2 q(r), q a minimax polynomial of degree 4
 * for the relative error, 3e-9 before rounding. e^0 is exactly 1.
 */
#ifndef VECTOR_MATH_H
#define VECTOR_MATH_H

#include <stdint.h> /* int32_t */
#include <string.h> /* memcpy */
#include "vector_table.h"

enum { WIDTH = LMD_VECTOR_BYTES / 4, PARTS = LMD_LANES / WIDTH };

typedef float vec __attribute__((vector_size(LMD_VECTOR_BYTES)));
typedef int32_t ivec __attribute__((vector_size(LMD_VECTOR_BYTES)));
typedef uint32_t uvec __attribute__((vector_size(LMD_VECTOR_BYTES)));

static inline vec load(const float *p)
{
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void store(float *p, vec v)
{
    memcpy(p, &v, sizeof v);
}

// x - 0, not x + 0, keeps the sign of a zero.
static inline vec splat(float x)
{
    return x - (vec){0};
}

// A loop over lanes: both compilers make one max instruction of it, but not of a mask.
static inline vec larger(vec a, vec b)
{
    vec out = b;
    for (int i = 0; i < WIDTH; i++) {
        out[i] = a[i] > b[i] ? a[i] : b[i];
    }
    return out;
}

static inline vec smaller(vec a, vec b)
{
    vec out = b;
    for (int i = 0; i < WIDTH; i++) {
        out[i] = a[i] < b[i] ? a[i] : b[i];
    }
    return out;
}

/* exp of x <= 88; 0 below -87; NaN stays NaN. */
static inline vec exponential(vec x)
{
    const float round_to_int = 12582912.0f; /* 1.5 * 2^23 */
    const ivec is_tiny = x < -87.0f;
    const vec bounded =
        larger(splat(-88.0f), x); // the operand that may be NaN comes last
    const vec shifted = bounded * 1.44269504f + round_to_int;
    const vec n = shifted - round_to_int;
    const vec r = (bounded - n * 0.693359375f) + n * 2.12194440e-4f;
    vec q = r * 1.381454004e-3f + 8.368745112e-3f;
    q = q * r + 4.166839079e-2f;
    q = q * r + 1.666652040e-1f;
    q = q * r + 4.999999343e-1f;
    const vec power = (r * r) * q + r + 1.0f;
    const uvec exponent = ((uvec)shifted - 0x4b400000u + 127u) << 23;
    return (vec)((ivec)(power * (vec)exponent) & ~is_tiny);
}

/* exp of -87.3 <= x <= 0 for sums, with fewer steps: 2^f of the fraction of x / ln 2, a
 * minimax polynomial of degree 5, 2e-7. The reduction loses accuracy for large -x, where
 * e^x counts for little: e^x |x| 6e-8 is at most 2.2e-8. NaN gives anything. */
static inline vec small_exponential(vec x)
{
    const float round_to_int = 12582912.0f; /* 1.5 * 2^23 */
    const vec t = x * 1.44269504f;
    const vec shifted = t + round_to_int;
    const vec f = t - (shifted - round_to_int);
    vec q = f * 1.327647217e-3f + 9.675541331e-3f;
    q = q * f + 5.550713273e-2f;
    q = q * f + 2.402211972e-1f;
    q = q * f + 6.931469671e-1f;
    q = q * f + 1.000000072f;
    return (vec)((uvec)q + ((uvec)shifted << 23));
}

/* The sum of 16 lanes, in fp64, by halves. */
static inline double lane_sum(const vec lanes[PARTS])
{
    float x[LMD_LANES];
    double sums[LMD_LANES / 2];
    memcpy(x, lanes, sizeof x);
    for (int i = 0; i < LMD_LANES / 2; i++) {
        sums[i] = (double)x[i] + (double)x[i + LMD_LANES / 2];
    }
    for (int i = 0; i < 4; i++) {
        sums[i] += sums[i + 4];
    }
    for (int i = 0; i < 2; i++) {
        sums[i] += sums[i + 2];
    }
    return sums[0] + sums[1];
}

#endif
