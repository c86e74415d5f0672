/* Half-width floats as they lie in model files, widened exactly to float. */
#ifndef LMDEPTH_BASE_HALF_H
#define LMDEPTH_BASE_HALF_H

#include <stdbool.h> /* bool */
#include <stddef.h>  /* size_t */
#include <stdint.h>  /* uint16_t */
#include <string.h>  /* memcpy */

/* All bits of `yes` where the condition holds, else those of `no`: what compilers make of
 * branches is no vector. */
static inline uint32_t lmd_half_choose(bool condition, uint32_t yes, uint32_t no)
{
    const uint32_t mask = 0U - (uint32_t)condition;
    return (yes & mask) | (no & ~mask);
}

/* bfloat16: the upper half of a float. */
static inline float lmd_half_from_bf16(uint16_t bits)
{
    const uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

/* IEEE 754 binary16, subnormals, infinities and NaN included. Integers and one exact
 * product, so it matters not whether this thread flushes subnormal numbers to zero. */
static inline float lmd_half_from_f16(uint16_t bits)
{
    const uint32_t sign = (uint32_t)(bits & 0x8000U) << 16;
    const uint32_t exponent = bits >> 10 & 0x1fU;
    const uint32_t fraction = bits & 0x3ffU;
    // A subnormal is fraction * 2^-24, which is a normal float.
    const float small = (float)(int32_t)fraction * 0x1p-24f;
    uint32_t small_bits;
    memcpy(&small_bits, &small, sizeof small_bits);
    const uint32_t bias = lmd_half_choose(exponent == 31, 255 - 31, 127 - 15);
    const uint32_t large_bits = (exponent + bias) << 23 | fraction << 13;
    const uint32_t wide = sign | lmd_half_choose(exponent == 0, small_bits, large_bits);
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

/* float to bfloat16, ties to even; NaN stays NaN. */
uint16_t lmd_half_to_bf16(float value);

/* float to binary16, ties to even, beyond 65504 infinity; NaN stays NaN. */
uint16_t lmd_half_to_f16(float value);

/* n values, little-endian, unaligned source. */
void lmd_half_widen_bf16(float *out, const void *in, size_t n);
void lmd_half_widen_f16(float *out, const void *in, size_t n);

/* n values as lmd_half_to_bf16 and lmd_half_to_f16 make them. */
void lmd_half_narrow_bf16(uint16_t *out, const float *in, size_t n);
void lmd_half_narrow_f16(uint16_t *out, const float *in, size_t n);

#endif
