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
        assert_true(size == 1 || cost <= total / (4 * ranks) * (1 + 1e-9));
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

/* Worked by hand: 24 equal items, 2 ranks. A run is an eighth of what is left: 3 of 24, 2
 * of 21, 2 of 19, 2 of 17, then single items. */
static void test_by_hand(void **state)
{
    (void)state;
    double costs[24];
    for (int i = 0; i < 24; i++) {
        costs[i] = 2.5;
    }
    int64_t bounds[25];
    static const int64_t wanted[] = {0,  3,  5,  7,  9,  10, 11, 12, 13, 14,
                                     15, 16, 17, 18, 19, 20, 21, 22, 23, 24};
    assert_int_equal(lmd_queue_plan(24, costs, 2, bounds), 19);
    assert_memory_equal(bounds, wanted, sizeof wanted);
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
    assert_int_equal(bounds[1], N / (4 * RANKS));
    for (int64_t t = 1; t < n_tickets; t++) {
        assert_true(bounds[t + 1] - bounds[t] <= bounds[t] - bounds[t - 1]);
    }
    assert_true(n_tickets < 1000);
    lmd_memory_free(bounds);
    lmd_memory_free(costs);
}

/* ---- ranks that draw, in a time of our own ---- */

enum { MOST_RANKS = 64 };

typedef struct drawing {
    int ranks, packs;                        /* packs a rank */
    double slowness[MOST_RANKS];             /* time of a rank for a pack of cost 1 */
    bool asks_first;                         /* before its first pack, not its last */
    double end[MOST_RANKS], ask[MOST_RANKS]; /* when it is through; when it asks next */
    int64_t held[MOST_RANKS];                /* its next ticket, -1: not asked for */
} drawing;

/* The rank that does something next; -1 when all have ended. */
static int next_rank(const drawing *it, const bool *has_ended)
{
    int first = -1;
    for (int r = 0; r < it->ranks; r++) {
        const double when = it->held[r] < 0 ? it->ask[r] : it->end[r];
        const double least = first < 0             ? 0
                             : it->held[first] < 0 ? it->ask[first]
                                                   : it->end[first];
        if (!has_ended[r] && (first < 0 || when < least)) {
            first = r;
        }
    }
    return first;
}

/* Takes ticket `ticket`; the next one is asked for before its first or its last pack. */
static void take(drawing *it, int rank, const double *costs, const int64_t *bounds,
                 int64_t ticket)
{
    it->ask[rank] = it->end[rank];
    for (int64_t i = bounds[ticket]; i < bounds[ticket + 1]; i++) {
        const double cost = costs[i] * it->slowness[rank];
        it->ask[rank] = it->asks_first ? it->ask[rank] : it->end[rank];
        it->end[rank] += cost;
    }
    it->held[rank] = -1;
}

/* Share of the whole time that a mean rank waits at the end. Each pack is done once. */
static double find_tail(drawing *it, const double *costs)
{
    const int64_t n = (int64_t)it->ranks * it->packs;
    int64_t *bounds = lmd_memory_new((size_t)n + 1, sizeof *bounds);
    const int64_t n_tickets = lmd_queue_plan(n, costs, it->ranks, bounds);
    bool has_ended[MOST_RANKS] = {false};
    int64_t counter = it->ranks;
    int64_t n_done = 0;
    double last = 0;
    double sum = 0;
    for (int r = 0; r < it->ranks; r++) {
        it->held[r] = r;
        it->end[r] = it->ask[r] = 0;
    }
    for (int r; (r = next_rank(it, has_ended)) >= 0;) {
        if (it->held[r] < 0) {
            it->held[r] = counter++;
        } else if (it->held[r] < n_tickets) {
            n_done += bounds[it->held[r] + 1] - bounds[it->held[r]];
            take(it, r, costs, bounds, it->held[r]);
        } else {
            has_ended[r] = true;
            last = it->end[r] > last ? it->end[r] : last;
            sum += it->end[r];
        }
    }
    assert_int_equal(n_done, n);
    lmd_memory_free(bounds);
    return 1 - sum / it->ranks / last;
}

/* 200 packs a rank, costs alike or by chance, any rank slower than the others. */
static void check_tails(int ranks, double slowness, double most)
{
    const size_t n = (size_t)ranks * 200;
    double *costs = lmd_memory_new(n, sizeof *costs);
    for (int kind = 0; kind < 2; kind++) {
        for (size_t i = 0; i < n; i++) {
            const double x =
                (double)lmd_hash_mix((uint64_t)i + 1) / 18446744073709551616.0;
            costs[i] = kind == 0 ? 1 : 0.5 + 0.5 * x;
        }
        for (int slow = 0; slow < ranks; slow += 3) {
            drawing it = {.ranks = ranks, .packs = 200};
            for (int r = 0; r < ranks; r++) {
                it.slowness[r] = r == slow ? slowness : 1;
            }
            const double tail = find_tail(&it, costs);
            if (tail > most) {
                fail_msg("%d ranks, number %d %g times as slow: tail %.2f %%", ranks,
                         slow, slowness, 100 * tail);
            }
        }
    }
    lmd_memory_free(costs);
}

static void test_tails(void **state)
{
    (void)state;
    check_tails(2, 1, 0.01);
    check_tails(16, 1, 0.01);
    check_tails(16, 2, 0.02);
    check_tails(64, 2, 0.02);
    check_tails(16, 4, 0.04);
}

/* The rule matters: asked for before the first pack, tickets pile up at a slow rank. */
static void test_asking_early(void **state)
{
    (void)state;
    double *costs = lmd_memory_new(3200, sizeof *costs);
    drawing it = {.ranks = 16, .packs = 200, .asks_first = true};
    for (int i = 0; i < 3200; i++) {
        costs[i] = 1;
    }
    for (int r = 0; r < 16; r++) {
        it.slowness[r] = r == 5 ? 4 : 1;
    }
    assert_true(find_tail(&it, costs) > 0.1);
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
        cmocka_unit_test_teardown(test_tails, check_memory),
        cmocka_unit_test_teardown(test_asking_early, check_memory),
    };
    return cmocka_run_group_tests_name("queue_plan", tests, NULL, NULL);
}
