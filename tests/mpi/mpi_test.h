/* What the MPI tests share: a check that holds under NDEBUG and takes all ranks down with
 * exit code 1, a watchdog against hangs, and a way to burn time.
 *
 *     mpirun --oversubscribe -n 3 build/tests/mpi/test_queue
 *
 * The exit status is the verdict; on success the root prints one line. */
#ifndef LMDEPTH_MPI_TEST_H
#define LMDEPTH_MPI_TEST_H

#include <lmdepth/base/memory.h> /* lmd_memory_live */
#include <lmdepth/base/team.h>   /* lmd_team_clock */
#include <lmdepth/parallel.h>    /* lmd_session */
#include <stdio.h>               /* fprintf */
#include <unistd.h>              /* alarm */

#define CHECK(condition)                                                                 \
    do {                                                                                 \
        if (!(condition)) {                                                              \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__,            \
                    #condition);                                                         \
            lmd_parallel_abort(1);                                                       \
        }                                                                                \
    } while (0)

/* Begins a test; SIGALRM ends it with a failure when it hangs. */
static inline lmd_session *begin_test(int *argc, char ***argv)
{
    (void)alarm(120);
    return lmd_parallel_start(argc, argv);
}

/* Ends it: nothing of what was allocated is left on any rank. */
static inline int end_test(lmd_session *session, const char *name)
{
    const bool is_root = lmd_parallel_is_root(session);
    const int ranks = lmd_parallel_ranks(session);
    lmd_parallel_end(session);
    if (lmd_memory_live() != 0) {
        fprintf(stderr, "%s: %lld blocks are left\n", name, (long long)lmd_memory_live());
        return 1;
    }
    if (is_root) {
        printf("%s: all well with %d rank%s\n", name, ranks, ranks == 1 ? "" : "s");
    }
    return 0;
}

/* Computes for `seconds`, calling tick(context) about every two milliseconds. */
static inline void compute_for(double seconds, void (*tick)(void *), void *context)
{
    const double start = lmd_team_clock();
    double next_tick = start;
    for (double now = start; now - start < seconds; now = lmd_team_clock()) {
        for (volatile int i = 0; i < 1000; i++) {
        }
        if (tick && now >= next_tick) {
            tick(context);
            next_tick = now + 0.002;
        }
    }
}

#endif
