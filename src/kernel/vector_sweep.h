/* The epilogue of the decoder: one pass over a row of a tile of logits while it is in the
 * first-level cache. Everything is kept in 16 lanes from tile to tile (lmd_lanes), so
 * that nothing crosses lanes but at the end of a segment of the vocabulary. The
 * exponentials refer to a number that is known before the pass; should a tile hold a
 * logit far above it, nothing is kept of the pass and it is done again with a better one
 * (tally.c). method 1.3 has the formulas. The cost is about 28 vector operations for 16
 * logits, beside the 2 d of the product. Included by vector_loops.h. */
#ifndef VECTOR_SWEEP_H
#define VECTOR_SWEEP_H

#include <float.h> /* FLT_MAX */
#include "vector_math.h"

static float largest(const float *z, int n)
{
    vec best[PARTS];
    for (int p = 0; p < PARTS; p++) {
        best[p] = splat(-FLT_MAX);
    }
    for (int i = 0; i < n; i += LMD_LANES) {
        for (int p = 0; p < PARTS; p++) {
            best[p] = larger(load(z + i + p * WIDTH), best[p]);
        }
    }
    float lanes[LMD_LANES], out = -FLT_MAX;
    memcpy(lanes, best, sizeof lanes);
    for (int i = 0; i < LMD_LANES; i++) {
        out = lanes[i] > out ? lanes[i] : out;
    }
    return out;
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

static inline vec lanes_at(const float lanes[LMD_LANES], int p)
{
    return load(lanes + p * WIDTH);
}

/* The two largest of a tile beside those of the lanes. */
static inline __attribute__((always_inline)) void
store_best(lmd_lanes *lanes, const vec best[PARTS], const vec second[PARTS])
{
    for (int p = 0; p < PARTS; p++) {
        const vec old = lanes_at(lanes->best, p);
        const vec runner_up = larger(second[p], lanes_at(lanes->second, p));
        store(lanes->best + p * WIDTH, larger(best[p], old));
        store(lanes->second + p * WIDTH, larger(smaller(best[p], old), runner_up));
    }
}

/* Is any lane of the tile's largest logits at least x? */
static inline __attribute__((always_inline)) bool reaches(const vec best[PARTS], float x)
{
    ivec found = {0};
    for (int p = 0; p < PARTS; p++) {
        found |= best[p] >= x;
    }
    int32_t lanes[WIDTH], any = 0;
    memcpy(lanes, &found, sizeof lanes);
    for (int i = 0; i < WIDTH; i++) {
        any |= lanes[i];
    }
    return any != 0;
}

// Local arrays, which stay in registers; in a struct they would not in gcc 12.
static inline __attribute__((always_inline)) lmd_seen
sweep(const lmd_sweep_task *task, lmd_lanes *lanes, const bool sums, const bool entropy,
      const bool cross)
{
    const lmd_sweep_task it = *task; // nothing that is stored can change it
    vec best[PARTS], second[PARTS], s[PARTS], w[PARTS], c[PARTS];
    ivec above0[PARTS], above1[PARTS];
    uvec widest[PARTS];
    for (int p = 0; p < PARTS; p++) {
        best[p] = splat(-FLT_MAX);
        second[p] = splat(-FLT_MAX);
        s[p] = lanes_at(lanes->sum, p);
        w[p] = lanes_at(lanes->weighted, p);
        c[p] = lanes_at(lanes->cross, p);
    }
    memcpy(above0, lanes->above[0], sizeof above0);
    memcpy(above1, lanes->above[1], sizeof above1);
    memcpy(widest, lanes->widest, sizeof widest);
    for (int i = 0; i < it.n; i += LMD_LANES) {
        for (int p = 0; p < PARTS; p++) {
            const int at = i + p * WIDTH;
            const vec z = load(it.z + at);
            widest[p] = wider((uvec)z & 0x7fffffffu, widest[p]);
            second[p] = larger(smaller(best[p], z), second[p]);
            best[p] = larger(z, best[p]);
            above0[p] -= z > it.targets[0];
            above1[p] -= z > it.targets[1];
            if (!sums) {
                continue;
            }
            // Bounded, so that e x is 0 and not NaN where x is -inf by overflow.
            const vec x = larger(z - it.reference, splat(-87.0f));
            const vec e = small_exponential(x);
            if (it.e != NULL) {
                store(it.e + at, e);
            }
            s[p] += e;
            if (entropy) {
                w[p] = fused(e, x, w[p]);
            }
            if (cross) {
                c[p] = fused(load(it.output + at), z - it.targets[0], c[p]);
            }
        }
    }
    if (sums && reaches(best, it.limit)) {
        return LMD_SEEN_TOO_LARGE;
    }
    store_best(lanes, best, second);
    memcpy(lanes->above[0], above0, sizeof above0);
    memcpy(lanes->above[1], above1, sizeof above1);
    memcpy(lanes->widest, widest, sizeof widest);
    memcpy(lanes->sum, s, sizeof s);
    memcpy(lanes->weighted, w, sizeof w);
    memcpy(lanes->cross, c, sizeof c);
    return reaches(best, it.bound) ? LMD_SEEN_BEST : LMD_SEEN;
}

static lmd_seen sweep_ranks(const lmd_sweep_task *task, lmd_lanes *lanes)
{
    return sweep(task, lanes, false, false, false);
}

static lmd_seen sweep_mass(const lmd_sweep_task *task, lmd_lanes *lanes)
{
    return sweep(task, lanes, true, false, false);
}

static lmd_seen sweep_cross(const lmd_sweep_task *task, lmd_lanes *lanes)
{
    return sweep(task, lanes, true, false, true);
}

static lmd_seen sweep_entropy(const lmd_sweep_task *task, lmd_lanes *lanes)
{
    return sweep(task, lanes, true, true, false);
}

static lmd_seen sweep_all(const lmd_sweep_task *task, lmd_lanes *lanes)
{
    return sweep(task, lanes, true, true, true);
}

static double lanes_sum(const float lanes[LMD_LANES])
{
    vec x[PARTS];
    memcpy(x, lanes, sizeof x);
    return lane_sum(x);
}

static void fold_sums(const lmd_lanes *lanes, lmd_sums *out)
{
    out->sum = lanes_sum(lanes->sum);
    out->weighted = lanes_sum(lanes->weighted);
    out->cross = lanes_sum(lanes->cross);
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
