/* The lens kernel alone: a super-block of random states at every state of a shape, all
 * statistics, one band for each that a job would have. Nothing is read from files. */
#include <math.h>
#include <stdio.h>

#include "bench.h"

typedef struct bench_sweep {
    const lmd_bench_shape *shape;
    int S, L;
    lmd_frequency *frequency;
    int32_t *order, *places, *band_rows;
    lmd_matrix matrix;
    void *memory;  /* of the matrix */
    float *states; /* (L, S, d) */
    float *norm;   /* (d) */
    int32_t *gold; /* (S) */
    lmd_readout *readouts;
    double *mass;
    lmd_decoder *decoder;
    double traffic; /* bytes of one run */
} bench_sweep;

/* Frequencies as of a text: count of rank r about 1 / r, ids in no order. */
static void order_rows(bench_sweep *sweep)
{
    const int V = sweep->shape->V;
    int64_t *counts = lmd_memory_new((size_t)V, sizeof *counts);
    for (int i = 0; i < V; i++) {
        counts[i] =
            1 + 1000000 / (1 + (int64_t)(lmd_hash_mix((uint64_t)i) % (unsigned)V));
    }
    sweep->frequency = lmd_frequency_new(V, counts, NULL, true);
    lmd_memory_free(counts);
    sweep->order = lmd_memory_new((size_t)V, sizeof *sweep->order);
    sweep->places = lmd_memory_new((size_t)V, sizeof *sweep->places);
    sweep->band_rows =
        lmd_memory_new((size_t)sweep->frequency->n_bands + 1, sizeof *sweep->band_rows);
    lmd_engine_order(sweep->frequency, sweep->order, sweep->places, sweep->band_rows);
}

/* Each row begins elsewhere in one long stretch of noise. Logits spread by about 3. */
static void fill_matrix(bench_sweep *sweep, lmd_matrix_type stored)
{
    const lmd_bench_shape *shape = sweep->shape;
    const size_t n = (size_t)1 << 20;
    float *noise = lmd_bench_noise(n + (size_t)shape->d, 5.2F / sqrtf((float)shape->d));
    sweep->memory =
        lmd_memory_new_aligned(lmd_matrix_bytes(shape->V, shape->d, stored), 1);
    lmd_matrix_bind(&sweep->matrix, shape->V, shape->d, stored, sweep->memory);
    lmd_matrix_clear_padding(&sweep->matrix);
    for (int row = 0; row < shape->V; row++) {
        const size_t first = lmd_hash_mix((uint64_t)row + 1) % n;
        lmd_matrix_put_row(&sweep->matrix, row, noise + first);
    }
    lmd_memory_free(noise);
}

static void fill_tokens(bench_sweep *sweep)
{
    const size_t d = (size_t)sweep->shape->d;
    const size_t rows = (size_t)sweep->L * (size_t)sweep->S;
    sweep->states = lmd_bench_noise(rows * d, 1.0F);
    sweep->norm = lmd_memory_new_aligned(d, sizeof *sweep->norm);
    for (size_t i = 0; i < d; i++) {
        sweep->norm[i] = 1.0F;
    }
    sweep->gold = lmd_memory_new((size_t)sweep->S, sizeof *sweep->gold);
    for (int s = 0; s < sweep->S; s++) {
        sweep->gold[s] = 7 * s % sweep->shape->V;
    }
    sweep->readouts = lmd_memory_new(rows, sizeof *sweep->readouts);
    sweep->mass =
        lmd_memory_new(rows * (size_t)sweep->frequency->n_bands, sizeof *sweep->mass);
}

static void clear_sweep(bench_sweep *sweep)
{
    lmd_memory_free(sweep->mass);
    lmd_memory_free(sweep->readouts);
    lmd_memory_free(sweep->gold);
    lmd_memory_free(sweep->norm);
    lmd_memory_free(sweep->states);
    lmd_memory_free(sweep->memory);
    lmd_memory_free(sweep->band_rows);
    lmd_memory_free(sweep->places);
    lmd_memory_free(sweep->order);
    lmd_frequency_free(sweep->frequency);
}

static void fill_state(const void *context, int state, int token, float *out)
{
    const bench_sweep *sweep = context;
    const size_t row = (size_t)state * (size_t)sweep->S + (size_t)token;
    lmd_kernel_rms_norm_row(out, sweep->states + row * (size_t)sweep->shape->d,
                            sweep->norm, 1e-5, sweep->shape->d);
}

static void run_sweep(void *context)
{
    bench_sweep *sweep = context;
    lmd_decode(sweep->decoder, fill_state, sweep, sweep->S, sweep->L, sweep->gold,
               sweep->readouts, sweep->mass);
}

static lmd_bench_timing time_sweep(bench_sweep *sweep, const lmd_bench_plan *plan,
                                   lmd_kernel *kernel)
{
    const lmd_bench_shape *shape = plan->shape;
    const lmd_head head = {.matrix = &sweep->matrix,
                           .ids = sweep->order,
                           .places = sweep->places,
                           .band_rows = sweep->band_rows,
                           .n_bands = sweep->frequency->n_bands};
    sweep->decoder = lmd_decoder_new(
        kernel, &head, sweep->L, LMD_DECODE_ENTROPY | LMD_DECODE_KL | LMD_DECODE_MASS);
    const lmd_bench_task task = {.kernel = kernel,
                                 .work = run_sweep,
                                 .context = sweep,
                                 .flops =
                                     2.0 * shape->d * shape->V * sweep->S * sweep->L};
    const lmd_bench_timing timing = lmd_bench_time(&task, plan->repeats);
    sweep->traffic = lmd_decoder_traffic(sweep->decoder, sweep->S, sweep->L);
    lmd_decoder_free(sweep->decoder);
    return timing;
}

lmd_bench_row lmd_bench_decode(const lmd_bench_plan *plan)
{
    const lmd_bench_shape *shape = plan->shape;
    // A full super-block of the widest shapes would take most of a minute a repetition.
    const int S = plan->is_quick ? 14 : shape->d > 1024 ? 28 : LMD_DECODE_TOKENS;
    bench_sweep sweep = {.shape = shape, .S = S, .L = plan->is_quick ? 3 : shape->N + 1};
    order_rows(&sweep);
    fill_matrix(&sweep, plan->stored);
    fill_tokens(&sweep);
    lmd_team *team = lmd_team_new(plan->threads);
    lmd_kernel *kernel = plan->precision->new_kernel(team, shape->d);
    const lmd_bench_timing timing = time_sweep(&sweep, plan, kernel);
    const double rows = (double)sweep.S * sweep.L;
    lmd_bench_row row = {.shape = shape,
                         .tokens = sweep.S,
                         .states = sweep.L,
                         .stored = lmd_bench_type_name(plan->stored),
                         .precision = plan->precision->name,
                         .threads = plan->threads,
                         .per_second = rows / timing.seconds,
                         .bytes = sweep.traffic / rows,
                         .gflops = 2e-9 * shape->d * shape->V * rows / timing.seconds,
                         .timing = timing};
    snprintf(row.kernel, sizeof row.kernel, "%s", lmd_kernel_arithmetic(kernel));
    lmd_kernel_free(kernel);
    lmd_team_free(team);
    clear_sweep(&sweep);
    return row;
}
