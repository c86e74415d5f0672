/* The small steps of a forward pass, rows shared among the team. */
#include "kernel_inside.h"

enum { STEP_ROWS = 16 }; /* rows of an item */

typedef struct step_run {
    const lmd_vector_table *vector;
    float *out;
    const float *a, *b, *weight; /* b may be NULL */
    const lmd_rotary *rotary;
    double eps;
    size_t stride; /* of a row of out */
    lmd_activation activation;
    int T, C, H, D;
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
        run->vector->rms_norm(run->out + at, run->a + at, run->weight, run->eps, run->C);
    }
}

void lmd_kernel_rms_norm(lmd_kernel *kernel, float *out, const float *in,
                         const float *weight, double eps, int T, int C)
{
    step_run run = {.out = out, .a = in, .weight = weight, .eps = eps, .T = T, .C = C};
    run_rows(kernel, &run, rms_norm_item);
}

static void rms_norm_heads_item(void *context, int item, int member)
{
    (void)member;
    const step_run *run = context;
    for (int t = item * STEP_ROWS; t < end_row(run, item); t++) {
        float *x = run->out + (size_t)t * run->stride;
        for (int h = 0; h < run->H; h++, x += run->D) {
            run->vector->rms_norm(x, x, run->weight, run->eps, run->D);
        }
    }
}

void lmd_kernel_rms_norm_heads(lmd_kernel *kernel, float *x, size_t stride,
                               const float *weight, double eps, int T, int H, int D)
{
    step_run run = {
        .out = x, .stride = stride, .weight = weight, .eps = eps, .T = T, .H = H, .D = D};
    run_rows(kernel, &run, rms_norm_heads_item);
}

void lmd_kernel_layer_norm_row(float *out, const float *in, const float *weight,
                               const float *bias, double eps, int C)
{
    lmd_vector_tables()[0]->layer_norm(out, in, weight, bias, eps, C);
}

static void layer_norm_item(void *context, int item, int member)
{
    (void)member;
    const step_run *run = context;
    for (int t = item * STEP_ROWS; t < end_row(run, item); t++) {
        const size_t at = (size_t)t * (size_t)run->C;
        run->vector->layer_norm(run->out + at, run->a + at, run->weight, run->b, run->eps,
                                run->C);
    }
}

void lmd_kernel_layer_norm(lmd_kernel *kernel, float *out, const float *in,
                           const float *weight, const float *bias, double eps, int T,
                           int C)
{
    step_run run = {
        .out = out, .a = in, .b = bias, .weight = weight, .eps = eps, .T = T, .C = C};
    run_rows(kernel, &run, layer_norm_item);
}

static void rotate_item(void *context, int item, int member)
{
    (void)member;
    const step_run *run = context;
    const lmd_rotary *rotary = run->rotary;
    for (int t = item * STEP_ROWS; t < end_row(run, item); t++) {
        const size_t at = (size_t)rotary->place[t] * (size_t)(rotary->R / 2);
        const lmd_pairs pairs = {.x = run->out + (size_t)t * run->stride,
                                 .cosines = rotary->cosines + at,
                                 .sines = rotary->sines + at,
                                 .H = run->H,
                                 .D = run->D,
                                 .R = rotary->R};
        run->vector->rotate(&pairs);
    }
}

void lmd_kernel_rotate(lmd_kernel *kernel, float *x, size_t stride,
                       const lmd_rotary *rotary, int T, int H, int D)
{
    step_run run = {.out = x, .stride = stride, .rotary = rotary, .T = T, .H = H, .D = D};
    run_rows(kernel, &run, rotate_item);
}

static void activate_item(void *context, int item, int member)
{
    (void)member;
    const step_run *run = context;
    size_t n;
    const size_t at = span(run, item, &n);
    run->vector->activate[run->activation](run->out + at, NULL, n);
}

void lmd_kernel_activate(lmd_kernel *kernel, float *x, lmd_activation activation, int T,
                         int C)
{
    step_run run = {.out = x, .activation = activation, .T = T, .C = C};
    run_rows(kernel, &run, activate_item);
}

static void gate_item(void *context, int item, int member)
{
    (void)member;
    const step_run *run = context;
    const size_t F = (size_t)run->C;
    for (int t = item * STEP_ROWS; t < end_row(run, item); t++) {
        float *x = run->out + (size_t)t * 2 * F;
        run->vector->activate[run->activation](x, x + F, F);
    }
}

void lmd_kernel_gate(lmd_kernel *kernel, float *x, lmd_activation activation, int T,
                     int F)
{
    step_run run = {.out = x, .activation = activation, .T = T, .C = F};
    run_rows(kernel, &run, gate_item);
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
