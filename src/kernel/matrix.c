/* Weight matrices: rows as they are, padded with zero rows to a multiple of 16, so that a
 * product's tiles are whole vectors. A later tile kernel packs otherwise; nobody outside
 * this room sees the difference. */
#include <assert.h>
#include <string.h>
#include "kernel_inside.h"

static size_t padded_rows(int O)
{
    return ((size_t)O + LMD_LANES - 1) / LMD_LANES * LMD_LANES;
}

size_t lmd_matrix_bytes(int O, int C)
{
    return padded_rows(O) * (size_t)C * sizeof(float); // 16 floats are 64 bytes
}

void lmd_matrix_bind(lmd_matrix *matrix, int O, int C, void *memory)
{
    assert((uintptr_t)memory % 64 == 0);
    *matrix = (lmd_matrix){.O = O, .C = C, .packed = memory};
}

void lmd_matrix_clear_padding(lmd_matrix *matrix)
{
    const size_t O = (size_t)matrix->O, C = (size_t)matrix->C;
    memset(matrix->packed + O * C, 0, (padded_rows(matrix->O) - O) * C * sizeof(float));
}

void lmd_matrix_put_row(lmd_matrix *matrix, int row, const float *in)
{
    const size_t C = (size_t)matrix->C;
    memcpy(matrix->packed + (size_t)row * C, in, C * sizeof *in);
}

void lmd_matrix_get_row(const lmd_matrix *matrix, int row, float *out)
{
    const size_t C = (size_t)matrix->C;
    memcpy(out, matrix->packed + (size_t)row * C, C * sizeof *out);
}
