/* What the files of this room share: the session's insides and the check of MPI calls. */
#ifndef LMDEPTH_MPI_SESSION_H
#define LMDEPTH_MPI_SESSION_H

#include <lmdepth/parallel.h> /* lmd_session */
#include <mpi.h>              /* MPI_Comm */
#include <stddef.h>           /* size_t */

typedef struct lmd_farm lmd_farm;

struct lmd_session {
    MPI_Comm comm;       /* owned: all ranks */
    MPI_Comm node_comm;  /* owned: the ranks of this node, in order of rank */
    MPI_Comm share_comm; /* owned: those of these that share memory */
    lmd_domain share_domain;
    int share_rank;
    int share_ranks;
    int share_groups;  /* of this node, with more than one rank */
    int share_singles; /* of this node: ranks that are a group alone */
    int rank;
    int ranks;
    int node_rank;
    int node_ranks;
    int nodes;
    char *host;             /* owned */
    char *library;          /* owned */
    size_t shared_unfilled; /* bytes of shared blocks that are not yet published */
    lmd_farm *farm;         /* borrowed: the farm that runs now, or NULL */
    lmd_places *places;     /* owned: NULL until asked for */
};

/* Root of every communicator that spans all ranks, and leader of every node's. */
enum { LMD_ROOT = 0 };

/* Counts are int in MPI-3 and libraries have failed well below 2^31 bytes: everything
 * large travels in slices of this size. */
enum { LMD_SLICE_BYTES = 64 << 20 };

/* Every MPI call goes through this: prints call, place and MPI's own text and ends all
 * ranks when it failed. */
#define LMD_MPI(call) lmd_parallel_check((call), #call, __FILE__, __LINE__)
void lmd_parallel_check(int code, const char *call, const char *file, int line);

/* A communicator of its own for one object; its errors come back as codes. Collective. */
MPI_Comm lmd_parallel_copy_comm(MPI_Comm comm);

/* A tenth of a millisecond off the processor, for loops that wait for other ranks: they
 * may sit on the same core as a rank that computes. */
void lmd_parallel_nap(void);

/* As lmd_parallel_broadcast, from any rank. Collective. */
void lmd_parallel_broadcast_from(lmd_session *session, int rank, void *bytes,
                                 size_t n_bytes);

/* Bytes of the slice that begins at `offset`: LMD_SLICE_BYTES, or the rest. */
int lmd_parallel_slice(size_t n_bytes, size_t offset);

#endif
