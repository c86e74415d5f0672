/* Weight matrices: rows and channels into panels (panel.h). One layout for all products,
 * so that it can be decided before anybody knows which one runs.
 *
 * A row's values lie 64 or 128 bytes apart, so rows written whole, one by one, would
 * fetch and write back every cache line 32 times (measured: 0.7 GB/s). Some channels of
 * many rows at a time keep their lines in the cache until they are full, also where a
 * permutation by frequency makes runs of rows fall into several panels. */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <lmdepth/base/half.h>
#include "panel.h"

enum {
    PANEL = LMD_PANEL_COLUMNS,
    PART = 256,        /* channels of a row that are put at a time; even */
    PART_ROWS = 128,   /* rows that go by before the next part */
    PART_CHANNELS = 16 /* of a transposed matrix: streams that are read at a time */
};

static size_t padded_rows(int O)
{
    return ((size_t)O + PANEL - 1) / PANEL * PANEL;
}

size_t lmd_matrix_bytes(int O, int C, lmd_matrix_type type)
{
    return padded_rows(O) / PANEL * lmd_panel_bytes(type, lmd_panel_channels(type, C));
}

void lmd_matrix_bind(lmd_matrix *matrix, int O, int C, lmd_matrix_type type, void *memory)
{
    assert((uintptr_t)memory % 64 == 0);
    *matrix = (lmd_matrix){.O = O, .C = C, .type = type, .packed = memory};
}

static void put_zero(lmd_matrix *matrix, size_t row, size_t c)
{
    const size_t size = lmd_type_bytes(matrix->type);
    const size_t place = lmd_panel_place(matrix->type, matrix->C, row, c);
    memset((char *)matrix->packed + place * size, 0, size);
}

void lmd_matrix_clear_padding(lmd_matrix *matrix)
{
    const size_t rows = padded_rows(matrix->O), C = (size_t)matrix->C;
    const size_t padded_C = lmd_panel_channels(matrix->type, matrix->C);
    for (size_t row = 0; row < rows; row++) {
        for (size_t c = row < (size_t)matrix->O ? C : 0; c < padded_C; c++) {
            put_zero(matrix, row, c);
        }
    }
}

/* ---- rows ---- */

static size_t smaller_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* n values of `type` as the matrix, one of half floats, has them: where they are, or in
 * `narrow`. */
static const uint16_t *as_halves(const lmd_matrix *matrix, const void *in,
                                 lmd_matrix_type type, size_t n, uint16_t *narrow)
{
    if (type == matrix->type) {
        return in;
    }
    if (matrix->type == LMD_F16) {
        lmd_half_narrow_f16(narrow, in, n);
    } else {
        lmd_half_narrow_bf16(narrow, in, n);
    }
    return narrow;
}

/* Channels [c, c + n) of a row; c is even and n at most PART. */
static void put_part(lmd_matrix *matrix, size_t row, size_t c, size_t n, const void *in,
                     lmd_matrix_type type)
{
    const size_t place = lmd_panel_place(matrix->type, matrix->C, row, c);
    if (matrix->type == LMD_F32) {
        float *const out = (float *)matrix->packed + place;
        for (size_t i = 0; i < n; i++) {
            out[i * PANEL] = ((const float *)in)[i];
        }
        return;
    }
    uint16_t narrow[PART];
    uint16_t *const out = (uint16_t *)matrix->packed + place;
    const uint16_t *const halves = as_halves(matrix, in, type, n, narrow);
    size_t i = 0;
    for (; matrix->type == LMD_BF16 && i + 2 <= n; i += 2) {
        memcpy(out + i * PANEL, halves + i, 2 * sizeof *halves);
    }
    for (; i < n; i++) {
        out[i * PANEL] = halves[i];
    }
}

void lmd_matrix_put_rows(lmd_matrix *matrix, int first, const int32_t *rows, int n,
                         const void *in, lmd_matrix_type type)
{
    const size_t C = (size_t)matrix->C, count = (size_t)n, size = lmd_type_bytes(type);
    assert(type == LMD_F32 || type == matrix->type);
    for (size_t start = 0; start < count; start += PART_ROWS) {
        const size_t end = smaller_of(start + PART_ROWS, count);
        for (size_t c = 0; c < C; c += PART) {
            for (size_t i = start; i < end; i++) {
                const int row = first + (rows ? rows[i] : (int)i);
                assert(row >= 0 && row < matrix->O);
                put_part(matrix, (size_t)row, c, smaller_of(PART, C - c),
                         (const char *)in + (i * C + c) * size, type);
            }
        }
    }
}

void lmd_matrix_put_row(lmd_matrix *matrix, int row, const float *in)
{
    lmd_matrix_put_rows(matrix, row, NULL, 1, in, LMD_F32);
}

void lmd_matrix_get_row(const lmd_matrix *matrix, int row, float *out)
{
    const float *const floats = matrix->packed;
    const uint16_t *const halves = matrix->packed;
    for (size_t c = 0; c < (size_t)matrix->C; c++) {
        const size_t place = lmd_panel_place(matrix->type, matrix->C, (size_t)row, c);
        switch (matrix->type) {
        case LMD_F32:
            out[c] = floats[place];
            break;
        case LMD_F16:
            out[c] = lmd_half_from_f16(halves[place]);
            break;
        case LMD_BF16:
            out[c] = lmd_half_from_bf16(halves[place]);
            break;
        }
    }
}

/* ---- channels ---- */

/* Channel c of n rows of one panel. */
static void put_piece(lmd_matrix *matrix, size_t c, size_t row, size_t n, const void *in,
                      lmd_matrix_type type)
{
    const size_t place = lmd_panel_place(matrix->type, matrix->C, row, c);
    if (matrix->type == LMD_F32) {
        memcpy((float *)matrix->packed + place, in, n * sizeof(float));
        return;
    }
    uint16_t narrow[PANEL];
    uint16_t *const out = (uint16_t *)matrix->packed + place;
    const uint16_t *const halves = as_halves(matrix, in, type, n, narrow);
    const size_t step = lmd_type_channels(matrix->type);
    for (size_t i = 0; i < n; i++) {
        out[i * step] = halves[i];
    }
}

/* Channels [c, end) of rows [first, first + n); `in` begins with channel c. */
static void put_pieces(lmd_matrix *matrix, size_t c, size_t end, size_t first, size_t n,
                       const char *in, lmd_matrix_type type)
{
    const size_t size = lmd_type_bytes(type);
    for (size_t i = 0; i < n;) {
        const size_t width = smaller_of(PANEL - (first + i) % PANEL, n - i);
        for (size_t at = c; at < end; at++) {
            put_piece(matrix, at, first + i, width, in + ((at - c) * n + i) * size, type);
        }
        i += width;
    }
}

void lmd_matrix_put_channels(lmd_matrix *matrix, int channel, int n_channels, int first,
                             int n, const void *in, lmd_matrix_type type)
{
    assert(first >= 0 && n >= 0 && n <= matrix->O - first);
    assert(channel >= 0 && n_channels >= 0 && n_channels <= matrix->C - channel);
    assert(type == LMD_F32 || type == matrix->type);
    const size_t start = (size_t)channel, end = start + (size_t)n_channels;
    const size_t rows = (size_t)n, row_bytes = rows * lmd_type_bytes(type);
    for (size_t c = start; c < end; c += PART_CHANNELS) {
        put_pieces(matrix, c, smaller_of(c + PART_CHANNELS, end), (size_t)first, rows,
                   (const char *)in + (c - start) * row_bytes, type);
    }
}
