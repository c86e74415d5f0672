/* Shared memory: what the first rank of a group writes its group reads, in one block for
 * the node, in one for each group of ranks that pretend to be on a socket, or, when it is
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

/* Each group has a block of its own: its first rank's number is what all of it read. */
static void test_groups(lmd_session *session, int n_groups)
{
    const int ranks = lmd_parallel_node_ranks(session);
    const int group = lmd_parallel_node_rank(session) % n_groups;
    const int n_mine = (ranks - group + n_groups - 1) / n_groups;
    lmd_parallel_share_in_group(session, group);
    CHECK(lmd_shared_copies(session, 1000) == (ranks < n_groups ? ranks : n_groups));
    lmd_shared *blocks[2] = {lmd_shared_new(session, 1000), lmd_shared_new(session, 10)};
    for (int k = 0; k < 2; k++) {
        int *const words = lmd_shared_memory(blocks[k]);
        CHECK(lmd_shared_is_shared(blocks[k]) == (n_mine > 1));
        CHECK(lmd_shared_is_mine_to_fill(blocks[k]) ==
              (lmd_parallel_node_rank(session) == group));
        if (lmd_shared_is_mine_to_fill(blocks[k])) {
            words[1] = 100 * group + k;
        }
        lmd_shared_publish(blocks[k]);
        CHECK(words[1] == 100 * group + k);
    }
    lmd_shared_free(blocks[0]);
    lmd_shared_free(blocks[1]);
}

/* Every rank for itself, and back to one copy for all; what is not known is shared. */
static void test_domains(lmd_session *session)
{
    const int ranks = lmd_parallel_node_ranks(session);
    int n_unbound = -1;
    lmd_parallel_share_within(session, LMD_DOMAIN_RANK, &n_unbound);
    CHECK(n_unbound == 0 && lmd_shared_copies(session, 1000) == ranks);
    lmd_parallel_share_within(session, LMD_DOMAIN_SOCKET, &n_unbound);
    CHECK(n_unbound >= 0 && n_unbound <= lmd_parallel_ranks(session));
    CHECK(lmd_shared_copies(session, 1000) <= ranks);
    lmd_parallel_share_within(session, LMD_DOMAIN_NODE, &n_unbound);
    CHECK(n_unbound == 0 && lmd_shared_copies(session, 1000) == 1);
    CHECK(lmd_shared_copies(session, SIZE_MAX / 64) == ranks); /* no room: private */
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
    for (int n_groups = 1; n_groups <= 3; n_groups++) {
        test_groups(session, n_groups);
    }
    test_domains(session);
    CHECK(setenv("LMDEPTH_SHARED_MEMORY", "off", 1) == 0);
    test_sizes(session, false);
    lmd_shared_free(NULL);
    return end_test(session, "test_shared");
}
