/* What the files of room kernel share: the products and the struct behind lmd_kernel. */
#ifndef KERNEL_INSIDE_H
#define KERNEL_INSIDE_H

#include <stdbool.h> /* bool */
#include <stddef.h>  /* size_t */
#include <string.h>  /* memcpy */
#include <lmdepth/kernel.h>
#include "panel.h"
#include "peak.h"
#include "vector_table.h"
#include "widen.h"

enum {
    /* Blocks of linear on a library's product, which packs its operands at each call. */
    LMD_LIBRARY_ROWS = 256,
    LMD_LIBRARY_COLUMNS = 512,
    /* Channels that are summed at a time. Where large components of a residual stream
     * cancel, one long sum in fp32 is the larger part of a forward pass's error: states
     * of SmolLM2's first position differ from fp64 by up to 2.3e-4 of a row's root mean
     * square with whole sums. And two panels of so many channels (24 KB) stay in a
     * first-level cache while tiles of rows (2 KB) pass by; 144 were as fast in 48 KB,
     * 192 4 % slower. */
    LMD_CHUNK = 96,
    LMD_ROW_BLOCK = 16, /* the largest row_block */
    /* Columns of the decoder's tiles of logits: a row's lanes, 512 bytes, are loaded and
     * stored once for so many. */
    LMD_TILE_COLUMNS = 512,
    /* Floats from row to row of such a tile. A line more than the columns: with a power
     * of two a column of rows falls into two of a first-level cache's 64 sets. */
    LMD_TILE_STRIDE = LMD_TILE_COLUMNS + LMD_LANES,
    /* Most rows of a block of the decoder whose number can be chosen. LMD_CHUNK
     * channels of each (86 KB) and a tile of their logits (450 KB) stay in a second-level
     * cache; the weights pass once for so many rows, 2 GB/s at 230 GFLOP/s. */
    LMD_DECODE_ROWS = 224,
    /* The same for products in matrix registers, which at 1,500 GFLOP/s would want 7
     * GB/s: the product 1.15 times as fast on a core that reads 15 GB/s. */
    LMD_DECODE_MOST_ROWS = 2 * LMD_DECODE_ROWS
};

/* Weights lie in panels (panel.h). The rows of `in` lie in tiles of as many rows as the
 * product wants: for each tile its floats of channel 0, of channel 1, ...; a tile of one
 * row is row major. Some want blocks of a row's floats where others want one: block 0 of
 * all rows, block 1, ..., the last one filled up with 0. A tile takes C floats a row,
 * also where pairs need half of them, unless C is less than a block.
 *
 * out (M, n) = in (M, C) W (n, C)^T, rows of out `out_stride` floats apart. The sum over
 * C is a sum of sums over `chunk` channels, which rounds less than one long sum. `in` has
 * shape_M rows and W whole panels. */
typedef struct lmd_product_block {
    float *out;
    size_t out_stride; /* floats from row to row */
    size_t out_panel;  /* and from 32 columns to the next: 32 for a row in one piece */
    const float *in;
    const void *W;
    lmd_matrix_type type;  /* of W */
    lmd_widen_loop *widen; /* unless W is LMD_F32 */
    int M, n, C, chunk;
    int shape_M, shape_n; /* >= M, n */
    float *scratch;       /* LMD_PRODUCT_PANEL + LMD_PRODUCT_PART + shape_M shape_n */
} lmd_product_block;

/* How a product wants its rows: as they are; rounded to bf16 but still floats; or two
 * channels of bf16 side by side where a float would be, an odd C filled up with 0. */
typedef enum lmd_row_kind {
    LMD_ROWS_WIDE,
    LMD_ROWS_ROUNDED,
    LMD_ROWS_PAIRS
} lmd_row_kind;

/* A tile kernel. A row's bits must depend on nothing but the row, W, and for `is_fixed`
 * the shape: not on its place nor on its neighbours; nor a column's on its. */
typedef struct lmd_product {
    const char *name;       /* of LMDEPTH_KERNEL */
    const char *arithmetic; /* NULL: the library's */
    void (*run)(const lmd_vector_table *vector, const lmd_product_block *block);
    int tile_rows; /* of `in` */
    int row_block; /* floats of a row that lie together in a tile; 0: 1 */
    bool is_fixed; /* bits may depend on the shape */
    lmd_row_kind rows;
    lmd_peak_kind peak; /* what its speed is held against */
} lmd_product;

/* The arithmetic of all fp32 tile kernels: chains of fused multiply-adds over a chunk. It
 * says nothing of the instructions: they give the same bits. */
#define LMD_FUSED_ARITHMETIC "f32; fused sums of 96"

extern const lmd_product lmd_product_blas;
extern const lmd_product lmd_product_plain; /* slower, always passes the test */

/* Those for this architecture that the processor can run, the fastest first, then NULL.
 */
const lmd_product *const *lmd_product_tiles(void);

/* Those of them for LMD_ROWS_PAIRS, which the others do not include. */
const lmd_product *const *lmd_product_pair_tiles(void);

/* Are they faster than fp32? A loop of VDPBF16PS was, twice, on an AMD Zen 5, and half as
 * fast on an Intel Xeon with AMX (0.55 ns each, a multiply-add of fp32 0.135 ns). By the
 * processor's maker, since a choice by measuring would make the arithmetic a matter of
 * luck. */
bool lmd_product_has_fast_pairs(void);

/* Floats of scratch that a product takes. */
enum {
    LMD_PRODUCT_ROWS = 512,
    LMD_PRODUCT_PANEL =
        2 * LMD_CHUNK * LMD_PANEL_COLUMNS, /* two panels' part made wide */
    LMD_PRODUCT_PART = LMD_CHUNK * 512,    /* of the weights, for the library */
    LMD_PRODUCT_RESULTS = LMD_PRODUCT_ROWS * 512,
    LMD_PRODUCT_FIXED = LMD_PRODUCT_PANEL + LMD_PRODUCT_PART,
    LMD_PRODUCT_SCRATCH = LMD_PRODUCT_FIXED + LMD_PRODUCT_RESULTS
};

/* Channels [first, first + n) of the panel of `column` as floats (n, 32): in place, or
 * made wide in scratch, for all rows of the block. */
const float *lmd_product_panel(const lmd_product_block *block, int column, int first,
                               int n);

/* The same from half floats into `out`, always. */
void lmd_product_widen(const lmd_product_block *block, float *out, int column, int first,
                       int n);

/* Do the bits of `product` depend on no place? Tries the shapes in use, for C up to
 * max_C. */
bool lmd_product_is_fair(const lmd_product *product, const lmd_vector_table *vector,
                         int max_C);

/* Rows with the padding that the product wants, for a block of at most `most`. */
int lmd_product_shape_rows(const lmd_product *product, int M, int most);

/* Floats that a row takes. */
int lmd_product_row_floats(const lmd_product *product, int C);

/* C in equal parts of at most LMD_CHUNK, of twice as many where they lie in pairs
 * and three times where a block of them does. */
int lmd_product_chunk(const lmd_product *product, int C);

/* Puts row `row` of `in` in its place among tiles. */
void lmd_product_put_row(const lmd_product *product, float *tiles, int row, int C,
                         const float *in);

/* A whole tile from rows `stride` floats apart, of which `n` exist; the rest is 0. */
void lmd_product_put_tile(const lmd_product *product, float *tile, const float *in,
                          size_t stride, int n, int C);

struct lmd_kernel {
    lmd_team *team;                 /* borrowed */
    const lmd_vector_table *vector; /* borrowed, static */
    const lmd_product *product;   /* borrowed: of linear and decoder; static or rounded */
    const lmd_product *attention; /* borrowed, static: LMD_ROWS_WIDE */
    lmd_product rounded;          /* attention's with LMD_ROWS_ROUNDED */
    bool is_bf16;
    const lmd_widener *widener; /* borrowed, static */
    int max_C;
    size_t scratch_floats; /* of each member of the team */
    float *scratch;        /* owned */
    float *rows;           /* owned: linear's, packed; lmd_kernel_rows_floats */
    char arithmetic[280];
    char why[200];    /* this product */
    char choice[320]; /* its name and why */
};

/* memcpy of n floats, mostly `usual`: a constant where it is inlined, which saves the
 * call. */
static inline void lmd_copy_floats(float *out, const float *in, size_t n,
                                   const size_t usual)
{
    if (n == usual) {
        memcpy(out, in, usual * sizeof *out);
    } else {
        memcpy(out, in, n * sizeof *out);
    }
}

/* The prompt of row `row` of a pack, starts[0] <= row < starts[n_prompts]. */
static inline int lmd_prompt_of_row(const int32_t *starts, int n_prompts, int row)
{
    int low = 0, high = n_prompts; // starts[low] <= row < starts[high]
    while (high - low > 1) {
        const int middle = low + (high - low) / 2;
        if (starts[middle] <= row) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/* A member's scratch of products, attention and the scan. */
float *lmd_kernel_scratch(const lmd_kernel *kernel, int member);

size_t lmd_kernel_scratch_floats(int max_C);
size_t lmd_kernel_rows_floats(int max_C);
size_t lmd_attention_scratch_floats(int max_D);
size_t lmd_scan_scratch_floats(void);

/* The name of the core whose kernels OpenBLAS runs, and its version. Borrowed. */
const char *lmd_product_blas_core(void);
const char *lmd_product_blas_version(void);
bool lmd_product_blas_can_choose(void);
double lmd_product_blas_space(void); /* bytes of address space for each caller */
void lmd_product_blas_single_thread(void);

#endif
