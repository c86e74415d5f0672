/* Products and sums of sizes, counts and offsets that a file claims: the only place where
 * such numbers meet before they were held against the file's size. */
#ifndef LMDEPTH_BASE_SIZE_H
#define LMDEPTH_BASE_SIZE_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* int64_t */

/* *out = a * b, *out = a + b; false, and *out of no use, when that is no int64_t. *out
 * may be a or b. */
static inline bool lmd_size_multiply(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

static inline bool lmd_size_add(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

#endif
