/* The epilogue of the decoder: two passes over a row of a tile of logits while it is in
 * the first-level cache, then sums in 16 lanes of fp32. The first pass finds the largest
 * logit, which is the reference of the second one's exponentials. method 1.3 has the
 * formulas. The cost is about 40 vector operations for 16 logits, beside the 2 d of the
 * product. Included by vector_loops.h. */
#ifndef VECTOR_SWEEP_H
#define VECTOR_SWEEP_H

#include <float.h> /* FLT_MAX */
#include "vector_math.h"

/* Folds the lanes of the largest and second largest. */
static void fold_best(const vec best[PARTS], const vec second[PARTS], lmd_scan *out)
{
    float high[LMD_LANES], low[LMD_LANES];
    memcpy(high, best, sizeof high);
    memcpy(low, second, sizeof low);
    for (int half = LMD_LANES / 2; half > 0; half /= 2) {
        for (int i = 0; i < half; i++) {
            const float a = high[i], b = high[i + half];
            const float loser = a > b ? b : a;
            const float third = low[i] > low[i + half] ? low[i] : low[i + half];
            high[i] = a > b ? a : b;
            low[i] = loser > third ? loser : third;
        }
    }
    out->best = high[0];
    out->second = low[0];
}

static int32_t lane_count(const ivec lanes[PARTS])
{
    int32_t x[LMD_LANES], sum = 0;
    memcpy(x, lanes, sizeof x);
    for (int i = 0; i < LMD_LANES; i++) {
        sum += x[i];
    }
    return sum;
}

static void scan(const float *z, int n, const float targets[2], lmd_scan *out)
{
    vec best[PARTS], second[PARTS];
    ivec strange[PARTS] = {{0}}, above0[PARTS] = {{0}}, above1[PARTS] = {{0}};
    for (int p = 0; p < PARTS; p++) {
        best[p] = splat(-FLT_MAX);
        second[p] = splat(-FLT_MAX);
    }
    for (int i = 0; i < n; i += LMD_LANES) {
        for (int p = 0; p < PARTS; p++) {
            const vec x = load(z + i + p * WIDTH);
            strange[p] |= ((ivec)x & 0x7f800000) == 0x7f800000;
            second[p] = larger(smaller(best[p], x), second[p]);
            best[p] = larger(x, best[p]);
            above0[p] -= x > targets[0];
            above1[p] -= x > targets[1];
        }
    }
    out->is_finite = lane_count(strange) == 0;
    out->above[0] = lane_count(above0);
    out->above[1] = lane_count(above1);
    fold_best(best, second, out);
}

static int32_t lowest_id(const float *z, const int32_t *ids, int n, float best)
{
    uvec lowest = (uvec){0} + (uint32_t)INT32_MAX;
    for (int i = 0; i < n; i += WIDTH) {
        uvec id;
        memcpy(&id, ids + i, sizeof id);
        id |= ~(uvec)(load(z + i) == best); // no hit: the largest unsigned number
        const uvec is_lower = (uvec)(id < lowest);
        lowest = (id & is_lower) | (lowest & ~is_lower);
    }
    uint32_t out = (uint32_t)INT32_MAX;
    for (int i = 0; i < WIDTH; i++) {
        out = lowest[i] < out ? lowest[i] : out;
    }
    return (int32_t)out;
}

static inline __attribute__((always_inline)) void
sums(const lmd_sums_task *task, lmd_sums *out, const bool entropy, const bool cross)
{
    vec s[PARTS] = {{0}}, w[PARTS] = {{0}}, c[PARTS] = {{0}};
    for (int i = 0; i < task->n; i += LMD_LANES) {
        for (int p = 0; p < PARTS; p++) {
            const int at = i + p * WIDTH;
            const vec z = load(task->z + at);
            // Bounded, so that e x is 0 and not NaN where x is -inf by overflow.
            const vec x = larger(z - task->reference, splat(-87.0f));
            const vec e = small_exponential(x);
            store(task->e + at, e);
            s[p] += e;
            if (entropy) {
                w[p] += e * x;
            }
            if (cross) {
                c[p] += load(task->output + at) * (z - task->final_logit);
            }
        }
    }
    out->sum = lane_sum(s);
    out->weighted = entropy ? lane_sum(w) : 0.0;
    out->cross = cross ? lane_sum(c) : 0.0;
}

static void sums_plain(const lmd_sums_task *task, lmd_sums *out)
{
    sums(task, out, false, false);
}

static void sums_cross(const lmd_sums_task *task, lmd_sums *out)
{
    sums(task, out, false, true);
}

static void sums_entropy(const lmd_sums_task *task, lmd_sums *out)
{
    sums(task, out, true, false);
}

static void sums_both(const lmd_sums_task *task, lmd_sums *out)
{
    sums(task, out, true, true);
}

static double total(const float *x, int n)
{
    vec s[PARTS] = {{0}};
    int i = 0;
    for (; i + LMD_LANES <= n; i += LMD_LANES) {
        for (int p = 0; p < PARTS; p++) {
            s[p] += load(x + i + p * WIDTH);
        }
    }
    double sum = lane_sum(s);
    for (; i < n; i++) {
        sum += (double)x[i];
    }
    return sum;
}

static void exponentials(float *out, const float *in, int n, float reference, float scale)
{
    for (int i = 0; i < n; i += WIDTH) {
        store(out + i, exponential(load(in + i) - reference) * scale);
    }
}

#endif
