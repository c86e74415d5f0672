/* Layout of the flat array, names of metrics, additivity, and what holds for all metrics
 * together. */
#include "metric_case.h"

static const char all[] = "bucket,onset,entropy,divergence,token";

static void test_unknown_metric_is_named_with_those_that_exist(void **state)
{
    (void)state;
    int wants = 0;
    assert_int_equal(lmd_counters_wants("bucket, entrpy", &wants), LMD_USAGE);
    assert_non_null(strstr(lmd_status_message(), "'entrpy'"));
    assert_non_null(strstr(lmd_status_message(), "entropy"));
    assert_int_equal(lmd_counters_wants("buck", &wants), LMD_USAGE);
    assert_int_equal(lmd_counters_wants("position", &wants), LMD_USAGE);
}

static void test_wants_are_the_union(void **state)
{
    (void)state;
    int wants = -1;
    assert_int_equal(lmd_counters_wants("bucket,onset,token", &wants), LMD_OK);
    assert_int_equal(wants, 0);
    assert_int_equal(lmd_counters_wants(" divergence , entropy ", &wants), LMD_OK);
    assert_int_equal(wants, LMD_DECODE_ENTROPY | LMD_DECODE_KL | LMD_DECODE_MASS);
    assert_int_equal(lmd_counters_wants("", &wants), LMD_OK);
    assert_int_equal(wants, 0);
}

/* The template is no metric that a job could name. */
static void test_none_leaves_positions_only(void **state)
{
    (void)state;
    int wants = 0;
    assert_int_equal(lmd_counters_wants("null", &wants), LMD_USAGE);
    lmd_counters *none = case_new("");
    assert_int_equal(lmd_counters_variables(none), 6);
    case_observe_random(none, 0, 10);
    assert_true(case_sum(none, "position_count") > 0);
    lmd_counters_free(none);
}

static void test_order_of_names_does_not_matter(void **state)
{
    (void)state;
    lmd_counters *a = case_new("onset,bucket"), *b = case_new("bucket,onset,bucket");
    assert_int_equal(lmd_counters_variables(a), lmd_counters_variables(b));
    assert_int_equal(case_find(a, "top1_count"), 6);
    assert_int_equal(case_find(b, "top1_count"), 6);
    lmd_counters_free(a);
    lmd_counters_free(b);
}

static void test_arrays_follow_each_other(void **state)
{
    (void)state;
    lmd_counters *counters = case_new(all);
    size_t expected = 0, n_values = 0, n_bytes = 0;
    for (int v = 0; v < lmd_counters_variables(counters); v++) {
        size_t offset = 0, n_cells = 0, product = 1;
        const lmd_variable *variable =
            lmd_counters_variable(counters, v, &offset, &n_cells);
        for (int d = 0; d < variable->n_dims; d++) {
            product *= (size_t)lmd_counters_dim(counters, variable->dims[d]);
        }
        assert_int_equal(n_cells, product);
        assert_int_equal(offset, expected);
        expected += n_cells * (variable->kind == LMD_VARIABLE_COUNT  ? 1
                               : variable->kind == LMD_VARIABLE_MEAN ? 4
                                                                     : 7);
    }
    (void)lmd_counters_values(counters, &n_values);
    assert_int_equal(n_values, expected);
    assert_int_equal(lmd_counters_bytes(lmd_counters_setup(counters), &n_bytes), LMD_OK);
    assert_int_equal(n_bytes, 8 * expected);
    lmd_counters_free(counters);
}

static void test_too_many_cells_are_refused(void **state)
{
    (void)state;
    lmd_counters *small = case_new("bucket");
    lmd_metric_setup setup = *lmd_counters_setup(small);
    setup.folds = setup.groups = setup.lenses = INT32_MAX;
    size_t n_bytes = 0;
    assert_int_equal(lmd_counters_bytes(&setup, &n_bytes), LMD_RESOURCE);
    lmd_counters *large = NULL;
    assert_int_equal(lmd_counters_new(&large, &setup), LMD_RESOURCE);
    assert_null(large);
    lmd_counters_free(small);
}

static void test_every_variable_is_described(void **state)
{
    (void)state;
    lmd_counters *counters = case_new(all);
    for (int v = 0; v < lmd_counters_variables(counters); v++) {
        size_t offset = 0, n_cells = 0;
        const lmd_variable *variable =
            lmd_counters_variable(counters, v, &offset, &n_cells);
        assert_true(strlen(variable->long_name) > 0);
        for (int w = 0; w < v; w++) {
            assert_string_not_equal(
                variable->name,
                lmd_counters_variable(counters, w, &offset, &n_cells)->name);
        }
    }
    lmd_counters_free(counters);
}

/* Halves of the positions, carried apart, added and carried: the whole, limb by limb. */
static void test_halves_add_up_to_the_whole(void **state)
{
    (void)state;
    lmd_counters *whole = case_new(all), *half = case_new(all), *rest = case_new(all);
    case_observe_random(whole, 0, 2000);
    case_observe_random(half, 0, 700);
    lmd_counters_carry(half);
    case_observe_random(rest, 700, 2000);
    lmd_counters_carry(rest);
    lmd_counters_carry(whole);
    size_t n = 0;
    int64_t *sum = lmd_counters_values(half, &n);
    const int64_t *other = lmd_counters_values(rest, &n);
    for (size_t i = 0; i < n; i++) {
        sum[i] += other[i];
    }
    lmd_counters_carry(half);
    assert_memory_equal(sum, lmd_counters_values(whole, &n), n * sizeof *sum);
    lmd_counters_free(whole);
    lmd_counters_free(half);
    lmd_counters_free(rest);
}

static void test_order_of_positions_does_not_matter(void **state)
{
    (void)state;
    lmd_counters *up = case_new(all), *down = case_new(all);
    case_observe_random(up, 0, 500);
    for (uint64_t key = 500; key-- > 0;) {
        case_observe_random(down, key, key + 1);
        lmd_counters_carry(down);
    }
    lmd_counters_carry(up);
    size_t n = 0;
    const int64_t *a = lmd_counters_values(up, &n);
    assert_memory_equal(a, lmd_counters_values(down, &n), n * sizeof *a);
    lmd_counters_free(up);
    lmd_counters_free(down);
}

/* Whatever is split over bins or bands sums to the positions it splits. */
static void test_sums_over_bins_are_positions(void **state)
{
    (void)state;
    lmd_counters *counters = case_new(all);
    case_observe_random(counters, 0, 3000);
    const int64_t positions = case_sum(counters, "position_count");
    const int64_t gold = case_sum(counters, "gold_position_count");
    const int64_t unusable = case_sum(counters, "unusable_position_count");
    const int64_t nonfinite = case_sum(counters, "nonfinite_count");
    const int64_t readouts = CASE_L * positions - nonfinite;
    assert_true(unusable > 0 && nonfinite > 0 && gold > 0 && gold < positions);
    assert_int_equal(positions + unusable, 3000);
    assert_int_equal(case_sum(counters, "final_count"), positions);
    assert_int_equal(case_sum(counters, "gold_band_count"), gold);
    assert_int_equal(case_sum(counters, "top1_count"), readouts);
    assert_int_equal(case_sum(counters, "top1_token_count"), readouts);
    assert_int_equal(case_sum(counters, "rank_count"), readouts);
    assert_int_equal(case_sum(counters, "gold_rank_count"),
                     case_sum(counters, "gold_count"));
    assert_int_equal(case_sum(counters, "entropy_count"), readouts);
    assert_int_equal(case_sum(counters, "entropy"), readouts); // its members
    assert_int_equal(case_sum(counters, "kl_count"), readouts);
    assert_int_equal(case_sum(counters, "kl"), readouts);
    assert_int_equal(case_sum(counters, "mass"), CASE_BANDS * readouts);
    assert_int_equal(case_sum(counters, "surprisal"), case_sum(counters, "gold_count"));
    // t* has rank 1 at the last state: every threshold is met, first and for good.
    assert_int_equal(case_sum(counters, "first_count"), LMD_THRESHOLDS * positions);
    assert_int_equal(case_sum(counters, "onset_count"), LMD_THRESHOLDS * positions);
    assert_int_equal(case_sum(counters, "right_first_count"),
                     case_sum(counters, "right_onset_count"));
    lmd_counters_free(counters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_metric_is_named_with_those_that_exist),
        cmocka_unit_test(test_wants_are_the_union),
        cmocka_unit_test(test_none_leaves_positions_only),
        cmocka_unit_test(test_order_of_names_does_not_matter),
        cmocka_unit_test(test_arrays_follow_each_other),
        cmocka_unit_test(test_too_many_cells_are_refused),
        cmocka_unit_test(test_every_variable_is_described),
        cmocka_unit_test(test_halves_add_up_to_the_whole),
        cmocka_unit_test(test_order_of_positions_does_not_matter),
        cmocka_unit_test(test_sums_over_bins_are_positions),
    };
    return cmocka_run_group_tests(tests, NULL, case_check_memory);
}
