/* The loops of attention: a lane for each query, so that no maximum and no sum crosses
 * lanes. Included by vector_loops.h. */
#ifndef VECTOR_SOFTMAX_H
#define VECTOR_SOFTMAX_H

#include <math.h> /* INFINITY */
#include "vector_math.h"

/* -INFINITY for what queries [first, first + WIDTH) don't see. */
static void hide_keys(const lmd_softening *it, int first)
{
    ivec query = {0};
    for (int i = 0; i < WIDTH; i++) {
        query[i] = first + i;
    }
    float *scores = it->scores + first;
    for (int j = 0; j < it->n; j++, scores += LMD_SOFTEN_QUERIES) {
        const ivec is_seen = (query > j - it->to) & (query <= j - it->from);
        store(scores, choose(is_seen, load(scores), splat(-INFINITY)));
    }
}

/* Queries [first, first + WIDTH). */
static void soften_lanes(const lmd_softening *it, int first)
{
    const bool all_seen = it->to + first >= it->n && it->from + first + WIDTH - 1 <= 0;
    if (!all_seen) {
        hide_keys(it, first);
    }
    float *scores = it->scores + first;
    const vec before = load(it->largest + first);
    vec best = before;
    for (size_t j = 0; j < (size_t)it->n; j++) {
        best = larger(load(scores + j * LMD_SOFTEN_QUERIES), best);
    }
    store(it->largest + first, best);
    // A query that has seen nothing yet: any finite reference gives zeros.
    const vec reference = choose(best == -INFINITY, splat(0.0f), best);
    vec sum = {0};
    for (size_t j = 0; j < (size_t)it->n; j++) {
        float *at = scores + j * LMD_SOFTEN_QUERIES;
        const vec e = exponential(load(at) - reference);
        store(at, e);
        sum += e;
    }
    const vec factor = exponential(before - reference);
    store(it->factors + first, factor);
    store(it->weights + first, load(it->weights + first) * factor + sum);
}

static void soften(const lmd_softening *it)
{
    for (int first = 0; first < LMD_SOFTEN_QUERIES; first += WIDTH) {
        soften_lanes(it, first);
    }
}

static void carry(float *sums, const float *fresh, const float *factors, int C)
{
    for (int first = 0; first < LMD_SOFTEN_QUERIES; first += WIDTH) {
        const vec factor = load(factors + first);
        for (size_t c = 0; c < (size_t)C; c++) {
            const size_t at = c * LMD_SOFTEN_QUERIES + (size_t)first;
            store(sums + at, load(sums + at) * factor + load(fresh + at));
        }
    }
}

#endif
