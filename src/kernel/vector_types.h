/* Vectors of the register width of one instruction set (GCC and clang extensions).
 * Included with LMD_VECTOR_BYTES set; larger(), smaller(), wider() and fused()
 * come from vector_lanes.h or, as instructions, from who includes this. */
#ifndef VECTOR_TYPES_H
#define VECTOR_TYPES_H

#include <stdint.h> /* int32_t */
#include <string.h> /* memcpy */
#include "vector_table.h"

enum { WIDTH = LMD_VECTOR_BYTES / 4, PARTS = LMD_LANES / WIDTH };

typedef float vec __attribute__((vector_size(LMD_VECTOR_BYTES)));
typedef int32_t ivec __attribute__((vector_size(LMD_VECTOR_BYTES)));
typedef uint32_t uvec __attribute__((vector_size(LMD_VECTOR_BYTES)));

static inline vec load(const float *p)
{
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void store(float *p, vec v)
{
    memcpy(p, &v, sizeof v);
}

#endif
