/* What hwloc knows of this node. It takes the system's affinity mask and control groups
 * into account. The topology is read anew for each question: nobody asks twice. */
#include "mpi_session.h"

#include <hwloc.h>               /* hwloc_topology_load */
#include <lmdepth/base/log.h>    /* lmd_log_warn */
#include <lmdepth/base/memory.h> /* lmd_memory_copy_text */
#include <lmdepth/base/text.h>   /* lmd_text_append_format */

/* False, with a warning, when the node can't be read. Then nothing is to be destroyed. */
static bool has_loaded(hwloc_topology_t *topology)
{
    if (hwloc_topology_init(topology) != 0) {
        lmd_log_warn("hwloc can't be started");
        return false;
    }
    if (hwloc_topology_load(*topology) != 0) {
        lmd_log_warn("hwloc can't read this node's topology");
        hwloc_topology_destroy(*topology);
        return false;
    }
    return true;
}

/* The processors this process is bound to, of those it may use at all. */
static hwloc_bitmap_t make_mask(hwloc_topology_t topology)
{
    hwloc_bitmap_t mask = hwloc_bitmap_alloc();
    const hwloc_const_bitmap_t allowed = hwloc_topology_get_allowed_cpuset(topology);
    if (!mask) {
        lmd_log_fatal(LMD_RESOURCE, "out of memory: a set of processors");
    }
    if (hwloc_get_cpubind(topology, mask, HWLOC_CPUBIND_PROCESS) != 0) {
        (void)hwloc_bitmap_copy(mask, allowed);
    }
    (void)hwloc_bitmap_and(mask, mask, allowed);
    return mask;
}

int lmd_parallel_processors(const lmd_session *session)
{
    (void)session;
    hwloc_topology_t topology;
    if (!has_loaded(&topology)) {
        return 1;
    }
    hwloc_bitmap_t mask = make_mask(topology);
    const int n = hwloc_bitmap_weight(mask);
    hwloc_bitmap_free(mask);
    hwloc_topology_destroy(topology);
    return n >= 1 ? n : 1;
}

/* One over the number of ranks that have a processor, summed over those of this rank,
 * n_ranks[] being the number of ranks that have each. */
static int share_of(hwloc_const_bitmap_t mask, const int *n_ranks, int n)
{
    double share = 0;
    for (int i = 0; i < n; i++) {
        share += hwloc_bitmap_isset(mask, (unsigned)i) ? 1.0 / n_ranks[i] : 0.0;
    }
    const int whole = (int)(share + 1e-6); /* 3 times 1/3 is 1 */
    return whole >= 1 ? whole : 1;
}

int lmd_parallel_share_of_processors(lmd_session *session)
{
    hwloc_topology_t topology;
    hwloc_bitmap_t mask = NULL;
    int n = 1;
    const bool is_known = has_loaded(&topology);
    if (is_known) {
        mask = make_mask(topology);
        n = hwloc_bitmap_last(hwloc_topology_get_complete_cpuset(topology)) + 1;
    }
    LMD_MPI(MPI_Allreduce(MPI_IN_PLACE, &n, 1, MPI_INT, MPI_MAX, session->node_comm));
    int *const n_ranks = lmd_memory_new((size_t)n, sizeof *n_ranks);
    for (int i = 0; is_known && i < n; i++) {
        n_ranks[i] = hwloc_bitmap_isset(mask, (unsigned)i);
    }
    LMD_MPI(
        MPI_Allreduce(MPI_IN_PLACE, n_ranks, n, MPI_INT, MPI_SUM, session->node_comm));
    const int share = is_known ? share_of(mask, n_ranks, n) : 1;
    lmd_memory_free(n_ranks);
    if (is_known) {
        hwloc_bitmap_free(mask);
        hwloc_topology_destroy(topology);
    }
    return share;
}

/* "2 cores"; nothing for what hwloc doesn't know. */
static void append_count(lmd_text *line, hwloc_topology_t topology, hwloc_obj_type_t type,
                         const char *name)
{
    const int n = hwloc_get_nbobjs_by_type(topology, type);
    if (n >= 1) {
        lmd_text_append_format(line, "%s%d %s%s", line->size ? ", " : "", n, name,
                               n == 1 ? "" : "s");
    }
}

char *lmd_parallel_describe_node(const lmd_session *session)
{
    (void)session;
    hwloc_topology_t topology;
    if (!has_loaded(&topology)) {
        return lmd_memory_copy_text("unknown");
    }
    lmd_text line = {0};
    append_count(&line, topology, HWLOC_OBJ_CORE, "core");
    if (hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PU) !=
        hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE)) {
        append_count(&line, topology, HWLOC_OBJ_PU, "hardware thread");
    }
    append_count(&line, topology, HWLOC_OBJ_PACKAGE, "socket");
    append_count(&line, topology, HWLOC_OBJ_NUMANODE, "NUMA domain");
    char *const text = lmd_memory_copy_text(lmd_text_string(&line));
    lmd_text_clear(&line);
    return text;
}
