/* Narrowing works on integers, so its result does not depend on how this thread rounds.
 */
#include <lmdepth/base/half.h>

uint16_t lmd_half_to_bf16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffffU) > 0x7f800000U) {
        return (uint16_t)(bits >> 16 | 0x40U); // quiet, lest it round to infinity
    }
    return (uint16_t)((bits + 0x7fffU + (bits >> 16 & 1U)) >> 16);
}

uint16_t lmd_half_to_f16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t sign = bits >> 16 & 0x8000U, size = bits & 0x7fffffffU;
    if (size > 0x7f800000U) {
        return (uint16_t)(sign | 0x7e00U | (size >> 13 & 0x3ffU));
    }
    if (size >= 0x47800000U) { // 2^16, which no rounding brings back
        return (uint16_t)(sign | 0x7c00U);
    }
    const uint32_t exponent = size >> 23;
    if (exponent < 102) { // below 2^-25, half of the smallest
        return (uint16_t)sign;
    }
    // In units of the result's last place, with `lost` more bits; a carry is right, up to
    // infinity.
    const uint32_t whole =
        exponent > 112 ? size - (112U << 23) : (size & 0x7fffffU) | 0x800000U;
    const uint32_t lost = exponent > 112 ? 13 : 126 - exponent;
    const uint32_t half = (1U << (lost - 1)) - 1 + (whole >> lost & 1U);
    return (uint16_t)(sign | (whole + half) >> lost);
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
