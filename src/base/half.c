/* Widening works on integers and on one exact product, so its result does not depend on
 * whether this thread flushes subnormal numbers to zero. */
#include <lmdepth/base/half.h>

static inline float widen_f16(uint16_t bits)
{
    const uint32_t sign = (uint32_t)(bits & 0x8000U) << 16;
    const uint32_t exponent = bits >> 10 & 0x1fU;
    const uint32_t fraction = bits & 0x3ffU;
    // A subnormal is fraction * 2^-24, which is a normal float.
    const float small = (float)(int32_t)fraction * 0x1p-24f;
    uint32_t small_bits;
    memcpy(&small_bits, &small, sizeof small_bits);
    const uint32_t bias = exponent == 31 ? 255 - 31 : 127 - 15;
    const uint32_t large_bits = (exponent + bias) << 23 | fraction << 13;
    const uint32_t wide = sign | (exponent == 0 ? small_bits : large_bits);
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

float lmd_half_from_f16(uint16_t bits)
{
    return widen_f16(bits);
}

uint16_t lmd_half_to_bf16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffffU) > 0x7f800000U) {
        return (uint16_t)(bits >> 16 | 0x40U); // quiet, lest it round to infinity
    }
    return (uint16_t)((bits + 0x7fffU + (bits >> 16 & 1U)) >> 16);
}

static inline uint16_t read_u16(const unsigned char *bytes)
{
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

void lmd_half_widen_bf16(float *out, const void *in, size_t n)
{
    const unsigned char *const bytes = in;
    for (size_t i = 0; i < n; i++) {
        out[i] = lmd_half_from_bf16(read_u16(bytes + 2 * i));
    }
}

void lmd_half_widen_f16(float *out, const void *in, size_t n)
{
    const unsigned char *const bytes = in;
    for (size_t i = 0; i < n; i++) {
        out[i] = widen_f16(read_u16(bytes + 2 * i));
    }
}
