/* Weight matrices: rows and channels into panels (panel.h). One layout for all products,
 * so that it can be decided before anybody knows which one runs. */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <lmdepth/base/half.h>
#include "panel.h"

enum { PANEL = LMD_PANEL_COLUMNS };

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

static size_t place_of(const lmd_matrix *matrix, size_t row, size_t c)
{
    return lmd_panel_place(matrix->type, matrix->C, row, c);
}

static inline void put(const lmd_matrix *matrix, size_t place, float value)
{
    uint16_t *const halves = matrix->packed;
    switch (matrix->type) {
    case LMD_F32:
        ((float *)matrix->packed)[place] = value;
        break;
    case LMD_F16:
        halves[place] = lmd_half_to_f16(value);
        break;
    case LMD_BF16:
        halves[place] = lmd_half_to_bf16(value);
        break;
    }
}

void lmd_matrix_clear_padding(lmd_matrix *matrix)
{
    const size_t rows = padded_rows(matrix->O), C = (size_t)matrix->C;
    const size_t padded_C = lmd_panel_channels(matrix->type, matrix->C);
    for (size_t row = 0; row < rows; row++) {
        for (size_t c = row < (size_t)matrix->O ? C : 0; c < padded_C; c++) {
            put(matrix, place_of(matrix, row, c), 0.0f);
        }
    }
}

void lmd_matrix_put_row(lmd_matrix *matrix, int row, const float *in)
{
    for (size_t c = 0; c < (size_t)matrix->C; c++) {
        put(matrix, place_of(matrix, (size_t)row, c), in[c]);
    }
}

void lmd_matrix_put_channel(lmd_matrix *matrix, int channel, int first, int n,
                            const float *in)
{
    assert(first >= 0 && n >= 0 && first + n <= matrix->O);
    for (size_t i = 0; i < (size_t)n; i++) {
        put(matrix, place_of(matrix, (size_t)first + i, (size_t)channel), in[i]);
    }
}

void lmd_matrix_get_row(const lmd_matrix *matrix, int row, float *out)
{
    const float *const floats = matrix->packed;
    const uint16_t *const halves = matrix->packed;
    for (size_t c = 0; c < (size_t)matrix->C; c++) {
        const size_t place = place_of(matrix, (size_t)row, c);
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
