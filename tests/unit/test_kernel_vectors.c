/* The vectorised loops: every table this processor runs gives the bits of the base table;
 * the exponential and the activations are accurate. */
#include <float.h>
#include "kernel_case.h"

enum { N = 333, PADDED = 336 };

/* Fails if a processor without wide vectors leaves nothing to compare: then it is
 * skipped. */
static void need_tables(void)
{
    if (lmd_vector_tables()[1] == NULL) {
        print_message("skipped: this processor has one instruction set only\n");
        skip();
    }
}

static void exp_is_accurate(void **state)
{
    (void)state;
    for (const lmd_vector_table *const *table = lmd_vector_tables(); *table; table++) {
        double worst = 0.0;
        for (int block = 0; block < 4000; block++) {
            float x[LMD_LANES], out[LMD_LANES];
            for (int i = 0; i < LMD_LANES; i++) {
                x[i] = -86.99f + 174.9f * (float)(block * LMD_LANES + i) / 64000.0f;
            }
            (*table)->exponentials(out, x, LMD_LANES, 0.0f, 1.0f);
            for (int i = 0; i < LMD_LANES; i++) {
                worst = fmax(worst, fabs((double)out[i] / exp((double)x[i]) - 1.0));
            }
        }
        assert_true(worst < 2e-7);
    }
}

static void exp_has_its_limits(void **state)
{
    (void)state;
    const float x[LMD_LANES] = {0.0f,     -0.0f,     -87.01f, -104.0f, -1e30f,
                                -FLT_MAX, -INFINITY, NAN,     1.0f,    88.0f};
    for (const lmd_vector_table *const *table = lmd_vector_tables(); *table; table++) {
        float out[LMD_LANES];
        (*table)->exponentials(out, x, LMD_LANES, 0.0f, 1.0f);
        assert_true(out[0] == 1.0f && out[1] == 1.0f);
        for (int i = 2; i < 7; i++) {
            assert_true(out[i] == 0.0f);
        }
        assert_true(isnan(out[7]) && isfinite(out[9]));
    }
}

static double silu_of(double x)
{
    return x / (1.0 + exp(-x));
}

static double gelu_of(double x)
{
    return 0.5 * x * erfc(-x * 0.70710678118654752);
}

static double gelu_tanh_of(double x)
{
    const double y = 0.79788456080286536 * (x + 0.044715 * x * x * x);
    return x / (1.0 + exp(-2.0 * y));
}

/* Of the activation itself, not of x: left of 0 too, to where it is 1e-30. */
static void activations_are_accurate(void **state)
{
    (void)state;
    static const struct {
        double (*definition)(double);
        float low;
        double tolerance;
    } cases[LMD_ACTIVATIONS] = {[LMD_SILU] = {silu_of, -70.0f, 3e-7},
                                [LMD_GELU] = {gelu_of, -1.0f, 6e-7},
                                [LMD_GELU_TANH] = {gelu_tanh_of, -1.0f, 6e-7}};
    for (int a = 0; a < LMD_RELU; a++) {
        double worst = 0.0, worst_absolute = 0.0;
        for (int i = 0; i <= 400000; i++) {
            float x = -10.0f + (float)i / 20000.0f;
            const double y = cases[a].definition((double)x);
            const bool is_relative = x >= cases[a].low;
            lmd_vector_tables()[0]->activate[a](&x, NULL, 1);
            const double error = fabs((double)x - y);
            worst = is_relative && y != 0.0 ? fmax(worst, error / fabs(y)) : worst;
            worst_absolute = fmax(worst_absolute, error / fmax(1.0, fabs(y)));
        }
        print_message("activation %d: %.2g relative, %.2g absolute\n", a, worst,
                      worst_absolute);
        assert_true(worst < cases[a].tolerance);
        assert_true(worst_absolute < 3e-7);
    }
}

/* Everything a table computes from one set of inputs. */
typedef struct results {
    float panel[13][LMD_LANES], e[PADDED], p[PADDED], norm[N], layer[2][N], sum[N],
        pairs[2][14], activations[LMD_ACTIVATIONS][2][N], taps[N], states[3][45],
        soft[10 * 32], largest[32], weights[32], factors[32], carried[5 * 32];
    lmd_lanes lanes[5];
    lmd_seen seen[5];
    lmd_sums sums;
    double total;
    float largest_logit;
    int32_t lowest;
} results;

static void run_activations(const lmd_vector_table *table, const float *x, results *out)
{
    for (int a = 0; a < LMD_ACTIVATIONS; a++) {
        memcpy(out->activations[a][0], x, N * sizeof *x);
        memcpy(out->activations[a][1], x, N * sizeof *x);
        table->activate[a](out->activations[a][0], NULL, N);
        table->activate[a](out->activations[a][1], x + 3, N);
    }
}

/* 45 channels of 3 rows, as a part of 32 and one of 13. */
static void run_state_space(const lmd_vector_table *table, const float *x, results *out)
{
    enum { STATES = 2, CHANNELS = 45 };
    const lmd_convolution convolution = {.weight = x, .bias = x + 9, .width = 4, .C = 50};
    const lmd_taps taps = {.convolution = &convolution,
                           .out = out->taps,
                           .in = x + 200,
                           .in_stride = 55,
                           .before = 2};
    table->convolve(&taps);
    float A[STATES * CHANNELS], scratch[2 * STATES * LMD_SCAN_CHANNELS];
    for (int i = 0; i < STATES * CHANNELS; i++) {
        A[i] = -fabsf(x[i]);
    }
    const lmd_selective_scan scan = {.A = A,
                                     .skip = x + 20,
                                     .delta_bias = x + 30,
                                     .x = x + 40,
                                     .delta = x + 50,
                                     .B = x + 60,
                                     .C = x + 70,
                                     .gate = x + 80,
                                     .bc_stride = 5,
                                     .gate_stride = 47,
                                     .width = CHANNELS,
                                     .n_states = STATES};
    for (size_t channel = 0; channel < CHANNELS; channel += LMD_SCAN_CHANNELS) {
        const size_t left = CHANNELS - channel;
        const lmd_scan_part part = {.scan = &scan,
                                    .out = out->states[0],
                                    .scratch = scratch,
                                    .end = 3,
                                    .channel = channel,
                                    .n = left < LMD_SCAN_CHANNELS ? left
                                                                  : LMD_SCAN_CHANNELS};
        table->selective_scan(&part);
    }
}

/* Ten keys of 32 queries, of which some see none and some all. */
static void run_softmax(const lmd_vector_table *table, const float *x, results *out)
{
    for (int i = 0; i < 32; i++) {
        out->largest[i] = i % 2 == 0 ? -INFINITY : x[i];
        out->weights[i] = i % 2 == 0 ? 0.0f : 3.0f;
    }
    memcpy(out->soft, x, sizeof out->soft);
    memcpy(out->carried, x, sizeof out->carried);
    const lmd_softening softening = {.scores = out->soft,
                                     .n = 10,
                                     .from = -9,
                                     .to = -4,
                                     .largest = out->largest,
                                     .weights = out->weights,
                                     .factors = out->factors};
    table->soften(&softening);
    table->carry(out->carried, x + 7, out->factors, 5);
}

static void run_steps(const lmd_vector_table *table, const float *x, results *out)
{
    memcpy(out->pairs, x, sizeof out->pairs);
    table->rms_norm(out->norm, x, x + 1, 1e-5, N);
    table->layer_norm(out->layer[0], x, x + 1, x + 2, 1e-5, N);
    table->layer_norm(out->layer[1], x, x + 1, NULL, 1e-5, N);
    table->add(out->sum, x, x + 5, N);
    table->multiply(out->sum, 0.7f, N);
    const lmd_pairs pairs = {
        .x = out->pairs[0], .cosines = x, .sines = x + 7, .H = 2, .D = 14, .R = 10};
    table->rotate(&pairs);
    const lmd_panel panel = {.out = out->panel[0],
                             .a = x,
                             .b = x + 16,
                             .out_stride = LMD_LANES,
                             .a_stride = 9,
                             .b_stride = 17,
                             .M = 13,
                             .C = 11};
    table->panel(&panel);
}

static void start_lanes(lmd_lanes *lanes)
{
    memset(lanes, 0, sizeof *lanes);
    for (int i = 0; i < LMD_LANES; i++) {
        lanes->best[i] = -FLT_MAX;
        lanes->second[i] = -FLT_MAX;
    }
}

static void run_sweep(const lmd_vector_table *table, const float *x, results *out)
{
    int32_t ids[PADDED];
    for (int i = 0; i < PADDED; i++) {
        ids[i] = 1000 - i;
    }
    const float best = table->largest(x, PADDED);
    out->largest_logit = best;
    out->lowest = table->lowest_id(x, ids, PADDED, best);
    table->exponentials(out->p, x, PADDED, best, 0.1f);
    const lmd_sweep_task task = {.z = x,
                                 .output = out->p,
                                 .e = out->e,
                                 .n = PADDED,
                                 .targets = {x[17], x[99]},
                                 .reference = best - 3.0f,
                                 .limit = best + 13.0f,
                                 .bound = best};
    for (int i = 0; i < 5; i++) {
        lmd_sweep_loop *sweep = i < 4 ? table->sweep[i / 2][i % 2] : table->sweep_ranks;
        start_lanes(&out->lanes[i]);
        out->seen[i] = sweep(&task, &out->lanes[i]);
    }
    table->fold_sums(&out->lanes[3], &out->sums);
    out->total = table->total(x, N);
}

static void all_tables_give_the_same_bits(void **state)
{
    (void)state;
    need_tables();
    for (uint64_t seed = 0; seed < 5; seed++) {
        float *x = case_numbers(PADDED + 16, seed, seed == 4 ? 1e4f : 20.0f);
        results base, wide;
        memset(&base, 0, sizeof base);
        run_steps(&lmd_vector_base, x, &base);
        run_activations(&lmd_vector_base, x, &base);
        run_state_space(&lmd_vector_base, x, &base);
        run_softmax(&lmd_vector_base, x, &base);
        run_sweep(&lmd_vector_base, x, &base);
        for (const lmd_vector_table *const *table = lmd_vector_tables(); *table;
             table++) {
            memset(&wide, 0, sizeof wide);
            run_steps(*table, x, &wide);
            run_activations(*table, x, &wide);
            run_state_space(*table, x, &wide);
            run_softmax(*table, x, &wide);
            run_sweep(*table, x, &wide);
            assert_same_bits(&wide, &base, sizeof base);
        }
        lmd_memory_free(x);
    }
}

/* Any lane's largest |z| tells of NaN and infinity. */
static void sweep_sees_what_is_not_finite(void **state)
{
    (void)state;
    static const float strange[] = {NAN, INFINITY, -INFINITY, -NAN};
    for (const lmd_vector_table *const *table = lmd_vector_tables(); *table; table++) {
        for (int i = 0; i < 5 * PADDED; i++) {
            float *x = case_numbers(PADDED, 1, FLT_MAX);
            if (i >= PADDED) {
                x[i % PADDED] = strange[i / PADDED - 1];
            }
            const lmd_sweep_task task = {.z = x, .n = PADDED};
            lmd_lanes lanes;
            start_lanes(&lanes);
            (*table)->sweep_ranks(&task, &lanes);
            bool is_finite = true;
            for (int lane = 0; lane < LMD_LANES; lane++) {
                is_finite = is_finite && lanes.widest[lane] < 0x7f800000u;
            }
            assert_int_equal(is_finite, i < PADDED);
            lmd_memory_free(x);
        }
    }
}

/* What is too large leaves the lanes as they were, what is best is said. */
static void sweep_says_what_it_saw(void **state)
{
    (void)state;
    for (const lmd_vector_table *const *table = lmd_vector_tables(); *table; table++) {
        for (int i = 0; i < PADDED; i++) {
            float *x = case_numbers(PADDED, 3, 1.0f);
            x[i] = 5.0f;
            lmd_sweep_task task = {
                .z = x, .output = x, .n = PADDED, .limit = 5.0f, .bound = 5.0f};
            lmd_lanes lanes, before;
            start_lanes(&lanes);
            start_lanes(&before);
            assert_int_equal((*table)->sweep[1][1](&task, &lanes), LMD_SEEN_TOO_LARGE);
            assert_same_bits(&lanes, &before, sizeof lanes);
            task.limit = 5.1f;
            assert_int_equal((*table)->sweep[1][1](&task, &lanes), LMD_SEEN_BEST);
            task.bound = 5.1f;
            assert_int_equal((*table)->sweep[1][1](&task, &lanes), LMD_SEEN);
            assert_true(lanes.best[i % LMD_LANES] == 5.0f &&
                        lanes.second[i % LMD_LANES] == 5.0f);
            lmd_memory_free(x);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exp_is_accurate),
        cmocka_unit_test(exp_has_its_limits),
        cmocka_unit_test(activations_are_accurate),
        cmocka_unit_test(all_tables_give_the_same_bits),
        cmocka_unit_test(sweep_sees_what_is_not_finite),
        cmocka_unit_test(sweep_says_what_it_saw),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
