/* larger(), smaller() and wider() lane by lane. Compilers make one instruction of each,
 * but not always where one's result is the other's argument. */
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

#endif
