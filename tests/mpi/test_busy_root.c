/* The probe of a busy rank 0: it computes one long ticket and enters MPI only in its
 * ticks, while the others draw. Prints what the others waited for an answer, for people;
 * the verdict is that one was served in the middle of rank 0's computation, and that the
 * tickets are complete. With one rank there is nobody to wait. */
#include "mpi_test.h"

#include <stdlib.h> /* qsort */

enum { N_TICKETS = 60 };
static const double WORK = 0.02;
static const double LONG_WORK = 1.0;

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* What a rank saw. Clocks are compared: the ranks are on one machine. */
typedef struct draws {
    int n_waits;
    double waits[N_TICKETS]; /* for the second ticket, the third, ..., the end */
    double first_end;        /* when it had done its first ticket */
    double first_answer;     /* when it got its second, or heard of the end */
} draws;

/* Draws and works until the tickets are at their end. The root has its first ticket
 * before anyone may ask, so that it can answer in the ticks of that ticket only. */
static void draw(lmd_session *session, lmd_queue *queue, int64_t *seen, draws *mine)
{
    const bool is_root = lmd_parallel_is_root(session);
    int64_t ticket = is_root ? lmd_queue_next(queue) : -1;
    lmd_parallel_barrier(session);
    ticket =
        is_root ? ticket : lmd_queue_next(queue); /* static share: no answer needed */
    while (ticket >= 0) {
        CHECK(ticket < N_TICKETS);
        seen[ticket]++;
        lmd_queue_ask(queue);
        compute_for(is_root && mine->n_waits == 0 ? LONG_WORK : WORK,
                    is_root ? lmd_queue_tick : NULL, queue);
        const double start = lmd_team_clock();
        ticket = lmd_queue_next(queue);
        const double end = lmd_team_clock();
        if (mine->n_waits == 0) {
            mine->first_end = start;
            mine->first_answer = end;
        }
        mine->waits[mine->n_waits++] = end - start;
    }
}

/* The earliest answer to anyone came before the root's first ticket was done. */
static void check_served(lmd_session *session, const draws *mine)
{
    const bool is_root = lmd_parallel_is_root(session);
    const bool counts = !is_root && mine->n_waits > 0;
    const double earliest =
        -lmd_parallel_max_real(session, counts ? -mine->first_answer : -1e300);
    const double root_end = lmd_parallel_max_real(session, is_root ? mine->first_end : 0);
    CHECK(lmd_parallel_ranks(session) == 1 || earliest < root_end);
}

/* The worst median and the longest wait of all ranks but the root. */
static void report(lmd_session *session, draws *mine)
{
    const int n = mine->n_waits;
    const bool counts = !lmd_parallel_is_root(session) && n > 0;
    qsort(mine->waits, (size_t)n, sizeof *mine->waits, compare);
    const double median = lmd_parallel_max_real(session, counts ? mine->waits[n / 2] : 0);
    const double longest =
        lmd_parallel_max_real(session, counts ? mine->waits[n - 1] : 0);
    if (lmd_parallel_is_root(session) && lmd_parallel_ranks(session) > 1) {
        printf("test_busy_root: waited for a ticket: median %.3f ms, longest %.3f ms\n",
               1e3 * median, 1e3 * longest);
    }
}

int main(int argc, char **argv)
{
    lmd_session *const session = begin_test(&argc, &argv);
    int64_t seen[N_TICKETS] = {0};
    draws mine = {0};
    lmd_queue *const queue = lmd_queue_new(session, N_TICKETS);
    draw(session, queue, seen, &mine);
    lmd_queue_free(queue);
    check_served(session, &mine);
    report(session, &mine);
    lmd_parallel_sum_int64(session, seen, N_TICKETS);
    for (int i = 0; i < N_TICKETS; i++) {
        CHECK(seen[i] == 1);
    }
    return end_test(session, "test_busy_root");
}
