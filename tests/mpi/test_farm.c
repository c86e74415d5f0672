/* The farm: every piece is worked on exactly once, wherever its source lies; large pieces
 * arrive whole; a failure of any call anywhere ends it everywhere with its message. */
#include "mpi_test.h"

#include <lmdepth/base/status.h> /* lmd_status_set */
#include <string.h>              /* memcpy, strstr */

/* Pieces of rank r are numbered 0 .. n_pieces-1 and hold r, number and filling. */
typedef struct farm_job {
    lmd_session *session;
    int n_pieces;     /* of this rank's sources */
    size_t n_filling; /* bytes after the head */
    double seconds;   /* work on a piece */
    int bad_read;     /* the piece whose reading fails, or -1 */
    bool is_bad_work; /* this rank fails at its first piece of work */
    int n_read;
    int n_done;
    bool is_working;   /* `work` does not call itself */
    int64_t *n_worked; /* borrowed: (ranks, MOST_PIECES) */
} farm_job;

enum { MOST_PIECES = 400, HEAD = 2 * sizeof(int32_t) };

static char filling(int rank, int number, size_t i)
{
    return (char)((size_t)(7 * rank + number) + i % 251);
}

static lmd_status read_piece(void *context, lmd_text *piece, bool *more)
{
    farm_job *const job = context;
    const int rank = lmd_parallel_rank(job->session);
    CHECK(piece->size == 0);
    lmd_farm_tick(job->session); /* must do no harm here */
    if (job->n_read == job->bad_read) {
        return lmd_status_set(LMD_INPUT, "source %d is bad", rank);
    }
    *more = job->n_read < job->n_pieces;
    if (*more) {
        const int32_t head[2] = {rank, job->n_read};
        lmd_text_append(piece, head, sizeof head);
        char *const bytes = lmd_text_reserve(piece, job->n_filling);
        for (size_t i = 0; i < job->n_filling; i++) {
            bytes[i] = filling(rank, job->n_read, i);
        }
        piece->size += job->n_filling;
        job->n_read++;
    }
    return LMD_OK;
}

static void tick(void *session)
{
    lmd_farm_tick(session);
}

static lmd_status work_on_piece(void *context, const lmd_text *piece)
{
    farm_job *const job = context;
    int32_t head[2];
    CHECK(!job->is_working);
    job->is_working = true;
    CHECK(piece->size == sizeof head + job->n_filling);
    memcpy(head, piece->bytes, sizeof head);
    for (size_t i = 0; i < job->n_filling; i++) {
        CHECK(piece->bytes[sizeof head + i] == filling(head[0], head[1], i));
    }
    CHECK(piece->bytes[piece->size] == 0);
    job->n_worked[head[0] * MOST_PIECES + head[1]]++;
    job->n_done++;
    compute_for(job->seconds, tick, job->session);
    job->is_working = false;
    if (job->is_bad_work) {
        return lmd_status_set(LMD_RESOURCE, "no room for work");
    }
    return LMD_OK;
}

static lmd_status run(farm_job *job)
{
    const lmd_farm_calls calls = {job, read_piece, work_on_piece};
    const size_t n_worked = (size_t)lmd_parallel_ranks(job->session) * MOST_PIECES;
    job->n_worked = lmd_memory_new(n_worked, sizeof *job->n_worked);
    const lmd_status status = lmd_farm_run(job->session, &calls);
    lmd_parallel_sum_int64(job->session, job->n_worked, n_worked);
    return status;
}

/* Rank r has counts[r] pieces; all are done once. Returns those done here. */
static int test_complete(lmd_session *session, const int *counts, size_t n_filling,
                         double seconds)
{
    const int rank = lmd_parallel_rank(session);
    farm_job job = {session, counts[rank], n_filling, seconds, .bad_read = -1};
    CHECK(run(&job) == LMD_OK);
    CHECK(job.n_read == counts[rank]);
    for (int r = 0; r < lmd_parallel_ranks(session); r++) {
        for (int i = 0; i < MOST_PIECES; i++) {
            CHECK(job.n_worked[r * MOST_PIECES + i] == (i < counts[r]));
        }
    }
    lmd_memory_free(job.n_worked);
    return job.n_done;
}

/* One rank has all sources: the others take part, and that in the middle of its work. */
static void test_one_source(lmd_session *session, int *counts, int source)
{
    const int ranks = lmd_parallel_ranks(session);
    counts[source] = 6 * ranks;
    const int n_done = test_complete(session, counts, 1000, 0.02);
    CHECK(n_done >= 1); /* 20 ms are ten ticks */
    counts[source] = 0;
}

static void test_all_sources(lmd_session *session, int *counts)
{
    const int ranks = lmd_parallel_ranks(session);
    for (int r = 0; r < ranks; r++) {
        counts[r] = r % 2 ? 0 : 3 + 5 * r;
    }
    (void)test_complete(session, counts, 10, 0.002);
    for (int r = 0; r < ranks; r++) {
        counts[r] = MOST_PIECES;
    }
    (void)test_complete(session, counts, 0, 0);
    for (int r = 0; r < ranks; r++) {
        counts[r] = 0;
    }
    (void)test_complete(session, counts, 10, 0);
}

/* Pieces that cross the border of a slice of 64 MiB. */
static void test_large(lmd_session *session, int *counts)
{
    const int last = lmd_parallel_ranks(session) - 1;
    counts[last] = 3;
    (void)test_complete(session, counts, ((size_t)64 << 20) - HEAD, 0);
    (void)test_complete(session, counts, (size_t)100 << 20, 0);
    counts[last] = 0;
}

/* Rank `bad` fails: as reader at its piece `bad_read`, or as worker (bad_read -1). The
 * others have work for minutes. */
static void test_failure(lmd_session *session, int bad, int bad_read)
{
    const int rank = lmd_parallel_rank(session);
    farm_job job = {session, MOST_PIECES, 100, 0.5, .bad_read = -1};
    if (rank == bad) {
        job.bad_read = bad_read;
        job.is_bad_work = bad_read == -1;
        job.seconds = 0.01;
    }
    CHECK(run(&job) == (bad_read == -1 ? LMD_RESOURCE : LMD_INPUT));
    char wanted[32];
    (void)snprintf(wanted, sizeof wanted, "[rank %d on ", bad);
    CHECK((strstr(lmd_status_message(), wanted) == lmd_status_message()) == (bad != 0));
    CHECK(strstr(lmd_status_message(), bad_read == -1 ? "no room for work" : "is bad") !=
          NULL);
    CHECK(job.n_done < MOST_PIECES / 4);
    lmd_memory_free(job.n_worked);
}

/* Everyone fails at once: the lowest rank of the worst speaks. */
static void test_all_fail(lmd_session *session)
{
    farm_job job = {session, 5, 100, 0, .bad_read = 0};
    CHECK(run(&job) == LMD_INPUT);
    CHECK(strcmp(lmd_status_message(), "source 0 is bad") == 0);
    lmd_memory_free(job.n_worked);
}

int main(int argc, char **argv)
{
    lmd_session *const session = begin_test(&argc, &argv);
    const int ranks = lmd_parallel_ranks(session);
    int *const counts = lmd_memory_new((size_t)ranks, sizeof *counts);
    test_one_source(session, counts, 0);
    test_one_source(session, counts, ranks - 1);
    test_all_sources(session, counts);
    test_large(session, counts);
    for (int bad = 0; bad<ranks; bad += ranks> 1 ? ranks - 1 : 1) {
        test_failure(session, bad, 0);
        test_failure(session, bad, 2);
        test_failure(session, bad, -1);
    }
    test_all_fail(session);
    lmd_memory_free(counts);
    return end_test(session, "test_farm");
}
