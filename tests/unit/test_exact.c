/* Exact sums against rational arithmetic. The literal values below were computed with
 * Python's integers and fractions.Fraction: the sum rounded once, the mean its quotient,
 * the deviation sqrt(float(n Q 2^64 - S^2)) 2^-64 / n of the totals S and Q. */
#include <lmdepth/base/exact.h>

#include <lmdepth/base/hash.h> /* lmd_hash_mix */
#include <math.h>              /* ldexp, isnan */
#include <setjmp.h>            /* cmocka.h */
#include <stdarg.h>            /* cmocka.h */
#include <stddef.h>            /* cmocka.h */
#include <stdint.h>            /* INT64_MAX */
#include <string.h>            /* memcpy */
#include <cmocka.h>

static void expect_limbs(const int64_t *limb, int64_t low, int64_t middle, int64_t high)
{
    assert_int_equal(limb[0], low);
    assert_int_equal(limb[1], middle);
    assert_int_equal(limb[2], high);
}

static void one_value_is_split(void **state)
{
    (void)state;
    int64_t limb[LMD_EXACT_LIMBS] = {0};
    assert_true(lmd_exact_add(limb, 5.75));
    expect_limbs(limb, 0, 0xc0000000, 5);
    assert_true(lmd_exact_add(limb, 0x1p-64));
    expect_limbs(limb, 1, 0xc0000000, 5);
    assert_true(lmd_exact_add(limb, -6.0));
    expect_limbs(limb, 1, 0xc0000000, -1);
    assert_true(lmd_exact_value(limb) == -0.25); // and 2^-64, which rounds away
}

static void rounding_is_to_nearest_even(void **state)
{
    (void)state;
    static const struct {
        double x;
        int64_t total;
    } cases[] = {{0x1p-65, 0},     {0x1.8p-64, 2},   {0x1.4p-63, 2}, {0x1.cp-63, 4},
                 {0x1.8p-65, 1},   {0x1.4p-66, 0},   {-0x1p-65, 0},  {-0x1.8p-64, -2},
                 {-0x1.8p-65, -1}, {-0x1.4p-63, -2}, {0x1p-1074, 0}, {-0.0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t limb[LMD_EXACT_LIMBS] = {0};
        assert_true(lmd_exact_add(limb, cases[i].x));
        lmd_exact_carry(limb);
        const int64_t sign = cases[i].total < 0 ? -1 : 0;
        expect_limbs(limb, cases[i].total & 0xffffffff, sign & 0xffffffff, sign);
    }
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    static const double bad[] = {0x1p31,           -0x1p31,           1e300,
                                 (double)INFINITY, -(double)INFINITY, (double)NAN};
    int64_t limb[LMD_EXACT_LIMBS] = {1, 2, 3};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(lmd_exact_add(limb, bad[i]));
        expect_limbs(limb, 1, 2, 3);
    }
    assert_true(lmd_exact_add(limb, 0x1.fffffffffffffp30));
    assert_true(lmd_exact_add(limb, -0x1.fffffffffffffp30));
    lmd_exact_carry(limb);
    expect_limbs(limb, 1, 2, 3);
}

static void carries_keep_the_value(void **state)
{
    (void)state;
    int64_t limb[LMD_EXACT_LIMBS] = {0x7fffffff00000005, 0x7ffffffe80000001, -0x40000000};
    lmd_exact_carry(limb);
    expect_limbs(limb, 5, 0, -0x40000000 + 0x7fffffff);
    int64_t minus_one[LMD_EXACT_LIMBS] = {-1, 0, 0};
    lmd_exact_carry(minus_one);
    expect_limbs(minus_one, 0xffffffff, 0xffffffff, -1);
    assert_true(lmd_exact_value(minus_one) == -0x1p-64);
}

typedef struct known {
    int64_t sum[LMD_EXACT_LIMBS];
    int64_t square_sum[LMD_EXACT_LIMBS];
    int64_t n;
    double value;
    double mean;
    double deviation;
} known;

/* clang-format off */
static const known knowns[] = {
    {{0xd7210dff, 0x77330bd, 0}, {0xd46dc17, 0xe6a16a3b, 4968638605}, 394027974810,
     0x1.dccc2f75c8438p-6, 0x1.4c9e6bff4ef1bp-44, 0x1.cbf46b9f1c84dp-4},
    {{0x617959ce, 0x8b33e968, 6843386}, {0x5647d7e1, 0x35e042e, 49}, 955497375907,
     0x1.a1afea2ccfa5ap+22, 0x1.e0a447652b838p-18, 0x1.d549a7bb74d11p-48},
    {{0xd1637d4f, 0x156a63de, -55265315998}, {0x7950e729, 0x3cbf9d57, 7136476997297871},
     427978, -0x1.9bc23993bd52bp+35, -0x1.f86b352a20127p+16, 0x1.5d8552c123b69p-37},
    {{0x206f5c66, 0x21da8978, 4484114279879168304}, {0xffffffff, 0xffffffff, INT64_MAX},
     2, 0x1.f1d6317003a29p+61, 0x1.f1d6317003a29p+60, 0x0.0p+0},
    {{0x20a9e280, 0xd56145f3, -19414942}, {0x1c8f4562, 0xd7fcbefb, 374406332}, 1006767,
     -0x1.283f9d2a9eba1p+24, -0x1.348d147540cffp+4, 0x1.7f69feaa17ee4p-38},
    {{0x88f3dda, 0x8ef7169, -59977989}, {0x3f6725e6, 0x55efbc0e, 18884369903}, 190494,
     -0x1.c998827b88475p+25, -0x1.3adae17c17673p+8, 0x1.68f77701a7885p-10},
    {{0xbc76d204, 0xef5300ff, -22270378}, {0x2362166a, 0xe53f6e, 45509383062},
     4315581919962863745, -0x1.53d1a910acff0p+24, -0x1.6b2289adef067p-38,
     0x1.aeb737b47e297p-14},
    {{0x2e759966, 0xb1a5c5d9, -49309425094}, {0x715a2961, 0xaa94d28f, 7159952240},
     339585980647, -0x1.6f6243b8a9cb4p+35, -0x1.2960ff0d586cdp-3, 0x1.3f317dd3acc92p-47},
    {{0x0, 0x0, INT64_MIN}, {0xffffffff, 0xffffffff, INT64_MAX}, INT64_MAX,
     -0x1.0000000000000p+63, -0x1.0000000000000p+0, 0x0.0p+0},
    {{0xffffffff, 0xffffffff, INT64_MAX}, {0xffffffff, 0xffffffff, INT64_MAX}, 1,
     0x1.0000000000000p+63, 0x1.0000000000000p+63, 0x0.0p+0},
    /* the lowest of 140 bits decides how the difference is rounded */
    {{1, 0, 0}, {0x100001, 0, 768}, 1, 0x1p-64, 0x1p-64, 0x1.bb67ae8584cabp+4},
};
/* clang-format on */

static void known_totals_give_known_moments(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof knowns / sizeof *knowns; i++) {
        const known *const k = &knowns[i];
        assert_true(lmd_exact_value(k->sum) == k->value);
        assert_true(lmd_exact_mean(k->sum, k->n) == k->mean);
        assert_true(lmd_exact_deviation(k->sum, k->square_sum, k->n) == k->deviation);
    }
}

enum { N_VALUES = 4000 };

static double value_number(uint64_t i)
{
    const uint64_t u = lmd_hash_mix(2 * i + 1);
    const uint64_t v = lmd_hash_mix(2 * i + 2);
    return ldexp((double)(u >> 11) * 0x1p-53 - 0.5, (int)(v % 60) - 45);
}

/* Adds values of many sizes in `n_parts` parts of a scrambled order, as ranks would. */
static void add_in_parts(int n_parts, int64_t sum[LMD_EXACT_LIMBS],
                         int64_t square_sum[LMD_EXACT_LIMBS])
{
    for (int part = 0; part < n_parts; part++) {
        int64_t own[2][LMD_EXACT_LIMBS] = {{0}};
        for (int i = part; i < N_VALUES; i += n_parts) {
            const double x = value_number((uint64_t)(i * 7 % N_VALUES));
            assert_true(lmd_exact_add(own[0], x));
            assert_true(lmd_exact_add(own[1], x * x));
        }
        lmd_exact_carry(own[0]);
        lmd_exact_carry(own[1]);
        for (int l = 0; l < LMD_EXACT_LIMBS; l++) {
            sum[l] += own[0][l];
            square_sum[l] += own[1][l];
        }
    }
    lmd_exact_carry(sum);
    lmd_exact_carry(square_sum);
}

static void order_and_parts_do_not_matter(void **state)
{
    (void)state;
    for (int n_parts = 1; n_parts <= 7; n_parts++) {
        int64_t sum[LMD_EXACT_LIMBS] = {0};
        int64_t square_sum[LMD_EXACT_LIMBS] = {0};
        add_in_parts(n_parts, sum, square_sum);
        expect_limbs(sum, 0x31bb14d0, 0x525df4f2, -39327);
        expect_limbs(square_sum, 0xe1a14e7d, 0x8fcc21df, 0x7f090863);
        assert_true(lmd_exact_value(sum) == -0x1.333d5b44161bap+15);
        assert_true(lmd_exact_mean(sum, N_VALUES) == -0x1.3a9d097d0434ep+3);
        assert_true(lmd_exact_deviation(sum, square_sum, N_VALUES) ==
                    0x1.6cf0e9fbad982p+9);
    }
}

/* Mean 40, deviation 2^-20: in doubles the difference of the squares would be lost. */
static void small_deviation_survives_a_large_mean(void **state)
{
    (void)state;
    int64_t sum[LMD_EXACT_LIMBS] = {0};
    int64_t square_sum[LMD_EXACT_LIMBS] = {0};
    for (int i = 0; i < 1 << 20; i++) {
        const double x = i % 2 ? 40 + 0x1p-20 : 40 - 0x1p-20;
        assert_true(lmd_exact_add(sum, x));
        assert_true(lmd_exact_add(square_sum, x * x));
    }
    lmd_exact_carry(sum);
    lmd_exact_carry(square_sum);
    assert_true(lmd_exact_mean(sum, 1 << 20) == 40);
    assert_true(lmd_exact_deviation(sum, square_sum, 1 << 20) == 0x1p-20);
}

static void rounded_squares_never_give_a_root_of_less_than_zero(void **state)
{
    (void)state;
    int64_t sum[LMD_EXACT_LIMBS] = {0};
    int64_t square_sum[LMD_EXACT_LIMBS] = {0};
    const double x = 0x1.6a09e667f3bcdp-30; // its square rounds down
    for (int i = 0; i < 3; i++) {
        assert_true(lmd_exact_add(sum, x));
        assert_true(lmd_exact_add(square_sum, x * x * 0.999));
    }
    lmd_exact_carry(sum);
    lmd_exact_carry(square_sum);
    assert_true(lmd_exact_deviation(sum, square_sum, 3) == 0);
    const int64_t negative[LMD_EXACT_LIMBS] = {0, 0, -1};
    assert_true(lmd_exact_deviation(sum, negative, 3) == 0);
}

static void nothing_has_no_mean(void **state)
{
    (void)state;
    const int64_t zero[LMD_EXACT_LIMBS] = {0};
    assert_true(isnan(lmd_exact_mean(zero, 0)));
    assert_true(isnan(lmd_exact_deviation(zero, zero, 0)));
    assert_true(lmd_exact_mean(zero, 1) == 0);
    assert_true(lmd_exact_deviation(zero, zero, 1) == 0);
}

/* Limbs of a file may hold anything: no sum of theirs may be undefined. */
static void limbs_of_strangers_do_no_harm(void **state)
{
    (void)state;
    static const int64_t extremes[] = {INT64_MIN, INT64_MAX, -1, 0};
    for (int i = 0; i < 64; i++) {
        int64_t limb[LMD_EXACT_LIMBS] = {extremes[i % 4], extremes[i / 4 % 4],
                                         extremes[i / 16]};
        int64_t square[LMD_EXACT_LIMBS] = {limb[2], limb[0], limb[1]};
        lmd_exact_carry(limb);
        lmd_exact_carry(square);
        assert_in_range(limb[0], 0, 0xffffffff);
        assert_in_range(limb[1], 0, 0xffffffff);
        assert_true(isfinite(lmd_exact_mean(limb, INT64_MAX)));
        assert_true(lmd_exact_deviation(limb, square, 3) >= 0);
        assert_true(isnan(lmd_exact_mean(limb, INT64_MIN)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_value_is_split),
        cmocka_unit_test(rounding_is_to_nearest_even),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(carries_keep_the_value),
        cmocka_unit_test(known_totals_give_known_moments),
        cmocka_unit_test(order_and_parts_do_not_matter),
        cmocka_unit_test(small_deviation_survives_a_large_mean),
        cmocka_unit_test(rounded_squares_never_give_a_root_of_less_than_zero),
        cmocka_unit_test(nothing_has_no_mean),
        cmocka_unit_test(limbs_of_strangers_do_no_harm),
    };
    return cmocka_run_group_tests_name("exact", tests, NULL, NULL);
}
