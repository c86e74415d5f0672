/* Session, agreement, broadcasts, sums. Sizes cross the border of the slices in which
 * large things travel. */
#include "mpi_test.h"

#include <lmdepth/base/status.h> /* lmd_status_set */
#include <string.h>              /* strcmp, strstr */

enum { SLICE = 64 << 20 };

static void test_session(const lmd_session *session)
{
    const int rank = lmd_parallel_rank(session);
    const int ranks = lmd_parallel_ranks(session);
    CHECK(rank >= 0 && rank < ranks);
    CHECK(lmd_parallel_is_root(session) == (rank == 0));
    CHECK(lmd_parallel_node_rank(session) >= 0);
    CHECK(lmd_parallel_node_rank(session) < lmd_parallel_node_ranks(session));
    CHECK(lmd_parallel_node_ranks(session) <= ranks);
    CHECK(lmd_parallel_nodes(session) >= 1 && lmd_parallel_nodes(session) <= ranks);
    CHECK(strlen(lmd_parallel_host(session)) > 0);
    const char *const library = lmd_parallel_library(session);
    CHECK(strstr(library, "Open MPI v") == library || strstr(library, "MPI"));
    CHECK(!strpbrk(library, "\t\n,"));
}

static void test_topology(lmd_session *session)
{
    const lmd_places *const places = lmd_parallel_places(session);
    const int share = lmd_parallel_share_of_processors(session);
    CHECK(share >= 1 && share <= lmd_places_cores(places));
    char *const line = lmd_places_describe(places);
    CHECK(strlen(line) > 0);
    lmd_memory_free(line);
}

/* Rank `bad` fails with `status`, and perhaps another one worse. */
static void test_agree(lmd_session *session)
{
    const int rank = lmd_parallel_rank(session);
    const int last = lmd_parallel_ranks(session) - 1;
    (void)lmd_status_set(LMD_FAILED, "an old message");
    CHECK(lmd_parallel_agree(session, LMD_OK) == LMD_OK);
    CHECK(strcmp(lmd_status_message(), "an old message") == 0);

    /* One rank alone, the last. */
    lmd_status status = LMD_OK;
    if (rank == last) {
        status = lmd_status_set(LMD_INPUT, "file %d: bad", rank);
    }
    CHECK(lmd_parallel_agree(session, status) == LMD_INPUT);
    char wanted[64];
    (void)snprintf(wanted, sizeof wanted, "file %d: bad", last);
    const char *const found = strstr(lmd_status_message(), wanted);
    CHECK(found && strlen(found) == strlen(wanted));
    (void)snprintf(wanted, sizeof wanted, "[rank %d on ", last);
    CHECK((strstr(lmd_status_message(), wanted) == lmd_status_message()) == (last != 0));

    /* Everyone: the worst is not the largest code, and of equals the lowest rank speaks.
     */
    status = rank == last ? LMD_STOPPED : LMD_USAGE;
    (void)lmd_status_set(status, "rank %d says 100%%", rank);
    const lmd_status agreed = lmd_parallel_agree(session, status);
    CHECK(agreed == (last == 0 ? LMD_STOPPED : LMD_USAGE));
    CHECK(strcmp(lmd_status_message(), "rank 0 says 100%") == 0);

    status = rank == last ? LMD_STOPPED : LMD_OK;
    CHECK(lmd_parallel_agree(session, status) == LMD_STOPPED);
}

static unsigned char pattern(size_t i)
{
    return (unsigned char)(i * 131 + (i >> 16));
}

static void test_broadcast(lmd_session *session)
{
    const size_t sizes[] = {0, 1, 1000, SLICE + 3};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        unsigned char *const bytes = lmd_memory_new(sizes[k], 1);
        for (size_t i = 0; lmd_parallel_is_root(session) && i < sizes[k]; i++) {
            bytes[i] = pattern(i);
        }
        lmd_parallel_broadcast(session, bytes, sizes[k]);
        for (size_t i = 0; i < sizes[k]; i++) {
            CHECK(bytes[i] == pattern(i));
        }
        lmd_memory_free(bytes);
    }
}

static void test_texts(lmd_session *session)
{
    const int rank = lmd_parallel_rank(session);
    const int ranks = lmd_parallel_ranks(session);
    lmd_text text = {0};
    lmd_text_append_string(&text, rank == 0 ? "of the root" : "something else, longer");
    lmd_parallel_broadcast_text(session, &text);
    CHECK(text.size == 11 && strcmp(lmd_text_string(&text), "of the root") == 0);
    lmd_text_clear(&text);
    lmd_parallel_broadcast_text(session, &text);
    CHECK(text.size == 0);
    lmd_text_clear(&text);

    lmd_text *const texts = lmd_memory_new((size_t)ranks, sizeof *texts);
    for (int i = 0; i < rank; i++) { /* nothing at rank 0 */
        lmd_text_append_format(&text, "<%d>", rank);
    }
    lmd_parallel_gather_texts(session, &text, texts);
    for (int i = 0; i < ranks; i++) {
        CHECK(texts[i].size == (size_t)(3 * i));
        char wanted[16];
        (void)snprintf(wanted, sizeof wanted, "<%d>", i);
        CHECK(i == 0 || strncmp(lmd_text_string(&texts[i]), wanted, 3) == 0);
        lmd_text_clear(&texts[i]);
    }
    lmd_memory_free(texts);
    lmd_text_clear(&text);
}

static void test_sums(lmd_session *session)
{
    const int64_t rank = lmd_parallel_rank(session);
    const int64_t ranks = lmd_parallel_ranks(session);
    const size_t n = (SLICE >> 3) + 5;
    int64_t *const values = lmd_memory_new(n, sizeof *values);
    for (size_t i = 0; i < n; i++) {
        values[i] = (int64_t)i * (rank + 1) + (INT64_C(1) << 54);
    }
    lmd_parallel_reduce_int64(session, values, n);
    const int64_t sum_of_ranks = ranks * (ranks + 1) / 2;
    for (size_t i = 0; i < n; i++) {
        const int64_t own = (int64_t)i * (rank + 1) + (INT64_C(1) << 54);
        const int64_t sum = (int64_t)i * sum_of_ranks + ranks * (INT64_C(1) << 54);
        CHECK(values[i] == (rank == 0 ? sum : own));
        values[i] = rank - (int64_t)i;
    }
    lmd_parallel_sum_int64(session, values, n);
    for (size_t i = 0; i < n; i++) {
        CHECK(values[i] == ranks * (ranks - 1) / 2 - ranks * (int64_t)i);
    }
    lmd_memory_free(values);

    CHECK(lmd_parallel_max_int64(session, -rank - 5) == -5);
    CHECK(!(lmd_parallel_max_real(session, 0.5 * (double)rank) !=
            0.5 * (double)(ranks - 1)));
    CHECK(!(lmd_parallel_sum_real(session, 0.25) != 0.25 * (double)ranks));
    lmd_parallel_reduce_int64(session, NULL, 0);
    lmd_parallel_barrier(session);
}

int main(int argc, char **argv)
{
    lmd_session *const session = begin_test(&argc, &argv);
    test_session(session);
    test_topology(session);
    test_agree(session);
    test_broadcast(session);
    test_texts(session);
    test_sums(session);
    return end_test(session, "test_collective");
}
