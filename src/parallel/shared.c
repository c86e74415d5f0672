/* One copy of the weights a node: an MPI shared-memory window whose only part belongs to
 * the node's leader. MPI libraries keep it in /dev/shm, a file system in memory that
 * hands out pages when they are first written: a window that does not fit is created
 * gladly and kills the rank that fills it (SIGBUS). So its free space is asked before,
 * blocks that are promised but not yet filled are counted, and when it is not enough
 * every rank takes a private copy. */
#include "mpi_session.h"

#include <assert.h>              /* assert */
#include <lmdepth/base/log.h>    /* lmd_log_warn */
#include <lmdepth/base/memory.h> /* lmd_memory_new_aligned */
#include <stdint.h>              /* uintptr_t */
#include <stdlib.h>              /* getenv */
#include <string.h>              /* strcmp */
#include <sys/statvfs.h>         /* statvfs */

enum { ALIGNMENT = 64, SEGMENT_BYTES = 8 << 20 };

struct lmd_shared {
    lmd_session *session; /* borrowed */
    MPI_Win window;       /* owned, MPI_WIN_NULL for a private block */
    void *private_block;  /* owned, NULL for a shared block */
    void *memory;         /* borrowed from one of the two */
    size_t n_bytes;
    bool is_filled;
};

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

/* The leader's answer for its node: to share or not. */
static int may_share(const lmd_session *session, size_t n_bytes)
{
    const char *const wish = getenv("LMDEPTH_SHARED_MEMORY");
    if (n_bytes == 0 || (wish && strcmp(wish, "off") == 0)) {
        return 0;
    }
    const size_t n_free = free_shared_bytes(session);
    const size_t n_wanted = room_for(n_bytes, session->node_ranks);
    if (n_free >= n_wanted) {
        return 1;
    }
    lmd_log_warn("/dev/shm on %s has %zu MiB free and sharing %zu MiB wants %zu: each of "
                 "its %d ranks keeps a copy of its own",
                 session->host, n_free >> 20, n_bytes >> 20, n_wanted >> 20,
                 session->node_ranks);
    return 0;
}

/* The leader's part holds all; one gap at its front aligns it. Mappings begin at pages,
 * so the gap is the same for all ranks of the node. */
static void open_window(lmd_shared *shared)
{
    lmd_session *const session = shared->session;
    const bool is_leader = session->node_rank == LMD_ROOT;
    const MPI_Aint n_mine = is_leader ? (MPI_Aint)(shared->n_bytes + ALIGNMENT) : 0;
    MPI_Info info;
    char *start = NULL;
    LMD_MPI(MPI_Info_create(&info));
    LMD_MPI(MPI_Info_set(info, "alloc_shared_noncontig", "false"));
    LMD_MPI(MPI_Win_allocate_shared(n_mine, 1, info, session->node_comm, &start,
                                    &shared->window));
    LMD_MPI(MPI_Info_free(&info));
    LMD_MPI(MPI_Win_set_errhandler(shared->window, MPI_ERRORS_RETURN));
    LMD_MPI(MPI_Win_lock_all(MPI_MODE_NOCHECK, shared->window));

    MPI_Aint n_found = 0;
    int unit = 0;
    LMD_MPI(MPI_Win_shared_query(shared->window, LMD_ROOT, &n_found, &unit, &start));
    assert(n_found >= (MPI_Aint)(shared->n_bytes + ALIGNMENT));
    int gap = (int)(-(uintptr_t)start % ALIGNMENT);
    LMD_MPI(MPI_Bcast(&gap, 1, MPI_INT, LMD_ROOT, session->node_comm));
    shared->memory = start + gap;
    session->shared_unfilled += shared->n_bytes;
}

int lmd_shared_copies(lmd_session *session, size_t n_bytes)
{
    int is_to_share = 0;
    if (session->node_ranks > 1) {
        if (session->node_rank == LMD_ROOT) {
            is_to_share = may_share(session, n_bytes);
        }
        LMD_MPI(MPI_Bcast(&is_to_share, 1, MPI_INT, LMD_ROOT, session->node_comm));
    }
    return is_to_share ? 1 : session->node_ranks;
}

lmd_shared *lmd_shared_new(lmd_session *session, size_t n_bytes)
{
    lmd_shared *const shared = lmd_memory_new(1, sizeof *shared);
    *shared = (lmd_shared){session, MPI_WIN_NULL, NULL, NULL, n_bytes, false};
    if (lmd_shared_copies(session, n_bytes) < session->node_ranks) {
        open_window(shared);
    } else {
        shared->private_block = lmd_memory_new_aligned(n_bytes, 1);
        shared->memory = shared->private_block;
    }
    return shared;
}

/* The promise is kept, or the block is gone. */
static void end_promise(lmd_shared *shared)
{
    if (lmd_shared_is_shared(shared) && !shared->is_filled) {
        shared->session->shared_unfilled -= shared->n_bytes;
        shared->is_filled = true;
    }
}

void lmd_shared_free(lmd_shared *shared)
{
    if (!shared) {
        return;
    }
    if (lmd_shared_is_shared(shared)) {
        end_promise(shared);
        LMD_MPI(MPI_Win_unlock_all(shared->window));
        LMD_MPI(MPI_Win_free(&shared->window));
    }
    lmd_memory_free(shared->private_block);
    lmd_memory_free(shared);
}

void *lmd_shared_memory(const lmd_shared *shared)
{
    return shared->memory;
}

bool lmd_shared_is_mine_to_fill(const lmd_shared *shared)
{
    return !lmd_shared_is_shared(shared) || shared->session->node_rank == LMD_ROOT;
}

bool lmd_shared_is_shared(const lmd_shared *shared)
{
    return shared->window != MPI_WIN_NULL;
}

void lmd_shared_publish(lmd_shared *shared)
{
    if (!lmd_shared_is_shared(shared)) {
        return; /* everyone fills and reads its own */
    }
    LMD_MPI(MPI_Win_sync(shared->window)); /* the leader's stores are out */
    LMD_MPI(MPI_Barrier(shared->session->node_comm));
    LMD_MPI(MPI_Win_sync(shared->window)); /* and seen here */
    end_promise(shared);
}
