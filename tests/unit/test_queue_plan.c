/* The table of tickets: its promises as properties, on even, random, rising, falling and
 * lopsided costs. */
#include <lmdepth/parallel.h>

#include <lmdepth/base/hash.h>   /* lmd_hash_mix */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <setjmp.h>              /* cmocka needs it */
#include <stdarg.h>              /* cmocka needs it */
#include <stdint.h>              /* int64_t */

#include <cmocka.h>

enum { SHAPES = 7 };

static double cost_of(int shape, int64_t i, int64_t n)
{
    const double x = (double)lmd_hash_mix((uint64_t)i + 1) / 18446744073709551616.0;
    switch (shape) {
    case 0:
        return 1;
    case 1:
        return 1e9 * (1 + x);
    case 2:
        return (double)(i + 1);
    case 3:
        return (double)(n - i);
    case 4:
        return i == n / 2 ? 1e12 : 1; /* one dear item */
    case 5:
        return i == n - 1 ? 1e12 : 1; /* and that the last */
    default:
        return 0;
    }
}

/* What holds for any costs. */
static void check_plan(int64_t n, const double *costs, int ranks, const int64_t *bounds,
                       int64_t n_tickets)
{
    assert_true(n_tickets >= (n < ranks ? n : ranks));
    assert_int_equal(bounds[0], 0);
    assert_int_equal(bounds[n_tickets], n);
    double total = 0;
    for (int64_t i = 0; i < n; i++) {
        total += costs[i];
    }
    for (int64_t t = 0; t < n_tickets; t++) {
        const int64_t size = bounds[t + 1] - bounds[t];
        assert_true(size >= 1);
        if (n_tickets - t <= ranks) {
            assert_int_equal(size, 1);
        }
        double cost = 0;
        for (int64_t i = bounds[t]; i < bounds[t + 1]; i++) {
            cost += costs[i];
        }
        assert_true(size == 1 || cost <= total / (8.0 * ranks) * (1 + 1e-9));
    }
}

static void test_properties(void **state)
{
    (void)state;
    static const int64_t numbers[] = {1, 2, 3, 5, 8, 17, 100, 1000, 20000};
    static const int rank_numbers[] = {1, 2, 3, 5, 64, 1000};
    const int64_t most = numbers[sizeof numbers / sizeof *numbers - 1];
    double *const costs = lmd_memory_new((size_t)most, sizeof *costs);
    int64_t *const bounds = lmd_memory_new((size_t)most + 1, sizeof *bounds);
    int64_t *const again = lmd_memory_new((size_t)most + 1, sizeof *again);
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
        for (int shape = 0; shape < SHAPES; shape++) {
            const int64_t n = numbers[k];
            for (int64_t i = 0; i < n; i++) {
                costs[i] = cost_of(shape, i, n);
            }
            for (size_t r = 0; r < sizeof rank_numbers / sizeof *rank_numbers; r++) {
                const int ranks = rank_numbers[r];
                const int64_t n_tickets = lmd_queue_plan(n, costs, ranks, bounds);
                check_plan(n, costs, ranks, bounds, n_tickets);
                assert_int_equal(lmd_queue_plan(n, costs, ranks, again), n_tickets);
                assert_memory_equal(bounds, again,
                                    (size_t)(n_tickets + 1) * sizeof *bounds);
            }
        }
    }
    lmd_memory_free(again);
    lmd_memory_free(bounds);
    lmd_memory_free(costs);
}

static void test_nothing(void **state)
{
    (void)state;
    int64_t bounds[1] = {-1};
    assert_int_equal(lmd_queue_plan(0, NULL, 4, bounds), 0);
    assert_int_equal(bounds[0], 0);
}

/* Worked by hand: 64 equal items, 2 ranks. A run is a sixteenth of what is left: 4 of 64,
 * 3 of 60, 57, 54, 51 and 48, 2 of 45 down to 33, then 31 single items. */
static void test_by_hand(void **state)
{
    (void)state;
    enum { N = 64, RUNS = 13, TICKETS = RUNS + 31 };
    static const int64_t runs[RUNS + 1] = {0,  4,  7,  10, 13, 16, 19,
                                           21, 23, 25, 27, 29, 31, 33};
    double costs[N];
    for (int i = 0; i < N; i++) {
        costs[i] = 2.5;
    }
    int64_t bounds[N + 1];
    assert_int_equal(lmd_queue_plan(N, costs, 2, bounds), TICKETS);
    assert_memory_equal(bounds, runs, sizeof runs);
    for (int t = RUNS; t <= TICKETS; t++) {
        assert_int_equal(bounds[t], N - TICKETS + t);
    }
}

/* Runs shrink with equal costs, and their number stays small. */
static void test_shrinks(void **state)
{
    (void)state;
    enum { N = 100000, RANKS = 16 };
    double *const costs = lmd_memory_new(N, sizeof *costs);
    int64_t *const bounds = lmd_memory_new(N + 1, sizeof *bounds);
    for (int i = 0; i < N; i++) {
        costs[i] = 1;
    }
    const int64_t n_tickets = lmd_queue_plan(N, costs, RANKS, bounds);
    assert_int_equal(bounds[1], N / (8 * RANKS));
    for (int64_t t = 1; t < n_tickets; t++) {
        assert_true(bounds[t + 1] - bounds[t] <= bounds[t] - bounds[t - 1]);
    }
    assert_true(n_tickets < 1200);
    lmd_memory_free(bounds);
    lmd_memory_free(costs);
}

static int check_memory(void **state)
{
    (void)state;
    return lmd_memory_live() == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_properties, check_memory),
        cmocka_unit_test_teardown(test_nothing, check_memory),
        cmocka_unit_test_teardown(test_by_hand, check_memory),
        cmocka_unit_test_teardown(test_shrinks, check_memory),
    };
    return cmocka_run_group_tests_name("queue_plan", tests, NULL, NULL);
}
