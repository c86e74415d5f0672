/* Our own team of threads inside a rank.
 *
 * A job is a number of independent items; which thread does which item is left to
 * chance, so an item writes only what is its own and its result must not depend on
 * scratch contents. The calling thread takes part. Only the calling thread runs `tick`,
 * so a tick may speak MPI (MPI_THREAD_FUNNELED). */
#ifndef LMDEPTH_BASE_TEAM_H
#define LMDEPTH_BASE_TEAM_H

typedef struct lmd_team lmd_team;

/* One item. `member` in [0, lmd_team_size) picks the thread's own scratch. */
typedef void lmd_team_work(void *context, int item, int member);

/* n_threads >= 1, the calling thread included. Never NULL. */
lmd_team *lmd_team_new(int n_threads);
void lmd_team_free(lmd_team *team);
int lmd_team_size(const lmd_team *team);

/* `tick(context)` is called by the calling thread between its items of every run, at
 * most every `milliseconds`. NULL: none. */
void lmd_team_set_tick(lmd_team *team, void (*tick)(void *), void *context,
                       double milliseconds);

/* Calls the tick if it is due; for long serial work between runs. */
void lmd_team_tick(lmd_team *team);

/* Does items 0 .. n_items-1; returns when all are done and visible to the caller. */
void lmd_team_run(lmd_team *team, int n_items, lmd_team_work *work, void *context);

/* Calls work(context, m, m) once in each member m, which is not left to chance. */
void lmd_team_run_each(lmd_team *team, lmd_team_work *work, void *context);

/* Seconds of the monotonic clock. */
double lmd_team_clock(void);

#endif
