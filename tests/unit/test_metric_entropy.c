/* Metric entropy, by hand. */
#include "metric_case.h"

#include <lmdepth/base/exact.h>

static void observe(lmd_counters *counters, double entropy)
{
    lmd_readout readouts[CASE_L];
    for (int s = 0; s < CASE_L; s++) {
        readouts[s] = case_readout(5, 1, 1);
        readouts[s].entropy = entropy;
    }
    const lmd_observation o = {
        .group = 1, .final_id = 5, .gold_id = -1, .readouts = readouts};
    lmd_metric_observe(counters, &o);
}

static void test_bins_and_moments(void **state)
{
    (void)state;
    lmd_counters *counters = case_new("entropy");
    observe(counters, 1);
    observe(counters, 1.015);
    observe(counters, 3);
    lmd_counters_carry(counters);
    assert_int_equal(AT(counters, "entropy_count", 1, 0, 2, 50), 2);
    assert_int_equal(AT(counters, "entropy_count", 1, 0, 2, 150), 1);
    assert_int_equal(AT(counters, "entropy", 0, 1, 0, 2, 1), 3);
    size_t n_cells = 0;
    const int at[] = {0, 1, 0, 2, 1};
    const size_t cell = case_cell(counters, "entropy", at);
    const int64_t *values = case_values(counters, "entropy", &n_cells);
    const int64_t *sum = values + n_cells + 3 * cell;
    const int64_t *square_sum = values + 4 * n_cells + 3 * cell;
    const double squares = 1 + 1.015 * 1.015 + 9;
    assert_true(fabs(lmd_exact_value(sum) - 5.015) < 1e-15);
    assert_true(fabs(lmd_exact_value(square_sum) - squares) < 1e-14);
    assert_true(fabs(lmd_exact_deviation(sum, square_sum, 3) -
                     sqrt(squares / 3 - 5.015 * 5.015 / 9)) < 1e-14);
    lmd_counters_free(counters);
}

/* What an exact sum can't take is in the histogram and not among the members. */
static void test_values_out_of_range_are_no_members(void **state)
{
    (void)state;
    lmd_counters *counters = case_new("entropy");
    observe(counters, (double)NAN);
    observe(counters, (double)INFINITY);
    observe(counters, 1e6); // its square is beyond 2^31
    assert_int_equal(case_sum(counters, "entropy_count"), 3 * CASE_L);
    assert_int_equal(case_sum(counters, "entropy"), 0);
    size_t n_cells = 0;
    const int64_t *values = case_values(counters, "entropy", &n_cells);
    for (size_t i = 0; i < 7 * n_cells; i++) {
        assert_int_equal(values[i], 0);
    }
    lmd_counters_free(counters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bins_and_moments),
        cmocka_unit_test(test_values_out_of_range_are_no_members),
    };
    return cmocka_run_group_tests(tests, NULL, case_check_memory);
}
