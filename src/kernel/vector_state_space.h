/* The loops of a state-space model: the short convolution and the selective scan, a lane
 * for each channel, so that no sum crosses lanes. Included by vector_loops.h. */
#ifndef VECTOR_STATE_SPACE_H
#define VECTOR_STATE_SPACE_H

#include "vector_math.h"

static void convolve(const lmd_taps *taps)
{
    const lmd_convolution *it = taps->convolution;
    const size_t C = (size_t)it->C;
    const int n = taps->before + 1 < it->width ? taps->before + 1 : it->width;
    const float *in = taps->in - (size_t)(n - 1) * taps->in_stride;
    const float *weight = it->weight + (size_t)(it->width - n) * C;
    for (size_t c = 0; c < C; c += WIDTH) {
        const size_t left = C - c;
        vec sum = it->bias == NULL ? splat(0.0f) : load_some(it->bias + c, left);
        for (size_t j = 0; j < (size_t)n; j++) {
            sum += load_some(weight + j * C + c, left) *
                   load_some(in + j * taps->in_stride + c, left);
        }
        store_some(taps->out + c, silu(sum), left);
    }
}

/* Row t, channels [at, at + left) of the part, at most WIDTH of them. Their states h and
 * A / ln 2 are (n_states, WIDTH). */
static inline __attribute__((always_inline)) void
scan_row(const lmd_scan_part *part, size_t t, size_t at, const size_t left)
{
    const lmd_selective_scan *scan = part->scan;
    const size_t c = part->channel + at, N = (size_t)scan->n_states;
    const size_t row = t * (size_t)scan->width + c;
    const float *B = scan->B + t * scan->bc_stride, *C = scan->C + t * scan->bc_stride;
    float *h = part->scratch + 2 * N * at;
    const float *A = h + N * WIDTH;
    const vec x = load_some(scan->x + row, left);
    const vec s = softplus(load_some(scan->delta + row, left) +
                           load_some(scan->delta_bias + c, left));
    const vec sx = s * x;
    vec y = load_some(scan->skip + c, left) * x;
    for (size_t n = 0; n < N; n++) {
        const vec state =
            decay(s * load(A + n * WIDTH)) * load(h + n * WIDTH) + sx * B[n];
        store(h + n * WIDTH, state);
        y += state * C[n];
    }
    const vec gate = load_some(scan->gate + t * scan->gate_stride + c, left);
    store_some(part->out + row, y * silu(gate), left);
}

/* Clears the states, and copies A into the order of the walk: in memory its rows may lie
 * a multiple of 4 KB apart, which a first-level cache can't hold many of. */
static void begin_scan(const lmd_scan_part *part)
{
    const lmd_selective_scan *scan = part->scan;
    const size_t N = (size_t)scan->n_states, width = (size_t)scan->width;
    for (size_t at = 0; at < part->n; at += WIDTH) {
        float *h = part->scratch + 2 * N * at;
        for (size_t n = 0; n < N; n++) {
            const float *A = scan->A + n * width + part->channel + at;
            store(h + n * WIDTH, splat(0.0f));
            store(h + (N + n) * WIDTH, load_some(A, part->n - at) * 1.44269504f);
        }
    }
}

static void selective_scan(const lmd_scan_part *part)
{
    begin_scan(part);
    for (size_t t = part->first; t < part->end; t++) {
        size_t at = 0;
        for (; at + WIDTH <= part->n; at += WIDTH) {
            scan_row(part, t, at, WIDTH);
        }
        if (at < part->n) {
            scan_row(part, t, at, part->n - at);
        }
    }
}

#endif
