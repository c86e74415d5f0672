/* Ranks that may all use all of a node, which hwloc is told to see (HWLOC_SYNTHETIC):
 * what falls to each, and how loaded the cores are. test_threads does with this machine.
 */
#include "mpi_test.h"

#include <stdlib.h> /* setenv */

int main(int argc, char **argv)
{
    lmd_session *const session = begin_test(&argc, &argv);
    CHECK(setenv("HWLOC_SYNTHETIC", "package:2 numa:1 core:15 pu:2", 1) == 0);
    const int ranks = lmd_parallel_node_ranks(session);
    const int share = lmd_parallel_share_of_processors(session);
    CHECK(share == 30 / ranks);
    const lmd_binding fair = lmd_parallel_binding(session, share);
    CHECK(fair.cores == 30 && fair.node_cores == 30 && fair.used_cores == 30);
    CHECK(fair.is_alone == (ranks == 1) && fair.node_ranks == ranks);
    CHECK(fair.load < 1 + 1e-6 && fair.load > 0.9);
    const lmd_binding much = lmd_parallel_binding(session, 2 * share);
    CHECK(much.load > 1.8 && much.load < 2 + 1e-6);
    lmd_text text = {0};
    CHECK(lmd_binding_judge(&fair, LMD_LAUNCHER_MPIRUN, true, &text) == 0);
    CHECK(lmd_binding_judge(&much, LMD_LAUNCHER_MPIRUN, true, &text) != 0);
    lmd_text_clear(&text);
    lmd_parallel_warn_of_binding(session, &much); /* one line, of one rank */
    int n_unbound = 0;
    lmd_parallel_share_within(session, LMD_DOMAIN_SOCKET, &n_unbound);
    CHECK(n_unbound == ranks); /* nobody is bound to one of the two */
    CHECK(lmd_shared_copies(session, 1000) == 1);
    return end_test(session, "test_binding");
}
