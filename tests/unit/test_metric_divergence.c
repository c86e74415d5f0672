/* Metric divergence, by hand. */
#include "metric_case.h"

#include <lmdepth/base/exact.h>

static double sum_of(lmd_counters *counters, const char *name, const int *indices)
{
    size_t n_cells = 0;
    lmd_counters_carry(counters);
    const int64_t *values = case_values(counters, name, &n_cells);
    return lmd_exact_value(values + n_cells + 3 * case_cell(counters, name, indices));
}

#define SUM(counters, name, ...) sum_of(counters, name, (const int[]){__VA_ARGS__})

static const double masses[CASE_L * CASE_BANDS] = {0.5,  0.25, 0.25, 0.125, 0.875, 0,
                                                   0.25, 0.25, 0.5,  1,     0,     0};

static void observe(lmd_counters *counters, double kl, int32_t gold_id)
{
    lmd_readout readouts[CASE_L];
    for (int s = 0; s < CASE_L; s++) {
        readouts[s] = case_readout(5, 1, 1);
        readouts[s].kl = s == CASE_L - 1 ? 0 : kl;
        readouts[s].gold_logit = gold_id >= 0 ? -1.25 : (double)NAN;
    }
    readouts[1].is_finite = false;
    const lmd_observation o = {.fold = 1,
                               .group = 1,
                               .final_id = 5,
                               .gold_id = gold_id,
                               .readouts = readouts,
                               .mass = masses};
    lmd_metric_observe(counters, &o);
}

static void test_means(void **state)
{
    (void)state;
    lmd_counters *counters = case_new("divergence");
    observe(counters, 0.5, 7);
    observe(counters, 0.25, -1);
    assert_true(SUM(counters, "kl", 1, 1, 0, 0) == 0.75);
    assert_int_equal(AT(counters, "kl", 1, 1, 0, 0), 2);
    assert_int_equal(AT(counters, "kl", 1, 1, 0, 1), 0); // not finite
    assert_true(SUM(counters, "kl", 1, 1, 0, 3) == 0);
    assert_int_equal(AT(counters, "kl", 1, 1, 0, 3), 2);
    assert_int_equal(AT(counters, "surprisal", 1, 1, 0, 0), 1);
    assert_true(SUM(counters, "surprisal", 1, 1, 0, 0) == 3.25); // 2 + 1.25
    for (int b = 0; b < CASE_BANDS; b++) {
        assert_int_equal(AT(counters, "mass", 1, 0, 2, b), 2);
        assert_true(SUM(counters, "mass", 1, 0, 2, b) == 2 * masses[6 + b]);
        assert_int_equal(AT(counters, "mass", 1, 0, 1, b), 0);
    }
    lmd_counters_free(counters);
}

static void test_kl_bins(void **state)
{
    (void)state;
    lmd_counters *counters = case_new("divergence");
    observe(counters, -1e-9, -1); // negative by rounding: 0
    observe(counters, 1, -1);
    observe(counters, (double)INFINITY, -1);
    assert_int_equal(AT(counters, "kl_count", 1, 0, 0, 0), 1);
    assert_int_equal(AT(counters, "kl_count", 1, 0, 0, 121), 1);
    assert_int_equal(AT(counters, "kl_count", 1, 0, 0, 161), 1);
    assert_int_equal(AT(counters, "kl_count", 1, 0, 3, 0), 3);
    assert_int_equal(AT(counters, "kl", 1, 1, 0, 0), 2); // without the infinite one
    assert_true(SUM(counters, "kl", 1, 1, 0, 0) == 1);
    lmd_counters_free(counters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_means),
        cmocka_unit_test(test_kl_bins),
    };
    return cmocka_run_group_tests(tests, NULL, case_check_memory);
}
