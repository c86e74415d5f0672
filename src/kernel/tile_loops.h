/* The loops around a tile kernel, the same for every instruction set. The file that
 * includes this sets TILE_ROWS and TILE_CHANNELS, how many channels lie side by side in
 * a row's and a weight's four bytes, and defines tile() for a `tile_task`.
 *
 * Order: parts of C, then panels, then tiles of rows. A panel's part (at most 288 x 32
 * floats) stays in the first-level cache while all tiles of rows pass by; their part and
 * the results stay in the second-level cache. Weights come from memory, once for a block
 * of rows: while a panel is in use the tile kernel asks for its successor's lines, a few
 * between channels (all at once before a tile cost 4 % of the time).
 */
#ifndef TILE_LOOPS_H
#define TILE_LOOPS_H

#include <assert.h>
#include "kernel_inside.h"

/* out (TILE_ROWS, 32) = a (C, TILE_ROWS)^T b (C, 32), added to out if `add`; C counts
 * four bytes. Every element is one chain of fused multiply-adds from 0, then one
 * addition. */
typedef struct tile_task {
    const float *a, *b;
    float *out;
    size_t out_stride;
    int C;
    bool add;
    const char *next; /* weights of the next panel that shall be there in time, */
    int next_lines;   /* so many lines of them for every TILE_STEP channels */
} tile_task;

static void tile(const tile_task *task);

enum {
    PANEL = LMD_PANEL_COLUMNS,
    LINE = 64,     /* bytes of a cache line */
    TILE_STEP = 16 /* channels, or pairs of them */
};

/* A tile at the edge: the kernel computes all of it, out gets what it has room for. */
static void edge_tile(const tile_task *task, int rows, int columns)
{
    float results[TILE_ROWS * PANEL];
    tile_task whole = *task;
    whole.out = results;
    whole.out_stride = PANEL;
    whole.add = false;
    tile(&whole);
    for (int i = 0; i < rows; i++) {
        float *out = task->out + (size_t)i * task->out_stride;
        for (int j = 0; j < columns; j++) {
            const float x = results[i * PANEL + j];
            out[j] = task->add ? out[j] + x : x;
        }
    }
}

/* Asks for lines while a TILE_STEP is computed; returns the next. */
static inline const char *fetch_lines(const char *next, int n)
{
    for (int i = 0; i < n; i++, next += LINE) {
        __builtin_prefetch(next, 0, 2);
    }
    return next;
}

/* A part of a panel: floats, or pairs where they are. */
static const float *weights_of(const lmd_product_block *block, int column, int first,
                               int n)
{
    if (TILE_CHANNELS == 1) {
        return lmd_product_panel(block, column, first, n);
    }
    assert(block->type == LMD_BF16);
    return lmd_panel_part(block->W, block->type, block->C, (size_t)column, first);
}

/* All rows times one panel, channels [first, first + n). */
static void panel_part(const lmd_product_block *block, int column, int first, int n)
{
    const size_t C = (size_t)block->C;
    const int left = block->n - column;
    const int columns = left < PANEL ? left : PANEL;
    const int parts = (block->M + TILE_ROWS - 1) / TILE_ROWS;
    const int steps_C = (n + TILE_CHANNELS - 1) / TILE_CHANNELS;
    tile_task task = {.b = weights_of(block, column, first, n),
                      .out_stride = block->out_stride,
                      .C = steps_C,
                      .add = first > 0};
    // The last panel's successor is nowhere: its own lines, which are there, cost least.
    const int successor = left > PANEL ? column + PANEL : column;
    const char *next =
        lmd_panel_part(block->W, block->type, block->C, (size_t)successor, first);
    const size_t steps = (size_t)(steps_C + TILE_STEP - 1) / TILE_STEP;
    const int lines = (int)lmd_panel_bytes(block->type, TILE_STEP * TILE_CHANNELS) / LINE;
    const int each = parts > lines ? 1 : (lines + parts / 2) / parts;
    const size_t share = steps * (size_t)each * LINE;
    for (int part = 0; part < parts; part++) {
        const size_t row = (size_t)part * TILE_ROWS;
        const int rows = block->M - (int)row;
        task.a = block->in + row * C + (size_t)first / TILE_CHANNELS * TILE_ROWS;
        task.out = block->out + row * block->out_stride + column;
        task.next = next + (size_t)part * share;
        task.next_lines = part * each < lines ? each : 0;
        if (rows >= TILE_ROWS && columns == PANEL) {
            tile(&task);
        } else {
            edge_tile(&task, rows < TILE_ROWS ? rows : TILE_ROWS, columns);
        }
    }
}

static void run(const lmd_vector_table *vector, const lmd_product_block *block)
{
    (void)vector;
    for (int first = 0; first < block->C; first += block->chunk) {
        const int left = block->C - first;
        const int n = left < block->chunk ? left : block->chunk;
        for (int column = 0; column < block->n; column += PANEL) {
            panel_part(block, column, first, n);
        }
    }
}

#endif
