/* The beginning and the end of MPI. The session works on copies of MPI_COMM_WORLD, so
 * that no other library's messages are mistaken for ours, and takes errors as codes:
 * MPI's default handler would end the job without the name of the call. */
#include "mpi_session.h"

#include <lmdepth/base/log.h>    /* lmd_log_fatal */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <lmdepth/base/text.h>   /* lmd_text_is_white */
#include <stdio.h>               /* fflush */
#include <stdlib.h>              /* exit */
#include <string.h>              /* strcspn, strlen */
#include <time.h>                /* nanosleep */

enum { NAP_NANOSECONDS = 100 * 1000 };

void lmd_parallel_check(int code, const char *call, const char *file, int line)
{
    if (code == MPI_SUCCESS) {
        return;
    }
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    if (MPI_Error_string(code, text, &length) != MPI_SUCCESS) {
        length = 0;
    }
    lmd_log_fatal(LMD_FAILED, "%s:%d: %s: %.*s (code %d)", file, line, call, length, text,
                  code);
}

MPI_Comm lmd_parallel_copy_comm(MPI_Comm comm)
{
    MPI_Comm copy;
    LMD_MPI(MPI_Comm_dup(comm, &copy));
    LMD_MPI(MPI_Comm_set_errhandler(copy, MPI_ERRORS_RETURN));
    return copy;
}

void lmd_parallel_nap(void)
{
    const struct timespec pause = {.tv_nsec = NAP_NANOSECONDS};
    (void)nanosleep(&pause, NULL); /* cut short by a signal is as good */
}

/* The first sentence of the library's version text, white space squeezed: Open MPI tells
 * it up to a comma, MPICH up to a line's end. */
static char *make_library_name(void)
{
    char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
    int length = 0;
    LMD_MPI(MPI_Get_library_version(text, &length));
    const size_t end = strcspn(text, ",\n");
    size_t n_kept = 0;
    for (size_t i = 0; i < end; i++) {
        if (!lmd_text_is_white(text[i])) {
            text[n_kept++] = text[i];
        } else if (n_kept > 0 && text[n_kept - 1] != ' ') {
            text[n_kept++] = ' ';
        }
    }
    return lmd_memory_copy_bytes(text, n_kept);
}

static void split_by_node(lmd_session *session)
{
    LMD_MPI(MPI_Comm_split_type(session->comm, MPI_COMM_TYPE_SHARED, session->rank,
                                MPI_INFO_NULL, &session->node_comm));
    LMD_MPI(MPI_Comm_set_errhandler(session->node_comm, MPI_ERRORS_RETURN));
    LMD_MPI(MPI_Comm_rank(session->node_comm, &session->node_rank));
    LMD_MPI(MPI_Comm_size(session->node_comm, &session->node_ranks));
    const int is_leader = session->node_rank == LMD_ROOT;
    LMD_MPI(
        MPI_Allreduce(&is_leader, &session->nodes, 1, MPI_INT, MPI_SUM, session->comm));
}

lmd_session *lmd_parallel_start(int *argc, char ***argv)
{
    int level = MPI_THREAD_SINGLE;
    LMD_MPI(MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &level));
    lmd_log_on_fatal(lmd_parallel_abort);
    LMD_MPI(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));

    lmd_session *const session = lmd_memory_new(1, sizeof *session);
    session->comm = lmd_parallel_copy_comm(MPI_COMM_WORLD);
    LMD_MPI(MPI_Comm_rank(session->comm, &session->rank));
    LMD_MPI(MPI_Comm_size(session->comm, &session->ranks));
    char host[MPI_MAX_PROCESSOR_NAME] = "";
    int length = 0;
    LMD_MPI(MPI_Get_processor_name(host, &length));
    session->host = lmd_memory_copy_bytes(host, (size_t)length);
    session->library = make_library_name();
    lmd_log_identify(session->rank, session->ranks, session->host);
    split_by_node(session);
    session->share_comm = MPI_COMM_NULL;
    lmd_parallel_share_in_group(session, 0);
    if (level < MPI_THREAD_FUNNELED && session->rank == LMD_ROOT) {
        lmd_log_warn("%s does not promise to work in a process with several threads",
                     session->library);
    }
    return session;
}

void lmd_parallel_end(lmd_session *session)
{
    LMD_MPI(MPI_Comm_free(&session->share_comm));
    LMD_MPI(MPI_Comm_free(&session->node_comm));
    LMD_MPI(MPI_Comm_free(&session->comm));
    lmd_places_free(session->places);
    lmd_memory_free(session->library);
    lmd_memory_free(session->host);
    lmd_memory_free(session);
    LMD_MPI(MPI_Finalize());
    lmd_log_on_fatal(NULL);
}

int lmd_parallel_rank(const lmd_session *session)
{
    return session->rank;
}

int lmd_parallel_ranks(const lmd_session *session)
{
    return session->ranks;
}

int lmd_parallel_node_rank(const lmd_session *session)
{
    return session->node_rank;
}

int lmd_parallel_node_ranks(const lmd_session *session)
{
    return session->node_ranks;
}

int lmd_parallel_nodes(const lmd_session *session)
{
    return session->nodes;
}

bool lmd_parallel_is_root(const lmd_session *session)
{
    return session->rank == LMD_ROOT;
}

const char *lmd_parallel_host(const lmd_session *session)
{
    return session->host;
}

const char *lmd_parallel_library(const lmd_session *session)
{
    return session->library;
}

void lmd_parallel_abort(int code)
{
    int has_begun = 0;
    int has_ended = 0;
    (void)fflush(NULL);
    if (MPI_Initialized(&has_begun) == MPI_SUCCESS && has_begun &&
        MPI_Finalized(&has_ended) == MPI_SUCCESS && !has_ended) {
        (void)MPI_Abort(MPI_COMM_WORLD, code);
    }
    exit(code); /* outside MPI, or MPI_Abort came back */
}
