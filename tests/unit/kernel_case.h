/* What the tests of room kernel share: numbers, a team with its kernel. */
#ifndef KERNEL_CASE_H
#define KERNEL_CASE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>
#include <lmdepth/base/memory.h>
#include <lmdepth/base/team.h>
#include <lmdepth/kernel.h>
#include "kernel_inside.h"

/* A number in [-1, 1) with a full mantissa. */
static inline float case_number(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (float)(int32_t)(*seed >> 32) * 0x1p-31f;
}

static inline float *case_numbers(size_t n, uint64_t seed, float scale)
{
    float *x = lmd_memory_new_aligned(n + 1, sizeof *x);
    for (size_t i = 0; i < n; i++) {
        x[i] = scale * case_number(&seed);
    }
    return x;
}

/* A kernel with its own team; `is_plain` takes the product of plain C. */
static inline lmd_kernel *case_kernel(int threads, int max_C, bool is_plain)
{
    lmd_kernel *kernel = lmd_kernel_new(lmd_team_new(threads), max_C);
    if (is_plain) {
        kernel->product = lmd_product_plain;
    }
    return kernel;
}

static inline void case_free(lmd_kernel *kernel)
{
    lmd_team *team = lmd_kernel_team(kernel);
    lmd_kernel_free(kernel);
    lmd_team_free(team);
}

static inline void assert_same_bits(const void *a, const void *b, size_t n_bytes)
{
    if (n_bytes > 0) {
        assert_memory_equal(a, b, n_bytes);
    }
}

static inline void assert_near(double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance)) {
        print_error("%.9g is not within %g of %.9g\n", a, tolerance, b);
        fail();
    }
}

#endif
