/* Metric onset: by hand, and against a twin that follows the definitions word by word. */
#include "metric_case.h"

static void test_first_and_onset_by_hand(void **state)
{
    (void)state;
    lmd_counters *counters = case_new("onset");
    // t*: ranks 3, 40, 2, 1; gold: ranks 1, 60, 60, 8
    const lmd_readout readouts[CASE_L] = {case_readout(9, 3, 1), case_readout(9, 40, 60),
                                          case_readout(9, 2, 60), case_readout(5, 1, 8)};
    const lmd_observation o = {
        .fold = 1, .final_id = 5, .gold_id = 50, .readouts = readouts};
    lmd_metric_observe(counters, &o);
    // thresholds by index: 0: 1, 1: 2, 2: 3, 4: 7, 5: 10, 8: 30, 9: 50, 10: 70
    assert_int_equal(AT(counters, "first_count", 1, 0, 0, 0, 3, 1), 1);
    assert_int_equal(AT(counters, "first_count", 1, 0, 0, 1, 2, 1), 1);
    assert_int_equal(AT(counters, "first_count", 1, 0, 0, 2, 0, 1), 1);
    assert_int_equal(AT(counters, "first_count", 1, 0, 0, 23, 0, 1), 1);
    assert_int_equal(AT(counters, "onset_count", 1, 0, 0, 0, 3, 1), 1);
    assert_int_equal(AT(counters, "onset_count", 1, 0, 0, 1, 2, 1), 1);
    assert_int_equal(AT(counters, "onset_count", 1, 0, 0, 2, 2, 1), 1);
    assert_int_equal(AT(counters, "onset_count", 1, 0, 0, 8, 2, 1), 1);
    assert_int_equal(AT(counters, "onset_count", 1, 0, 0, 9, 0, 1), 1);
    assert_int_equal(case_sum(counters, "first_count"), LMD_THRESHOLDS);
    assert_int_equal(case_sum(counters, "onset_count"), LMD_THRESHOLDS);
    // gold is at 1 at once, but not for good: with 7 and less never, with 10 at the end
    assert_int_equal(AT(counters, "gold_first_count", 1, 0, 0, 0, 0, 2), 1);
    assert_int_equal(case_sum(counters, "gold_first_count"), LMD_THRESHOLDS);
    assert_int_equal(AT(counters, "gold_onset_count", 1, 0, 0, 4, 3, 2), 0);
    assert_int_equal(AT(counters, "gold_onset_count", 1, 0, 0, 5, 3, 2), 1);
    assert_int_equal(AT(counters, "gold_onset_count", 1, 0, 0, 10, 0, 2), 1);
    assert_int_equal(case_sum(counters, "gold_onset_count"), LMD_THRESHOLDS - 5);
    assert_int_equal(case_sum(counters, "right_first_count"), 0);
    assert_int_equal(AT(counters, "rank_count", 0, 0, 1, 39), 1);
    assert_int_equal(AT(counters, "gold_rank_count", 0, 0, 1, 59), 1);
    lmd_counters_free(counters);
}

static void test_right_is_gold_equal_to_output(void **state)
{
    (void)state;
    lmd_counters *counters = case_new("onset");
    const lmd_readout readouts[CASE_L] = {case_readout(9, 3, 3), case_readout(9, 40, 40),
                                          case_readout(9, 2, 2), case_readout(5, 1, 1)};
    lmd_observation o = {.final_id = 5, .gold_id = 5, .readouts = readouts};
    lmd_metric_observe(counters, &o);
    o.gold_id = -1;
    lmd_metric_observe(counters, &o);
    assert_int_equal(AT(counters, "first_count", 0, 0, 0, 2, 0, 1), 2);
    assert_int_equal(AT(counters, "right_first_count", 0, 0, 0, 2, 0, 1), 1);
    assert_int_equal(AT(counters, "right_onset_count", 0, 0, 0, 2, 2, 1), 1);
    assert_int_equal(AT(counters, "gold_onset_count", 0, 0, 0, 2, 2, 1), 1);
    lmd_counters_free(counters);
}

/* ---- the twin ---- */

static bool is_within(const lmd_readout *readout, bool is_gold, int threshold)
{
    const int32_t rank = is_gold ? readout->gold_rank : readout->final_rank;
    return readout->is_finite && rank <= lmd_metric_thresholds[threshold];
}

/* "here and at no state before" */
static bool is_first(const lmd_readout *readouts, int s, bool is_gold, int threshold)
{
    for (int before = 0; before < s; before++) {
        if (is_within(&readouts[before], is_gold, threshold)) {
            return false;
        }
    }
    return is_within(&readouts[s], is_gold, threshold);
}

/* "from here on to the last state, and not at the state before" */
static bool is_onset(const lmd_readout *readouts, int s, bool is_gold, int threshold)
{
    for (int later = s; later < CASE_L; later++) {
        if (!is_within(&readouts[later], is_gold, threshold)) {
            return false;
        }
    }
    return s == 0 || !is_within(&readouts[s - 1], is_gold, threshold);
}

static void add_twin(lmd_counters *counters, const lmd_observation *o, bool is_gold,
                     const char *first, const char *onset)
{
    size_t n_cells = 0;
    const int band = case_bands[is_gold ? o->gold_id : o->final_id];
    for (int k = 0; k < LMD_THRESHOLDS; k++) {
        for (int s = 0; s < CASE_L; s++) {
            const int at[] = {o->fold, o->group, o->lens, k, s, band};
            case_values(counters, first, &n_cells)[case_cell(counters, first, at)] +=
                is_first(o->readouts, s, is_gold, k);
            case_values(counters, onset, &n_cells)[case_cell(counters, onset, at)] +=
                is_onset(o->readouts, s, is_gold, k);
        }
    }
}

static void test_random_positions_against_the_twin(void **state)
{
    (void)state;
    static const char *const names[] = {"first_count",       "onset_count",
                                        "right_first_count", "right_onset_count",
                                        "gold_first_count",  "gold_onset_count"};
    lmd_counters *counters = case_new("onset"), *twin = case_new("onset");
    case_observe_random(counters, 0, 3000);
    for (uint64_t key = 0; key < 3000; key++) {
        lmd_observation o;
        lmd_readout readouts[CASE_L];
        double mass[CASE_L * CASE_BANDS];
        case_random(key, &o, readouts, mass);
        if (!readouts[CASE_L - 1].is_finite) {
            continue;
        }
        add_twin(twin, &o, false, names[0], names[1]);
        if (o.gold_id == o.final_id) {
            add_twin(twin, &o, false, names[2], names[3]);
        }
        if (o.gold_id >= 0) {
            add_twin(twin, &o, true, names[4], names[5]);
        }
    }
    for (int i = 0; i < 6; i++) {
        size_t n_cells = 0;
        const int64_t *expected = case_values(twin, names[i], &n_cells);
        assert_true(case_sum(twin, names[i]) > 0);
        assert_memory_equal(case_values(counters, names[i], &n_cells), expected,
                            n_cells * sizeof *expected);
    }
    lmd_counters_free(counters);
    lmd_counters_free(twin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_and_onset_by_hand),
        cmocka_unit_test(test_right_is_gold_equal_to_output),
        cmocka_unit_test(test_random_positions_against_the_twin),
    };
    return cmocka_run_group_tests(tests, NULL, case_check_memory);
}
