/* Does a job's memory fit, before any work is done? Held against every limit that a
 * machine may set: the address space of a process (ulimit -v), the memory of the control
 * group (Slurm, containers; version 2 and 1), the memory that the node has free. What
 * fits may still fail later, when others take memory too; what does not fit never would
 * have worked. */

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app.h"

#define NO_LIMIT 1e18

/* What starting one rank takes of the address space at least (measured: Open MPI 4.1 and
 * its threads, 41 MB). */
#define MPI_BYTES 48e6

static const char of_process[] = "the limit of a process (ulimit -v)";

/* A number of bytes at the beginning of a file; NO_LIMIT when there is none ("max"). */
static double read_bytes(const char *path)
{
    double value = NO_LIMIT;
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        if (fscanf(file, "%lf", &value) != 1) {
            value = NO_LIMIT;
        }
        (void)fclose(file);
    }
    return value;
}

/* What the address space still holds: that in use now (statm counts pages) is taken off.
 */
static double address_space_left(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
        return NO_LIMIT;
    }
    const double used = read_bytes("/proc/self/statm") * (double)sysconf(_SC_PAGESIZE);
    return (double)limit.rlim_cur - (used < NO_LIMIT ? used : 0);
}

/* The tightest of a group and the groups round it. `path` is the group's folder below
 * `root`; it is shortened. */
static double group_left(const char *root, char *path, const char *limit_name,
                         const char *used_name)
{
    double least = NO_LIMIT;
    for (;;) {
        char file[600];
        (void)snprintf(file, sizeof file, "%s%s/%s", root, path, limit_name);
        const double limit = read_bytes(file);
        (void)snprintf(file, sizeof file, "%s%s/%s", root, path, used_name);
        const double used = read_bytes(file);
        if (limit < NO_LIMIT / 2 && used < NO_LIMIT / 2 && limit - used < least) {
            least = limit - used;
        }
        char *slash = strrchr(path, '/');
        if (slash == NULL) {
            return least;
        }
        *slash = '\0';
    }
}

static double control_group_left(void)
{
    double least = NO_LIMIT;
    FILE *groups = fopen("/proc/self/cgroup", "re");
    char line[400];
    while (groups != NULL && fgets(line, sizeof line, groups) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *path =
            strchr(line, ':') != NULL ? strchr(strchr(line, ':') + 1, ':') : NULL;
        if (path == NULL) {
            continue;
        }
        double left = NO_LIMIT;
        if (strncmp(line, "0::", 3) == 0) {
            left = group_left("/sys/fs/cgroup", path + 1, "memory.max", "memory.current");
        } else if (strstr(line, "memory") != NULL) {
            left = group_left("/sys/fs/cgroup/memory", path + 1, "memory.limit_in_bytes",
                              "memory.usage_in_bytes");
        }
        least = left < least ? left : least;
    }
    if (groups != NULL) {
        (void)fclose(groups);
    }
    return least;
}

static double node_left(void)
{
    double kilobytes = NO_LIMIT;
    FILE *file = fopen("/proc/meminfo", "re");
    char line[200];
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "MemAvailable: %lf kB", &kilobytes) == 1) {
            break;
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return kilobytes < NO_LIMIT ? kilobytes * 1024 : NO_LIMIT;
}

double lmd_limits_left(void)
{
    const double lefts[] = {address_space_left(), control_group_left(), node_left()};
    double least = NO_LIMIT;
    for (int i = 0; i < 3; i++) {
        least = lefts[i] < least ? lefts[i] : least;
    }
    return least;
}

double lmd_limits_private(void)
{
    double kilobytes = 0;
    FILE *file = fopen("/proc/self/status", "re");
    char line[200];
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "RssAnon: %lf kB", &kilobytes) == 1) {
            break;
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return kilobytes * 1024;
}

/* What others than we will take: MPI when it starts, the library of products. */
typedef struct others {
    double mpi, library;
} others;

static lmd_status refuse(const lmd_memory_plan *plan, int ranks, others also, double left,
                         const char *of_what)
{
    const double own = plan->engine + plan->counters;
    char mpi[40] = "", library[60] = "";
    if (also.mpi > 0) {
        (void)snprintf(mpi, sizeof mpi, " + MPI %.0f", also.mpi / 1e6);
    }
    if (also.library > 0) {
        (void)snprintf(library, sizeof library, " + OpenBLAS %.0f", also.library / 1e6);
    }
    return lmd_status_set(
        LMD_RESOURCE,
        "memory: %.0f MB are needed (weights %.0f + %d rank%s x (states and scratch %.0f "
        "+ counters %.0f)%s%s), but %s leaves %.0f MB",
        (plan->weights + ranks * own + also.mpi + also.library) / 1e6,
        plan->weights / 1e6, ranks, ranks == 1 ? "" : "s", plan->engine / 1e6,
        plan->counters / 1e6, mpi, library, of_what, left > 0 ? left / 1e6 : 0.0);
}

lmd_status lmd_limits_check(const lmd_memory_plan *plan, int node_ranks)
{
    const double own = plan->engine + plan->counters;
    const double one = plan->weights + own;
    const double threads = plan->threads - 1; // the place test has taken the first's
    const others also = {.library = plan->library * threads};
    const double all = plan->weights + own * node_ranks;
    const double space = address_space_left();
    const double group = control_group_left();
    const double node = node_left();
    if (one + also.library > space) {
        return refuse(plan, 1, also, space, of_process);
    }
    const others none = {0};
    if (all > group) {
        return refuse(plan, node_ranks, none, group, "the limit of this control group");
    }
    return all > node ? refuse(plan, node_ranks, none, node, "this node") : LMD_OK;
}

lmd_status lmd_limits_check_start(const lmd_job_arguments *arguments)
{
    const double space = address_space_left();
    lmd_inputs inputs;
    if (space >= NO_LIMIT) {
        return LMD_OK;
    }
    lmd_status status = LMD_OK; // what is wrong with the inputs is said when MPI runs
    if (lmd_inputs_open(&inputs, arguments) == LMD_OK) {
        const int threads = lmd_threads_choose(arguments->threads, 1);
        const lmd_memory_plan plan = lmd_plan_memory(&inputs, threads, 1);
        const double one = plan.weights + plan.engine + plan.counters;
        const others also = {.mpi = MPI_BYTES, .library = plan.library * plan.threads};
        if (one + also.mpi + also.library > space) {
            status = refuse(&plan, 1, also, space, of_process);
        }
    }
    lmd_inputs_clear(&inputs);
    return status;
}
