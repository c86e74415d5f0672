/* Processors of nodes that hwloc makes of descriptions: which cores, which domain, how
 * many ranks and threads; and what is said of a bad binding. */
#include <lmdepth/parallel.h>

#include <lmdepth/base/memory.h> /* lmd_memory_live */
#include <setjmp.h>              /* cmocka needs it */
#include <stdarg.h>              /* cmocka needs it */
#include <stdint.h>              /* cmocka needs it */
#include <stdio.h>               /* snprintf */
#include <string.h>              /* strstr */

#include <cmocka.h>

#include "places.h"

typedef struct suggestion_case {
    const char *node, *mask;
    int most;
    bool may_span;
    int cores, ranks, threads;
} suggestion_case;

static const suggestion_case suggestions[] = {
    {"package:1 numa:1 core:1 pu:1", NULL, 8, false, 1, 1, 1},
    {"package:1 numa:1 core:1 pu:2", NULL, 8, false, 1, 1, 1}, /* cores, not threads */
    {"package:2 numa:1 core:32 pu:2", NULL, 8, false, 64, 8, 8},
    {"package:2 numa:1 core:32 pu:2", NULL, 16, false, 64, 4, 16},
    {"package:2 numa:1 core:32 pu:2", NULL, 64, false, 64, 2, 32}, /* not across */
    {"package:2 numa:1 core:32 pu:2", NULL, 64, true, 64, 1, 64},
    {"package:2 numa:2 core:14 pu:2", NULL, 8, false, 56, 8, 7}, /* sub-NUMA clusters */
    {"package:2 numa:4 core:3 pu:1", NULL, 8, false, 24, 8, 3},
    {"package:2 numa:1 core:4 pu:1", NULL, 8, false, 8, 2, 4},
    {"package:1 numa:1 core:2 pu:1", NULL, 8, false, 2, 1, 2},
    {"package:1 numa:1 core:13 pu:1", NULL, 8, false, 13, 2, 6},
    {"package:1 numa:1 core:11 pu:1", NULL, 8, false, 11, 2, 5},
    {"package:1 core:16 pu:1", NULL, 8, false, 16, 2, 8}, /* no domains to see */
    {"pu:6", NULL, 8, false, 6, 1, 6},                    /* nor cores */
    /* A part of the node: both threads of 4 cores, one of 4, and 12 here with 4 there. */
    {"package:2 numa:1 core:32 pu:2", "0-7", 8, false, 4, 1, 4},
    {"package:2 numa:1 core:32 pu:2", "0,2,4,6", 8, false, 4, 1, 4},
    {"package:2 numa:1 core:16 pu:1", "0-11,16-19", 8, false, 16, 4, 4},
    {"package:2 numa:1 core:16 pu:1", "5", 8, false, 1, 1, 1},
    {"package:2 numa:1 core:16 pu:1", "999", 8, false, 32, 4, 8}, /* nonsense: all */
};

static void ranks_and_threads_fill_the_cores(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof suggestions / sizeof *suggestions; i++) {
        const suggestion_case *it = &suggestions[i];
        lmd_places *places = lmd_places_new_synthetic(it->node, it->mask);
        int ranks = 0;
        int threads = 0;
        assert_non_null(places);
        lmd_places_suggest(places, it->most, it->may_span, &ranks, &threads);
        if (lmd_places_cores(places) != it->cores || ranks != it->ranks ||
            threads != it->threads) {
            fail_msg("%s (%s): %d cores, %d x %d", it->node, it->mask ? it->mask : "all",
                     lmd_places_cores(places), ranks, threads);
        }
        lmd_places_free(places);
    }
}

/* Whatever the node: never more threads than cores, at most a tenth of them idle. */
static void no_suggestion_oversubscribes(void **state)
{
    (void)state;
    for (int cores = 1; cores <= 70; cores++) {
        char node[64];
        (void)snprintf(node, sizeof node, "package:2 numa:1 core:%d pu:2", cores);
        lmd_places *places = lmd_places_new_synthetic(node, NULL);
        for (int most = 1; most <= 64; most *= 2) {
            int ranks = 0;
            int threads = 0;
            lmd_places_suggest(places, most, false, &ranks, &threads);
            assert_in_range(threads, 1, most);
            assert_true(threads <= cores && ranks * threads <= 2 * cores);
            assert_true(10 * ranks * threads >= 9 * 2 * cores);
        }
        lmd_places_free(places);
    }
}

typedef struct domain_case {
    const char *mask;
    int socket, numa, spread_node, spread_socket, spread_rank;
} domain_case;

/* Two sockets of two NUMA domains of four cores. */
static const domain_case domains[] = {
    {"0", 0, 0, 4, 2, 1},    {"4-7", 0, 1, 4, 2, 1},  {"8-11", 1, 2, 4, 2, 1},
    {"12", 1, 3, 4, 2, 1},   {"0-7", 0, -1, 4, 2, 2}, {"6-9", -1, -1, 4, 2, 2},
    {NULL, -1, -1, 4, 4, 4},
};

static void a_process_is_in_its_domain(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof domains / sizeof *domains; i++) {
        const domain_case *it = &domains[i];
        lmd_places *places =
            lmd_places_new_synthetic("package:2 numa:2 core:4 pu:1", it->mask);
        assert_int_equal(lmd_places_domain(places, LMD_DOMAIN_NODE), 0);
        assert_int_equal(lmd_places_domain(places, LMD_DOMAIN_SOCKET), it->socket);
        assert_int_equal(lmd_places_domain(places, LMD_DOMAIN_NUMA), it->numa);
        const lmd_domain all[] = {LMD_DOMAIN_NODE, LMD_DOMAIN_SOCKET, LMD_DOMAIN_RANK};
        const int wanted[] = {it->spread_node, it->spread_socket, it->spread_rank};
        for (int k = 0; k < 3; k++) {
            assert_int_equal(lmd_places_spread(places, all[k], NULL, 0), wanted[k]);
        }
        lmd_places_free(places);
    }
}

/* Ranks must mean the same core by a number, whatever part of the node they see. */
static void cores_have_the_systems_numbers(void **state)
{
    (void)state;
    lmd_places *places = lmd_places_new_synthetic("package:2 core:2 pu:2", "3,6-7");
    assert_int_equal(lmd_places_cores(places), 2);
    assert_int_equal(lmd_places_node_cores(places), 4);
    assert_int_equal(lmd_places_core(places, 0), 2);
    assert_int_equal(lmd_places_core(places, 1), 6);
    assert_int_equal(lmd_places_last_core(places), 7);
    lmd_places_free(places);
}

static void nodes_are_described(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"package:2 numa:2 core:14 pu:2",
         "56 cores, 112 hardware threads, 2 sockets, 4 NUMA domains"},
        {"package:1 numa:1 core:1 pu:1", "1 core, 1 socket, 1 NUMA domain"},
        {"pu:3", "3 hardware threads, 1 NUMA domain"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        lmd_places *places = lmd_places_new_synthetic(pairs[i][0], NULL);
        char *line = lmd_places_describe(places);
        assert_string_equal(line, pairs[i][1]);
        lmd_memory_free(line);
        lmd_places_free(places);
    }
    assert_null(lmd_places_new_synthetic("package:two", NULL));
    lmd_places_free(NULL);
}

/* This machine: whatever it is, the process is on some of its cores. */
static void this_machine_has_cores(void **state)
{
    (void)state;
    lmd_places *places = lmd_places_new();
    assert_in_range(lmd_places_cores(places), 1, lmd_places_node_cores(places));
    assert_true(lmd_places_bind(places, 0));
    assert_true(lmd_places_bind(places, -1));
    lmd_places_free(places);
}

typedef struct advice_case {
    lmd_binding binding;
    lmd_launcher launcher;
    bool is_bound;
    const char *words[3]; /* none: nothing is wrong */
} advice_case;

static const advice_case advices[] = {
    /* As it should be. */
    {{.threads = 8,
      .cores = 8,
      .node_ranks = 4,
      .node_cores = 32,
      .used_cores = 32,
      .load = 1,
      .is_alone = true},
     LMD_LAUNCHER_MPIRUN,
     true,
     {NULL}},
    {{.threads = 2,
      .cores = 2,
      .node_ranks = 1,
      .node_cores = 2,
      .used_cores = 2,
      .load = 1,
      .is_alone = true},
     LMD_LAUNCHER_NONE,
     false,
     {NULL}},
    /* A part of a node, by Slurm or taskset: nobody's fault. */
    {{.threads = 4,
      .cores = 4,
      .node_ranks = 1,
      .node_cores = 32,
      .used_cores = 4,
      .load = 1,
      .is_alone = true},
     LMD_LAUNCHER_SRUN,
     false,
     {NULL}},
    /* `mpirun -n 1` with OMP_NUM_THREADS=8: all threads on one core. */
    {{.threads = 8,
      .cores = 1,
      .node_ranks = 1,
      .node_cores = 32,
      .used_cores = 1,
      .load = 8,
      .is_alone = true},
     LMD_LAUNCHER_MPIRUN,
     true,
     {"8 threads of a rank are bound to 1 of the node's 32 cores",
      "mpirun --bind-to none", "--map-by slot:PE=8"}},
    {{.threads = 8,
      .cores = 1,
      .node_ranks = 4,
      .node_cores = 32,
      .used_cores = 4,
      .load = 8,
      .is_alone = true},
     LMD_LAUNCHER_SRUN,
     false,
     {"bound to 1 of the node's 32 cores", "srun --cpus-per-task=8"}},
    {{.threads = 2,
      .cores = 1,
      .node_ranks = 1,
      .node_cores = 2,
      .used_cores = 1,
      .load = 2,
      .is_alone = true},
     LMD_LAUNCHER_NONE,
     false,
     {"2 threads of a rank are bound to 1", "2 cores of its"}},
    /* `mpirun -n 2` without OMP_NUM_THREADS: a thread each, the other cores idle. */
    {{.threads = 1,
      .cores = 1,
      .node_ranks = 2,
      .node_cores = 32,
      .used_cores = 2,
      .load = 1,
      .is_alone = true},
     LMD_LAUNCHER_MPIRUN,
     true,
     {"bound to 2 of the node's 32 cores", "the others are idle", "slot:PE=16"}},
    /* Two jobs' worth of ranks on the same cores. */
    {{.threads = 4,
      .cores = 4,
      .node_ranks = 2,
      .node_cores = 8,
      .used_cores = 4,
      .load = 2},
     LMD_LAUNCHER_SRUN,
     false,
     {"the same cores: 2 threads for each, while 4 of the node's 8", "srun"}},
    /* More than the node has. */
    {{.threads = 2,
      .cores = 2,
      .node_ranks = 5,
      .node_cores = 2,
      .used_cores = 2,
      .load = 5},
     LMD_LAUNCHER_MPIRUN,
     false,
     {"5 threads for each core (5 ranks on the node, 2 cores)", "lmdepth check"}},
    {{.threads = 5,
      .cores = 2,
      .node_ranks = 1,
      .node_cores = 2,
      .used_cores = 2,
      .load = 2.5,
      .is_alone = true},
     LMD_LAUNCHER_NONE,
     false,
     {"2.5 threads for each core (1 rank on the node"}},
};

static void a_bad_binding_is_told_with_its_cure(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof advices / sizeof *advices; i++) {
        const advice_case *it = &advices[i];
        lmd_text text = {0};
        const int kind =
            lmd_binding_judge(&it->binding, it->launcher, it->is_bound, &text);
        assert_int_equal(kind != 0, it->words[0] != NULL);
        assert_int_equal(text.size > 0, it->words[0] != NULL);
        for (int k = 0; k < 3 && it->words[k] != NULL; k++) {
            if (strstr(lmd_text_string(&text), it->words[k]) == NULL) {
                fail_msg("no '%s' in: %s", it->words[k], lmd_text_string(&text));
            }
        }
        lmd_text_clear(&text);
    }
}

static void the_plan_tells_the_binding(void **state)
{
    (void)state;
    assert_string_equal(lmd_binding_describe(&advices[0].binding),
                        "a thread a core, bound");
    assert_string_equal(lmd_binding_describe(&advices[3].binding),
                        "more threads than cores");
    const lmd_binding part = {.threads = 2, .cores = 4, .node_cores = 8, .load = 0.5};
    const lmd_binding all = {.threads = 2, .cores = 8, .node_cores = 8, .load = 0.25};
    assert_string_equal(lmd_binding_describe(&part), "ranks bound, threads free");
    assert_string_equal(lmd_binding_describe(&all), "not bound");
}

static int check_memory(void **state)
{
    (void)state;
    return lmd_memory_live() == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(ranks_and_threads_fill_the_cores, check_memory),
        cmocka_unit_test_teardown(no_suggestion_oversubscribes, check_memory),
        cmocka_unit_test_teardown(a_process_is_in_its_domain, check_memory),
        cmocka_unit_test_teardown(cores_have_the_systems_numbers, check_memory),
        cmocka_unit_test_teardown(nodes_are_described, check_memory),
        cmocka_unit_test_teardown(this_machine_has_cores, check_memory),
        cmocka_unit_test_teardown(a_bad_binding_is_told_with_its_cure, check_memory),
        cmocka_unit_test_teardown(the_plan_tells_the_binding, check_memory),
    };
    return cmocka_run_group_tests_name("places", tests, NULL, NULL);
}
