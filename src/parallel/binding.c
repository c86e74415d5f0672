/* Ranks and threads on the cores of a node. MPI starters bind in different ways, and two
 * of them make a program slow without a word: all threads of a rank on one core (Open
 * MPI's default for one or two ranks), and several ranks on the same cores. So the ranks
 * of a node tell each other where they may run, and what is wrong is said together with
 * what to type.
 *
 * Threads are bound only where each has a core that nobody else of this job may use: then
 * a move can only cost. Two jobs of one thread that begin on a whole machine must not be
 * bound to its first core both. */
#include "mpi_session.h"
#include "places.h"

#include <lmdepth/base/log.h>    /* lmd_log_warn */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <stdlib.h>              /* getenv */

const lmd_places *lmd_parallel_places(lmd_session *session)
{
    if (!session->places) {
        session->places = lmd_places_new();
    }
    return session->places;
}

/* ---- what the ranks of a node know of each other ---- */

/* Fills in what follows from the number of ranks and of threads on each core. */
static void weigh(lmd_binding *binding, const lmd_places *places, const int *n_ranks,
                  const double *loads, int n)
{
    double share = 0;
    binding->is_alone = true;
    for (int i = 0; i < binding->cores; i++) {
        const int core = lmd_places_core(places, i);
        share += 1.0 / n_ranks[core];
        binding->is_alone = binding->is_alone && n_ranks[core] == 1;
        binding->load = loads[core] > binding->load ? loads[core] : binding->load;
    }
    binding->share = share + 1e-6 >= 1 ? (int)(share + 1e-6) : 1; /* 3 thirds are 1 */
    for (int i = 0; i < n; i++) {
        binding->used_cores += n_ranks[i] > 0;
    }
}

lmd_binding lmd_parallel_binding(lmd_session *session, int threads)
{
    const lmd_places *const places = lmd_parallel_places(session);
    const MPI_Comm comm = session->node_comm;
    lmd_binding binding = {.threads = threads,
                           .cores = lmd_places_cores(places),
                           .node_ranks = session->node_ranks,
                           .node_cores = lmd_places_node_cores(places)};
    int n = lmd_places_last_core(places) + 1;
    LMD_MPI(MPI_Allreduce(MPI_IN_PLACE, &n, 1, MPI_INT, MPI_MAX, comm));
    int *const n_ranks = lmd_memory_new((size_t)n, sizeof *n_ranks);
    double *const loads = lmd_memory_new((size_t)n, sizeof *loads);
    for (int i = 0; i < binding.cores; i++) {
        n_ranks[lmd_places_core(places, i)] = 1;
        loads[lmd_places_core(places, i)] = (double)threads / binding.cores;
    }
    LMD_MPI(MPI_Allreduce(MPI_IN_PLACE, n_ranks, n, MPI_INT, MPI_SUM, comm));
    LMD_MPI(MPI_Allreduce(MPI_IN_PLACE, loads, n, MPI_DOUBLE, MPI_SUM, comm));
    LMD_MPI(MPI_Allreduce(MPI_IN_PLACE, &binding.node_cores, 1, MPI_INT, MPI_MAX, comm));
    weigh(&binding, places, n_ranks, loads, n);
    lmd_memory_free(loads);
    lmd_memory_free(n_ranks);
    return binding;
}

int lmd_parallel_share_of_processors(lmd_session *session)
{
    return lmd_parallel_binding(session, 0).share;
}

/* ---- the warning ---- */

static bool is_set(const char *variable)
{
    return getenv(variable) != NULL;
}

/* mpirun's processes inside Slurm have Slurm's variables too. */
static lmd_launcher find_launcher(void)
{
    return is_set("OMPI_COMM_WORLD_RANK") ? LMD_LAUNCHER_MPIRUN
           : is_set("SLURM_PROCID")       ? LMD_LAUNCHER_SRUN
           : is_set("PMI_RANK")           ? LMD_LAUNCHER_OTHER
                                          : LMD_LAUNCHER_NONE;
}

/* Cores that Slurm has not given to this job are nobody's fault. */
static bool is_bound_by_mpirun(void)
{
    return is_set("OMPI_MCA_orte_bound_at_launch") && !is_set("SLURM_JOB_ID");
}

void lmd_parallel_warn_of_binding(lmd_session *session, const lmd_binding *binding)
{
    enum { KIND, RANK };
    lmd_text text = {0};
    const int kind =
        lmd_binding_judge(binding, find_launcher(), is_bound_by_mpirun(), &text);
    const int mine[] = {[KIND] = kind, [RANK] = session->rank};
    int worst[] = {[KIND] = 0, [RANK] = 0};
    LMD_MPI(MPI_Allreduce(mine, worst, 1, MPI_2INT, MPI_MAXLOC, session->comm));
    if (worst[KIND] != 0 && worst[RANK] == session->rank) {
        lmd_log_warn("%s", lmd_text_string(&text));
    }
    lmd_text_clear(&text);
}

/* ---- threads ---- */

static void bind_member(void *context, int item, int member)
{
    (void)item;
    (void)lmd_places_bind(context, member); // where it can't be: as the system likes
}

static void release_member(void *context, int item, int member)
{
    (void)item;
    (void)member;
    (void)lmd_places_bind(context, -1);
}

bool lmd_parallel_bind_team(lmd_session *session, lmd_team *team)
{
    const lmd_binding binding = lmd_parallel_binding(session, lmd_team_size(team));
    const bool is_to_bind = lmd_binding_is_a_thread_a_core(&binding);
    if (is_to_bind) {
        lmd_team_run_each(team, bind_member, session->places);
    }
    return is_to_bind;
}

void lmd_parallel_release_team(lmd_session *session, lmd_team *team)
{
    lmd_team_run_each(team, release_member, session->places);
}
