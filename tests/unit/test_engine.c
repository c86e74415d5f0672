/* Room engine: which positions count, the order of the unembedding's rows, and that
 * counters depend on neither the order of packs nor on what else is in a pack. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include <lmdepth/base/hash.h>
#include <lmdepth/base/memory.h>
#include <lmdepth/engine.h>

/* ---- selection ---- */

static int count_observed(const lmd_selection *selection, const lmd_prompt *prompt,
                          int length)
{
    int n = 0;
    for (int i = 0; i < length; i++) {
        n += lmd_engine_is_observed(selection, prompt, i, length);
    }
    return n;
}

static void test_selection(void **state)
{
    (void)state;
    const lmd_prompt first = {.is_first = true, .is_last = false, .has_bos = true};
    const lmd_prompt later = {.is_first = false, .is_last = true, .has_bos = true};
    const lmd_prompt plain = {.is_first = false, .is_last = true};
    const lmd_selection all = {.which = LMD_WHICH_ALL};
    assert_int_equal(count_observed(&all, &first, 8), 8);
    assert_int_equal(count_observed(&all, &later, 8), 7); // not its BOS
    assert_int_equal(count_observed(&all, &plain, 8), 8);
    const lmd_selection skip = {.which = LMD_WHICH_ALL, .skip = 3};
    assert_int_equal(count_observed(&skip, &plain, 8), 5);
    const lmd_selection last = {.which = LMD_WHICH_LAST};
    assert_int_equal(count_observed(&last, &first, 8), 0);
    assert_int_equal(count_observed(&last, &later, 8), 1);
    assert_true(lmd_engine_is_observed(&last, &later, 7, 8));
    const lmd_selection late = {.which = LMD_WHICH_LAST, .skip = 8};
    assert_int_equal(count_observed(&late, &later, 8), 0);
    const lmd_selection every = {.which = LMD_WHICH_EVERY, .every = 3, .skip = 1};
    assert_int_equal(count_observed(&every, &plain, 8), 3); // 1, 4, 7
    assert_true(lmd_engine_is_observed(&every, &plain, 4, 8));
}

/* Over the prompts of a pack; none: it does not go through the model. */
static void test_count_observed(void **state)
{
    (void)state;
    const uint32_t ids[9] = {0};
    const int32_t starts[] = {0, 4, 9};
    lmd_prompt prompts[2] = {{.is_first = true, .has_bos = true}, {.has_bos = true}};
    const lmd_pack pack = {
        .T = 9, .n_prompts = 2, .ids = ids, .starts = starts, .prompts = prompts};
    const lmd_selection all = {.which = LMD_WHICH_ALL, .skip = 0};
    const lmd_selection last = {.which = LMD_WHICH_LAST};
    assert_int_equal(lmd_engine_count_observed(&all, &pack), 4 + 4);
    assert_int_equal(lmd_engine_count_observed(&last, &pack), 0);
    prompts[1].is_last = true;
    assert_int_equal(lmd_engine_count_observed(&last, &pack), 1);
}

/* The same token is sampled or not in whichever window it lies. */
static void test_sampling(void **state)
{
    (void)state;
    const lmd_selection half = {.which = LMD_WHICH_SAMPLE, .share = 0.5, .seed = 9};
    const lmd_prompt whole = {.key = 77, .is_first = true};
    const lmd_prompt part = {.key = 77, .offset = 5};
    const int n = count_observed(&half, &whole, 4000);
    assert_in_range(n, 1850, 2150);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(lmd_engine_is_observed(&half, &whole, i + 5, 4000),
                         lmd_engine_is_observed(&half, &part, i, 200));
    }
    // The rule itself: h(h(h(seed + 2) xor key) xor index) < p 2^64.
    for (uint64_t i = 0; i < 50; i++) {
        const uint64_t h = lmd_hash_mix(lmd_hash_mix(lmd_hash_mix(11) ^ 77) ^ i);
        assert_int_equal(lmd_engine_is_observed(&half, &whole, (int)i, 4000),
                         h >> 63 == 0);
    }
    assert_int_equal(lmd_engine_fold(9, 77, 10), lmd_hash_mix(lmd_hash_mix(9) ^ 77) % 10);
}

static void test_order(void **state)
{
    (void)state;
    int64_t counts[9] = {0, 5, 9, 0, 2, 2, 7, 1, 0};
    lmd_frequency *frequency = lmd_frequency_new(9, counts, NULL, true);
    int32_t order[9], places[9], band_rows[16];
    lmd_engine_order(frequency, order, places, band_rows);
    // Unranked 0 3 8; rank 1 is id 2; ranks 2-3 are 1 and 6 in order of id; 4-7: 4 5 7.
    const int32_t expected[9] = {0, 3, 8, 2, 1, 6, 4, 5, 7};
    assert_memory_equal(order, expected, sizeof expected);
    const int32_t rows[5] = {0, 3, 4, 6, 9};
    assert_memory_equal(band_rows, rows, sizeof rows);
    for (int row = 0; row < 9; row++) {
        assert_int_equal(places[order[row]], row);
    }
    lmd_frequency_free(frequency);
}

/* ---- packs through a tiny model ---- */

enum { V = 53, PROMPTS = 6, LONGEST = 20 };

typedef struct lmd_bench {
    lmd_model *model;
    void *memory;
    lmd_team *team;
    lmd_kernel *kernel;
    lmd_lens *lens;
    lmd_frequency *frequency;
    int32_t order[V], places[V], band_rows[32], states[4];
    uint32_t ids[PROMPTS][LONGEST];
    int lengths[PROMPTS];
} lmd_bench;

static void open_bench(lmd_bench *bench, int threads)
{
    assert_int_equal(lmd_model_open(&bench->model, "tests/data/model/grouped"), LMD_OK);
    int64_t counts[V];
    for (int id = 0; id < V; id++) {
        counts[id] = (int64_t)(lmd_hash_mix((uint64_t)id + 1) % 40);
    }
    bench->frequency = lmd_frequency_new(V, counts, NULL, true);
    lmd_engine_order(bench->frequency, bench->order, bench->places, bench->band_rows);
    bench->memory = lmd_memory_new_aligned(lmd_model_bytes(bench->model), 1);
    assert_int_equal(lmd_model_load(bench->model, bench->order, bench->memory), LMD_OK);
    bench->team = lmd_team_new(threads);
    bench->kernel = lmd_kernel_new(bench->team, lmd_model_get_shape(bench->model)->max_C);
    assert_int_equal(lmd_lens_open(&bench->lens, "logit", NULL, NULL, bench->model),
                     LMD_OK);
    for (int l = 0; l < 4; l++) {
        bench->states[l] = l;
    }
    for (int p = 0; p < PROMPTS; p++) {
        bench->lengths[p] = 1 + (7 * p + 3) % LONGEST;
        for (int i = 0; i < bench->lengths[p]; i++) {
            bench->ids[p][i] = (uint32_t)(lmd_hash_mix((uint64_t)(100 * p + i)) % V);
        }
    }
}

static void close_bench(lmd_bench *bench)
{
    lmd_lens_close(bench->lens);
    lmd_kernel_free(bench->kernel);
    lmd_team_free(bench->team);
    lmd_memory_free(bench->memory);
    lmd_frequency_free(bench->frequency);
    lmd_model_close(bench->model);
}

/* A pack of the prompts picks[n], and its run. */
static void run_pack(lmd_bench *bench, lmd_engine *engine, const int *picks, int n)
{
    uint32_t ids[PROMPTS * LONGEST];
    int32_t starts[PROMPTS + 1] = {0};
    lmd_prompt prompts[PROMPTS];
    for (int p = 0; p < n; p++) {
        const int pick = picks[p];
        const int length = bench->lengths[pick];
        memcpy(ids + starts[p], bench->ids[pick], (size_t)length * sizeof *ids);
        starts[p + 1] = starts[p] + length;
        prompts[p] = (lmd_prompt){.key = (uint64_t)pick * 1000003,
                                  .group = pick % 2,
                                  .next = pick % 3 == 0 ? -1 : pick,
                                  .is_first = true,
                                  .is_last = true};
    }
    const lmd_pack pack = {
        .T = starts[n], .n_prompts = n, .ids = ids, .starts = starts, .prompts = prompts};
    lmd_engine_run(engine, &pack);
}

/* Runs packs (prompts ended by -1, all by -2) and gives the counters. */
static lmd_counters *count_packs(lmd_bench *bench, const int *plan)
{
    const lmd_metric_setup setup = {
        .folds = 3,
        .groups = 2,
        .lenses = 1,
        .L = 4,
        .states = bench->states,
        .N = 3,
        .V = V,
        .n_bands = bench->frequency->n_bands,
        .band_edges = bench->frequency->edges,
        .bands = bench->frequency->bands,
        .metrics = "bucket,onset,entropy,divergence,token",
    };
    lmd_counters *counters;
    assert_int_equal(lmd_counters_new(&counters, &setup), LMD_OK);
    const lmd_lens *const lenses[1] = {bench->lens};
    const lmd_engine_setup engine_setup = {
        .model = bench->model,
        .kernel = bench->kernel,
        .lenses = lenses,
        .n_lenses = 1,
        .head = {.matrix = lmd_model_unembedding(bench->model),
                 .ids = bench->order,
                 .places = bench->places,
                 .band_rows = bench->band_rows,
                 .n_bands = bench->frequency->n_bands},
        .counters = counters,
        .selection = {.which = LMD_WHICH_ALL},
        .wants = LMD_DECODE_ENTROPY | LMD_DECODE_KL | LMD_DECODE_MASS,
        .pack_tokens = PROMPTS * LONGEST,
    };
    lmd_engine *engine = lmd_engine_new(&engine_setup);
    while (*plan != -2) {
        int n = 0;
        while (plan[n] >= 0) {
            n++;
        }
        run_pack(bench, engine, plan, n);
        plan += n + 1;
    }
    const lmd_engine_report report = lmd_engine_get_report(engine);
    assert_int_equal(report.positions, report.tokens);
    lmd_engine_free(engine);
    return counters;
}

static void assert_same_counters(lmd_counters *a, lmd_counters *b)
{
    size_t n, m;
    const int64_t *x = lmd_counters_values(a, &n);
    const int64_t *y = lmd_counters_values(b, &m);
    assert_int_equal(n, m);
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(x[i], y[i]);
        sum += x[i] != 0;
    }
    assert_true(sum > 100);
}

static void test_order_of_packs(void **state)
{
    (void)state;
    const int64_t live = lmd_memory_live();
    static const int forward[] = {0, 1, -1, 2, 3, -1, 4, 5, -1, -2};
    static const int shuffled[] = {4, 5, -1, 0, 1, -1, 2, 3, -1, -2};
    static const int alone[] = {3, -1, 5, -1, 0, -1, 2, -1, 1, -1, 4, -1, -2};
    static const int together[] = {5, 0, 3, 1, 4, 2, -1, -2};
    static const int *const plans[] = {shuffled, alone, together};
    lmd_bench bench = {0};
    open_bench(&bench, 1);
    lmd_counters *expected = count_packs(&bench, forward);
    for (size_t i = 0; i < 3; i++) {
        lmd_counters *found = count_packs(&bench, plans[i]);
        assert_same_counters(expected, found);
        lmd_counters_free(found);
    }
    close_bench(&bench);
    open_bench(&bench, 3);
    lmd_counters *found = count_packs(&bench, forward);
    assert_same_counters(expected, found);
    lmd_counters_free(found);
    lmd_counters_free(expected);
    close_bench(&bench);
    assert_int_equal(lmd_memory_live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_selection),      cmocka_unit_test(test_count_observed),
        cmocka_unit_test(test_sampling),       cmocka_unit_test(test_order),
        cmocka_unit_test(test_order_of_packs),
    };
    return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
