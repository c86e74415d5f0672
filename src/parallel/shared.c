/* Copies of the weights on a node: one for all its ranks, or one for those of a socket or
 * NUMA domain. A copy of several ranks is an MPI shared-memory window whose only part
 * belongs to the group's first rank. MPI libraries keep it in /dev/shm, a file system in
 * memory that hands out pages when they are first written: a window that does not fit is
 * created gladly and kills the rank that fills it (SIGBUS). So its free space is asked
 * before, blocks that are promised but not yet filled are counted, and when it is not
 * enough every rank takes a private copy.
 *
 * A rank that is a group alone takes private memory in large pages: /dev/shm has pages of
 * 4 KiB unless it is mounted with `huge=advise`, and a product over such memory was seen
 * to run 12 % slower (one core, matrices that no cache holds).
 *
 * Where the ranks of a copy are on several NUMA domains its pages are laid over these by
 * turns, so that no domain's memory serves all; else the first to write has it near. */
#include "mpi_session.h"
#include "places.h"

#include <assert.h>              /* assert */
#include <errno.h>               /* errno */
#include <lmdepth/base/log.h>    /* lmd_log_warn */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <stdint.h>              /* uintptr_t */
#include <stdlib.h>              /* getenv */
#include <string.h>              /* strcmp, strerror */
#include <sys/mman.h>            /* mmap, madvise */
#include <sys/statvfs.h>         /* statvfs */

enum { ALIGNMENT = 64, SEGMENT_BYTES = 8 << 20, LARGE_PAGE = 2 << 20 };

struct lmd_shared {
    lmd_session *session; /* borrowed */
    MPI_Win window;       /* owned, MPI_WIN_NULL for a private block */
    char *mapping;        /* owned, NULL for a shared block */
    size_t n_mapped;
    void *memory; /* borrowed from one of the two */
    size_t n_bytes;
    size_t n_promised; /* bytes of all groups of the node with this block */
};

/* ---- who shares ---- */

/* Those that share, and on the node how many groups and ranks alone there are. */
static void count_groups(lmd_session *session)
{
    LMD_MPI(MPI_Comm_set_errhandler(session->share_comm, MPI_ERRORS_RETURN));
    LMD_MPI(MPI_Comm_rank(session->share_comm, &session->share_rank));
    LMD_MPI(MPI_Comm_size(session->share_comm, &session->share_ranks));
    int counts[] = {session->share_rank == LMD_ROOT && session->share_ranks > 1,
                    session->share_ranks == 1};
    LMD_MPI(MPI_Allreduce(MPI_IN_PLACE, counts, 2, MPI_INT, MPI_SUM, session->node_comm));
    session->share_groups = counts[0];
    session->share_singles = counts[1];
}

void lmd_parallel_share_in_group(lmd_session *session, int group)
{
    if (session->share_comm != MPI_COMM_NULL) {
        LMD_MPI(MPI_Comm_free(&session->share_comm));
    }
    LMD_MPI(MPI_Comm_split(session->node_comm, group, session->node_rank,
                           &session->share_comm));
    count_groups(session);
}

void lmd_parallel_share_within(lmd_session *session, lmd_domain domain, int *n_unbound)
{
    const int place = domain == LMD_DOMAIN_RANK
                          ? session->node_rank
                          : lmd_places_domain(lmd_parallel_places(session), domain);
    int64_t n = place < 0;
    lmd_parallel_sum_int64(session, &n, 1);
    session->share_domain = domain;
    lmd_parallel_share_in_group(session, place + 1);
    *n_unbound = (int)n;
}

/* ---- room ---- */

/* What is to be free for a block of n_bytes: a sixteenth more, and what MPI itself may
 * yet write there (Open MPI 4.1 and MPICH 4.0 take 4 MiB a rank). */
static size_t room_for(size_t n_bytes, int node_ranks)
{
    return n_bytes + n_bytes / 16 + (size_t)node_ranks * SEGMENT_BYTES;
}

/* Bytes of /dev/shm that are neither written nor promised; 0 where there is none. */
static size_t free_shared_bytes(const lmd_session *session)
{
    struct statvfs volume;
    if (statvfs("/dev/shm", &volume) != 0) {
        return 0;
    }
    const size_t n_free = (size_t)volume.f_bavail * (size_t)volume.f_frsize;
    return n_free > session->shared_unfilled ? n_free - session->shared_unfilled : 0;
}

/* The node leader's answer for its node: to share or not. */
static int may_share(const lmd_session *session, size_t n_bytes)
{
    const char *const wish = getenv("LMDEPTH_SHARED_MEMORY");
    if (session->share_groups == 0 || n_bytes == 0 ||
        (wish && strcmp(wish, "off") == 0)) {
        return 0;
    }
    const size_t n_free = free_shared_bytes(session);
    const size_t n_all = n_bytes * (size_t)session->share_groups;
    const size_t n_wanted = room_for(n_all, session->node_ranks);
    if (n_free >= n_wanted) {
        return 1;
    }
    lmd_log_warn("/dev/shm on %s has %zu MiB free and sharing %zu MiB wants %zu: each of "
                 "its %d ranks keeps a copy of its own",
                 session->host, n_free >> 20, n_all >> 20, n_wanted >> 20,
                 session->node_ranks);
    return 0;
}

/* Collective on the node. */
static bool is_to_share(lmd_session *session, size_t n_bytes)
{
    int answer = 0;
    if (session->node_rank == LMD_ROOT) {
        answer = may_share(session, n_bytes);
    }
    LMD_MPI(MPI_Bcast(&answer, 1, MPI_INT, LMD_ROOT, session->node_comm));
    return answer != 0;
}

int lmd_shared_copies(lmd_session *session, size_t n_bytes)
{
    return is_to_share(session, n_bytes) ? session->share_groups + session->share_singles
                                         : session->node_ranks;
}

/* ---- blocks ---- */

/* Before anyone has written: pages as large as may be, over the NUMA domains of those
 * that use them. */
static void advise(const lmd_session *session, lmd_domain domain, char *start,
                   size_t n_bytes)
{
    const size_t gap = -(uintptr_t)start % LARGE_PAGE;
    if (n_bytes >= gap + LARGE_PAGE) {
        (void)madvise(start + gap, (n_bytes - gap) / LARGE_PAGE * LARGE_PAGE,
                      MADV_HUGEPAGE); // a wish
    }
    (void)lmd_places_spread(session->places, domain, start, n_bytes);
}

/* The first rank's part holds all; one gap at its front aligns it. Mappings begin at
 * pages, so the gap is the same for all ranks of the group. */
static void open_window(lmd_shared *shared)
{
    lmd_session *const session = shared->session;
    const bool is_leader = session->share_rank == LMD_ROOT;
    const MPI_Aint n_mine = is_leader ? (MPI_Aint)(shared->n_bytes + ALIGNMENT) : 0;
    MPI_Info info;
    char *start = NULL;
    LMD_MPI(MPI_Info_create(&info));
    LMD_MPI(MPI_Info_set(info, "alloc_shared_noncontig", "false"));
    LMD_MPI(MPI_Win_allocate_shared(n_mine, 1, info, session->share_comm, &start,
                                    &shared->window));
    LMD_MPI(MPI_Info_free(&info));
    LMD_MPI(MPI_Win_set_errhandler(shared->window, MPI_ERRORS_RETURN));
    LMD_MPI(MPI_Win_lock_all(MPI_MODE_NOCHECK, shared->window));

    MPI_Aint n_found = 0;
    int unit = 0;
    LMD_MPI(MPI_Win_shared_query(shared->window, LMD_ROOT, &n_found, &unit, &start));
    assert(n_found >= (MPI_Aint)(shared->n_bytes + ALIGNMENT));
    int gap = (int)(-(uintptr_t)start % ALIGNMENT);
    LMD_MPI(MPI_Bcast(&gap, 1, MPI_INT, LMD_ROOT, session->share_comm));
    shared->memory = start + gap;
    advise(session, session->share_domain, start, (size_t)n_found);
}

/* Zeroed by the system when it is written to, and not before. */
static void open_mapping(lmd_shared *shared)
{
    const size_t n_whole = (shared->n_bytes + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
    shared->n_mapped = n_whole + LARGE_PAGE;
    shared->mapping = mmap(NULL, shared->n_mapped, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (shared->mapping == MAP_FAILED) {
        lmd_log_fatal(LMD_RESOURCE, "out of memory: %zu bytes for weights: %s",
                      shared->n_bytes, strerror(errno));
    }
    char *const start = shared->mapping + -(uintptr_t)shared->mapping % LARGE_PAGE;
    shared->memory = start;
    advise(shared->session, LMD_DOMAIN_RANK, start, n_whole);
}

lmd_shared *lmd_shared_new(lmd_session *session, size_t n_bytes)
{
    lmd_shared *const shared = lmd_memory_new(1, sizeof *shared);
    *shared =
        (lmd_shared){.session = session, .window = MPI_WIN_NULL, .n_bytes = n_bytes};
    (void)lmd_parallel_places(session);
    const bool shares = is_to_share(session, n_bytes);
    if (shares) {
        shared->n_promised = n_bytes * (size_t)session->share_groups;
        session->shared_unfilled += shared->n_promised;
    }
    if (shares && session->share_ranks > 1) {
        open_window(shared);
    } else {
        open_mapping(shared);
    }
    return shared;
}

/* The promise is kept, or the block is gone. */
static void end_promise(lmd_shared *shared)
{
    shared->session->shared_unfilled -= shared->n_promised;
    shared->n_promised = 0;
}

void lmd_shared_free(lmd_shared *shared)
{
    if (!shared) {
        return;
    }
    end_promise(shared);
    if (lmd_shared_is_shared(shared)) {
        LMD_MPI(MPI_Win_unlock_all(shared->window));
        LMD_MPI(MPI_Win_free(&shared->window));
    }
    if (shared->mapping) {
        (void)munmap(shared->mapping, shared->n_mapped);
    }
    lmd_memory_free(shared);
}

void *lmd_shared_memory(const lmd_shared *shared)
{
    return shared->memory;
}

bool lmd_shared_is_mine_to_fill(const lmd_shared *shared)
{
    return !lmd_shared_is_shared(shared) || shared->session->share_rank == LMD_ROOT;
}

bool lmd_shared_is_shared(const lmd_shared *shared)
{
    return shared->window != MPI_WIN_NULL;
}

void lmd_shared_publish(lmd_shared *shared)
{
    if (lmd_shared_is_shared(shared)) {
        LMD_MPI(MPI_Win_sync(shared->window)); /* the first rank's stores are out */
    }
    LMD_MPI(MPI_Barrier(shared->session->node_comm)); /* groups keep promises together */
    if (lmd_shared_is_shared(shared)) {
        LMD_MPI(MPI_Win_sync(shared->window)); /* and seen here */
    }
    end_promise(shared);
}
