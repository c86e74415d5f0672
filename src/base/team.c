/* Threads are made once and wait on a condition variable between runs; items are claimed
 * from one atomic counter, so a slow thread holds nobody up for more than an item. A
 * waiting thread first gives way for a moment: runs follow each other closely inside a
 * pack, and a wake-up costs more than such a gap.
 *
 * Every thread works in the floating-point environment (flush to zero, rounding) that the
 * caller has at the start of the run: an item's bits must not depend on who does it. */
#include <lmdepth/base/team.h>

#include <assert.h>              /* assert */
#include <errno.h>               /* ETIMEDOUT */
#include <fenv.h>                /* fegetenv, fesetenv */
#include <lmdepth/base/log.h>    /* lmd_log_fatal */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <lmdepth/base/status.h> /* LMD_RESOURCE */
#include <pthread.h>             /* pthread_create */
#include <sched.h>               /* sched_yield */
#include <signal.h>              /* sigfillset */
#include <stdatomic.h>           /* atomic_int */
#include <stdbool.h>             /* bool */
#include <stddef.h>              /* NULL */
#include <string.h>              /* strerror */
#include <time.h>                /* clock_gettime */

/* Seconds that a waiting thread gives way before it sleeps. By the clock, not by number:
 * on a processor with more threads than cores one yield may last milliseconds. */
static const double patience = 200e-6;

enum { EACH = -1 };

typedef struct member {
    lmd_team *team; /* borrowed */
    pthread_t thread;
    int number;
} member;

struct lmd_team {
    int size;
    member *members; /* owned, (size - 1): all but the caller */

    pthread_mutex_t lock;
    pthread_cond_t has_begun;
    pthread_cond_t has_ended;
    atomic_uint n_runs;   /* begun so far; raised under the lock */
    atomic_int n_working; /* members that have not finished this run */
    atomic_bool is_over;

    lmd_team_work *work; /* of this run, written before n_runs is raised */
    void *context;
    int n_items; /* EACH: one for each member */
    fenv_t environment;
    atomic_int next_item;

    void (*tick)(void *);
    void *tick_context;
    double tick_interval; /* seconds */
    double tick_due;
};

double lmd_team_clock(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* The next item nobody has claimed, n_items or more when there is none. It can't
 * overflow: each member draws at most one number beyond the end. */
static int claim(lmd_team *team)
{
    return atomic_fetch_add_explicit(&team->next_item, 1, memory_order_relaxed);
}

/* Waits for a run other than number `seen`; false when the team is dissolved. */
static bool wait_for_run(lmd_team *team, unsigned int seen)
{
    const double end = lmd_team_clock() + patience;
    while (atomic_load(&team->n_runs) == seen && lmd_team_clock() < end) {
        sched_yield();
    }
    if (atomic_load(&team->n_runs) == seen) {
        pthread_mutex_lock(&team->lock);
        while (atomic_load(&team->n_runs) == seen) {
            pthread_cond_wait(&team->has_begun, &team->lock);
        }
        pthread_mutex_unlock(&team->lock);
    }
    return !atomic_load(&team->is_over);
}

static void *serve(void *argument)
{
    const member *const self = argument;
    lmd_team *const team = self->team;
    unsigned int seen = 0;
    while (wait_for_run(team, seen)) {
        seen++;
        (void)fesetenv(&team->environment);
        if (team->n_items == EACH) {
            team->work(team->context, self->number, self->number);
        }
        for (int item = claim(team); item < team->n_items; item = claim(team)) {
            team->work(team->context, item, self->number);
        }
        if (atomic_fetch_sub(&team->n_working, 1) == 1) {
            pthread_mutex_lock(&team->lock);
            pthread_cond_signal(&team->has_ended);
            pthread_mutex_unlock(&team->lock);
        }
    }
    return NULL;
}

static void start_member(lmd_team *team, int i)
{
    member *const self = &team->members[i];
    self->team = team;
    self->number = i + 1;
    const int error = pthread_create(&self->thread, NULL, serve, self);
    if (error != 0) {
        lmd_log_fatal(LMD_RESOURCE, "can't start thread %d of %d: %s", i + 2, team->size,
                      strerror(error));
    }
}

/* Signals are for the calling thread, which knows what to do with them: the members
 * inherit a mask that holds them all off. */
static void start_members(lmd_team *team)
{
    sigset_t all;
    sigset_t old;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    for (int i = 0; i + 1 < team->size; i++) {
        start_member(team, i);
    }
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
}

lmd_team *lmd_team_new(int n_threads)
{
    assert(n_threads >= 1);
    lmd_team *const team = lmd_memory_new(1, sizeof *team);
    team->size = n_threads;
    team->members = lmd_memory_new((size_t)n_threads - 1, sizeof *team->members);
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&team->lock, NULL);
    (void)pthread_cond_init(&team->has_begun, NULL);
    (void)pthread_cond_init(&team->has_ended, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    start_members(team);
    return team;
}

static void wake_members(lmd_team *team)
{
    pthread_mutex_lock(&team->lock);
    atomic_fetch_add(&team->n_runs, 1);
    pthread_cond_broadcast(&team->has_begun);
    pthread_mutex_unlock(&team->lock);
}

void lmd_team_free(lmd_team *team)
{
    if (!team) {
        return;
    }
    atomic_store(&team->is_over, true);
    wake_members(team);
    for (int i = 0; i + 1 < team->size; i++) {
        (void)pthread_join(team->members[i].thread, NULL);
    }
    (void)pthread_cond_destroy(&team->has_ended);
    (void)pthread_cond_destroy(&team->has_begun);
    (void)pthread_mutex_destroy(&team->lock);
    lmd_memory_free(team->members);
    lmd_memory_free(team);
}

int lmd_team_size(const lmd_team *team)
{
    return team->size;
}

void lmd_team_set_tick(lmd_team *team, void (*tick)(void *), void *context,
                       double milliseconds)
{
    team->tick = tick;
    team->tick_context = context;
    team->tick_interval = 1e-3 * milliseconds;
    team->tick_due = lmd_team_clock() + team->tick_interval;
}

void lmd_team_tick(lmd_team *team)
{
    if (team->tick && lmd_team_clock() >= team->tick_due) {
        team->tick(team->tick_context);
        team->tick_due = lmd_team_clock() + team->tick_interval;
    }
}

static struct timespec to_timespec(double seconds)
{
    struct timespec time;
    time.tv_sec = (time_t)seconds;
    time.tv_nsec = (long)(1e9 * (seconds - (double)time.tv_sec));
    return time;
}

/* Sleeps until the run has ended or the next tick is due, and at least 0.1 ms. */
static void sleep_until_end(lmd_team *team)
{
    const double soon = lmd_team_clock() + 1e-4;
    const struct timespec due =
        to_timespec(team->tick_due > soon ? team->tick_due : soon);
    int result = 0;
    pthread_mutex_lock(&team->lock);
    while (atomic_load(&team->n_working) > 0 && result != ETIMEDOUT) {
        result = team->tick ? pthread_cond_timedwait(&team->has_ended, &team->lock, &due)
                            : pthread_cond_wait(&team->has_ended, &team->lock);
    }
    pthread_mutex_unlock(&team->lock);
}

/* Items of the other members may be long, so the tick goes on while we wait for them. */
static void wait_for_members(lmd_team *team)
{
    const double end = lmd_team_clock() + patience;
    while (atomic_load(&team->n_working) > 0 && lmd_team_clock() < end) {
        sched_yield();
    }
    while (atomic_load(&team->n_working) > 0) {
        sleep_until_end(team);
        lmd_team_tick(team);
    }
}

static void begin_run(lmd_team *team, int n_items, lmd_team_work *work, void *context)
{
    team->work = work;
    team->context = context;
    team->n_items = n_items;
    (void)fegetenv(&team->environment);
    atomic_store(&team->next_item, 0);
    atomic_store(&team->n_working, team->size - 1);
    wake_members(team);
}

void lmd_team_run(lmd_team *team, int n_items, lmd_team_work *work, void *context)
{
    assert(atomic_load(&team->n_working) == 0); // an item must not start a run
    if (team->size == 1 || n_items <= 1) {
        for (int item = 0; item < n_items; item++) {
            work(context, item, 0);
            lmd_team_tick(team);
        }
        return;
    }
    begin_run(team, n_items, work, context);
    for (int item = claim(team); item < n_items; item = claim(team)) {
        work(context, item, 0);
        lmd_team_tick(team);
    }
    wait_for_members(team);
}

void lmd_team_run_each(lmd_team *team, lmd_team_work *work, void *context)
{
    assert(atomic_load(&team->n_working) == 0);
    if (team->size > 1) {
        begin_run(team, EACH, work, context);
    }
    work(context, 0, 0);
    wait_for_members(team);
}
