/* Every half float there is, against arithmetic on its fields. */
#include <lmdepth/base/half.h>

#include <math.h>   /* ldexp, isnan */
#include <setjmp.h> /* cmocka.h */
#include <stdarg.h> /* cmocka.h */
#include <stddef.h> /* cmocka.h */
#include <stdint.h> /* uint32_t */
#include <string.h> /* memcpy */
#include <cmocka.h>

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The definition of IEEE 754: (-1)^s 2^(e-25) (1024 [e > 0] + f), e at least 1. */
static float naive_f16(unsigned int bits)
{
    const int exponent = (int)(bits >> 10 & 31);
    const int fraction = (int)(bits & 1023);
    const double sign = bits & 0x8000 ? -1 : 1;
    if (exponent == 31) {
        return fraction == 0 ? (float)(sign * (double)INFINITY) : NAN;
    }
    const int mantissa = exponent > 0 ? 1024 + fraction : fraction;
    return (float)(sign * ldexp(mantissa, (exponent > 0 ? exponent : 1) - 25));
}

static void all_f16_widen_exactly(void **state)
{
    (void)state;
    for (unsigned int bits = 0; bits < 65536; bits++) {
        const float value = lmd_half_from_f16((uint16_t)bits);
        const float expected = naive_f16(bits);
        if (isnan(expected)) {
            assert_true(isnan(value));
            assert_int_equal(bits_of(value) >> 31, bits >> 15);
        } else if (bits_of(value) != bits_of(expected)) {
            fail_msg("%04x gives %a, not %a", bits, (double)value, (double)expected);
        }
    }
}

static void all_bf16_round_trip(void **state)
{
    (void)state;
    for (unsigned int bits = 0; bits < 65536; bits++) {
        const float value = lmd_half_from_bf16((uint16_t)bits);
        assert_int_equal(bits_of(value), bits << 16);
        const unsigned int quiet = isnan(value) ? 0x40 : 0;
        assert_int_equal(lmd_half_to_bf16(value), bits | quiet);
    }
}

static void to_bf16_rounds_ties_to_even(void **state)
{
    (void)state;
    assert_int_equal(lmd_half_to_bf16(float_of(0x3f808000)), 0x3f80); // tie, even below
    assert_int_equal(lmd_half_to_bf16(float_of(0x3f818000)), 0x3f82); // tie, even above
    assert_int_equal(lmd_half_to_bf16(float_of(0x3f808001)), 0x3f81);
    assert_int_equal(lmd_half_to_bf16(float_of(0x3f817fff)), 0x3f81);
    assert_int_equal(lmd_half_to_bf16(float_of(0x7f7fffff)), 0x7f80); // to infinity
    assert_int_equal(lmd_half_to_bf16(float_of(0xff800000)), 0xff80);
    assert_int_equal(lmd_half_to_bf16(float_of(0x7f800001)), 0x7fc0); // NaN stays NaN
    assert_int_equal(lmd_half_to_bf16(float_of(0xffffffff)), 0xffff);
    assert_int_equal(lmd_half_to_bf16(float_of(0x00008001)), 0x0001); // subnormal
}

static void all_f16_round_trip(void **state)
{
    (void)state;
    for (unsigned int bits = 0; bits < 65536; bits++) {
        const float value = lmd_half_from_f16((uint16_t)bits);
        const unsigned int quiet = isnan(value) ? 0x200 : 0;
        assert_int_equal(lmd_half_to_f16(value), bits | quiet);
    }
}

/* Halfway between any two neighbours, and next to it on either side. */
static void to_f16_rounds_ties_to_even(void **state)
{
    (void)state;
    for (unsigned int bits = 0; bits < 0x7c00; bits++) {
        const double low = (double)naive_f16(bits);
        const double high = bits == 0x7bff ? 65536 : (double)naive_f16(bits + 1);
        const float middle = (float)(0.5 * (low + high)); // exact
        const unsigned int even = bits + (bits & 1);
        for (unsigned int sign = 0; sign <= 0x8000; sign += 0x8000) {
            const uint32_t tie = bits_of(middle) | sign << 16;
            assert_int_equal(lmd_half_to_f16(float_of(tie)), sign | even);
            assert_int_equal(lmd_half_to_f16(float_of(tie - 1)), sign | bits);
            assert_int_equal(lmd_half_to_f16(float_of(tie + 1)), sign | (bits + 1));
        }
    }
    assert_int_equal(lmd_half_to_f16(float_of(0x7f7fffff)), 0x7c00); // to infinity
    assert_int_equal(lmd_half_to_f16(float_of(0xff800000)), 0xfc00);
    assert_int_equal(lmd_half_to_f16(float_of(0x7f800001)), 0x7e00); // NaN stays NaN
    assert_int_equal(lmd_half_to_f16(float_of(0xffffffff)), 0xffff);
    assert_int_equal(lmd_half_to_f16(float_of(0x80000001)), 0x8000);
}

static void arrays_widen_from_odd_addresses(void **state)
{
    (void)state;
    enum { N = 1003 };
    unsigned char bytes[2 * N + 1];
    float bf16[N];
    float f16[N];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)(37 * i + i / 256);
    }
    lmd_half_widen_bf16(bf16, bytes + 1, N);
    lmd_half_widen_f16(f16, bytes + 1, N);
    uint16_t narrow[2][N];
    lmd_half_narrow_bf16(narrow[0], bf16, N);
    lmd_half_narrow_f16(narrow[1], f16, N);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(narrow[0][i], lmd_half_to_bf16(bf16[i]));
        assert_int_equal(narrow[1][i], lmd_half_to_f16(f16[i]));
        const uint16_t bits = (uint16_t)(bytes[2 * i + 1] | bytes[2 * i + 2] << 8);
        assert_int_equal(bits_of(bf16[i]), bits_of(lmd_half_from_bf16(bits)));
        assert_int_equal(bits_of(f16[i]), bits_of(lmd_half_from_f16(bits)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_f16_widen_exactly),
        cmocka_unit_test(all_bf16_round_trip),
        cmocka_unit_test(to_bf16_rounds_ties_to_even),
        cmocka_unit_test(all_f16_round_trip),
        cmocka_unit_test(to_f16_rounds_ties_to_even),
        cmocka_unit_test(arrays_widen_from_odd_addresses),
    };
    return cmocka_run_group_tests_name("half", tests, NULL, NULL);
}
