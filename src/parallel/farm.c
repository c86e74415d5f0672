/* Pieces of work without a master: whoever has nothing of its own to do asks the others
 * in turn, and a rank that is asked reads the next piece of its sources and hands it
 * over, also in the middle of a piece of its own (in its ticks). So one reader of one big
 * file feeds all ranks, and works itself while nobody asks.
 *
 * A rank asks one other at a time and does nothing but wait for the answer: so a piece
 * can be handed over by plain blocking sends, the receiver is always there. Sends that go
 * on in the background would move only a few fragments a tick, and the one who is free
 * would wait. Memory: the piece a rank works on and the one it hands over.
 *
 * Sources that are exhausted stay so: a rank that has the answer "nothing more" of all
 * others is through. It still answers (nothing) until everyone is, then all leave. */
#include "notice.h"

#include "mpi_session.h"
#include <lmdepth/base/memory.h> /* lmd_memory_new */

enum { TAG_ASK = 1, TAG_ANSWER, TAG_PIECE };

enum { LOOKS = 4 }; /* as in queue.c */

enum { NOTHING_MORE = -1 };

struct lmd_farm {
    lmd_session *session;        /* borrowed */
    const lmd_farm_calls *calls; /* borrowed */
    MPI_Comm comm;               /* owned */
    lmd_notice *notice;          /* owned: a rank has failed */
    lmd_status status;           /* of this rank's first failure */
    char *message;               /* owned: its text; NULL without */
    lmd_text piece;              /* owned: the next of the own sources to work on */
    bool has_first;
    bool is_exhausted;   /* the own sources */
    bool is_reading;     /* a tick inside `read` serves nobody */
    char *may_have_more; /* owned, (ranks) */
    MPI_Request asked;   /* an open receive for anyone's request */
};

/* Keeps the first failure: later calls may overwrite this thread's message. */
static void take_status(lmd_farm *farm, lmd_status status)
{
    if (status != LMD_OK && farm->status == LMD_OK) {
        farm->status = status;
        farm->message = lmd_memory_copy_text(lmd_status_message());
        farm->is_exhausted = true;
    }
}

/* The next piece of this rank's sources; false when there is none. */
static bool has_read(lmd_farm *farm, lmd_text *piece)
{
    if (farm->is_exhausted) {
        return false;
    }
    bool has_more = false;
    farm->is_reading = true;
    take_status(farm, farm->calls->read(farm->calls->context, piece, &has_more));
    farm->is_reading = false;
    farm->is_exhausted = farm->is_exhausted || !has_more;
    if (farm->is_exhausted) {
        lmd_text_clear(piece);
    }
    return !farm->is_exhausted;
}

static void do_piece(lmd_farm *farm, lmd_text *piece)
{
    take_status(farm, farm->calls->work(farm->calls->context, piece));
    lmd_text_clear(piece);
}

static void listen_for_ask(lmd_farm *farm)
{
    LMD_MPI(
        MPI_Irecv(NULL, 0, MPI_BYTE, MPI_ANY_SOURCE, TAG_ASK, farm->comm, &farm->asked));
}

/* The size, then the bytes in slices. */
static void send_piece(lmd_farm *farm, int rank, const lmd_text *piece)
{
    const int64_t n_bytes = (int64_t)piece->size;
    LMD_MPI(MPI_Send(&n_bytes, 1, MPI_INT64_T, rank, TAG_ANSWER, farm->comm));
    for (size_t offset = 0; offset < piece->size; offset += LMD_SLICE_BYTES) {
        LMD_MPI(MPI_Send(piece->bytes + offset, lmd_parallel_slice(piece->size, offset),
                         MPI_BYTE, rank, TAG_PIECE, farm->comm));
    }
}

static void receive_piece(lmd_farm *farm, int rank, size_t n_bytes, lmd_text *piece)
{
    char *const bytes = lmd_text_reserve(piece, n_bytes);
    for (size_t offset = 0; offset < n_bytes; offset += LMD_SLICE_BYTES) {
        LMD_MPI(MPI_Recv(bytes + offset, lmd_parallel_slice(n_bytes, offset), MPI_BYTE,
                         rank, TAG_PIECE, farm->comm, MPI_STATUS_IGNORE));
    }
    piece->size = n_bytes;
}

/* Answers one request, if there is one, with a piece or "nothing more". */
static bool has_answered(lmd_farm *farm)
{
    int has_come = 0;
    MPI_Status status;
    LMD_MPI(MPI_Test(&farm->asked, &has_come, &status));
    if (!has_come) {
        return false;
    }
    listen_for_ask(farm);
    lmd_text piece = {0};
    if (has_read(farm, &piece)) {
        send_piece(farm, status.MPI_SOURCE, &piece);
        lmd_text_clear(&piece);
    } else {
        const int64_t nothing = NOTHING_MORE;
        LMD_MPI(MPI_Send(&nothing, 1, MPI_INT64_T, status.MPI_SOURCE, TAG_ANSWER,
                         farm->comm));
    }
    return true;
}

static void serve(void *context)
{
    lmd_farm *const farm = context;
    if (farm->status != LMD_OK) {
        lmd_notice_raise(farm->notice);
    }
    if (lmd_notice_is_raised(farm->notice)) {
        farm->is_exhausted = true;
    }
    for (int look = 0; look < LOOKS; look++) {
        while (has_answered(farm)) {
            look = 0;
        }
    }
}

void lmd_farm_tick(lmd_session *session)
{
    if (session->farm && !session->farm->is_reading) {
        serve(session->farm);
    }
}

/* Serves, and tells whether to go on. */
static bool goes_on(lmd_farm *farm)
{
    serve(farm);
    return farm->status == LMD_OK && !lmd_notice_is_raised(farm->notice);
}

/* Asks one rank for a piece; serves while it waits for the answer. */
static bool has_got(lmd_farm *farm, int rank, lmd_text *piece)
{
    int64_t n_bytes = NOTHING_MORE;
    MPI_Request answer;
    LMD_MPI(MPI_Irecv(&n_bytes, 1, MPI_INT64_T, rank, TAG_ANSWER, farm->comm, &answer));
    LMD_MPI(MPI_Send(NULL, 0, MPI_BYTE, rank, TAG_ASK, farm->comm));
    int has_come = 0;
    while (!has_come) {
        serve(farm);
        LMD_MPI(MPI_Test(&answer, &has_come, MPI_STATUS_IGNORE));
        if (!has_come) {
            lmd_parallel_nap();
        }
    }
    if (n_bytes == NOTHING_MORE) {
        return false;
    }
    receive_piece(farm, rank, (size_t)n_bytes, piece);
    return true;
}

/* All first pieces are read at once, and everyone learns who has sources at all: with
 * many ranks and few files, most questions need not be asked. */
static void begin(lmd_farm *farm)
{
    farm->has_first = has_read(farm, &farm->piece);
    const char has_more = farm->has_first;
    LMD_MPI(MPI_Allgather(&has_more, 1, MPI_CHAR, farm->may_have_more, 1, MPI_CHAR,
                          farm->comm));
    listen_for_ask(farm);
}

static void do_own(lmd_farm *farm)
{
    bool has_piece = farm->has_first;
    while (has_piece && goes_on(farm)) {
        do_piece(farm, &farm->piece);
        has_piece = has_read(farm, &farm->piece);
    }
    lmd_text_clear(&farm->piece);
}

static void do_others(lmd_farm *farm)
{
    const int ranks = farm->session->ranks;
    for (int i = 1; i < ranks; i++) {
        const int rank = (farm->session->rank + i) % ranks;
        lmd_text piece = {0};
        while (farm->may_have_more[rank] && goes_on(farm)) {
            farm->may_have_more[rank] = has_got(farm, rank, &piece);
            if (farm->may_have_more[rank] && goes_on(farm)) {
                do_piece(farm, &piece);
            }
        }
        lmd_text_clear(&piece);
    }
}

/* The same with one rank, where nobody asks. */
static lmd_status run_alone(const lmd_farm_calls *calls)
{
    lmd_status status = LMD_OK;
    bool has_more = true;
    while (status == LMD_OK && has_more) {
        lmd_text piece = {0};
        has_more = false;
        status = calls->read(calls->context, &piece, &has_more);
        if (status == LMD_OK && has_more) {
            status = calls->work(calls->context, &piece);
        }
        lmd_text_clear(&piece);
    }
    return status;
}

/* Leaves the communicator with nothing in flight. */
static void end(lmd_farm *farm)
{
    lmd_notice_close(farm->notice, serve, farm);
    LMD_MPI(MPI_Cancel(&farm->asked));
    LMD_MPI(MPI_Wait(&farm->asked, MPI_STATUS_IGNORE));
    LMD_MPI(MPI_Comm_free(&farm->comm));
    lmd_memory_free(farm->may_have_more);
}

lmd_status lmd_farm_run(lmd_session *session, const lmd_farm_calls *calls)
{
    if (session->ranks == 1) {
        return run_alone(calls);
    }
    lmd_farm farm = {.session = session, .calls = calls};
    farm.comm = lmd_parallel_copy_comm(session->comm);
    farm.notice = lmd_notice_new(farm.comm);
    farm.may_have_more = lmd_memory_new((size_t)session->ranks, 1);
    begin(&farm);
    session->farm = &farm;
    do_own(&farm);
    do_others(&farm);
    end(&farm);
    session->farm = NULL;
    if (farm.message) {
        (void)lmd_status_set(farm.status, "%s", farm.message);
        lmd_memory_free(farm.message);
    }
    return lmd_parallel_agree(session, farm.status);
}
