/* The products: what a later, hand-written tile kernel replaces.
 *
 * OpenBLAS is called on blocks of fixed shape. It packs both operands at every call, so
 * it wants many rows (measured on AVX-512: 112 rows 46 % of peak, 256 rows 55 %, 512 rows
 * 60-65 %). Some of its kernels round a row at a block's edge otherwise than one inside
 * (Haswell's), others don't (SkylakeX's); hence the self-test, and a product of plain C.
 */
#include <string.h>
#include <cblas.h>
#include <lmdepth/base/memory.h>
#include "kernel_inside.h"

void lmd_product_blas(const lmd_vector_table *vector, const lmd_product_block *block)
{
    (void)vector;
    const int chunk = block->chunk > 0 ? block->chunk : block->C;
    for (int first = 0; first < block->C; first += chunk) {
        const int left = block->C - first;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, block->M, block->n,
                    left < chunk ? left : chunk, 1.0f, block->in + first, block->C,
                    block->W + first, block->C, first == 0 ? 0.0f : 1.0f, block->out,
                    (int)block->out_stride);
    }
}

void lmd_product_plain(const lmd_vector_table *vector, const lmd_product_block *block)
{
    const size_t C = (size_t)block->C;
    lmd_panel panel = {.a = block->in,
                       .b = block->scratch,
                       .out_stride = block->out_stride,
                       .a_stride = C,
                       .b_stride = LMD_LANES,
                       .M = block->M,
                       .C = block->C};
    for (int column = 0; column < block->n; column += LMD_LANES) {
        const float *W = block->W + (size_t)column * C;
        for (int l = 0; l < LMD_LANES; l++) {
            for (size_t c = 0; c < C; c++) {
                block->scratch[c * LMD_LANES + (size_t)l] = W[(size_t)l * C + c];
            }
        }
        panel.out = block->out + column;
        vector->panel(&panel);
    }
}

const char *lmd_product_blas_core(void)
{
    return openblas_get_corename();
}

/* "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ..." */
const char *lmd_product_blas_version(void)
{
    return openblas_get_config();
}

bool lmd_product_blas_can_choose(void)
{
    return strstr(openblas_get_config(), "DYNAMIC_ARCH") != NULL;
}

void lmd_product_blas_single_thread(void)
{
    openblas_set_num_threads(1);
}

/* ---- the self-test ---- */

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

/* First with all rows equal and all columns equal: every place must give the same bits.
 * Then the same row and column once more, each among strangers. */
static bool is_shape_fair(lmd_product *product, const lmd_vector_table *vector,
                          const lmd_product_block *block, float *in, float *W)
{
    const size_t C = (size_t)block->C, M = (size_t)block->M, n = (size_t)block->n;
    fill_numbers(in, C, 1);
    fill_numbers(W, C, 2);
    for (size_t row = 1; row < M; row++) {
        memcpy(in + row * C, in, C * sizeof *in);
    }
    for (size_t row = 1; row < n; row++) {
        memcpy(W + row * C, W, C * sizeof *W);
    }
    product(vector, block);
    if (!all_equal(block->out, M * n)) {
        return false;
    }
    const float expected = block->out[0];
    const size_t row = M / 3, column = n / 3;
    fill_numbers(in, row * C, 3);
    fill_numbers(in + (row + 1) * C, (M - row - 1) * C, 4);
    fill_numbers(W, column * C, 5);
    fill_numbers(W + (column + 1) * C, (n - column - 1) * C, 6);
    product(vector, block);
    return memcmp(&block->out[row * n + column], &expected, sizeof expected) == 0;
}

bool lmd_product_is_fair(lmd_product *product, const lmd_vector_table *vector, int max_C)
{
    // {M, n, C, chunk}: the decoder's and linear's shapes; C = 0 stands for max_C.
    static const int shapes[][4] = {
        {480, LMD_TILE_COLUMNS, 0},
        {480, LMD_TILE_COLUMNS, 64},
        {LMD_DECODE_ROWS, LMD_TILE_COLUMNS, 576},
        {LMD_DECODE_TOKENS, LMD_TILE_COLUMNS, 576},
        {LMD_DECODE_TOKENS, LMD_TILE_COLUMNS, 16},
        {LMD_LINEAR_ROWS, LMD_TILE_COLUMNS, 576, LMD_LINEAR_CHUNK},
        {LMD_LINEAR_ROWS, 288, 576, LMD_LINEAR_CHUNK},
        {LMD_LINEAR_ROWS, 16, 576, LMD_LINEAR_CHUNK},
        {LMD_LINEAR_ROWS, 16, 64, LMD_LINEAR_CHUNK}};
    const size_t C = (size_t)max_C;
    float *in = lmd_memory_new_aligned(LMD_DECODE_ROWS * C, sizeof *in);
    float *W = lmd_memory_new_aligned(LMD_TILE_COLUMNS * C, sizeof *W);
    float *scratch = lmd_memory_new_aligned(LMD_LANES * C, sizeof *scratch);
    float *out = lmd_memory_new_aligned((size_t)LMD_DECODE_ROWS * LMD_TILE_COLUMNS, 4);
    bool is_fair = true;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0] && is_fair; i++) {
        const int width = shapes[i][2] == 0 ? max_C : shapes[i][2];
        const lmd_product_block block = {.out = out,
                                         .out_stride = (size_t)shapes[i][1],
                                         .in = in,
                                         .W = W,
                                         .M = shapes[i][0],
                                         .n = shapes[i][1],
                                         .C = width,
                                         .chunk = shapes[i][3],
                                         .scratch = scratch};
        is_fair = width > max_C || is_shape_fair(product, vector, &block, in, W);
    }
    lmd_memory_free(out);
    lmd_memory_free(scratch);
    lmd_memory_free(W);
    lmd_memory_free(in);
    return is_fair;
}
