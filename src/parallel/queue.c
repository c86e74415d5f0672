/* Tickets by messages to rank 0, which answers whenever it enters MPI.
 *
 * The other way would be one-sided: MPI_Rget_accumulate on a window at rank 0. A probe of
 * both on two cores, rank 0 computing and entering MPI every 2 ms, the other rank drawing
 * tickets of 8 ms of work; time lost a ticket, median of 1.5 s in microseconds:
 *
 *                                      asked after the work    asked before it
 *                                      messages   one-sided    messages  one-sided
 *   Open MPI 4.1, shared memory            2010           3           7          4
 *   Open MPI 4.1, --mca btl tcp,self       2010        2020          43       4010
 *   MPICH 4.0 (UCX), shared memory         2010        2010          12         25
 *
 * One-sided calls over TCP and in MPICH wait for rank 0's ticks as well (without any they
 * waited for as long as it computed). And over TCP Open MPI's request-based call blocks
 * inside itself, so that asking ahead hides nothing. Messages asked ahead cost next to
 * nothing everywhere, use what every MPI library does best, and let rank 0 tell all ranks
 * of a stop. test_busy_root keeps measuring.
 *
 * Asked ahead means before the last pack of a ticket, not before the first: a rank that
 * holds a second long ticket while it is slow with its first ends long after the others.
 * 16 ranks of 200 sleeps of 20 ms, one rank at half speed, all on one core that others
 * used as well (measure_queue; tail: what a mean rank waits at the end):
 *
 *   asked          waited for a ticket, mean and longest     tail
 *   before last                    0.06 ms, 0.2 ms          0.5 %
 *   before first                   0.14 ms,  14 ms          5.0 %
 *
 * (test_queue_plan finds 0.3 to 1.2 % without a clock.)
 *
 * A request is an empty message, the answer the counter. A rank that learns of a stop
 * drops the ticket it has asked for: the run will be repeated from its snapshot. */
#include "notice.h"

#include "mpi_session.h"
#include <assert.h>              /* assert */
#include <lmdepth/base/memory.h> /* lmd_memory_new */

enum { TAG_ASK = 1, TAG_ANSWER };

/* A message may take several entries into MPI from its arrival to the posted receive. */
enum { LOOKS = 4 };

/* Added to the counter by a stop: beyond any number of tickets. */
#define STOP_MARK (INT64_C(1) << 62)

struct lmd_queue {
    lmd_session *session; /* borrowed */
    MPI_Comm comm;        /* owned */
    lmd_notice *notice;   /* owned */
    int64_t n_tickets;
    int64_t next;  /* this rank's next ticket, once `answer` is complete */
    bool is_asked; /* or known without asking: the first */
    bool is_stopped;
    int64_t counter;    /* root: the next ticket to give away */
    MPI_Request asked;  /* root: an open receive for anyone's request */
    MPI_Request answer; /* else: the open receive for the answer, or none */
};

static bool is_root(const lmd_queue *queue)
{
    return queue->session->rank == LMD_ROOT;
}

static void listen_for_ask(lmd_queue *queue)
{
    LMD_MPI(MPI_Irecv(NULL, 0, MPI_BYTE, MPI_ANY_SOURCE, TAG_ASK, queue->comm,
                      &queue->asked));
}

lmd_queue *lmd_queue_new(lmd_session *session, int64_t n_tickets)
{
    assert(n_tickets >= 0 && n_tickets < STOP_MARK);
    lmd_queue *const queue = lmd_memory_new(1, sizeof *queue);
    queue->session = session;
    queue->comm = lmd_parallel_copy_comm(session->comm);
    queue->notice = lmd_notice_new(queue->comm);
    queue->n_tickets = n_tickets;
    queue->next = session->rank;
    queue->is_asked = true;
    queue->counter = session->ranks;
    queue->asked = MPI_REQUEST_NULL;
    queue->answer = MPI_REQUEST_NULL;
    if (is_root(queue)) {
        listen_for_ask(queue);
    }
    return queue;
}

/* Takes note of a stop, once. */
static void hear_stop(lmd_queue *queue)
{
    if (!queue->is_stopped && lmd_notice_is_raised(queue->notice)) {
        queue->is_stopped = true;
        queue->counter += STOP_MARK;
    }
}

/* Root: answers one request, if there is one. The answer finds its receive open, so this
 * send does not wait for the other rank. */
static bool has_answered(lmd_queue *queue)
{
    int has_come = 0;
    MPI_Status status;
    LMD_MPI(MPI_Test(&queue->asked, &has_come, &status));
    if (has_come) {
        listen_for_ask(queue);
        const int64_t ticket = queue->counter++;
        LMD_MPI(MPI_Send(&ticket, 1, MPI_INT64_T, status.MPI_SOURCE, TAG_ANSWER,
                         queue->comm));
    }
    return has_come;
}

void lmd_queue_tick(void *context)
{
    lmd_queue *const queue = context;
    hear_stop(queue);
    if (is_root(queue)) {
        for (int look = 0; look < LOOKS; look++) {
            while (has_answered(queue)) {
                look = 0;
            }
        }
    }
}

/* The root need not ask: it takes a ticket when it wants one. */
void lmd_queue_ask(lmd_queue *queue)
{
    if (!queue->is_asked && !is_root(queue) && queue->next < queue->n_tickets) {
        LMD_MPI(MPI_Irecv(&queue->next, 1, MPI_INT64_T, LMD_ROOT, TAG_ANSWER, queue->comm,
                          &queue->answer));
        LMD_MPI(MPI_Send(NULL, 0, MPI_BYTE, LMD_ROOT, TAG_ASK, queue->comm));
        queue->is_asked = true;
    }
}

int64_t lmd_queue_next(lmd_queue *queue)
{
    lmd_queue_ask(queue);
    LMD_MPI(MPI_Wait(&queue->answer, MPI_STATUS_IGNORE));
    lmd_queue_tick(queue);
    if (is_root(queue) && !queue->is_asked) {
        queue->next = queue->counter++;
    }
    queue->is_stopped = queue->is_stopped || queue->next >= STOP_MARK;
    queue->is_asked = false;
    // Once at the end, always at the end: `next` only grows.
    return queue->is_stopped || queue->next >= queue->n_tickets ? -1 : queue->next;
}

int64_t lmd_queue_given(const lmd_queue *queue)
{
    assert(is_root(queue));
    const int64_t given =
        queue->counter >= STOP_MARK ? queue->counter - STOP_MARK : queue->counter;
    return given < queue->n_tickets ? given : queue->n_tickets;
}

void lmd_queue_stop(lmd_queue *queue)
{
    lmd_notice_raise(queue->notice);
    hear_stop(queue);
}

bool lmd_queue_is_stopped(const lmd_queue *queue)
{
    return queue->is_stopped;
}

void lmd_queue_free(lmd_queue *queue)
{
    if (!queue) {
        return;
    }
    LMD_MPI(MPI_Wait(&queue->answer, MPI_STATUS_IGNORE)); /* asked for and not taken */
    lmd_notice_close(queue->notice, lmd_queue_tick, queue);
    if (is_root(queue)) {
        LMD_MPI(MPI_Cancel(&queue->asked));
        LMD_MPI(MPI_Wait(&queue->asked, MPI_STATUS_IGNORE));
    }
    LMD_MPI(MPI_Comm_free(&queue->comm));
    lmd_memory_free(queue);
}
