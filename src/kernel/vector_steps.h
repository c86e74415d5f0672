/* The loops of a forward pass: norms, rotary pairs, activations, sums, and the product of
 * plain C. Included by vector_loops.h. */
#ifndef VECTOR_STEPS_H
#define VECTOR_STEPS_H

#include <math.h> /* sqrt */
#include "vector_math.h"

/* n rows of a panel, n a constant after inlining, so that all sums stay in registers.
 * Every element is one chain of multiply, add over c: its bits know no neighbours. */
static inline __attribute__((always_inline)) void panel_rows(const lmd_panel *panel,
                                                             int row, const int n)
{
    const float *a = panel->a + (size_t)row * panel->a_stride;
    float *out = panel->out + (size_t)row * panel->out_stride;
    vec sum[LMD_PANEL_ROWS][PARTS];
    for (int i = 0; i < n; i++) {
        for (int p = 0; p < PARTS; p++) {
            sum[i][p] = splat(0.0f);
        }
    }
    const float *b = panel->b;
    for (int c = 0; c < panel->C; c++, b += panel->b_stride) {
        for (int i = 0; i < n; i++) {
            const float x = a[(size_t)i * panel->a_stride + (size_t)c];
            for (int p = 0; p < PARTS; p++) {
                sum[i][p] += x * load(b + p * WIDTH);
            }
        }
    }
    for (int i = 0; i < n; i++) {
        for (int p = 0; p < PARTS; p++) {
            store(out + (size_t)i * panel->out_stride + p * WIDTH, sum[i][p]);
        }
    }
}

static void panel(const lmd_panel *task)
{
    int row = 0;
    for (; row + LMD_PANEL_ROWS <= task->M; row += LMD_PANEL_ROWS) {
        panel_rows(task, row, LMD_PANEL_ROWS);
    }
    for (; row < task->M; row++) {
        panel_rows(task, row, 1);
    }
}

static double lane_total(const double lanes[LMD_LANES])
{
    double sum = 0.0;
    for (int l = 0; l < LMD_LANES; l++) {
        sum += lanes[l];
    }
    return sum;
}

/* The sum of x (C) in fp64. */
static double wide_sum(const float *x, int C)
{
    double lanes[LMD_LANES] = {0};
    int i = 0;
    for (; i + LMD_LANES <= C; i += LMD_LANES) {
        for (int l = 0; l < LMD_LANES; l++) {
            lanes[l] += (double)x[i + l];
        }
    }
    for (int l = 0; i < C; i++, l++) {
        lanes[l] += (double)x[i];
    }
    return lane_total(lanes);
}

/* The sum of (x - mean)^2 in fp64. */
static double square_sum(const float *x, double mean, int C)
{
    double lanes[LMD_LANES] = {0};
    int i = 0;
    for (; i + LMD_LANES <= C; i += LMD_LANES) {
        for (int l = 0; l < LMD_LANES; l++) {
            const double away = (double)x[i + l] - mean;
            lanes[l] += away * away;
        }
    }
    for (int l = 0; i < C; i++, l++) {
        const double away = (double)x[i] - mean;
        lanes[l] += away * away;
    }
    return lane_total(lanes);
}

static void rms_norm(float *out, const float *in, const float *weight, double eps, int C)
{
    const float scale = (float)(1.0 / sqrt(square_sum(in, 0.0, C) / C + eps));
    for (size_t i = 0; i < (size_t)C; i += WIDTH) {
        const size_t left = (size_t)C - i;
        const vec x = load_some(in + i, left) * scale;
        store_some(out + i, x * load_some(weight + i, left), left);
    }
}

/* The mean leaves in fp64: a row may lie far from 0 beside its spread. */
static void layer_norm(float *out, const float *in, const float *weight,
                       const float *bias, double eps, int C)
{
    const double mean = wide_sum(in, C) / C;
    const double scale = 1.0 / sqrt(square_sum(in, mean, C) / C + eps);
    for (size_t i = 0; i < (size_t)C; i += WIDTH) {
        const size_t left = (size_t)C - i;
        vec x = load_some(in + i, left);
        for (int l = 0; l < WIDTH; l++) {
            x[l] = (float)(((double)x[l] - mean) * scale);
        }
        x = x * load_some(weight + i, left);
        x = bias == NULL ? x : x + load_some(bias + i, left);
        store_some(out + i, x, left);
    }
}

static void rotate(const lmd_pairs *pairs)
{
    const int half = pairs->R / 2;
    for (int h = 0; h < pairs->H; h++) {
        float *restrict first = pairs->x + (size_t)h * (size_t)pairs->D;
        float *restrict last = first + half;
        for (int i = 0; i < half; i++) {
            const float a = first[i], b = last[i];
            first[i] = a * pairs->cosines[i] - b * pairs->sines[i];
            last[i] = b * pairs->cosines[i] + a * pairs->sines[i];
        }
    }
}

/* Each activation inlined into a loop of its own. */
static inline __attribute__((always_inline)) void
activate(float *x, const float *factor, size_t n, vec (*activation)(vec))
{
    for (size_t i = 0; i < n; i += WIDTH) {
        const size_t left = n - i;
        const vec y = activation(load_some(x + i, left));
        store_some(x + i, factor == NULL ? y : y * load_some(factor + i, left), left);
    }
}

static void activate_silu(float *x, const float *factor, size_t n)
{
    activate(x, factor, n, silu);
}

static void activate_gelu(float *x, const float *factor, size_t n)
{
    activate(x, factor, n, gelu);
}

static void activate_gelu_tanh(float *x, const float *factor, size_t n)
{
    activate(x, factor, n, gelu_tanh);
}

static void activate_relu(float *x, const float *factor, size_t n)
{
    activate(x, factor, n, relu);
}

static void add(float *out, const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i += WIDTH) {
        const size_t left = n - i;
        store_some(out + i, load_some(a + i, left) + load_some(b + i, left), left);
    }
}

static void multiply(float *x, float factor, int n)
{
    for (int i = 0; i < n; i++) {
        x[i] *= factor;
    }
}

#endif
