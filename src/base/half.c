/* The loops are written for compilers to turn into vectors. */
#include <lmdepth/base/half.h>

static inline uint16_t to_bf16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t rounded = (bits + 0x7fffU + (bits >> 16 & 1U)) >> 16;
    const uint32_t quiet = bits >> 16 | 0x40U; // lest a NaN round to infinity
    return (uint16_t)((bits & 0x7fffffffU) > 0x7f800000U ? quiet : rounded);
}

static inline uint16_t to_f16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t sign = bits >> 16 & 0x8000U, size = bits & 0x7fffffffU;
    // A carry into the exponent is right, up to infinity.
    const uint32_t normal = (size - (112U << 23) + 0xfffU + (size >> 13 & 1U)) >> 13;
    // The last place of floats in [0.5, 1) is 2^-24, that of subnormal results: the sum
    // rounds as they do.
    float sum;
    memcpy(&sum, &size, sizeof sum);
    sum += 0.5f;
    uint32_t small;
    memcpy(&small, &sum, sizeof small);
    small -= 126U << 23;
    uint32_t result = lmd_half_choose(size < 113U << 23, small, normal);
    // 2^16, which no rounding brings back.
    result = lmd_half_choose(size >= 143U << 23, 0x7c00U, result);
    result = lmd_half_choose(size > 0x7f800000U, 0x7e00U | (size >> 13 & 0x3ffU), result);
    return (uint16_t)(sign | result);
}

uint16_t lmd_half_to_bf16(float value)
{
    return to_bf16(value);
}

uint16_t lmd_half_to_f16(float value)
{
    return to_f16(value);
}

void lmd_half_narrow_bf16(uint16_t *out, const float *in, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = to_bf16(in[i]);
    }
}

void lmd_half_narrow_f16(uint16_t *out, const float *in, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = to_f16(in[i]);
    }
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
        out[i] = lmd_half_from_f16(read_u16(bytes + 2 * i));
    }
}
