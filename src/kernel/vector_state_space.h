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

enum { SCAN_VECTORS = LMD_SCAN_CHANNELS / WIDTH };

/* Clears the states, and copies A into the order of the walk: in memory its rows may lie
 * a multiple of 4 KB apart, which a first-level cache can't hold many of. Scratch has for
 * each vector of channels its states and its A / ln 2, (n_states, WIDTH) each. */
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

/* Takes the states h of a vector of channels one step s on; returns what is read. */
static inline vec step_states(const lmd_selective_scan *scan, float *h, size_t t, vec s,
                              vec x)
{
    const size_t N = (size_t)scan->n_states;
    const float *B = scan->B + t * scan->bc_stride, *C = scan->C + t * scan->bc_stride;
    const float *A = h + N * WIDTH;
    const vec sx = s * x;
    vec y = splat(0.0f);
    for (size_t n = 0; n < N; n++, h += WIDTH, A += WIDTH) {
        const vec state = decay(s * load(A)) * load(h) + sx * B[n];
        store(h, state);
        y += state * C[n];
    }
    return y;
}

/* The softplus of all channels of a row comes before their states: they are long chains
 * of dependent steps, which overlap. */
static void scan_row(const lmd_scan_part *part, size_t t)
{
    const lmd_selective_scan *scan = part->scan;
    const size_t first = part->channel, row = t * (size_t)scan->width + first;
    const float *gate = scan->gate + t * scan->gate_stride + first;
    vec s[SCAN_VECTORS];
    for (size_t at = 0, i = 0; at < part->n; at += WIDTH, i++) {
        const size_t left = part->n - at;
        s[i] = softplus(load_some(scan->delta + row + at, left) +
                        load_some(scan->delta_bias + first + at, left));
    }
    for (size_t at = 0, i = 0; at < part->n; at += WIDTH, i++) {
        const size_t left = part->n - at;
        const vec x = load_some(scan->x + row + at, left);
        float *h = part->scratch + 2 * (size_t)scan->n_states * at;
        const vec y = step_states(scan, h, t, s[i], x) +
                      load_some(scan->skip + first + at, left) * x;
        store_some(part->out + row + at, y * silu(load_some(gate + at, left)), left);
    }
}

static void selective_scan(const lmd_scan_part *part)
{
    begin_scan(part);
    for (size_t t = part->first; t < part->end; t++) {
        scan_row(part, t);
    }
}

#endif
