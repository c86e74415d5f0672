/* Node-shared memory: what the leader writes everyone reads, in one block or, when it is
 * switched off, in private ones. (That it falls back by itself where /dev/shm is too
 * small is not tested here: it would take a file system of its own.) */
#include "mpi_test.h"

#include <stdint.h> /* uintptr_t */
#include <stdlib.h> /* setenv */

static void fill_and_read(lmd_shared *shared, size_t n, uint32_t seed)
{
    uint32_t *const words = lmd_shared_memory(shared);
    CHECK((uintptr_t)words % 64 == 0);
    if (lmd_shared_is_mine_to_fill(shared)) {
        for (size_t i = 0; i < n; i++) {
            words[i] = (uint32_t)i * 2654435761U + seed;
        }
    }
    lmd_shared_publish(shared);
    for (size_t i = 0; i < n; i++) {
        CHECK(words[i] == (uint32_t)i * 2654435761U + seed);
    }
}

/* In a shared block a store of one rank is seen by the others, in a private one not. */
static void check_who_sees(lmd_session *session, lmd_shared *shared)
{
    uint32_t *const words = lmd_shared_memory(shared);
    const bool is_leader = lmd_parallel_node_rank(session) == 0;
    CHECK(lmd_shared_is_mine_to_fill(shared) ==
          (is_leader || !lmd_shared_is_shared(shared)));
    lmd_parallel_barrier(session);
    if (lmd_shared_is_mine_to_fill(shared)) {
        words[0] = is_leader ? 7 : 8;
    }
    lmd_shared_publish(shared);
    CHECK(words[0] == (is_leader || lmd_shared_is_shared(shared) ? 7 : 8));
    lmd_parallel_barrier(session);
}

static void test_sizes(lmd_session *session, bool may_share)
{
    const size_t sizes[] = {1, 1000, 3 << 20};
    lmd_shared *blocks[3];
    for (int k = 0; k < 3; k++) {
        blocks[k] = lmd_shared_new(session, sizes[k] * sizeof(uint32_t));
        CHECK(may_share || !lmd_shared_is_shared(blocks[k]));
        CHECK(lmd_parallel_node_ranks(session) > 1 || !lmd_shared_is_shared(blocks[k]));
    }
    for (int k = 0; k < 3; k++) {
        fill_and_read(blocks[k], sizes[k], (uint32_t)k);
        check_who_sees(session, blocks[k]);
    }
    for (int k = 0; k < 3; k++) {
        lmd_shared_free(blocks[k]);
    }
}

int main(int argc, char **argv)
{
    lmd_session *const session = begin_test(&argc, &argv);
    CHECK(unsetenv("LMDEPTH_SHARED_MEMORY") == 0);
    test_sizes(session, true);
    CHECK(setenv("LMDEPTH_SHARED_MEMORY", "off", 1) == 0);
    test_sizes(session, false);
    lmd_shared_free(NULL);
    return end_test(session, "test_shared");
}
