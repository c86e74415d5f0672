/* A lens on a tiny model: what it decodes equals the naive readout of the logits that the
 * model's own norm and unembedding give; the last state is the model's output, whatever
 * the lens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <lmdepth/base/memory.h>
#include <lmdepth/lens.h>
#include <math.h>
#include <string.h>
#include "../../src/lens/lens_row.h"

#define MODEL "tests/data/model/grouped"

enum { N = 3, V = 53, WIDTH = 36, LENGTH = 7, N_BANDS = 3, S = 4, L = 3 };

static const uint32_t prompt[LENGTH] = {3, 52, 0, 17, 17, 40, 9};
static const int32_t starts[] = {0, LENGTH};
static const int32_t band_rows[N_BANDS + 1] = {0, 5, 20, V};
static const int32_t positions[S] = {0, 2, 3, 6};
static const int32_t gold[S] = {52, 17, 17, -1};
static const int32_t observed[L] = {0, 2, N};

typedef struct scene {
    lmd_model *model;
    lmd_team *team;
    lmd_kernel *kernel;
    void *memory;
    float *states;     /* (N + 1, LENGTH, WIDTH) */
    int32_t ids[V];    /* of each row of the unembedding */
    int32_t places[V]; /* of each id */
    int32_t bands[V];  /* of each id */
    lmd_decoder *decoder;
} scene;

static void choose_order(scene *it)
{
    for (int row = 0, band = 0; row < V; row++) {
        band += row == band_rows[band + 1];
        it->ids[row] = (29 * row + 7) % V;
        it->places[it->ids[row]] = row;
        it->bands[it->ids[row]] = band;
    }
}

static int open_scene(void **state)
{
    scene *const it = lmd_memory_new(1, sizeof *it);
    *state = it;
    choose_order(it);
    if (lmd_model_open(&it->model, MODEL) != LMD_OK) {
        return 1;
    }
    it->memory = lmd_memory_new_aligned(lmd_model_bytes(it->model), 1);
    if (lmd_model_load(it->model, it->ids, it->memory) != LMD_OK) {
        return 1;
    }
    it->team = lmd_team_new(2);
    it->kernel = lmd_kernel_new(it->team, lmd_model_get_shape(it->model)->max_C);
    const lmd_batch batch = {LENGTH, 1, prompt, starts};
    void *const work = lmd_memory_new_aligned(lmd_model_work_bytes(it->model, LENGTH), 1);
    it->states = lmd_memory_new_aligned((N + 1) * LENGTH * WIDTH, sizeof(float));
    lmd_model_forward(it->model, it->kernel, &batch, work, it->states);
    lmd_memory_free(work);
    const lmd_head head = {lmd_model_unembedding(it->model), it->ids, it->places,
                           band_rows, N_BANDS};
    it->decoder = lmd_decoder_new(it->kernel, &head, L,
                                  LMD_DECODE_ENTROPY | LMD_DECODE_KL | LMD_DECODE_MASS);
    return 0;
}

static int close_scene(void **state)
{
    scene *const it = *state;
    lmd_decoder_free(it->decoder);
    lmd_kernel_free(it->kernel);
    lmd_team_free(it->team);
    lmd_model_close(it->model);
    lmd_memory_free(it->memory);
    lmd_memory_free(it->states);
    lmd_memory_free(it);
    return 0;
}

/* Logits by id, straight from the formula in fp64. */
static void logits_of(const scene *it, int state, int position, float logits[V])
{
    float normed[WIDTH];
    float row[WIDTH];
    lmd_model_final_norm(it->model, it->states + (state * LENGTH + position) * WIDTH,
                         normed);
    for (int id = 0; id < V; id++) {
        double sum = 0;
        lmd_matrix_get_row(lmd_model_unembedding(it->model), it->places[id], row);
        for (int i = 0; i < WIDTH; i++) {
            sum += (double)row[i] * (double)normed[i];
        }
        logits[id] = (float)sum;
    }
}

static void assert_near(double is, double should)
{
    if (!(fabs(is - should) < 1e-4)) {
        fail_msg("%.9g instead of %.9g", is, should);
    }
}

static void assert_readout(const lmd_readout *is, const lmd_readout *should)
{
    assert_true(is->is_finite);
    assert_int_equal(is->top1, should->top1);
    assert_int_equal(is->final_rank, should->final_rank);
    assert_int_equal(is->gold_rank, should->gold_rank);
    assert_near((double)is->margin, (double)should->margin);
    assert_near(is->lse, should->lse);
    assert_near(is->entropy, should->entropy);
    assert_near(is->kl, should->kl);
    assert_near(is->final_logit, should->final_logit);
}

static lmd_lens_view view_of(const scene *it)
{
    return (lmd_lens_view){it->states, LENGTH, positions, gold, S, observed, L};
}

static void test_logit_lens(void **state)
{
    const scene *const it = *state;
    const lmd_lens_view view = view_of(it);
    lmd_lens *lens = NULL;
    lmd_readout readouts[L * S];
    double mass[L * S * N_BANDS];
    assert_int_equal(lmd_lens_open(&lens, "logit", NULL, NULL, it->model), LMD_OK);
    lmd_lens_decode(lens, it->decoder, &view, readouts, mass);
    for (int s = 0; s < S; s++) {
        float output[V];
        logits_of(it, N, positions[s], output);
        for (int l = 0; l < L; l++) {
            float logits[V];
            lmd_readout expected;
            double expected_mass[N_BANDS];
            logits_of(it, observed[l], positions[s], logits);
            lmd_decode_naive(logits, output, V, it->bands, N_BANDS, gold[s], &expected,
                             expected_mass);
            assert_readout(&readouts[l * S + s], &expected);
            for (int b = 0; b < N_BANDS; b++) {
                assert_near(mass[(l * S + s) * N_BANDS + b], expected_mass[b]);
            }
        }
        assert_int_equal(readouts[(L - 1) * S + s].final_rank, 1);
    }
    lmd_lens_close(lens);
}

static void test_names(void **state)
{
    const scene *const it = *state;
    lmd_lens *lens = NULL;
    assert_int_equal(lmd_lens_open(&lens, "logit", NULL, NULL, it->model), LMD_OK);
    assert_string_equal(lmd_lens_name(lens), "logit");
    assert_string_equal(lmd_lens_kind(lens), "logit");
    assert_true(fabs(lmd_lens_flops(lens) - 2.0 * WIDTH * V) < 0.5);
    lmd_lens_close(lens);
    assert_int_equal(lmd_lens_open(&lens, "logit", NULL, "plain", it->model), LMD_OK);
    assert_string_equal(lmd_lens_name(lens), "plain");
    lmd_lens_close(lens);
}

static void test_refusals(void **state)
{
    const scene *const it = *state;
    lmd_lens *lens = NULL;
    assert_int_equal(lmd_lens_open(&lens, "tuned", NULL, NULL, it->model), LMD_USAGE);
    assert_null(lens);
    assert_non_null(strstr(lmd_status_message(), "'tuned'"));
    assert_non_null(strstr(lmd_status_message(), "logit"));
    assert_int_equal(lmd_lens_open(&lens, "logit", "a.pt", NULL, it->model), LMD_USAGE);
    assert_non_null(strstr(lmd_status_message(), "'a.pt'"));
    assert_null(lens);
}

extern const lmd_lens_row lmd_lens_row_null;

static void test_null_lens(void **state)
{
    const scene *const it = *state;
    const lmd_lens_row *const row = &lmd_lens_row_null;
    lmd_transform *data = NULL;
    float out[WIDTH];
    assert_int_equal(row->open(&data, NULL, it->model), LMD_OK);
    row->transform(data, it->model, 0, it->states, out);
    for (int i = 0; i < WIDTH; i++) {
        assert_true(out[i] >= 0 && out[i] <= 0);
    }
    assert_true(row->flops(data, it->model) <= 0);
    row->close(data);
}

int main(void)
{
    const int64_t live = lmd_memory_live();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logit_lens),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_null_lens),
    };
    const int failed = cmocka_run_group_tests(tests, open_scene, close_scene);
    return failed != 0 || lmd_memory_live() != live;
}
