/* Vectors of the register width of one instruction set (GCC and clang extensions), and
 * exp and its kin on them. Included by vector_loops.h.
 *
 * exp(x) = 2^n e^r with n = round(x / ln 2) and r = x - n ln 2 in two parts (Cody and
 * Waite 1980), |r| <= 0.347; e^r = 1 + r + r^2 q(r), q a minimax polynomial of degree 4
 * for the relative error, 3e-9 before rounding. e^0 is exactly 1.
 *
 * All polynomials are our own minimax fits: Remez exchange in 40 digits, weighted for the
 * relative error of the function; the error before rounding stands with each.
 */
#ifndef VECTOR_MATH_H
#define VECTOR_MATH_H

#include "vector_types.h"

/* The first n floats from p, at most WIDTH; lanes beyond them are 0. */
static inline vec load_some(const float *p, size_t n)
{
    if (n >= WIDTH) {
        return load(p);
    }
    vec v = {0};
    memcpy(&v, p, n * sizeof *p);
    return v;
}

static inline void store_some(float *p, vec v, size_t n)
{
    if (n >= WIDTH) {
        store(p, v);
    } else {
        memcpy(p, &v, n * sizeof *p);
    }
}

// x - 0, not x + 0, keeps the sign of a zero.
static inline vec splat(float x)
{
    return x - (vec){0};
}

static inline vec magnitude(vec x)
{
    return (vec)((ivec)x & 0x7fffffff);
}

/* Lanes of a where the mask is set, else of b. */
static inline vec choose(ivec mask, vec a, vec b)
{
    return (vec)(((ivec)a & mask) | ((ivec)b & ~mask));
}

/* The same with a constant, NaN staying NaN. With one, the loops over lanes fall apart in
 * gcc 12. */
static inline vec at_least(vec x, float low)
{
    return choose(x < low, splat(low), x);
}

static inline vec at_most(vec x, float high)
{
    return choose(x > high, splat(high), x);
}

/* exp of x <= 88; 0 below -87; NaN stays NaN. */
static inline vec exponential(vec x)
{
    const float round_to_int = 12582912.0f; /* 1.5 * 2^23 */
    const ivec is_tiny = x < -87.0f;
    const vec bounded = at_least(x, -88.0f);
    const vec shifted = fused(bounded, splat(1.44269504f), splat(round_to_int));
    const vec n = shifted - round_to_int;
    const vec r =
        fused(n, splat(2.12194440e-4f), fused(n, splat(-0.693359375f), bounded));
    vec q = fused(r, splat(1.381454004e-3f), splat(8.368745112e-3f));
    q = fused(q, r, splat(4.166839079e-2f));
    q = fused(q, r, splat(1.666652040e-1f));
    q = fused(q, r, splat(4.999999343e-1f));
    const vec power = fused(r * r, q, r) + 1.0f;
    const uvec exponent = ((uvec)shifted - 0x4b400000u + 127u) << 23;
    return (vec)((ivec)(power * (vec)exponent) & ~is_tiny);
}

/* exp of -87.3 <= x <= 16 for sums, with fewer steps and fused: 2^f of the fraction of
 * x / ln 2, a minimax polynomial of degree 5, 2e-7. The reduction loses accuracy for
 * large -x, where e^x counts for little: e^x |x| 6e-8 is at most 2.2e-8. NaN gives
 * anything. */
static inline vec small_exponential(vec x)
{
    const vec round_to_int = splat(12582912.0f); /* 1.5 * 2^23 */
    const vec per_octave = splat(1.44269504f);
    const vec shifted = fused(x, per_octave, round_to_int);
    const vec f = fused(x, per_octave, round_to_int - shifted);
    vec q = fused(f, splat(1.327647217e-3f), splat(9.675541331e-3f));
    q = fused(q, f, splat(5.550713273e-2f));
    q = fused(q, f, splat(2.402211972e-1f));
    q = fused(q, f, splat(6.931469671e-1f));
    q = fused(q, f, splat(1.000000072f));
    return (vec)((uvec)q + ((uvec)shifted << 23));
}

/* 2^t for the decay of a state, -64 <= t <= 127 and clamped to that. 2^t = 1 + f p(f) for
 * the fraction f, 9e-8, less near 0: a decay of almost 1, taken thousands of times, must
 * not drift. Below 2^-64 nothing is left of a state beside its input in fp32; going
 * further would only meet denormals, which are slow. */
static inline vec decay(vec t)
{
    const float round_to_int = 12582912.0f; /* 1.5 * 2^23 */
    const vec bounded = at_least(at_most(t, 127.0f), -64.0f);
    const vec shifted = bounded + round_to_int;
    const vec f = bounded - (shifted - round_to_int);
    vec p = f * 1.326474273e-3f + 9.671512833e-3f;
    p = p * f + 5.550733666e-2f;
    p = p * f + 2.402224209e-1f;
    p = p * f + 6.931469777e-1f;
    p = p * f + 1.0f;
    return (vec)((uvec)p + ((uvec)shifted << 23));
}

/* log(1 + exp(x)) = max(x, 0) + log1p(u), u = exp(-|x|) in [0, 1]. With s = u / (2 + u),
 * log1p(u) = 2 atanh(s) = u - s (u - s^2 p(s^2)), 4e-9. For x > 17 it is x. */
static inline vec softplus(vec x)
{
    const vec u = exponential(-magnitude(x));
    const vec s = u / (u + 2.0f);
    const vec z = s * s;
    vec p = z * 2.801193164e-1f + 2.800181779e-1f;
    p = p * z + 4.002152639e-1f;
    p = p * z + 6.666641630e-1f;
    return at_least(x, 0.0f) + (u - s * (u - z * p));
}

/* x / (1 + exp(-z)), z of the sign of x. Nothing overflows for z < 0 as well, where it is
 * x exp(z) / (1 + exp(z)). */
static inline vec times_logistic(vec x, vec z)
{
    const vec e = exponential(-magnitude(z));
    return choose(z < 0.0f, x * e, x) / (e + 1.0f);
}

static inline vec silu(vec x)
{
    return times_logistic(x, x);
}

/* (1 + tanh(y)) / 2 = 1 / (1 + exp(-2 y)), y = sqrt(2 / pi) (x + 0.044715 x^3). */
static inline vec gelu_tanh(vec x)
{
    return times_logistic(x, x * (x * x * 0.0713548163f + 1.59576912f));
}

/* x Phi(x) = max(x, 0) - |x| Q(|x|), Q(a) = 1 - Phi(a) = erfc(a / sqrt(2)) / 2, so that
 * nothing cancels on either side. Q(a) = exp(-a^2 / 2) t p(t), t = 1 / (1 + 0.3 a) (the
 * form of Hastings 1955), 1.3e-7 of Q for a < 13.5, where exp is 0. */
static inline vec gelu(vec x)
{
    const vec a = magnitude(x);
    const vec t = 1.0f / (a * 0.3f + 1.0f);
    vec p = t * 3.593182974e-2f - 1.582763211e-1f;
    p = p * t + 2.082070210e-1f;
    p = p * t - 5.539409396e-2f;
    p = p * t + 1.294692577e-1f;
    p = p * t + 9.963749782e-2f;
    p = p * t + 1.207983543e-1f;
    p = p * t + 1.196263902e-1f;
    const vec tail = exponential(a * a * -0.5f) * t * p;
    return at_least(x, 0.0f) - a * tail;
}

static inline vec relu(vec x)
{
    return at_least(x, 0.0f);
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
