/* Processors of a node as hwloc sees them, and the part of them that this process may
 * use. Nothing here speaks MPI, so that it can be tested on nodes that are only
 * described ("package:2 numa:2 core:14 pu:2").
 *
 * Counted are cores: the tile kernels fill a core's vector units, so two hardware threads
 * of one core share what one gets alone. Ranks tell each other of a core by the system's
 * number of its first hardware thread: hwloc's own numbers differ between ranks that see
 * different parts of a node (a control group a task). */
#include "places.h"

#include <hwloc.h>               /* hwloc_topology_t */
#include <lmdepth/base/log.h>    /* lmd_log_warn */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <lmdepth/base/text.h>   /* lmd_text_append_format */

struct lmd_places {
    hwloc_topology_t topology; /* owned */
    hwloc_bitmap_t mask;       /* owned: hardware threads that this process may use */
    hwloc_obj_t *cores;        /* (n_cores) owned: those that the mask touches */
    int n_cores;
    int n_node_cores;
};

__attribute__((noreturn)) static void end_without_memory(void)
{
    lmd_log_fatal(LMD_RESOURCE, "out of memory: a set of processors");
}

/* Some virtual machines tell of hardware threads alone. */
static hwloc_obj_type_t core_type(hwloc_topology_t topology)
{
    return hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE) > 0 ? HWLOC_OBJ_CORE
                                                                  : HWLOC_OBJ_PU;
}

static void list_cores(lmd_places *places)
{
    const hwloc_obj_type_t type = core_type(places->topology);
    places->n_node_cores = hwloc_get_nbobjs_by_type(places->topology, type);
    places->cores = lmd_memory_new((size_t)places->n_node_cores, sizeof *places->cores);
    for (int i = 0; i < places->n_node_cores; i++) {
        const hwloc_obj_t core =
            hwloc_get_obj_by_type(places->topology, type, (unsigned)i);
        if (hwloc_bitmap_intersects(core->cpuset, places->mask)) {
            places->cores[places->n_cores++] = core;
        }
    }
}

/* NULL when there is none of that description. */
static lmd_places *load(const char *synthetic, const char *mask)
{
    lmd_places *const places = lmd_memory_new(1, sizeof *places);
    places->mask = hwloc_bitmap_alloc();
    if (!places->mask || hwloc_topology_init(&places->topology) != 0) {
        end_without_memory();
    }
    if ((synthetic && hwloc_topology_set_synthetic(places->topology, synthetic) != 0) ||
        hwloc_topology_load(places->topology) != 0) {
        lmd_places_free(places);
        return NULL;
    }
    const hwloc_const_bitmap_t allowed =
        hwloc_topology_get_allowed_cpuset(places->topology);
    const int error =
        mask ? hwloc_bitmap_list_sscanf(places->mask, mask)
             : hwloc_get_cpubind(places->topology, places->mask, HWLOC_CPUBIND_PROCESS);
    if (error != 0 || !hwloc_bitmap_intersects(places->mask, allowed)) {
        (void)hwloc_bitmap_copy(places->mask, allowed);
    }
    (void)hwloc_bitmap_and(places->mask, places->mask, allowed);
    list_cores(places);
    return places;
}

lmd_places *lmd_places_new(void)
{
    lmd_places *const places = load(NULL, NULL);
    if (places) {
        return places;
    }
    lmd_log_warn("hwloc can't read this node's topology: one core is assumed");
    return load("core:1 pu:1", NULL);
}

lmd_places *lmd_places_new_synthetic(const char *description, const char *mask)
{
    return load(description, mask);
}

void lmd_places_free(lmd_places *places)
{
    if (places) {
        lmd_memory_free(places->cores);
        hwloc_bitmap_free(places->mask);
        hwloc_topology_destroy(places->topology);
        lmd_memory_free(places);
    }
}

int lmd_places_cores(const lmd_places *places)
{
    return places->n_cores;
}

int lmd_places_node_cores(const lmd_places *places)
{
    return places->n_node_cores;
}

int lmd_places_core(const lmd_places *places, int i)
{
    return hwloc_bitmap_first(places->cores[i]->complete_cpuset);
}

int lmd_places_last_core(const lmd_places *places)
{
    return hwloc_bitmap_last(hwloc_topology_get_complete_cpuset(places->topology));
}

/* ---- domains ---- */

/* The first object of a type whose processors hold all of `set`; NULL when none does. */
static hwloc_obj_t object_round(const lmd_places *places, hwloc_obj_type_t type,
                                hwloc_const_bitmap_t set)
{
    const int n = hwloc_get_nbobjs_by_type(places->topology, type);
    for (int i = 0; i < n; i++) {
        const hwloc_obj_t object =
            hwloc_get_obj_by_type(places->topology, type, (unsigned)i);
        if (hwloc_bitmap_isincluded(set, object->cpuset)) {
            return object;
        }
    }
    return NULL;
}

int lmd_places_domain(const lmd_places *places, lmd_domain domain)
{
    const hwloc_obj_type_t type =
        domain == LMD_DOMAIN_SOCKET ? HWLOC_OBJ_PACKAGE : HWLOC_OBJ_NUMANODE;
    if (domain != LMD_DOMAIN_SOCKET && domain != LMD_DOMAIN_NUMA) {
        return 0;
    }
    const hwloc_obj_t object = object_round(places, type, places->mask);
    return !object                                   ? -1
           : object->os_index == HWLOC_UNKNOWN_INDEX ? (int)object->logical_index
                                                     : (int)object->os_index;
}

/* The processors of the domain that this process is in: its own where it is in none. */
static hwloc_const_bitmap_t processors_of(const lmd_places *places, lmd_domain domain)
{
    if (domain == LMD_DOMAIN_NODE) {
        return hwloc_topology_get_allowed_cpuset(places->topology);
    }
    const hwloc_obj_t socket = object_round(places, HWLOC_OBJ_PACKAGE, places->mask);
    return domain == LMD_DOMAIN_SOCKET && socket ? socket->cpuset : places->mask;
}

int lmd_places_spread(const lmd_places *places, lmd_domain domain, void *memory,
                      size_t n_bytes)
{
    hwloc_bitmap_t nodes = hwloc_bitmap_alloc();
    if (!nodes) {
        end_without_memory();
    }
    hwloc_cpuset_to_nodeset(places->topology, processors_of(places, domain), nodes);
    const int n_nodes = hwloc_bitmap_weight(nodes);
    if (n_nodes > 1 && memory) {
        // Where the system refuses, pages lie where they are first written.
        (void)hwloc_set_area_membind(places->topology, memory, n_bytes, nodes,
                                     HWLOC_MEMBIND_INTERLEAVE, HWLOC_MEMBIND_BYNODESET);
    }
    hwloc_bitmap_free(nodes);
    return n_nodes;
}

/* ---- ranks x threads ---- */

/* Cores of each NUMA domain that this process may use; the caller frees. Domains without
 * processors of their own (memory alone) stay at 0. */
static int *count_by_domain(const lmd_places *places, int *n_domains)
{
    const int n = hwloc_get_nbobjs_by_type(places->topology, HWLOC_OBJ_NUMANODE);
    int *const counts = lmd_memory_new((size_t)n, sizeof *counts);
    for (int i = 0; i < places->n_cores; i++) {
        const hwloc_obj_t domain =
            object_round(places, HWLOC_OBJ_NUMANODE, places->cores[i]->cpuset);
        counts[domain ? domain->logical_index : 0]++;
    }
    *n_domains = n;
    return counts;
}

/* Ranks of so many threads that fit, none across a border. */
static int ranks_of(const int *counts, int n, int threads)
{
    int ranks = 0;
    for (int i = 0; i < n; i++) {
        ranks += counts[i] / threads;
    }
    return ranks;
}

void lmd_places_suggest(const lmd_places *places, int most_threads, bool may_span,
                        int *ranks, int *threads)
{
    int n = 0;
    int *const counts = count_by_domain(places, &n);
    if (may_span) {
        counts[0] = places->n_cores;
        n = 1;
    }
    int largest = 0;
    for (int i = 0; i < n; i++) {
        largest = counts[i] > largest ? counts[i] : largest;
    }
    *threads = most_threads < largest ? most_threads : largest;
    // At most a tenth of the cores may be left over; one thread leaves none.
    while (10 * ranks_of(counts, n, *threads) * *threads < 9 * places->n_cores) {
        (*threads)--;
    }
    *ranks = ranks_of(counts, n, *threads);
    lmd_memory_free(counts);
}

/* ---- binding ---- */

bool lmd_places_bind(const lmd_places *places, int i)
{
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    if (!set) {
        end_without_memory();
    }
    if (i >= 0) {
        (void)hwloc_bitmap_and(set, places->cores[i]->cpuset, places->mask);
    } else {
        (void)hwloc_bitmap_copy(set, places->mask);
    }
    const int error = hwloc_set_cpubind(places->topology, set, HWLOC_CPUBIND_THREAD);
    hwloc_bitmap_free(set);
    return error == 0;
}

/* ---- description ---- */

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

char *lmd_places_describe(const lmd_places *places)
{
    const hwloc_topology_t topology = places->topology;
    lmd_text line = {0};
    append_count(&line, topology, HWLOC_OBJ_CORE, "core");
    if (hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PU) != places->n_node_cores ||
        line.size == 0) {
        append_count(&line, topology, HWLOC_OBJ_PU, "hardware thread");
    }
    append_count(&line, topology, HWLOC_OBJ_PACKAGE, "socket");
    append_count(&line, topology, HWLOC_OBJ_NUMANODE, "NUMA domain");
    char *const text = lmd_memory_copy_text(lmd_text_string(&line));
    lmd_text_clear(&line);
    return text;
}
