/* Weight matrices: panels of 32 rows of W, one channel after the other (kernel_inside.h),
 * the last panel filled up with zeros. One layout for all products, so that it can be
 * decided before anybody knows which one runs. */
#include <assert.h>
#include <string.h>
#include "kernel_inside.h"

enum { PANEL = LMD_PANEL_COLUMNS };

static size_t padded_rows(int O)
{
    return ((size_t)O + PANEL - 1) / PANEL * PANEL;
}

size_t lmd_matrix_bytes(int O, int C)
{
    return padded_rows(O) * (size_t)C * sizeof(float); // 32 floats are 128 bytes
}

void lmd_matrix_bind(lmd_matrix *matrix, int O, int C, void *memory)
{
    assert((uintptr_t)memory % 64 == 0);
    *matrix = (lmd_matrix){.O = O, .C = C, .packed = memory};
}

/* The first channel of a row; the others follow PANEL floats apart. */
static float *row_start(const lmd_matrix *matrix, size_t row)
{
    return matrix->packed + row / PANEL * PANEL * (size_t)matrix->C + row % PANEL;
}

void lmd_matrix_clear_padding(lmd_matrix *matrix)
{
    const size_t O = (size_t)matrix->O, n = padded_rows(matrix->O) - O;
    for (size_t c = 0; n > 0 && c < (size_t)matrix->C; c++) {
        memset(row_start(matrix, O) + c * PANEL, 0, n * sizeof(float));
    }
}

void lmd_matrix_put_row(lmd_matrix *matrix, int row, const float *in)
{
    float *out = row_start(matrix, (size_t)row);
    for (size_t c = 0; c < (size_t)matrix->C; c++) {
        out[c * PANEL] = in[c];
    }
}

void lmd_matrix_get_row(const lmd_matrix *matrix, int row, float *out)
{
    const float *in = row_start(matrix, (size_t)row);
    for (size_t c = 0; c < (size_t)matrix->C; c++) {
        out[c] = in[c * PANEL];
    }
}
