/* The queue: every ticket exactly once, the static share first; with even and uneven
 * work, fewer tickets than ranks, none at all, and a stop by any rank. */
#include "mpi_test.h"

/* Draws all tickets; rank r computes `seconds * (1 + r)` on each. Returns how many it
 * drew; `seen` counts them. */
static int64_t draw_all(lmd_session *session, lmd_queue *queue, int64_t *seen, int64_t n,
                        double seconds)
{
    const int rank = lmd_parallel_rank(session);
    int64_t n_drawn = 0;
    int64_t last = -1;
    for (int64_t ticket; (ticket = lmd_queue_next(queue)) >= 0; n_drawn++) {
        CHECK(ticket < n && ticket > last);
        CHECK(n_drawn > 0 || ticket == rank);
        last = ticket;
        seen[ticket]++;
        if (ticket % 3 != 0) { /* asked ahead, twice, or not at all */
            lmd_queue_ask(queue);
        }
        if (ticket % 3 == 1) {
            lmd_queue_ask(queue);
        }
        compute_for(seconds * (1 + rank), lmd_queue_tick, queue);
    }
    CHECK(lmd_queue_next(queue) == -1); /* it stays so */
    return n_drawn;
}

static void test_complete(lmd_session *session, int64_t n, double seconds)
{
    const int rank = lmd_parallel_rank(session);
    int64_t *const seen = lmd_memory_new((size_t)n, sizeof *seen);
    lmd_queue *const queue = lmd_queue_new(session, n);
    const int64_t n_drawn = draw_all(session, queue, seen, n, seconds);
    CHECK(!lmd_queue_is_stopped(queue));
    CHECK(n_drawn >= (rank < n ? 1 : 0));
    lmd_queue_free(queue);
    lmd_parallel_sum_int64(session, seen, (size_t)n);
    for (int64_t i = 0; i < n; i++) {
        CHECK(seen[i] == 1);
    }
    lmd_memory_free(seen);
}

/* Rank `stopper` stops after two tickets, everyone when `stopper` is -1: all get -1 and
 * know why, and no ticket comes twice. The others would draw for an hour. */
static void test_stop(lmd_session *session, int stopper)
{
    enum { N_TICKETS = 3600 * 100 };
    const int rank = lmd_parallel_rank(session);
    int64_t *const seen = lmd_memory_new(N_TICKETS, sizeof *seen);
    lmd_queue *const queue = lmd_queue_new(session, N_TICKETS);
    int64_t ticket = lmd_queue_next(queue);
    for (int64_t n_drawn = 0; ticket >= 0; n_drawn++) {
        seen[ticket]++;
        lmd_queue_ask(queue);
        compute_for(0.01, lmd_queue_tick, queue);
        if (n_drawn == 1 && (stopper == rank || stopper == -1)) {
            lmd_queue_stop(queue);
            lmd_queue_stop(queue); /* twice is as good as once */
            CHECK(lmd_queue_is_stopped(queue));
        }
        ticket = lmd_queue_next(queue);
    }
    CHECK(lmd_queue_is_stopped(queue));
    CHECK(lmd_queue_next(queue) == -1);
    lmd_queue_free(queue);
    lmd_parallel_sum_int64(session, seen, N_TICKETS);
    for (int64_t i = 0; i < N_TICKETS; i++) {
        CHECK(seen[i] <= 1);
    }
    lmd_memory_free(seen);
}

/* The others hear of a stop in the middle of a ticket, by their ticks alone. */
static void test_hear_stop(lmd_session *session)
{
    lmd_queue *const queue = lmd_queue_new(session, 1000);
    (void)lmd_queue_next(queue);
    if (lmd_parallel_rank(session) == lmd_parallel_ranks(session) - 1) {
        lmd_queue_stop(queue);
    }
    while (!lmd_queue_is_stopped(queue)) { /* the watchdog is the limit */
        lmd_queue_tick(queue);
    }
    CHECK(lmd_queue_next(queue) == -1);
    lmd_queue_free(queue);
}

/* A queue that is stopped before anyone draws, and one that is not used at all. */
static void test_unused(lmd_session *session)
{
    lmd_queue *const queue = lmd_queue_new(session, 1000);
    lmd_queue_stop(queue);
    CHECK(lmd_queue_next(queue) == -1);
    lmd_queue_free(queue);
    lmd_queue_free(lmd_queue_new(session, 1000));
    lmd_queue_free(NULL);
}

/* A rank leaves in the middle without a stop: its ticket ahead is answered and lost, and
 * nobody hangs. */
static void test_leave(lmd_session *session)
{
    lmd_queue *const queue = lmd_queue_new(session, 50);
    if (lmd_parallel_rank(session) == lmd_parallel_ranks(session) - 1) {
        (void)lmd_queue_next(queue);
        lmd_queue_ask(queue);
    } else {
        while (lmd_queue_next(queue) >= 0) {
        }
    }
    lmd_queue_free(queue);
}

int main(int argc, char **argv)
{
    lmd_session *const session = begin_test(&argc, &argv);
    const int ranks = lmd_parallel_ranks(session);
    test_complete(session, 0, 0);
    test_complete(session, 1, 0.001);
    test_complete(session, ranks - 1, 0.001);
    test_complete(session, ranks, 0);
    test_complete(session, 10000, 0);
    test_complete(session, 50, 0.01);
    for (int stopper = -1; stopper < ranks; stopper++) {
        test_stop(session, stopper);
    }
    test_hear_stop(session);
    test_unused(session);
    test_leave(session);
    return end_test(session, "test_queue");
}
