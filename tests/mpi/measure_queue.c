/* How long ranks wait for tickets: a work function that sleeps, so that 16 ranks can be
 * on two cores, and one rank at half speed. For people, not a test: it prints.
 *
 *     mpirun --oversubscribe --bind-to none -n 16 build/tests/mpi/measure_queue [packs a
 *         rank, 200] [milliseconds a pack, 20] [1: ask before the first pack]
 */
#include "mpi_test.h"

#include <stdlib.h> /* atoi */
#include <time.h>   /* nanosleep */

/* Sleeps until `end`, serving others every two milliseconds. */
static void sleep_until(double end, lmd_queue *queue)
{
    for (double left; (left = end - lmd_team_clock()) > 0;) {
        const struct timespec pause = {.tv_nsec =
                                           left > 0.002 ? 2000000 : (long)(1e9 * left)};
        (void)nanosleep(&pause, NULL);
        lmd_queue_tick(queue);
    }
}

typedef struct measured {
    double longest, sum; /* waits for a ticket that came */
    int64_t n_tickets;
    double end;
} measured;

static measured draw(lmd_queue *queue, const int64_t *bounds, double pack, bool early)
{
    measured it = {0};
    for (;;) {
        const double start = lmd_team_clock();
        const int64_t ticket = lmd_queue_next(queue);
        const double now = lmd_team_clock();
        if (ticket < 0) {
            it.end = now;
            return it;
        }
        it.longest = now - start > it.longest ? now - start : it.longest;
        it.sum += now - start;
        it.n_tickets++;
        const int64_t n = bounds[ticket + 1] - bounds[ticket];
        if (early) {
            lmd_queue_ask(queue);
        }
        sleep_until(now + pack * (double)(n - 1), queue);
        lmd_queue_ask(queue);
        sleep_until(now + pack * (double)n, queue);
    }
}

int main(int argc, char **argv)
{
    lmd_session *const session = begin_test(&argc, &argv);
    const int ranks = lmd_parallel_ranks(session);
    const int64_t packs = argc > 1 ? atoi(argv[1]) : 200;
    const double pack = 1e-3 * (argc > 2 ? atoi(argv[2]) : 20);
    const int64_t n = packs * ranks;
    double *const costs = lmd_memory_new((size_t)n, sizeof *costs);
    int64_t *const bounds = lmd_memory_new((size_t)n + 1, sizeof *bounds);
    for (int64_t i = 0; i < n; i++) {
        costs[i] = 1;
    }
    const int64_t n_tickets = lmd_queue_plan(n, costs, ranks, bounds);
    const bool is_slow = lmd_parallel_rank(session) == ranks / 3;
    lmd_queue *const queue = lmd_queue_new(session, n_tickets);
    lmd_parallel_barrier(session);
    const double start = lmd_team_clock();
    const measured it = draw(queue, bounds, is_slow ? 2 * pack : pack, argc > 3);
    lmd_queue_free(queue);
    const double all = lmd_parallel_max_real(session, it.end) - start;
    const double mean = lmd_parallel_sum_real(session, it.end - start) / ranks;
    const double longest = lmd_parallel_max_real(session, it.longest);
    const double waits = lmd_parallel_sum_real(session, it.sum);
    int64_t drawn = it.n_tickets;
    lmd_parallel_sum_int64(session, &drawn, 1);
    CHECK(drawn == n_tickets);
    if (lmd_parallel_is_root(session)) {
        const double ideal = (double)n * pack / (ranks - 0.5);
        printf("%d ranks, %lld packs of %.0f ms, %lld tickets: %.3f s (%.3f at best); "
               "waits for a ticket: mean %.3f ms, longest %.3f ms; tail %.2f %%\n",
               ranks, (long long)n, 1e3 * pack, (long long)n_tickets, all, ideal,
               1e3 * waits / (double)n_tickets, 1e3 * longest, 100 * (1 - mean / all));
    }
    lmd_memory_free(bounds);
    lmd_memory_free(costs);
    return end_test(session, "measure_queue");
}
