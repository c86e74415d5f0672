/* The team: every item once, members apart, ticks only from the caller. Tests that would
 * wait for ever on a broken team are ended by an alarm. */
#include <lmdepth/base/team.h>

#include <fenv.h>                /* fesetround */
#include <lmdepth/base/memory.h> /* lmd_memory_live */
#include <pthread.h>             /* pthread_self */
#include <sched.h>               /* sched_yield */
#include <setjmp.h>              /* cmocka.h */
#include <signal.h>              /* sigismember */
#include <stdarg.h>              /* cmocka.h */
#include <stdatomic.h>           /* atomic_int */
#include <stddef.h>              /* cmocka.h */
#include <stdint.h>              /* cmocka.h */
#include <string.h>              /* memset */
#include <unistd.h>              /* alarm */
#include <cmocka.h>

enum { N_ITEMS = 1000, LARGEST_TEAM = 5, PATIENCE = 120 };

typedef struct tally {
    int done[N_ITEMS];           /* plain: an item belongs to one thread */
    int of_member[LARGEST_TEAM]; /* plain: so does a member's scratch */
    int n_members;
    atomic_int n_strangers;
} tally;

static void count_item(void *context, int item, int member)
{
    tally *const all = context;
    if (item < 0 || item >= N_ITEMS || member < 0 || member >= all->n_members) {
        atomic_fetch_add(&all->n_strangers, 1);
        return;
    }
    all->done[item]++;
    all->of_member[member]++;
}

static void expect_tally(const tally *all, int n_items, int times)
{
    int n_of_members = 0;
    for (int i = 0; i < all->n_members; i++) {
        n_of_members += all->of_member[i];
    }
    assert_int_equal(all->n_strangers, 0);
    assert_int_equal(n_of_members, n_items * times);
    for (int i = 0; i < N_ITEMS; i++) {
        assert_int_equal(all->done[i], i < n_items ? times : 0);
    }
}

static void each_member_does_one(void **state)
{
    (void)state;
    for (int size = 1; size <= LARGEST_TEAM; size++) {
        lmd_team *const team = lmd_team_new(size);
        for (int times = 1; times <= 3; times++) {
            tally all = {.n_members = size};
            lmd_team_run_each(team, count_item, &all);
            expect_tally(&all, size, 1);
            for (int m = 0; m < size; m++) {
                assert_int_equal(all.of_member[m], 1);
            }
            lmd_team_run(team, N_ITEMS, count_item, &all); // and as ever afterwards
            assert_int_equal(all.n_strangers, 0);
            assert_int_equal(all.done[N_ITEMS - 1], 1);
        }
        lmd_team_free(team);
    }
}

static void every_item_is_done_once(void **state)
{
    (void)state;
    const int64_t before = lmd_memory_live();
    for (int size = 1; size <= LARGEST_TEAM; size++) {
        lmd_team *const team = lmd_team_new(size);
        assert_int_equal(lmd_team_size(team), size);
        static const int counts[] = {0, 1, 2, 3, 7, N_ITEMS};
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            tally all = {.n_members = size};
            lmd_team_run(team, counts[i], count_item, &all);
            expect_tally(&all, counts[i], 1);
        }
        lmd_team_free(team);
    }
    lmd_team_free(NULL);
    assert_int_equal(lmd_memory_live(), before);
}

static void runs_follow_each_other(void **state)
{
    (void)state;
    lmd_team *const team = lmd_team_new(3);
    tally all = {.n_members = 3};
    for (int i = 0; i < 3000; i++) {
        lmd_team_run(team, 4, count_item, &all);
    }
    expect_tally(&all, 4, 3000);
    for (int i = 0; i < 20; i++) {
        usleep(500); // let the members fall asleep
        lmd_team_run(team, 4, count_item, &all);
    }
    expect_tally(&all, 4, 3020);
    lmd_team_free(team);
}

static void teams_may_come_and_go(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        lmd_team *const team = lmd_team_new(1 + i % LARGEST_TEAM);
        lmd_team_free(team);
    }
}

/* Each item waits until all have begun: only possible on threads of their own. */
static void meet(void *context, int item, int member)
{
    (void)item;
    (void)member;
    atomic_int *const n_begun = context;
    atomic_fetch_add(n_begun, 1);
    while (atomic_load(n_begun) < LARGEST_TEAM) {
        sched_yield();
    }
}

static void items_run_at_the_same_time(void **state)
{
    (void)state;
    lmd_team *const team = lmd_team_new(LARGEST_TEAM);
    atomic_int n_begun = 0;
    lmd_team_run(team, LARGEST_TEAM, meet, &n_begun);
    assert_int_equal(n_begun, LARGEST_TEAM);
    lmd_team_free(team);
}

typedef struct clockwork {
    pthread_t caller;
    atomic_int n_ticks;
    atomic_int n_foreign;
    atomic_int n_begun;
} clockwork;

static void tick(void *context)
{
    clockwork *const work = context;
    atomic_fetch_add(&work->n_ticks, 1);
    if (!pthread_equal(pthread_self(), work->caller)) {
        atomic_fetch_add(&work->n_foreign, 1);
    }
}

/* The members' items end only when the caller, out of items, has ticked thrice. */
static void wait_for_ticks(void *context, int item, int member)
{
    (void)item;
    clockwork *const work = context;
    atomic_fetch_add(&work->n_begun, 1);
    while (atomic_load(&work->n_begun) < 3 ||
           (member != 0 && atomic_load(&work->n_ticks) < 3)) {
        sched_yield();
    }
}

static void caller_ticks_while_it_waits(void **state)
{
    (void)state;
    lmd_team *const team = lmd_team_new(3);
    clockwork work = {.caller = pthread_self()};
    lmd_team_set_tick(team, tick, &work, 0.5);
    lmd_team_run(team, 3, wait_for_ticks, &work);
    assert_true(work.n_ticks >= 3);
    assert_int_equal(work.n_foreign, 0);
    lmd_team_free(team);
}

static void do_nothing(void *context, int item, int member)
{
    (void)context;
    (void)item;
    (void)member;
}

static void ticks_are_due_or_not(void **state)
{
    (void)state;
    for (int size = 1; size <= 2; size++) {
        lmd_team *const team = lmd_team_new(size);
        clockwork work = {.caller = pthread_self()};
        lmd_team_tick(team);
        lmd_team_set_tick(team, tick, &work, 1e9);
        lmd_team_run(team, 100, do_nothing, NULL);
        lmd_team_tick(team);
        assert_int_equal(work.n_ticks, 0);
        lmd_team_set_tick(team, tick, &work, 0);
        lmd_team_tick(team);
        assert_int_equal(work.n_ticks, 1);
        lmd_team_run(team, 1, do_nothing, NULL);
        assert_int_equal(work.n_ticks, 2);
        lmd_team_set_tick(team, NULL, NULL, 0);
        lmd_team_run(team, 100, do_nothing, NULL);
        assert_int_equal(work.n_ticks, 2);
        lmd_team_free(team);
    }
}

typedef struct surroundings {
    atomic_int n_begun;
    int rounding[LARGEST_TEAM];
    int is_signal_blocked[LARGEST_TEAM];
} surroundings;

static void look_round(void *context, int item, int member)
{
    surroundings *const seen = context;
    sigset_t mask;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
    seen->is_signal_blocked[member] = sigismember(&mask, SIGTERM);
    seen->rounding[member] = fegetround();
    meet(&seen->n_begun, item, member);
}

/* Set after the team was made, so nothing but the run itself can carry it over. */
static void members_compute_like_the_caller(void **state)
{
    (void)state;
    lmd_team *const team = lmd_team_new(LARGEST_TEAM);
    static const int modes[] = {FE_UPWARD, FE_TOWARDZERO, FE_TONEAREST};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        surroundings seen = {0};
        assert_int_equal(fesetround(modes[i]), 0);
        lmd_team_run(team, LARGEST_TEAM, look_round, &seen);
        assert_int_equal(fesetround(FE_TONEAREST), 0);
        for (int j = 0; j < LARGEST_TEAM; j++) {
            assert_int_equal(seen.rounding[j], modes[i]);
            assert_int_equal(seen.is_signal_blocked[j], j > 0);
        }
    }
    lmd_team_free(team);
}

static void clock_does_not_go_back(void **state)
{
    (void)state;
    const double first = lmd_team_clock();
    usleep(1000);
    assert_true(lmd_team_clock() >= first + 0.001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_member_does_one),
        cmocka_unit_test(every_item_is_done_once),
        cmocka_unit_test(runs_follow_each_other),
        cmocka_unit_test(teams_may_come_and_go),
        cmocka_unit_test(items_run_at_the_same_time),
        cmocka_unit_test(caller_ticks_while_it_waits),
        cmocka_unit_test(ticks_are_due_or_not),
        cmocka_unit_test(members_compute_like_the_caller),
        cmocka_unit_test(clock_does_not_go_back),
    };
    (void)alarm(PATIENCE);
    return cmocka_run_group_tests_name("team", tests, NULL, NULL);
}
