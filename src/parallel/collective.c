/* Agreement, broadcasts and sums: thin skins round one collective call each, cut in
 * slices, because counts are int in MPI-3. Which rank's failure wins is a pure function,
 * apart from the communication. */
#include "mpi_session.h"

int lmd_parallel_slice(size_t n_bytes, size_t offset)
{
    const size_t rest = n_bytes - offset;
    return rest < LMD_SLICE_BYTES ? (int)rest : LMD_SLICE_BYTES;
}

void lmd_parallel_broadcast_from(lmd_session *session, int rank, void *bytes,
                                 size_t n_bytes)
{
    char *const start = bytes;
    for (size_t offset = 0; offset < n_bytes; offset += LMD_SLICE_BYTES) {
        LMD_MPI(MPI_Bcast(start + offset, lmd_parallel_slice(n_bytes, offset), MPI_BYTE,
                          rank, session->comm));
    }
}

void lmd_parallel_broadcast(lmd_session *session, void *bytes, size_t n_bytes)
{
    lmd_parallel_broadcast_from(session, LMD_ROOT, bytes, n_bytes);
}

/* `text` of rank `rank` to all, in place of what the others have there. */
static void broadcast_text_from(lmd_session *session, int rank, lmd_text *text)
{
    uint64_t n_bytes = text->size;
    lmd_parallel_broadcast_from(session, rank, &n_bytes, sizeof n_bytes);
    if (session->rank != rank) {
        lmd_text_clear(text);
        (void)lmd_text_reserve(text, (size_t)n_bytes);
        text->size = (size_t)n_bytes;
    }
    lmd_parallel_broadcast_from(session, rank, text->bytes, text->size);
}

void lmd_parallel_broadcast_text(lmd_session *session, lmd_text *text)
{
    broadcast_text_from(session, LMD_ROOT, text);
}

void lmd_parallel_gather_texts(lmd_session *session, const lmd_text *mine,
                               lmd_text *texts)
{
    /* One broadcast a rank: an MPI_Allgatherv would hold the sum of all in an int. */
    for (int rank = 0; rank < session->ranks; rank++) {
        if (rank == session->rank) {
            lmd_text_append(&texts[rank], mine->bytes, mine->size);
        }
        broadcast_text_from(session, rank, &texts[rank]);
    }
}

/* Larger is worse. A stop has the largest code but is no failure. */
static int severity(lmd_status status)
{
    return status == LMD_OK ? 0 : status == LMD_STOPPED ? 1 : 1 + (int)status;
}

/* Rank `rank`'s message and host to all, put together as this thread's message. */
static void adopt_message(lmd_session *session, int rank, lmd_status status)
{
    lmd_text line = {0};
    if (session->rank == rank) {
        if (rank != LMD_ROOT) {
            lmd_text_append_format(&line, "[rank %d on %s] ", rank, session->host);
        }
        lmd_text_append_string(&line, lmd_status_message());
    }
    broadcast_text_from(session, rank, &line);
    (void)lmd_status_set(status, "%s", lmd_text_string(&line));
    lmd_text_clear(&line);
}

lmd_status lmd_parallel_agree(lmd_session *session, lmd_status status)
{
    enum { SEVERITY, RANK };
    const int mine[] = {[SEVERITY] = severity(status), [RANK] = session->rank};
    int worst[] = {[SEVERITY] = 0, [RANK] = 0};
    /* MAXLOC takes the lowest rank of equals. */
    LMD_MPI(MPI_Allreduce(mine, worst, 1, MPI_2INT, MPI_MAXLOC, session->comm));
    if (worst[SEVERITY] == 0) {
        return LMD_OK;
    }
    int agreed = (int)status;
    lmd_parallel_broadcast_from(session, worst[RANK], &agreed, sizeof agreed);
    adopt_message(session, worst[RANK], (lmd_status)agreed);
    return (lmd_status)agreed;
}

void lmd_parallel_sum_int64(lmd_session *session, int64_t *values, size_t n)
{
    const size_t n_slice = LMD_SLICE_BYTES / sizeof *values;
    for (size_t i = 0; i < n; i += n_slice) {
        const int n_now = (int)(n - i < n_slice ? n - i : n_slice);
        LMD_MPI(MPI_Allreduce(MPI_IN_PLACE, values + i, n_now, MPI_INT64_T, MPI_SUM,
                              session->comm));
    }
}

int64_t lmd_parallel_max_int64(lmd_session *session, int64_t value)
{
    int64_t max = value;
    LMD_MPI(MPI_Allreduce(&value, &max, 1, MPI_INT64_T, MPI_MAX, session->comm));
    return max;
}

double lmd_parallel_max_real(lmd_session *session, double value)
{
    double max = value;
    LMD_MPI(MPI_Allreduce(&value, &max, 1, MPI_DOUBLE, MPI_MAX, session->comm));
    return max;
}

double lmd_parallel_sum_real(lmd_session *session, double value)
{
    double sum = value;
    LMD_MPI(MPI_Allreduce(&value, &sum, 1, MPI_DOUBLE, MPI_SUM, session->comm));
    return sum;
}

void lmd_parallel_reduce_int64(lmd_session *session, int64_t *values, size_t n)
{
    const size_t n_slice = LMD_SLICE_BYTES / sizeof *values;
    const bool is_root = session->rank == LMD_ROOT;
    for (size_t i = 0; i < n; i += n_slice) {
        const int n_now = (int)(n - i < n_slice ? n - i : n_slice);
        LMD_MPI(MPI_Reduce(is_root ? MPI_IN_PLACE : values + i,
                           is_root ? values + i : NULL, n_now, MPI_INT64_T, MPI_SUM,
                           LMD_ROOT, session->comm));
    }
}

void lmd_parallel_barrier(lmd_session *session)
{
    LMD_MPI(MPI_Barrier(session->comm));
}
