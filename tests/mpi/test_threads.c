/* Threads on this machine's cores: each on one of its own when the rank has them for
 * itself, everywhere the rank may run when not, and afterwards. */
#include "mpi_test.h"

#include <sched.h> /* sched_getaffinity */

enum { MOST = 256 };

typedef struct places {
    cpu_set_t masks[MOST];
} places;

static void look(void *context, int item, int member)
{
    places *const seen = context;
    CHECK(item == member);
    CHECK(sched_getaffinity(0, sizeof seen->masks[item], &seen->masks[item]) == 0);
}

/* Inside the process's mask; one to one core each, or nobody to less than all. */
static void check_masks(const places *seen, int n, const cpu_set_t *all, bool is_bound)
{
    cpu_set_t taken;
    CPU_ZERO(&taken);
    for (int i = 0; i < n; i++) {
        cpu_set_t both;
        CPU_AND(&both, &seen->masks[i], all);
        CHECK(CPU_EQUAL(&both, &seen->masks[i]) && CPU_COUNT(&both) >= 1);
        CPU_AND(&both, &seen->masks[i], &taken);
        CHECK(is_bound ? CPU_COUNT(&both) == 0 : CPU_EQUAL(&seen->masks[i], all));
        CPU_OR(&taken, &taken, &seen->masks[i]);
    }
}

static void test_team(lmd_session *session, const cpu_set_t *all, int threads)
{
    static places seen;
    lmd_team *const team = lmd_team_new(threads);
    const lmd_binding binding = lmd_parallel_binding(session, threads);
    const bool is_bound = lmd_parallel_bind_team(session, team);
    CHECK(is_bound == (binding.is_alone && threads == binding.cores));
    lmd_team_run_each(team, look, &seen);
    check_masks(&seen, threads, all, is_bound);
    lmd_parallel_release_team(session, team);
    lmd_team_run_each(team, look, &seen);
    check_masks(&seen, threads, all, false);
    lmd_team_free(team);
}

int main(int argc, char **argv)
{
    lmd_session *const session = begin_test(&argc, &argv);
    cpu_set_t all;
    CHECK(sched_getaffinity(0, sizeof all, &all) == 0);
    const int cores = lmd_places_cores(lmd_parallel_places(session));
    for (int threads = 1; threads <= cores + 1 && threads <= MOST; threads++) {
        test_team(session, &all, threads);
    }
    return end_test(session, "test_threads");
}
