/* Where a weight lies: panels of 32 rows of W, the last one filled up with zeros. Within
 * a panel channel follows channel: 32 values of channel 0, of channel 1, ... C - 1. In
 * bf16 two channels share a run of 64 values, (0, 1) of row 0, (0, 1) of row 1, ...,
 * which is what the processor's own products of bf16 want, and widens without a shuffle;
 * an odd C is filled up with a channel of zeros. */
#ifndef PANEL_H
#define PANEL_H

#include <stddef.h> /* size_t */
#include <lmdepth/kernel.h>

/* Columns of a panel of the product, rows of W. */
enum { LMD_PANEL_COLUMNS = 32 };

static inline size_t lmd_type_bytes(lmd_matrix_type type)
{
    return type == LMD_F32 ? 4 : 2;
}

/* Channels that lie side by side. */
static inline size_t lmd_type_channels(lmd_matrix_type type)
{
    return type == LMD_BF16 ? 2 : 1;
}

static inline size_t lmd_panel_channels(lmd_matrix_type type, int C)
{
    const size_t unit = lmd_type_channels(type);
    return ((size_t)C + unit - 1) / unit * unit;
}

/* Bytes of 32 columns' values of n channels: of whole runs. */
static inline size_t lmd_panel_bytes(lmd_matrix_type type, size_t n)
{
    return n * LMD_PANEL_COLUMNS * lmd_type_bytes(type);
}

/* The panel of column `column`, from channel `first` on: both whole units. */
static inline const void *lmd_panel_part(const void *packed, lmd_matrix_type type, int C,
                                         size_t column, int first)
{
    const size_t whole = lmd_panel_bytes(type, lmd_panel_channels(type, C));
    return (const char *)packed + column / LMD_PANEL_COLUMNS * whole +
           lmd_panel_bytes(type, (size_t)first);
}

/* The index of a value of row `row` of W. */
static inline size_t lmd_panel_place(lmd_matrix_type type, int C, size_t row, size_t c)
{
    const size_t unit = lmd_type_channels(type), at = row % LMD_PANEL_COLUMNS;
    return (row - at) * lmd_panel_channels(type, C) +
           c / unit * unit * LMD_PANEL_COLUMNS + at * unit + c % unit;
}

#endif
