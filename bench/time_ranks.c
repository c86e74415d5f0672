/* What it costs to have many ranks, apart from what they compute: work is a sleep, so
 * that sixteen ranks on one core show how well work is shared out, and not how slow the
 * core is. The queue's waiting is measured by tests/mpi/measure_queue.c.
 *
 *     mpirun --oversubscribe --bind-to none -n 16 build/bench/time_ranks tickets
 *     ... time_ranks pieces 4 50       pieces of 16 MiB a rank, all read by rank 0, and
 *                                      milliseconds of work on each
 *     ... time_ranks sum 21            MB of counters
 *
 * One line on standard output, `name value` pairs; docs/scaling.md says what follows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lmdepth/base/memory.h>
#include <lmdepth/base/team.h>
#include <lmdepth/parallel.h>

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double take_median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, compare);
    return values[n / 2];
}

/* Does nothing for so long, but enters MPI every two milliseconds as a team's tick would.
 */
static void sleep_for(double seconds, void (*tick)(void *), void *context)
{
    const double end = lmd_team_clock() + seconds;
    for (double left = seconds; left > 0; left = end - lmd_team_clock()) {
        const double nap = left < 0.002 ? left : 0.002;
        const struct timespec pause = {.tv_nsec = (long)(nap * 1e9)};
        (void)nanosleep(&pause, NULL);
        tick(context);
    }
}

/* ---- tickets: what rank 0 spends on a request ---- */

/* Time in which this thread had a processor. */
static double read_cpu_clock(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* All others have asked when the root looks, so it answers them without waiting. */
static void time_tickets(lmd_session *session)
{
    enum { ROUNDS = 301 };
    const int ranks = lmd_parallel_ranks(session);
    const bool is_root = lmd_parallel_is_root(session);
    double times[ROUNDS];
    lmd_queue *queue = lmd_queue_new(session, (int64_t)ranks * (ROUNDS + 2));
    (void)lmd_queue_next(queue); // the static share
    for (int i = 0; i < ROUNDS; i++) {
        lmd_queue_ask(queue);
        lmd_parallel_barrier(session);
        const double start = read_cpu_clock();
        if (is_root) {
            lmd_queue_tick(queue);
        }
        times[i] = read_cpu_clock() - start;
        lmd_parallel_barrier(session);
        if (!is_root) {
            (void)lmd_queue_next(queue);
        }
    }
    while (lmd_queue_next(queue) >= 0) {
    }
    lmd_queue_free(queue);
    if (is_root) {
        const double seconds = take_median(times, ROUNDS);
        printf("ranks %d requests %d us_a_request %.2f\n", ranks, ranks - 1,
               ranks > 1 ? 1e6 * seconds / (ranks - 1) : 0);
    }
}

/* ---- pieces: one reader, whoever is free works ---- */

typedef struct piece_run {
    lmd_session *session;
    int64_t left; /* pieces that this rank can still read */
    double seconds;
    double worked;
    int64_t done;
} piece_run;

static lmd_status read_piece(void *context, lmd_text *piece, bool *more)
{
    enum { PIECE_BYTES = 16 << 20 };
    piece_run *run = context;
    *more = run->left > 0;
    if (*more) {
        run->left--;
        memset(lmd_text_reserve(piece, PIECE_BYTES), 'x', PIECE_BYTES);
        piece->size = PIECE_BYTES;
    }
    return LMD_OK;
}

static void tick_farm(void *session)
{
    lmd_farm_tick(session);
}

static lmd_status work_piece(void *context, const lmd_text *piece)
{
    piece_run *run = context;
    const double start = lmd_team_clock();
    (void)piece;
    sleep_for(run->seconds, tick_farm, run->session);
    run->worked += lmd_team_clock() - start;
    run->done++;
    return LMD_OK;
}

static void time_pieces(lmd_session *session, int64_t pieces_a_rank, double seconds)
{
    const int ranks = lmd_parallel_ranks(session);
    const bool is_root = lmd_parallel_is_root(session);
    const int64_t n = pieces_a_rank * ranks;
    piece_run run = {session, is_root ? n : 0, seconds, 0, 0};
    const lmd_farm_calls calls = {&run, read_piece, work_piece};
    lmd_parallel_barrier(session);
    const double start = lmd_team_clock();
    (void)lmd_farm_run(session, &calls);
    const double all = lmd_parallel_max_real(session, lmd_team_clock() - start);
    const double busy = lmd_parallel_sum_real(session, run.worked) / (ranks * all);
    const int64_t most = lmd_parallel_max_int64(session, run.done);
    const int64_t least = -lmd_parallel_max_int64(session, -run.done);
    if (is_root) {
        printf("ranks %d pieces %lld seconds %.3f busy %.4f least %lld most %lld "
               "MB_a_second %.0f\n",
               ranks, (long long)n, all, busy, (long long)least, (long long)most,
               (double)n * 16.777216 / all);
    }
}

/* ---- sum: the reduction of the counters ---- */

static void time_sum(lmd_session *session, double megabytes)
{
    enum { TIMES = 7 };
    const size_t n = (size_t)(megabytes * 1e6) / sizeof(int64_t);
    int64_t *values = lmd_memory_new(n, sizeof *values);
    double times[TIMES];
    for (int i = 0; i < TIMES; i++) {
        lmd_parallel_barrier(session);
        const double start = lmd_team_clock();
        lmd_parallel_reduce_int64(session, values, n);
        times[i] = lmd_parallel_max_real(session, lmd_team_clock() - start);
    }
    const int ranks = lmd_parallel_ranks(session);
    const double seconds = take_median(times, TIMES);
    if (lmd_parallel_is_root(session)) {
        printf("ranks %d MB %.1f seconds %.5f MB_a_second_and_rank %.0f\n", ranks,
               megabytes, seconds, ranks > 1 ? megabytes * (ranks - 1) / seconds : 0);
    }
    lmd_memory_free(values);
}

/* ---- the command line ---- */

static double number(int argc, char **argv, int i, double otherwise)
{
    return argc > i ? strtod(argv[i], NULL) : otherwise;
}

int main(int argc, char **argv)
{
    lmd_session *session = lmd_parallel_start(&argc, &argv);
    const char *what = argc > 1 ? argv[1] : "";
    const double first = number(argc, argv, 2, 0);
    const double milliseconds = number(argc, argv, 3, 20);
    int code = 0;
    if (strcmp(what, "tickets") == 0) {
        time_tickets(session);
    } else if (strcmp(what, "pieces") == 0 && first >= 1) {
        time_pieces(session, (int64_t)first, milliseconds / 1e3);
    } else if (strcmp(what, "sum") == 0 && first > 0) {
        time_sum(session, first);
    } else {
        if (lmd_parallel_is_root(session)) {
            fprintf(stderr, "time_ranks tickets | pieces N MS | sum MB\n");
        }
        code = 2;
    }
    lmd_parallel_end(session);
    return code;
}
