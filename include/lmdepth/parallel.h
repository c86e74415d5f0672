/* Room parallel: the only room that speaks MPI. It knows nothing of language models.
 *
 * MPI-3.1 calls only; built and tested with Open MPI 4.1 and MPICH 4.0. Functions that
 * all ranks must call together begin with "Collective." A failing MPI call prints call,
 * place and MPI's own text and aborts the job.
 */
#ifndef LMDEPTH_PARALLEL_H
#define LMDEPTH_PARALLEL_H

#include <stdbool.h>             /* bool */
#include <stddef.h>              /* size_t */
#include <stdint.h>              /* int64_t */
#include <lmdepth/base/status.h> /* lmd_status */
#include <lmdepth/base/team.h>   /* lmd_team */
#include <lmdepth/base/text.h>   /* lmd_text */

/* ---- session ---- */

typedef struct lmd_session lmd_session;

/* Collective. Starts MPI (MPI_THREAD_FUNNELED), makes own communicators, tells `log` who
 * speaks and how to end all ranks. Never NULL. */
lmd_session *lmd_parallel_start(int *argc, char ***argv);

/* Collective. Frees everything and finalises MPI. */
void lmd_parallel_end(lmd_session *session);

int lmd_parallel_rank(const lmd_session *session);
int lmd_parallel_ranks(const lmd_session *session);
int lmd_parallel_node_rank(const lmd_session *session); /* within the node */
int lmd_parallel_node_ranks(const lmd_session *session);
int lmd_parallel_nodes(const lmd_session *session);
bool lmd_parallel_is_root(const lmd_session *session);
const char *lmd_parallel_host(const lmd_session *session);
const char *lmd_parallel_library(const lmd_session *session); /* "Open MPI v4.1.4" */

/* Ends all ranks at once with an exit code; never returns. */
__attribute__((noreturn)) void lmd_parallel_abort(int code);

/* ---- agreement and small data ---- */

/* Collective. All ranks get the worst status (the largest of those that are not LMD_OK;
 * LMD_STOPPED only if nothing is worse) and a message of a rank that has it (lowest rank
 * wins; "[rank R on HOST] " in front when R is not 0). After it each rank may return the
 * status. */
lmd_status lmd_parallel_agree(lmd_session *session, lmd_status status);

/* Collective. Root's bytes to all. For lmd_text: others' content is replaced. Any size
 * (cut into pieces below 512 MiB). */
void lmd_parallel_broadcast(lmd_session *session, void *bytes, size_t n_bytes);
void lmd_parallel_broadcast_text(lmd_session *session, lmd_text *text);

/* Collective. Every rank's bytes, in order of rank, at every rank: texts[ranks], the
 * caller's, all {0} before. */
void lmd_parallel_gather_texts(lmd_session *session, const lmd_text *mine,
                               lmd_text *texts);

/* Collective. Element-wise over ranks, at every rank. */
void lmd_parallel_sum_int64(lmd_session *session, int64_t *values, size_t n);
int64_t lmd_parallel_max_int64(lmd_session *session, int64_t value);
double lmd_parallel_max_real(lmd_session *session, double value);
double lmd_parallel_sum_real(lmd_session *session, double value);

/* Collective. Sums to the root in slices of bounded size; values of others are left as
 * they were. */
void lmd_parallel_reduce_int64(lmd_session *session, int64_t *values, size_t n);

/* Collective. */
void lmd_parallel_barrier(lmd_session *session);

/* ---- the processors of a node (hwloc) ---- */

/* Those of this node, and the part of them that this process may run on. */
typedef struct lmd_places lmd_places;

/* Ranks of a node that have something in common: all, those of a socket, of a NUMA
 * domain, or each for itself. */
typedef enum lmd_domain {
    LMD_DOMAIN_NODE,
    LMD_DOMAIN_SOCKET,
    LMD_DOMAIN_NUMA,
    LMD_DOMAIN_RANK
} lmd_domain;

/* This machine, without MPI. Never NULL. */
lmd_places *lmd_places_new(void);

/* A node that hwloc makes of a description ("package:2 numa:1 core:32 pu:2"), and a
 * process that may use the hardware threads `mask` ("0-3,8"; NULL: all). NULL when it
 * can't be understood. */
lmd_places *lmd_places_new_synthetic(const char *description, const char *mask);
void lmd_places_free(lmd_places *places); /* accepts NULL */

int lmd_places_cores(const lmd_places *places);      /* that this process may run on */
int lmd_places_node_cores(const lmd_places *places); /* of the node */

/* The system's number of the socket or NUMA domain that this process is bound to; -1 when
 * it is not bound to one. */
int lmd_places_domain(const lmd_places *places, lmd_domain domain);

/* Ranks and threads for the cores that this process may run on: a thread a core, at most
 * `most_threads` (>= 1) a rank, at most a tenth of the cores idle, and, unless it
 * `may_span`, no rank across the border of a NUMA domain. */
void lmd_places_suggest(const lmd_places *places, int most_threads, bool may_span,
                        int *ranks, int *threads);

/* A line for people: "2 cores, 1 socket, 1 NUMA domain". Caller frees. */
char *lmd_places_describe(const lmd_places *places);

/* This session's node, as it was before any thread was bound. Borrowed. */
const lmd_places *lmd_parallel_places(lmd_session *session);

/* How the ranks of a node lie on its cores. */
typedef struct lmd_binding {
    int threads;    /* of this rank */
    int cores;      /* that this rank may run on */
    int share;      /* of these, what falls to it when all who may use them divide them */
    bool is_alone;  /* nobody else of this job may use them */
    int node_ranks; /* ranks of this job on the node */
    int node_cores; /* cores of the node that may be used at all */
    int used_cores; /* those of any rank */
    double load;    /* threads for a core, the worst of this rank's cores */
} lmd_binding;

/* Collective. `threads` 0: not decided yet. */
lmd_binding lmd_parallel_binding(lmd_session *session, int threads);

/* The share of lmd_parallel_binding. Collective. */
int lmd_parallel_share_of_processors(lmd_session *session);

/* A few words for the plan: "a thread a core". Pure. Static. */
const char *lmd_binding_describe(const lmd_binding *binding);

/* Who has started the ranks, and so what to type instead. */
typedef enum lmd_launcher {
    LMD_LAUNCHER_NONE,
    LMD_LAUNCHER_MPIRUN, /* Open MPI's */
    LMD_LAUNCHER_SRUN,
    LMD_LAUNCHER_OTHER
} lmd_launcher;

/* What is bad about it and what to type, appended; how bad, 0: nothing is. Pure.
 * `is_bound`: the launcher has bound the ranks. */
int lmd_binding_judge(const lmd_binding *binding, lmd_launcher launcher, bool is_bound,
                      lmd_text *out);

/* Collective. Warns, once for all ranks, when the worst binding of them is bad. */
void lmd_parallel_warn_of_binding(lmd_session *session, const lmd_binding *binding);

/* Collective. Each thread of the team to a core of its own, if the rank has the cores for
 * itself and as many as threads; true if so. Fewer threads are left to the system, which
 * can avoid cores that others use. */
bool lmd_parallel_bind_team(lmd_session *session, lmd_team *team);

/* All threads of the team may run where the process might at its start. */
void lmd_parallel_release_team(lmd_session *session, lmd_team *team);

/* ---- memory that ranks of a node share ---- */

typedef struct lmd_shared lmd_shared;

/* Collective. From now on blocks are shared by the ranks of a node that are in the same
 * domain; at first by all of the node. Ranks that are bound to no socket or NUMA domain
 * share one among themselves; *n_unbound says how many there are on all nodes. No block
 * is there yet. */
void lmd_parallel_share_within(lmd_session *session, lmd_domain domain, int *n_unbound);

/* The same with a number that each rank chooses, at least 0, for its group on its node.
 */
void lmd_parallel_share_in_group(lmd_session *session, int group);

/* Collective. One block of n_bytes for all ranks of a group (MPI shared window). Free
 * space of /dev/shm is checked first; when it does not do, or LMDEPTH_SHARED_MEMORY=off,
 * or a group has one rank, each rank gets a private block, in large pages where the
 * system has them (with a warning in the first case). Zeroed or not is undefined; aligned
 * to 64 bytes. */
lmd_shared *lmd_shared_new(lmd_session *session, size_t n_bytes);

/* Collective. How many such blocks this node would get: 1, or one a group, or one a rank.
 */
int lmd_shared_copies(lmd_session *session, size_t n_bytes);
void lmd_shared_free(lmd_shared *shared); /* Collective. */
void *lmd_shared_memory(const lmd_shared *shared);

/* Must this rank fill the block (first of its group, or a private copy)? */
bool lmd_shared_is_mine_to_fill(const lmd_shared *shared);

/* Is it shared between ranks? */
bool lmd_shared_is_shared(const lmd_shared *shared);

/* Collective. After the fillers are done: makes the contents visible to all. */
void lmd_shared_publish(lmd_shared *shared);

/* ---- the queue of tickets ---- */

typedef struct lmd_queue lmd_queue;

/* Collective. Tickets 0 .. n_tickets-1. Rank r starts with ticket r (the static share);
 * the rest come from one counter at rank 0. */
lmd_queue *lmd_queue_new(lmd_session *session, int64_t n_tickets);
void lmd_queue_free(lmd_queue *queue); /* Collective: everyone has seen the end. */

/* Asks for the next ticket, to be called before the last item of a ticket: the answer is
 * there when that item is done, so nobody waits while there is work. Asked earlier, a
 * slow rank would hold work that others could do. */
void lmd_queue_ask(lmd_queue *queue);

/* Next ticket of this rank (asks now if it was not asked for), or -1 when there are no
 * more (or someone stopped). */
int64_t lmd_queue_next(lmd_queue *queue);

/* Serves others; rank 0 must call it every few milliseconds while it computes (the team's
 * tick does), elsewhere it costs nothing. */
void lmd_queue_tick(void *queue);

/* Tickets of all ranks that were given away so far, those in hand included, for progress;
 * only rank 0 knows. */
int64_t lmd_queue_given(const lmd_queue *queue);

/* This rank must stop: adds 2^62 to the counter, so that everyone's next ticket is -1.
 * Rank 0 also tells everyone at once: a rank that ticks sees lmd_queue_is_stopped in the
 * middle of a ticket. A ticket that was asked for ahead is dropped. */
void lmd_queue_stop(lmd_queue *queue);
bool lmd_queue_is_stopped(const lmd_queue *queue); /* what this rank knows of it */

/* A fixed table that everyone computes: runs of `n_items` items for the tickets of
 * `ranks` ranks: large runs first, single items last. costs[n_items] (estimated flops)
 * decide the sizes; bounds[ticket] .. bounds[ticket + 1] are a ticket's items. Items are
 * taken in order. Returns the number of tickets (0 for no items); `bounds` has room for
 * n_items + 1. Pure. */
int64_t lmd_queue_plan(int64_t n_items, const double *costs, int ranks, int64_t *bounds);

/* ---- the farm: pieces of work that some ranks read and any rank does ---- */

/* One rank's part in preparing a corpus. Each rank has own sources from which `read`
 * draws pieces one at a time; whoever is free `work`s on them. A piece is bytes without
 * pointers. All called from the calling thread. */
typedef struct lmd_farm_calls {
    void *context;
    /* Next piece of this rank's sources, appended to the empty `piece`; *more false (and
     * no piece) when they are exhausted. It is also called from within `work`, by
     * lmd_farm_tick: the two must not use the same scratch. */
    lmd_status (*read)(void *context, lmd_text *piece, bool *more);
    /* Does a piece. Should call lmd_farm_tick every few milliseconds. */
    lmd_status (*work)(void *context, const lmd_text *piece);
} lmd_farm_calls;

/* Collective. Until all sources of all ranks are exhausted and all pieces are done. A
 * rank without sources of its own asks the others in turn; a reader serves them in its
 * ticks. At most one piece waits at a reader. A status of any call ends the farm on all
 * ranks with that status and message (as lmd_parallel_agree). */
lmd_status lmd_farm_run(lmd_session *session, const lmd_farm_calls *calls);

/* Serves other ranks' requests; only from within `work`. */
void lmd_farm_tick(lmd_session *session);

#endif
