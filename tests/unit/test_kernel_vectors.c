/* The vectorised loops: every table this processor runs gives the bits of the base table;
 * the exponential is accurate. */
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

/* Everything a table computes from one set of inputs. */
typedef struct results {
    float panel[13][LMD_LANES], e[PADDED], p[PADDED], norm[N], gate[N], sum[N],
        pairs[2][14];
    lmd_scan scan;
    lmd_sums sums[4];
    double total;
    float largest;
    int32_t lowest;
} results;

static void run_steps(const lmd_vector_table *table, const float *x, results *out)
{
    memcpy(out->gate, x, sizeof out->gate);
    memcpy(out->pairs, x, sizeof out->pairs);
    table->rms_norm(out->norm, x, x + 1, 1e-5, N);
    table->silu_gate(out->gate, x + 3, N);
    table->add(out->sum, x, x + 5, N);
    table->multiply(out->sum, 0.7f, N);
    const lmd_pairs pairs = {
        .x = out->pairs[0], .cosines = x, .sines = x + 7, .H = 2, .D = 14};
    table->rotate(&pairs);
    lmd_panel panel = {.out = out->panel[0],
                       .a = x,
                       .b = x + 16,
                       .out_stride = LMD_LANES,
                       .a_stride = 9,
                       .b_stride = 17,
                       .M = 13,
                       .C = 11};
    table->panel(&panel);
    panel.add = true;
    table->panel(&panel);
}

static void run_sweep(const lmd_vector_table *table, const float *x, results *out)
{
    int32_t ids[PADDED];
    for (int i = 0; i < PADDED; i++) {
        ids[i] = 1000 - i;
    }
    const float targets[2] = {x[17], x[99]};
    table->scan(x, PADDED, targets, &out->scan);
    out->lowest = table->lowest_id(x, ids, PADDED, out->scan.best);
    table->exponentials(out->p, x, PADDED, out->scan.best, 0.1f);
    const lmd_sums_task task = {.z = x,
                                .output = out->p,
                                .e = out->e,
                                .n = PADDED,
                                .reference = out->scan.best,
                                .final_logit = x[17]};
    for (int i = 0; i < 4; i++) {
        table->sums[i / 2][i % 2](&task, &out->sums[i]);
    }
    out->total = table->total(x, N);
    out->largest = table->largest(x, PADDED);
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
        run_sweep(&lmd_vector_base, x, &base);
        for (const lmd_vector_table *const *table = lmd_vector_tables(); *table;
             table++) {
            memset(&wide, 0, sizeof wide);
            run_steps(*table, x, &wide);
            run_sweep(*table, x, &wide);
            assert_same_bits(&wide, &base, sizeof base);
        }
        lmd_memory_free(x);
    }
}

static void scan_sees_what_is_not_finite(void **state)
{
    (void)state;
    static const float strange[] = {NAN, INFINITY, -INFINITY, -NAN};
    const float targets[2] = {0.0f, 0.0f};
    for (const lmd_vector_table *const *table = lmd_vector_tables(); *table; table++) {
        for (int i = 0; i < 4 * PADDED; i++) {
            float *x = case_numbers(PADDED, 1, FLT_MAX);
            lmd_scan scan;
            (*table)->scan(x, PADDED, targets, &scan);
            assert_true(scan.is_finite);
            x[i % PADDED] = strange[i / PADDED];
            (*table)->scan(x, PADDED, targets, &scan);
            assert_false(scan.is_finite);
            lmd_memory_free(x);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exp_is_accurate),
        cmocka_unit_test(exp_has_its_limits),
        cmocka_unit_test(all_tables_give_the_same_bits),
        cmocka_unit_test(scan_sees_what_is_not_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
