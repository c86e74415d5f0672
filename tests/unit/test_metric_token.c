/* Metric token, by hand. */
#include "metric_case.h"

static void test_guesses_are_counted_by_id(void **state)
{
    (void)state;
    lmd_counters *counters = case_new("token");
    lmd_readout readouts[CASE_L] = {case_readout(0, 1, 1), case_readout(119, 1, 1),
                                    case_readout(7, 1, 1), case_readout(7, 1, 1)};
    const lmd_observation o = {
        .fold = 1, .group = 1, .final_id = 7, .gold_id = -1, .readouts = readouts};
    lmd_metric_observe(counters, &o);
    readouts[0].is_finite = false;
    lmd_metric_observe(counters, &o);
    assert_int_equal(AT(counters, "top1_token_count", 0, 0, 0), 1);
    assert_int_equal(AT(counters, "top1_token_count", 0, 1, 119), 2);
    assert_int_equal(AT(counters, "top1_token_count", 0, 2, 7), 2);
    assert_int_equal(AT(counters, "top1_token_count", 0, 3, 7), 2);
    assert_int_equal(case_sum(counters, "top1_token_count"), 7);
    lmd_counters_free(counters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_guesses_are_counted_by_id)};
    return cmocka_run_group_tests(tests, NULL, case_check_memory);
}
