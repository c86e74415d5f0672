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
#include <lmdepth/base/half.h>
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

/* All products that this processor can run, then NULL. A program of tests runs each of
 * its tests with each of them; LMDEPTH_KERNEL leaves one. */
static inline const lmd_product *case_product(int i)
{
    const lmd_product *const *tiles = lmd_product_tiles();
    int n = 0;
    while (tiles[n] != NULL) {
        n++;
    }
    return i < n        ? tiles[i]
           : i == n     ? &lmd_product_blas
           : i == n + 1 ? &lmd_product_plain
                        : NULL;
}

/* The one that case_kernel takes; NULL for lmd_kernel_new's choice. */
static const lmd_product *case_forced;

/* The kernels of case_kernel are for bf16, and so are the matrices. */
static bool case_is_bf16;

/* The products of bf16, then all products on rounded rows. */
static inline const lmd_product *case_product_bf16(int i)
{
    const lmd_product *const *pairs = lmd_product_pair_tiles();
    int n = 0;
    while (pairs[n] != NULL) {
        n++;
    }
    return i < n ? pairs[i] : case_product(i - n);
}

/* What an operand of a product is. */
static inline float case_operand(float x)
{
    return case_is_bf16 ? lmd_half_from_bf16(lmd_half_to_bf16(x)) : x;
}

/* A type of weights that case_kernel takes. */
static inline lmd_matrix_type case_type(lmd_matrix_type type)
{
    return case_is_bf16 ? LMD_BF16 : type;
}

static inline void case_force(lmd_kernel *kernel, const lmd_product *product)
{
    kernel->product = product;
    if (!case_is_bf16) {
        kernel->attention = product;
    } else if (product->rows != LMD_ROWS_PAIRS) {
        kernel->attention = product;
        kernel->rounded = *product;
        kernel->rounded.rows = LMD_ROWS_ROUNDED;
        kernel->product = &kernel->rounded;
    }
}

/* A kernel with its own team. */
static inline lmd_kernel *case_kernel(int threads, int max_C)
{
    lmd_team *team = lmd_team_new(threads);
    lmd_kernel *kernel =
        case_is_bf16 ? lmd_kernel_new_bf16(team, max_C) : lmd_kernel_new(team, max_C);
    if (case_forced != NULL && lmd_product_is_fair(case_forced, kernel->vector, max_C)) {
        case_force(kernel, case_forced);
    }
    return kernel;
}

/* Runs the group once with each product. */
#define CASE_RUN_WITH_EACH_PRODUCT(tests, failures)                                      \
    do {                                                                                 \
        for (int i_ = 0; (case_forced = case_product(i_)) != NULL; i_++) {               \
            print_message("product %s\n", case_forced->name);                            \
            (failures) +=                                                                \
                cmocka_run_group_tests_name(case_forced->name, tests, NULL, NULL);       \
        }                                                                                \
    } while (0)

#define CASE_RUN_WITH_EACH_PRODUCT_OF_BF16(tests, failures)                              \
    do {                                                                                 \
        case_is_bf16 = true;                                                             \
        for (int i_ = 0; (case_forced = case_product_bf16(i_)) != NULL; i_++) {          \
            print_message("bf16, product %s\n", case_forced->name);                      \
            (failures) +=                                                                \
                cmocka_run_group_tests_name(case_forced->name, tests, NULL, NULL);       \
        }                                                                                \
        case_is_bf16 = false;                                                            \
    } while (0)

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
