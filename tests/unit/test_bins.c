/* Bins at their edges. */
#include "metric_case.h"

static void test_entropy_bins_cover_ln_v(void **state)
{
    (void)state;
    assert_int_equal(lmd_metric_entropy_bins(49152), 541); // ln 49152 = 10.8027
    assert_int_equal(lmd_metric_entropy_bins(2), 35);      // 0.693147
    assert_int_equal(lmd_metric_entropy_bins(1), 1);
}

static void test_entropy_bin_is_half_open(void **state)
{
    (void)state;
    const int n = lmd_metric_entropy_bins(300000);
    for (int i = 0; i < n; i++) {
        const double lower = i / 50.0, upper = (i + 1) / 50.0;
        assert_int_equal(lmd_metric_entropy_bin(lower, n), i);
        assert_int_equal(lmd_metric_entropy_bin(nextafter(upper, 0), n), i);
    }
}

static void test_entropy_ends_take_rounding(void **state)
{
    (void)state;
    assert_int_equal(lmd_metric_entropy_bin(-1e-12, 541), 0);
    assert_int_equal(lmd_metric_entropy_bin(0, 541), 0);
    assert_int_equal(lmd_metric_entropy_bin(10.9, 541), 540);
    assert_int_equal(lmd_metric_entropy_bin((double)INFINITY, 541), 540);
    assert_int_equal(lmd_metric_entropy_bin(0.5, 1), 0);
}

static void test_kl_edges_are_powers(void **state)
{
    (void)state;
    double edges[163];
    assert_int_equal(lmd_metric_kl_bins(), 162);
    lmd_metric_kl_edges(edges);
    assert_true(edges[0] == 0 && edges[1] == 1e-6 && edges[161] == 1e2);
    assert_true(isinf(edges[162]));
    for (int i = 1; i <= 161; i++) {
        const double power = pow(10, (i - 1) / 20.0 - 6);
        assert_true(fabs(edges[i] / power - 1) < 1e-14);
    }
}

static void test_kl_bin_is_half_open(void **state)
{
    (void)state;
    double edges[163];
    lmd_metric_kl_edges(edges);
    for (int i = 0; i < 162; i++) {
        assert_int_equal(lmd_metric_kl_bin(edges[i]), i);
        assert_int_equal(lmd_metric_kl_bin(nextafter(edges[i + 1], 0)), i);
    }
    assert_int_equal(lmd_metric_kl_bin((double)INFINITY), 161);
    assert_int_equal(lmd_metric_kl_bin((double)NAN), 161);
}

static void test_rank_edges_are_those_of_the_contract(void **state)
{
    (void)state;
    int32_t edges[200];
    const int n = lmd_metric_rank_bins(49152);
    lmd_metric_rank_edges(49152, edges);
    const int32_t first[] = {64, 65, 77, 91, 108, 129};
    for (int i = 0; i < 6; i++) {
        assert_int_equal(edges[63 + i], first[i]);
    }
    for (int i = 64; i < n; i++) {
        assert_int_equal(edges[i], (int32_t)floor(64 * exp2((i - 64) / 4.0)) + 1);
    }
    assert_int_equal(edges[n], 49153);
    assert_true(edges[n - 1] <= 49152);
}

static void test_rank_bin_follows_edges(void **state)
{
    (void)state;
    for (int V = 1; V < 3000; V += 7) {
        int32_t edges[200];
        const int n = lmd_metric_rank_bins(V);
        lmd_metric_rank_edges(V, edges);
        assert_int_equal(edges[0], 1);
        for (int i = 0; i < n; i++) {
            assert_true(edges[i] < edges[i + 1]);
            assert_int_equal(lmd_metric_rank_bin(edges[i]), i);
            assert_int_equal(lmd_metric_rank_bin(edges[i + 1] - 1), i);
        }
    }
    assert_int_equal(lmd_metric_rank_bin(INT32_MAX),
                     64 + 4 * 25 - 1); // 64 * 2^(99/4) < 2^31 - 1 < 64 * 2^25
}

static void test_dimensions_have_names(void **state)
{
    (void)state;
    assert_string_equal(lmd_dim_name(LMD_DIM_FOLD), "fold");
    assert_string_equal(lmd_dim_name(LMD_DIM_LIMB), "limb");
    for (int k = 1; k < LMD_THRESHOLDS; k++) {
        assert_true(lmd_metric_thresholds[k - 1] < lmd_metric_thresholds[k]);
    }
    assert_int_equal(lmd_metric_thresholds[0], 1);
    assert_int_equal(lmd_metric_thresholds[23], 10000);
    assert_string_equal(lmd_metric_outcomes[4], "both");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entropy_bins_cover_ln_v),
        cmocka_unit_test(test_entropy_bin_is_half_open),
        cmocka_unit_test(test_entropy_ends_take_rounding),
        cmocka_unit_test(test_kl_edges_are_powers),
        cmocka_unit_test(test_kl_bin_is_half_open),
        cmocka_unit_test(test_rank_edges_are_those_of_the_contract),
        cmocka_unit_test(test_rank_bin_follows_edges),
        cmocka_unit_test(test_dimensions_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, case_check_memory);
}
