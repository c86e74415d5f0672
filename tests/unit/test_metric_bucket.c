/* Metric bucket, by hand. */
#include "metric_case.h"

enum { SAME_WRONG, OTHER_WRONG, LENS_ONLY, OUTPUT_ONLY, BOTH };

/* Guesses 0 (band 0), 7 (band 1), 50 (band 2), output `final_id`. */
static void observe(lmd_counters *counters, int32_t final_id, int32_t gold_id)
{
    const lmd_readout readouts[CASE_L] = {case_readout(0, 9, 9), case_readout(7, 2, 9),
                                          case_readout(50, 3, 9),
                                          case_readout(final_id, 1, 9)};
    const lmd_observation o = {.fold = 1,
                               .group = 1,
                               .final_id = final_id,
                               .gold_id = gold_id,
                               .readouts = readouts};
    lmd_metric_observe(counters, &o);
}

static void test_bands_of_guess_and_output(void **state)
{
    (void)state;
    lmd_counters *counters = case_new("bucket");
    observe(counters, 7, -1);
    assert_int_equal(case_sum(counters, "top1_count"), 4);
    assert_int_equal(AT(counters, "top1_count", 1, 1, 0, 0, 0, 1), 1);
    assert_int_equal(AT(counters, "top1_count", 1, 1, 0, 1, 1, 1), 1);
    assert_int_equal(AT(counters, "top1_count", 1, 1, 0, 2, 2, 1), 1);
    assert_int_equal(AT(counters, "top1_count", 1, 1, 0, 3, 1, 1), 1);
    assert_int_equal(case_sum(counters, "agree_count"), 2); // states 1 and 3 say 7
    assert_int_equal(AT(counters, "agree_count", 1, 1, 0, 1, 1), 1);
    assert_int_equal(AT(counters, "agree_count", 1, 1, 0, 3, 1), 1);
    assert_int_equal(case_sum(counters, "gold_count"), 0);
    lmd_counters_free(counters);
}

static void test_outcomes(void **state)
{
    (void)state;
    lmd_counters *counters = case_new("bucket");
    observe(counters, 7, 7);  // gold 7: output right
    observe(counters, 7, 50); // gold 50: state 2 alone right
    assert_int_equal(AT(counters, "gold_count", 1, 0, 0, 0, OUTPUT_ONLY), 1);
    assert_int_equal(AT(counters, "gold_count", 1, 0, 1, 1, BOTH), 1);
    assert_int_equal(AT(counters, "gold_count", 1, 0, 2, 2, OUTPUT_ONLY), 1);
    assert_int_equal(AT(counters, "gold_count", 1, 0, 3, 1, BOTH), 1);
    assert_int_equal(AT(counters, "gold_count", 1, 0, 0, 0, OTHER_WRONG), 1);
    assert_int_equal(AT(counters, "gold_count", 1, 0, 1, 1, SAME_WRONG), 1);
    assert_int_equal(AT(counters, "gold_count", 1, 0, 2, 2, LENS_ONLY), 1);
    assert_int_equal(AT(counters, "gold_count", 1, 0, 3, 1, SAME_WRONG), 1);
    assert_int_equal(case_sum(counters, "gold_count"), 8);
    lmd_counters_free(counters);
}

static void test_stay_compares_with_the_state_before(void **state)
{
    (void)state;
    lmd_counters *counters = case_new("bucket");
    lmd_readout readouts[CASE_L];
    for (int s = 0; s < CASE_L; s++) {
        readouts[s] = case_readout(7, 1, 1);
    }
    const lmd_observation o = {.final_id = 7, .gold_id = -1, .readouts = readouts};
    lmd_metric_observe(counters, &o);
    readouts[1].is_finite = false; // neither 1 nor 2 can stay
    lmd_metric_observe(counters, &o);
    assert_int_equal(AT(counters, "stay_count", 0, 0, 0), 0);
    assert_int_equal(AT(counters, "stay_count", 0, 0, 1), 1);
    assert_int_equal(AT(counters, "stay_count", 0, 0, 2), 1);
    assert_int_equal(AT(counters, "stay_count", 0, 0, 3), 2);
    assert_int_equal(case_sum(counters, "top1_count"), 7);
    lmd_counters_free(counters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bands_of_guess_and_output),
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_stay_compares_with_the_state_before),
    };
    return cmocka_run_group_tests(tests, NULL, case_check_memory);
}
