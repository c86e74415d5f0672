/* larger(), smaller(), wider() and fused() lane by lane. Compilers make one instruction
 * of each, but not always where one's result is the other's argument. A processor without
 * fused multiply-adds calls the C library for them: the same bits, slowly. */
#ifndef VECTOR_LANES_H
#define VECTOR_LANES_H

#include "vector_types.h"

/* a > b ? a : b. */
static inline vec larger(vec a, vec b)
{
    vec out = b;
    for (int i = 0; i < WIDTH; i++) {
        out[i] = a[i] > b[i] ? a[i] : b[i];
    }
    return out;
}

static inline vec smaller(vec a, vec b)
{
    vec out = b;
    for (int i = 0; i < WIDTH; i++) {
        out[i] = a[i] < b[i] ? a[i] : b[i];
    }
    return out;
}

static inline uvec wider(uvec a, uvec b)
{
    uvec out = b;
    for (int i = 0; i < WIDTH; i++) {
        out[i] = a[i] > b[i] ? a[i] : b[i];
    }
    return out;
}

/* a b + c, rounded once. */
static inline vec fused(vec a, vec b, vec c)
{
    vec out = c;
    for (int i = 0; i < WIDTH; i++) {
        out[i] = __builtin_fmaf(a[i], b[i], c[i]);
    }
    return out;
}

#endif
