/* Metric position, by hand. */
#include "metric_case.h"

static void test_positions_by_hand(void **state)
{
    (void)state;
    lmd_counters *counters = case_new("");
    lmd_readout readouts[CASE_L];
    for (int s = 0; s < CASE_L; s++) {
        readouts[s] = case_readout(5, 1, 1);
    }
    lmd_observation o = {
        .fold = 1, .group = 0, .final_id = 5, .gold_id = 50, .readouts = readouts};
    lmd_metric_observe(counters, &o);
    o.gold_id = -1;
    readouts[1].is_finite = false;
    lmd_metric_observe(counters, &o);
    o.group = 1;
    readouts[CASE_L - 1].is_finite = false;
    lmd_metric_observe(counters, &o);
    assert_int_equal(case_sum(counters, "position_count"), 2);
    assert_int_equal(AT(counters, "position_count", 1, 0), 2);
    assert_int_equal(case_sum(counters, "gold_position_count"), 1);
    assert_int_equal(AT(counters, "gold_position_count", 1, 0), 1);
    assert_int_equal(AT(counters, "unusable_position_count", 0), 0);
    assert_int_equal(AT(counters, "unusable_position_count", 1), 1);
    assert_int_equal(case_sum(counters, "nonfinite_count"), 1);
    assert_int_equal(AT(counters, "nonfinite_count", 0, 0, 1), 1);
    assert_int_equal(AT(counters, "final_count", 1, 0, 1), 2);
    assert_int_equal(AT(counters, "gold_band_count", 1, 0, 2), 1);
    lmd_counters_free(counters);
}

/* Two lenses show a position twice; it is one position. */
static void test_a_position_counts_once_for_all_lenses(void **state)
{
    (void)state;
    lmd_counters *one = case_new("");
    lmd_metric_setup setup = *lmd_counters_setup(one);
    setup.lenses = 2;
    lmd_counters *counters = NULL;
    assert_int_equal(lmd_counters_new(&counters, &setup), LMD_OK);
    lmd_readout readouts[CASE_L];
    for (int s = 0; s < CASE_L; s++) {
        readouts[s] = case_readout(5, 1, 1);
    }
    for (int lens = 0; lens < 2; lens++) {
        readouts[0].is_finite = lens == 0;
        const lmd_observation o = {
            .lens = lens, .final_id = 5, .gold_id = 5, .readouts = readouts};
        lmd_metric_observe(counters, &o);
    }
    readouts[CASE_L - 1].is_finite = false;
    for (int lens = 0; lens < 2; lens++) {
        const lmd_observation o = {.lens = lens, .gold_id = -1, .readouts = readouts};
        lmd_metric_observe(counters, &o);
    }
    assert_int_equal(case_sum(counters, "position_count"), 1);
    assert_int_equal(case_sum(counters, "gold_position_count"), 1);
    assert_int_equal(case_sum(counters, "final_count"), 1);
    assert_int_equal(case_sum(counters, "unusable_position_count"), 1);
    assert_int_equal(AT(counters, "nonfinite_count", 0, 0, 0), 0);
    assert_int_equal(AT(counters, "nonfinite_count", 0, 1, 0), 1);
    lmd_counters_free(counters);
    lmd_counters_free(one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_positions_by_hand),
        cmocka_unit_test(test_a_position_counts_once_for_all_lenses),
    };
    return cmocka_run_group_tests(tests, NULL, case_check_memory);
}
