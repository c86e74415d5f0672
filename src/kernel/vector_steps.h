/* The loops of a forward pass: norm, rotary pairs, gate, sums, and the product of plain
 * C. Included by vector_loops.h. */
#ifndef VECTOR_STEPS_H
#define VECTOR_STEPS_H

#include <math.h> /* sqrt, INFINITY */
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
            const float *old = out + (size_t)i * panel->out_stride + p * WIDTH;
            sum[i][p] = panel->add ? load(old) : splat(0.0f);
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

static float largest(const float *x, int n)
{
    vec best = splat(-INFINITY);
    for (int i = 0; i < n; i += WIDTH) {
        best = larger(load(x + i), best);
    }
    float out = -INFINITY;
    for (int i = 0; i < WIDTH; i++) {
        out = best[i] > out ? best[i] : out;
    }
    return out;
}

static double square_sum(const float *x, int C)
{
    double lanes[LMD_LANES] = {0};
    int i = 0;
    for (; i + LMD_LANES <= C; i += LMD_LANES) {
        for (int l = 0; l < LMD_LANES; l++) {
            lanes[l] += (double)x[i + l] * (double)x[i + l];
        }
    }
    for (int l = 0; i < C; i++, l++) {
        lanes[l] += (double)x[i] * (double)x[i];
    }
    double sum = 0.0;
    for (int l = 0; l < LMD_LANES; l++) {
        sum += lanes[l];
    }
    return sum;
}

static void rms_norm(float *out, const float *in, const float *weight, double eps, int C)
{
    const float scale = (float)(1.0 / sqrt(square_sum(in, C) / C + eps));
    for (int i = 0; i < C; i++) {
        out[i] = in[i] * scale * weight[i];
    }
}

static void rotate(const lmd_pairs *pairs)
{
    const int half = pairs->D / 2;
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

// x / (1 + exp(-x)); exp(88) is finite, and there the quotient is 0 within rounding.
static inline vec silu(vec x)
{
    return x / (1.0f + exponential(smaller(splat(88.0f), -x)));
}

static void silu_gate(float *gate, const float *up, size_t n)
{
    size_t i = 0;
    for (; i + WIDTH <= n; i += WIDTH) {
        store(gate + i, silu(load(gate + i)) * load(up + i));
    }
    float rest[WIDTH] = {0};
    const size_t left = n - i;
    memcpy(rest, gate + i, left * sizeof *rest);
    store(rest, silu(load(rest)));
    for (size_t j = 0; j < left; j++) {
        gate[i + j] = rest[j] * up[i + j];
    }
}

static void add(float *out, const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = a[i] + b[i];
    }
}

static void multiply(float *x, float factor, int n)
{
    for (int i = 0; i < n; i++) {
        x[i] *= factor;
    }
}

#endif
