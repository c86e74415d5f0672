/* A rank that raises the notice tells the root, and the root tells everyone: as many
 * messages as ranks, even when all of them raise it in the same moment (a time limit).
 *
 * Every rank but the root has a receive open for the root's one verdict, and gets it in
 * any case: "raised" as soon as it is, or "not raised" at the end. So nothing is left in
 * flight and nothing has to be cancelled there. */
#include "notice.h"

#include "mpi_session.h"
#include <lmdepth/base/memory.h> /* lmd_memory_new */

enum { TAG_RAISE = LMD_NOTICE_TAG, TAG_VERDICT };

struct lmd_notice {
    MPI_Comm comm; /* borrowed */
    int rank;
    int ranks;
    bool is_raised;
    int verdict;           /* root: what was sent; else: buffer of `incoming` */
    MPI_Request incoming;  /* root: a rank raises; else: the verdict */
    MPI_Request *outgoing; /* owned; (ranks) verdicts of the root;
                              [0] what another rank raises */
};

static void listen_for_raise(lmd_notice *notice)
{
    LMD_MPI(MPI_Irecv(NULL, 0, MPI_BYTE, MPI_ANY_SOURCE, TAG_RAISE, notice->comm,
                      &notice->incoming));
}

lmd_notice *lmd_notice_new(MPI_Comm comm)
{
    lmd_notice *const notice = lmd_memory_new(1, sizeof *notice);
    notice->comm = comm;
    LMD_MPI(MPI_Comm_rank(comm, &notice->rank));
    LMD_MPI(MPI_Comm_size(comm, &notice->ranks));
    const int n_outgoing = notice->rank == LMD_ROOT ? notice->ranks : 1;
    notice->outgoing = lmd_memory_new((size_t)n_outgoing, sizeof *notice->outgoing);
    for (int i = 0; i < n_outgoing; i++) {
        notice->outgoing[i] = MPI_REQUEST_NULL;
    }
    if (notice->rank == LMD_ROOT) {
        listen_for_raise(notice);
    } else {
        LMD_MPI(MPI_Irecv(&notice->verdict, 1, MPI_INT, LMD_ROOT, TAG_VERDICT, comm,
                          &notice->incoming));
    }
    return notice;
}

static void send_verdict(lmd_notice *notice, bool is_raised)
{
    notice->verdict = is_raised;
    for (int rank = 1; rank < notice->ranks; rank++) {
        LMD_MPI(MPI_Isend(&notice->verdict, 1, MPI_INT, rank, TAG_VERDICT, notice->comm,
                          &notice->outgoing[rank]));
    }
}

void lmd_notice_raise(lmd_notice *notice)
{
    if (notice->is_raised) {
        return;
    }
    notice->is_raised = true;
    if (notice->rank == LMD_ROOT) {
        send_verdict(notice, true);
    } else {
        /* Synchronous: once it is complete the root has it, and may close. */
        LMD_MPI(MPI_Issend(NULL, 0, MPI_BYTE, LMD_ROOT, TAG_RAISE, notice->comm,
                           &notice->outgoing[0]));
    }
}

/* The root takes in who raises; true as often as somebody did. */
static bool has_heard_raise(lmd_notice *notice)
{
    int has_come = 0;
    LMD_MPI(MPI_Test(&notice->incoming, &has_come, MPI_STATUS_IGNORE));
    if (has_come) {
        listen_for_raise(notice);
    }
    return has_come;
}

bool lmd_notice_is_raised(lmd_notice *notice)
{
    if (notice->rank == LMD_ROOT) {
        while (has_heard_raise(notice)) {
            lmd_notice_raise(notice);
        }
    } else if (!notice->is_raised) {
        int has_come = 0;
        LMD_MPI(MPI_Test(&notice->incoming, &has_come, MPI_STATUS_IGNORE));
        notice->is_raised = has_come && notice->verdict;
    }
    return notice->is_raised;
}

/* After all ranks have come: the verdict reaches those that do not have it yet. */
static void complete(lmd_notice *notice)
{
    if (notice->rank == LMD_ROOT) {
        if (!lmd_notice_is_raised(notice)) {
            send_verdict(notice, false);
        }
        LMD_MPI(MPI_Cancel(&notice->incoming));
        for (int rank = 1; rank < notice->ranks; rank++) {
            LMD_MPI(MPI_Wait(&notice->outgoing[rank], MPI_STATUS_IGNORE));
        }
    }
    LMD_MPI(MPI_Wait(&notice->incoming, MPI_STATUS_IGNORE));
}

void lmd_notice_close(lmd_notice *notice, void (*serve)(void *), void *context)
{
    MPI_Request barrier = MPI_REQUEST_NULL;
    int is_heard = 0; /* has the root what this rank raised? (nothing raised: yes) */
    int is_complete = 0;
    while (!is_complete) {
        serve(context);
        (void)lmd_notice_is_raised(notice);
        if (is_heard) {
            LMD_MPI(MPI_Test(&barrier, &is_complete, MPI_STATUS_IGNORE));
        } else {
            LMD_MPI(MPI_Test(&notice->outgoing[0], &is_heard, MPI_STATUS_IGNORE));
            if (is_heard) {
                LMD_MPI(MPI_Ibarrier(notice->comm, &barrier));
            }
        }
        lmd_parallel_nap();
    }
    complete(notice);
    lmd_memory_free(notice->outgoing);
    lmd_memory_free(notice);
}
