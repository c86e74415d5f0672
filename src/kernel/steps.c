/* The small steps of a forward pass, rows shared among the team. */
#include "kernel_inside.h"

enum { STEP_ROWS = 16 }; /* rows of an item */

typedef struct step_run {
    const lmd_vector_table *vector;
    float *out;
    const float *a, *b;
    const float *cosines, *sines;
    const int32_t *place;
    double eps;
    int T, C, H, D, stride;
} step_run;

static void run_rows(lmd_kernel *kernel, step_run *run, lmd_team_work *work)
{
    run->vector = kernel->vector;
    lmd_team_run(kernel->team, (run->T + STEP_ROWS - 1) / STEP_ROWS, work, run);
}

static int end_row(const step_run *run, int item)
{
    const int end = (item + 1) * STEP_ROWS;
    return end < run->T ? end : run->T;
}

/* The first float and number of floats of an item's rows. */
static size_t span(const step_run *run, int item, size_t *n)
{
    const size_t first = (size_t)item * STEP_ROWS;
    *n = ((size_t)end_row(run, item) - first) * (size_t)run->C;
    return first * (size_t)run->C;
}

void lmd_kernel_rms_norm_row(float *out, const float *in, const float *weight, double eps,
                             int C)
{
    lmd_vector_tables()[0]->rms_norm(out, in, weight, eps, C);
}

static void rms_norm_item(void *context, int item, int member)
{
    (void)member;
    const step_run *run = context;
    for (int t = item * STEP_ROWS; t < end_row(run, item); t++) {
        const size_t at = (size_t)t * (size_t)run->C;
        run->vector->rms_norm(run->out + at, run->a + at, run->b, run->eps, run->C);
    }
}

void lmd_kernel_rms_norm(lmd_kernel *kernel, float *out, const float *in,
                         const float *weight, double eps, int T, int C)
{
    step_run run = {.out = out, .a = in, .b = weight, .eps = eps, .T = T, .C = C};
    run_rows(kernel, &run, rms_norm_item);
}

static void rotate_item(void *context, int item, int member)
{
    (void)member;
    const step_run *run = context;
    for (int t = item * STEP_ROWS; t < end_row(run, item); t++) {
        const size_t at = (size_t)run->place[t] * (size_t)(run->D / 2);
        const lmd_pairs pairs = {.x = run->out + (size_t)t * (size_t)run->stride,
                                 .cosines = run->cosines + at,
                                 .sines = run->sines + at,
                                 .H = run->H,
                                 .D = run->D};
        run->vector->rotate(&pairs);
    }
}

void lmd_kernel_rotate(lmd_kernel *kernel, float *x, int stride, const float *cosines,
                       const float *sines, const int32_t *place, int T, int H, int D)
{
    step_run run = {.out = x,
                    .stride = stride,
                    .cosines = cosines,
                    .sines = sines,
                    .place = place,
                    .T = T,
                    .H = H,
                    .D = D};
    run_rows(kernel, &run, rotate_item);
}

static void silu_gate_item(void *context, int item, int member)
{
    (void)member;
    const step_run *run = context;
    size_t n;
    const size_t at = span(run, item, &n);
    run->vector->silu_gate(run->out + at, run->a + at, n);
}

void lmd_kernel_silu_gate(lmd_kernel *kernel, float *gate, const float *up, int T, int F)
{
    step_run run = {.out = gate, .a = up, .T = T, .C = F};
    run_rows(kernel, &run, silu_gate_item);
}

static void add_item(void *context, int item, int member)
{
    (void)member;
    const step_run *run = context;
    size_t n;
    const size_t at = span(run, item, &n);
    run->vector->add(run->out + at, run->a + at, run->b + at, n);
}

void lmd_kernel_add(lmd_kernel *kernel, float *out, const float *a, const float *b, int T,
                    int C)
{
    step_run run = {.out = out, .a = a, .b = b, .T = T, .C = C};
    run_rows(kernel, &run, add_item);
}
