/* Products that every machine has: OpenBLAS and plain C, and how rows are packed.
 *
 * OpenBLAS is called on blocks of fixed shape, since the bits of some of its kernels
 * depend on it; what is smaller is filled up in scratch. It packs both operands at every
 * call, so it wants many rows (measured on AVX-512: 112 rows 46 % of peak, 256 rows 55 %,
 * 512 rows 60-65 %). Some of its kernels round a row at a block's edge otherwise than one
 * inside (Haswell's), others don't (SkylakeX's); hence the self-test (product_fair.c).
 */
#include <assert.h>
#include <string.h>
#include <cblas.h>
#include <lmdepth/base/half.h>
#include "kernel_inside.h"

enum { PANEL = LMD_PANEL_COLUMNS };

/* ---- rows ---- */

static int up(int n, int unit)
{
    return (n + unit - 1) / unit * unit;
}

int lmd_product_shape_rows(const lmd_product *product, int M, int most)
{
    return product->is_fixed ? most : up(M, product->tile_rows);
}

static size_t row_block(const lmd_product *product)
{
    return product->row_block > 1 ? (size_t)product->row_block : 1;
}

int lmd_product_row_floats(const lmd_product *product, int C)
{
    return C < product->row_block ? product->row_block : C;
}

int lmd_product_chunk(const lmd_product *product, int C)
{
    const int channels = product->rows == LMD_ROWS_PAIRS ? 2 : 1;
    const int limit = (product->row_block > 1 ? 3 : channels) * LMD_CHUNK;
    const int unit = product->row_block > 1 ? channels * product->row_block : 8;
    const int parts = (C + limit - 1) / limit;
    return up((C + parts - 1) / parts, unit);
}

enum {
    PART = 128,         /* channels that are rounded at a time; even */
    MOST_TILE_ROWS = 16 /* of products that want rounded rows */
};

/* n <= PART channels of a row as floats that are rounded, or that hold a pair each, which
 * are moved and never computed with. Returns how many floats. */
static size_t round_part(float *out, const float *in, size_t n, lmd_row_kind kind)
{
    uint16_t halves[PART];
    lmd_wideners()[0]->to_bf16(halves, in, n);
    if (kind == LMD_ROWS_ROUNDED) {
        lmd_half_widen_bf16(out, halves, n);
        return n;
    }
    if (n % 2 != 0) {
        halves[n++] = 0;
    }
    memcpy(out, halves, n * sizeof *halves);
    return n / 2;
}

void lmd_product_put_row(const lmd_product *product, float *tiles, int row, int C,
                         const float *in)
{
    const size_t unit = (size_t)product->tile_rows, i = (size_t)row, width = (size_t)C;
    const size_t size = row_block(product), mine = i % unit * size;
    const size_t row_floats = (size_t)lmd_product_row_floats(product, C);
    float *tile = tiles + i / unit * unit * row_floats;
    float part[PART];
    size_t at = 0; // of the row's floats
    for (size_t first = 0; first < width; first += PART) {
        const size_t left = width - first;
        const float *from = in + first;
        size_t n = left < PART ? left : PART;
        if (product->rows != LMD_ROWS_WIDE) {
            n = round_part(part, from, n, product->rows);
            from = part;
        }
        for (size_t c = 0; c < n; c++, at++) {
            memcpy(tile + at / size * size * unit + mine + at % size, from + c,
                   sizeof *tile);
        }
    }
    for (; at % size != 0; at++) {
        tile[at / size * size * unit + mine + at % size] = 0.0f;
    }
}

typedef float four __attribute__((vector_size(16)));

/* Four channels of four rows. */
static inline void put_four(float *out, size_t unit, const float *in, size_t stride)
{
    four rows[4];
    for (size_t i = 0; i < 4; i++) {
        memcpy(&rows[i], in + i * stride, sizeof rows[i]);
    }
    const four a = __builtin_shufflevector(rows[0], rows[1], 0, 4, 1, 5);
    const four b = __builtin_shufflevector(rows[2], rows[3], 0, 4, 1, 5);
    const four c = __builtin_shufflevector(rows[0], rows[1], 2, 6, 3, 7);
    const four d = __builtin_shufflevector(rows[2], rows[3], 2, 6, 3, 7);
    const four columns[4] = {__builtin_shufflevector(a, b, 0, 1, 4, 5),
                             __builtin_shufflevector(a, b, 2, 3, 6, 7),
                             __builtin_shufflevector(c, d, 0, 1, 4, 5),
                             __builtin_shufflevector(c, d, 2, 3, 6, 7)};
    for (size_t i = 0; i < 4; i++) {
        memcpy(out + i * unit, &columns[i], sizeof columns[i]);
    }
}

/* n of the `unit` rows of a tile, `width` floats of each; the other rows are 0. */
static void put_floats(float *tile, size_t unit, const float *in, size_t stride, size_t n,
                       size_t width)
{
    size_t done = 0; // channels
    if (n == unit && unit >= 4) {
        for (size_t i = 0; i < unit; i += 4) { // the last four may overlap others
            const size_t row = i + 4 <= unit ? i : unit - 4;
            for (done = 0; done + 4 <= width; done += 4) {
                put_four(tile + done * unit + row, unit, in + row * stride + done,
                         stride);
            }
        }
    } else if (n == unit && unit == 1) {
        memcpy(tile, in, width * sizeof *tile);
        done = width;
    } else {
        memset(tile, 0, unit * width * sizeof *tile);
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t c = done; c < width; c++) {
            memcpy(tile + c * unit + i, in + i * stride + c, sizeof *tile);
        }
    }
}

/* The same in blocks of `size` floats, the last one filled up. */
static void put_blocks(float *tile, const lmd_product *product, const float *in, size_t n,
                       size_t width)
{
    const size_t unit = (size_t)product->tile_rows, size = row_block(product);
    for (size_t c = 0; c < width; c += size, tile += unit * size) {
        const size_t left = width - c < size ? width - c : size;
        if (n < unit || left < size) {
            memset(tile, 0, unit * size * sizeof *tile);
        }
        for (size_t i = 0; i < n; i++) {
            lmd_copy_floats(tile + i * size, in + i * PART + c, left, LMD_ROW_BLOCK);
        }
    }
}

void lmd_product_put_tile(const lmd_product *product, float *tile, const float *in,
                          size_t stride, int n, int C)
{
    const size_t unit = (size_t)product->tile_rows, rows = (size_t)n, width = (size_t)C;
    if (product->rows == LMD_ROWS_WIDE) {
        put_floats(tile, unit, in, stride, rows, width);
        return;
    }
    assert(unit <= MOST_TILE_ROWS);
    float parts[MOST_TILE_ROWS * PART];
    for (size_t first = 0; first < width; first += PART) {
        const size_t left = width - first, size = left < PART ? left : PART;
        size_t floats = product->rows == LMD_ROWS_PAIRS ? (size + 1) / 2 : size;
        for (size_t i = 0; i < rows; i++) {
            floats = round_part(parts + i * PART, in + i * stride + first, size,
                                product->rows);
        }
        if (product->row_block > 1) {
            put_blocks(tile, product, parts, rows, floats);
        } else {
            put_floats(tile, unit, parts, PART, rows, floats);
        }
        tile += unit * floats;
    }
}

/* ---- weights ---- */

void lmd_product_widen(const lmd_product_block *block, float *out, int column, int first,
                       int n)
{
    block->widen(
        out, lmd_panel_part(block->W, block->type, block->C, (size_t)column, first), n);
}

const float *lmd_product_panel(const lmd_product_block *block, int column, int first,
                               int n)
{
    if (block->type == LMD_F32) {
        return lmd_panel_part(block->W, block->type, block->C, (size_t)column, first);
    }
    lmd_product_widen(block, block->scratch, column, first, n);
    return block->scratch;
}

/* ---- OpenBLAS ---- */

/* Channels [first, first + n) of all panels as rows of shape_n. */
static void unpack_part(const lmd_product_block *block, float *out, int first, int n)
{
    const size_t width = (size_t)block->shape_n;
    for (int column = 0; column < block->shape_n; column += PANEL) {
        const bool is_there = column < block->n;
        const float *panel = is_there ? lmd_product_panel(block, column, first, n) : NULL;
        float *to = out + column;
        for (size_t c = 0; c < (size_t)n; c++, to += width) {
            if (is_there) {
                memcpy(to, panel + c * PANEL, PANEL * sizeof *to);
            } else {
                memset(to, 0, PANEL * sizeof *to);
            }
        }
    }
}

static void run_blas(const lmd_vector_table *vector, const lmd_product_block *block)
{
    (void)vector;
    assert(block->out_panel == PANEL);
    const bool is_whole = block->M == block->shape_M && block->n == block->shape_n;
    float *part = block->scratch + LMD_PRODUCT_PANEL;
    float *results = is_whole ? block->out : part + LMD_PRODUCT_PART;
    const int stride = is_whole ? (int)block->out_stride : block->shape_n;
    for (int first = 0; first < block->C; first += block->chunk) {
        const int left = block->C - first;
        const int n = left < block->chunk ? left : block->chunk;
        unpack_part(block, part, first, n);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, block->shape_M,
                    block->shape_n, n, 1.0f, block->in + first, block->C, part,
                    block->shape_n, first == 0 ? 0.0f : 1.0f, results, stride);
    }
    for (size_t row = 0; !is_whole && row < (size_t)block->M; row++) {
        memcpy(block->out + row * block->out_stride, results + row * (size_t)stride,
               (size_t)block->n * sizeof *results);
    }
}

const lmd_product lmd_product_blas = {
    .name = "blas", .run = run_blas, .tile_rows = 1, .is_fixed = true};

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

/* Its buffer, of which it touches what a product wants. The size is not to be had from
 * the library; Debian's 0.3.21 maps so much on x86-64, other builds less. */
double lmd_product_blas_space(void)
{
    return 0x1p27;
}

void lmd_product_blas_single_thread(void)
{
    openblas_set_num_threads(1);
}

/* ---- plain C ---- */

/* out (M, n <= 16) = results (M, 16), or added to it. */
static void take_columns(const lmd_product_block *block, float *out, const float *results,
                         int n, bool add)
{
    for (int row = 0; row < block->M; row++, out += block->out_stride) {
        for (int i = 0; i < n; i++) {
            const float x = results[row * LMD_LANES + i];
            out[i] = add ? out[i] + x : x;
        }
    }
}

/* Channels [first, first + n) of one panel. */
static void plain_part(const lmd_vector_table *vector, const lmd_product_block *block,
                       int column, int first, int n)
{
    const float *W = lmd_product_panel(block, column, first, n);
    float *results = block->scratch + LMD_PRODUCT_PANEL;
    const int end = block->n - column < PANEL ? block->n - column : PANEL;
    for (int at = 0; at < end; at += LMD_LANES) {
        const lmd_panel panel = {.out = results,
                                 .a = block->in + first,
                                 .b = W + at,
                                 .out_stride = LMD_LANES,
                                 .a_stride = (size_t)block->C,
                                 .b_stride = PANEL,
                                 .M = block->M,
                                 .C = n};
        vector->panel(&panel);
        take_columns(block, block->out + (size_t)(column / PANEL) * block->out_panel + at,
                     results, end - at < LMD_LANES ? end - at : LMD_LANES, first > 0);
    }
}

static void run_plain(const lmd_vector_table *vector, const lmd_product_block *block)
{
    for (int column = 0; column < block->n; column += PANEL) {
        for (int first = 0; first < block->C; first += block->chunk) {
            const int left = block->C - first;
            plain_part(vector, block, column, first,
                       left < block->chunk ? left : block->chunk);
        }
    }
}

const lmd_product lmd_product_plain = {
    .name = "plain", .arithmetic = "f32; plain C", .run = run_plain, .tile_rows = 1};
