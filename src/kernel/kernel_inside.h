/* What the files of room kernel share: the product and the struct behind lmd_kernel. */
#ifndef KERNEL_INSIDE_H
#define KERNEL_INSIDE_H

#include <stdbool.h> /* bool */
#include <stddef.h>  /* size_t */
#include <lmdepth/kernel.h>
#include "vector_table.h"

enum {
    /* Rows of a block of `linear`: enough to pay for BLAS's packing of the weights at
     * each call, few enough to waste little of a pack's last block. */
    LMD_LINEAR_ROWS = 256,
    /* Channels that linear sums at a time. Where large components of a residual stream
     * cancel, one long sum in fp32 is the larger part of a forward pass's error: states
     * of SmolLM2's first position differ from fp64 by up to 2.3e-4 of a row's root mean
     * square with whole sums. */
    LMD_LINEAR_CHUNK = 144,
    /* Columns of a tile of weights, in linear at most. 1 MB of logits for 512 rows. */
    LMD_TILE_COLUMNS = 512,
    /* Most rows of a block of the decoder whose number can be chosen (a multiple of 16).
     */
    LMD_DECODE_ROWS = 512
};

/* out (M, n) = in (M, C) W (n, C)^T, rows of out `out_stride` floats apart; n a multiple
 * of 16. `scratch` holds 16 C floats. With a chunk > 0 the sum over C is taken as a sum
 * of sums over so many channels, which rounds less. */
typedef struct lmd_product_block {
    float *out;
    size_t out_stride;
    const float *in, *W;
    int M, n, C, chunk;
    float *scratch;
} lmd_product_block;

/* A tile kernel. With the same M, n and C a row's bits must depend on nothing but the row
 * and W: not on its place nor on its neighbours; nor a column's on its. */
typedef void lmd_product(const lmd_vector_table *vector, const lmd_product_block *block);

lmd_product lmd_product_blas;
lmd_product lmd_product_plain; /* plain C: slower, always passes the test */

/* Do the bits of `product` depend on no place? Tries the shapes in use, for C up to
 * max_C. */
bool lmd_product_is_fair(lmd_product *product, const lmd_vector_table *vector, int max_C);

struct lmd_kernel {
    lmd_team *team;                 /* borrowed */
    const lmd_vector_table *vector; /* borrowed, static */
    lmd_product *product;
    int max_C;
    size_t scratch_floats; /* of each member of the team */
    float *scratch;        /* owned */
    char arithmetic[160];
    char remark[200]; /* "" for none */
};

/* A member's scratch of linear and attention. */
float *lmd_kernel_scratch(const lmd_kernel *kernel, int member);

/* Floats of a member's scratch: one block of rows, one of results, one panel. */
size_t lmd_kernel_scratch_floats(int max_C);

/* The name of the core whose kernels OpenBLAS runs, and its version. Borrowed. */
const char *lmd_product_blas_core(void);
const char *lmd_product_blas_version(void);
bool lmd_product_blas_can_choose(void);
void lmd_product_blas_single_thread(void);

#endif
