/* Half-width floats as they lie in model files, widened exactly to float. */
#ifndef LMDEPTH_BASE_HALF_H
#define LMDEPTH_BASE_HALF_H

#include <stddef.h> /* size_t */
#include <stdint.h> /* uint16_t */
#include <string.h> /* memcpy */

/* bfloat16: the upper half of a float. */
static inline float lmd_half_from_bf16(uint16_t bits)
{
    const uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

/* IEEE 754 binary16, subnormals, infinities and NaN included. */
float lmd_half_from_f16(uint16_t bits);

/* float to bfloat16, ties to even; NaN stays NaN. */
uint16_t lmd_half_to_bf16(float value);

/* n values, little-endian, unaligned source. */
void lmd_half_widen_bf16(float *out, const void *in, size_t n);
void lmd_half_widen_f16(float *out, const void *in, size_t n);

#endif
