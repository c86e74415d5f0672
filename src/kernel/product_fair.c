/* The self-test of products: do a row's bits depend on its place or its neighbours? */
#include <string.h>
#include <lmdepth/base/memory.h>
#include "kernel_inside.h"

/* Numbers in [-1, 1) with full mantissas: SplitMix64 of the index. */
static void fill_numbers(float *x, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t h = (seed << 40) + i * 0x9e3779b97f4a7c15u;
        h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
        h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
        x[i] = (float)(int32_t)(h >> 32) * 0x1p-31f;
    }
}

static bool all_equal(const float *x, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        if (memcmp(&x[i], &x[0], sizeof *x) != 0) {
            return false;
        }
    }
    return true;
}

/* What a test works on. */
typedef struct fair_case {
    const lmd_product *product;
    const lmd_vector_table *vector;
    lmd_product_block block;
    float *in, *W; /* the block's own, packed */
    float *row;    /* (C) */
} fair_case;

/* Row `row` of the inputs, and of W, are numbers `seed`. */
static void set_in(const fair_case *it, int row, uint64_t seed)
{
    fill_numbers(it->row, (size_t)it->block.C, seed);
    lmd_product_put_row(it->product, it->in, row, it->block.C, it->row);
}

static void set_W(const fair_case *it, int row, uint64_t seed)
{
    lmd_matrix W;
    fill_numbers(it->row, (size_t)it->block.C, seed);
    lmd_matrix_bind(&W, it->block.shape_n, it->block.C, it->block.type, it->W);
    lmd_matrix_put_row(&W, row, it->row);
}

/* First with all rows equal and all columns equal: every place must give the same bits.
 * Then the same row and column once more, each among strangers. */
static bool is_shape_fair(const fair_case *it)
{
    const lmd_product_block *block = &it->block;
    for (int row = 0; row < block->shape_M; row++) {
        set_in(it, row, 1);
    }
    for (int row = 0; row < block->shape_n; row++) {
        set_W(it, row, 2);
    }
    it->product->run(it->vector, block);
    if (!all_equal(block->out, (size_t)block->M * (size_t)block->n)) {
        return false;
    }
    const float expected = block->out[0];
    const int row = block->M / 3, column = block->n / 3;
    for (int i = 0; i < block->shape_M; i++) {
        set_in(it, i, i == row ? 1 : 3 + 2 * (uint64_t)i);
    }
    for (int i = 0; i < block->shape_n; i++) {
        set_W(it, i, i == column ? 2 : 4 + 2 * (uint64_t)i);
    }
    it->product->run(it->vector, block);
    const size_t at = (size_t)row * block->out_stride + (size_t)column;
    return memcmp(&block->out[at], &expected, sizeof expected) == 0;
}

bool lmd_product_is_fair(const lmd_product *product, const lmd_vector_table *vector,
                         int max_C)
{
    enum {
        ROWS = LMD_DECODE_ROWS,
        COLUMNS = LMD_TILE_COLUMNS,
        TOKENS = LMD_DECODE_TOKENS
    };
    // {M, n, C, rows and columns of the shape}: the decoder's and linear's; C = 0 stands
    // for max_C.
    static const int shapes[][5] = {
        {ROWS - 28, COLUMNS, 0, ROWS - 16, COLUMNS},
        {ROWS, COLUMNS, 576, ROWS, COLUMNS},
        {TOKENS, COLUMNS, 576, TOKENS, COLUMNS},
        {TOKENS, COLUMNS, 16, TOKENS, COLUMNS},
        {29, 64, 64, TOKENS, COLUMNS},
        {256, 512, 576, LMD_LIBRARY_ROWS, LMD_LIBRARY_COLUMNS},
        {256, 288, 576, LMD_LIBRARY_ROWS, 288},
        {13, 17, 64, LMD_LIBRARY_ROWS, 32}};
    const lmd_matrix_type type = product->rows == LMD_ROWS_PAIRS ? LMD_BF16 : LMD_F32;
    const size_t C = max_C < LMD_ROW_BLOCK ? LMD_ROW_BLOCK : (size_t)max_C;
    fair_case it = {.product = product, .vector = vector};
    it.in = lmd_memory_new_aligned(LMD_PRODUCT_ROWS * C, sizeof(float));
    it.W = lmd_memory_new_aligned(LMD_LIBRARY_COLUMNS * C, sizeof(float));
    it.row = lmd_memory_new(C, sizeof(float));
    float *scratch = lmd_memory_new_aligned(LMD_PRODUCT_SCRATCH, sizeof(float));
    float *out = lmd_memory_new_aligned(LMD_PRODUCT_RESULTS, sizeof(float));
    bool is_fair = true;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0] && is_fair; i++) {
        const int *shape = shapes[i];
        const int width = shape[2] == 0 ? max_C : shape[2];
        it.block = (lmd_product_block){.out = out,
                                       .out_stride = (size_t)shape[1],
                                       .out_panel = LMD_PANEL_COLUMNS,
                                       .in = it.in,
                                       .W = it.W,
                                       .type = type,
                                       .M = shape[0],
                                       .n = shape[1],
                                       .C = width,
                                       .chunk = lmd_product_chunk(product, width),
                                       .shape_M = shape[3],
                                       .shape_n = shape[4],
                                       .scratch = scratch};
        is_fair = width > max_C || is_shape_fair(&it);
    }
    lmd_memory_free(out);
    lmd_memory_free(scratch);
    lmd_memory_free(it.row);
    lmd_memory_free(it.W);
    lmd_memory_free(it.in);
    return is_fair;
}
