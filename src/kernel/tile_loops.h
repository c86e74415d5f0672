/* The loops around a tile kernel, the same for every instruction set. The file that
 * includes this sets TILE_ROWS, TILE_PANELS, how many panels a tile covers at most, and
 * TILE_CHANNELS, how many channels lie side by side in a row's and a weight's four bytes,
 * and defines tile() for a `tile_task`.
 *
 * Order: parts of C, then panels, then tiles of rows. The panels' part (at most 96 x 64
 * floats, 24 KB) stays in the first-level cache while all tiles of rows pass by, 2 KB
 * each; their part and the results stay in the second-level cache. Weights come from
 * memory, once for a block of rows: while panels are in use the tile kernel asks for
 * their successors' lines, a few between channels (all at once before a tile cost 4 % of
 * the time, none at all 9 %).
 */
#ifndef TILE_LOOPS_H
#define TILE_LOOPS_H

#include <assert.h>
#include "kernel_inside.h"

/* out (TILE_ROWS, 32 panels) = a (C, TILE_ROWS)^T b (C, 32 panels), added to out if
 * `add`; C counts four bytes. Every element is one chain of fused multiply-adds from 0,
 * then one addition. */
typedef struct tile_task {
    const float *a, *b;
    float *out;
    size_t out_stride;
    size_t b_panel, out_panel; /* floats from one panel to the next */
    int panels;                /* <= TILE_PANELS */
    int C;
    bool add;
    const char *next;      /* weights of the next panels that shall be there in time, */
    int next_lines;        /* so many lines of them for every TILE_STEP channels */
    const char *next_rows; /* and the rows' next channels, if it is time for them */
    int next_row_lines;
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
    float results[TILE_PANELS * TILE_ROWS * PANEL];
    tile_task whole = *task;
    whole.out = results;
    whole.out_stride = PANEL;
    whole.out_panel = TILE_ROWS * PANEL;
    whole.add = false;
    tile(&whole);
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < columns; j++) {
            const size_t panel = (size_t)(j / PANEL), at = (size_t)(j % PANEL);
            const float x = results[panel * whole.out_panel + (size_t)i * PANEL + at];
            float *out =
                task->out + panel * task->out_panel + (size_t)i * task->out_stride + at;
            *out = task->add ? *out + x : x;
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

/* Sets b and b_panel, channels [first, first + n) of some panels: floats made wide in
 * scratch, or what lies there. */
static void set_weights(tile_task *task, const lmd_product_block *block, int column,
                        int first, int n)
{
    if (TILE_CHANNELS == 1 && block->type != LMD_F32) {
        task->b_panel = (size_t)n * PANEL;
        for (int p = 0; p < task->panels; p++) {
            lmd_product_widen(block, block->scratch + (size_t)p * task->b_panel,
                              column + p * PANEL, first, n);
        }
        task->b = block->scratch;
        return;
    }
    assert(block->type == (TILE_CHANNELS == 1 ? LMD_F32 : LMD_BF16));
    task->b_panel =
        lmd_panel_channels(block->type, block->C) / TILE_CHANNELS * (size_t)PANEL;
    task->b = lmd_panel_part(block->W, block->type, block->C, (size_t)column, first);
}

/* The lines of the next panels that each tile of rows asks for. */
typedef struct tile_ahead {
    const char *from;  /* of the first panel */
    size_t panel;      /* bytes from one panel to the next */
    size_t share;      /* bytes that a tile asks for */
    int tiles;         /* that serve one panel */
    int panels, lines; /* lines for every TILE_STEP */
    int rows_channel;  /* of the rows, to be there in time; 0: none */
} tile_ahead;

/* The last panels' successors are the first ones' next channels. Of the last channels
 * they are nowhere: their own lines, which are there, cost least. */
static tile_ahead look_ahead(const lmd_product_block *block, int column, int first, int n,
                             int tiles)
{
    const int left = block->n - column, width = TILE_PANELS * PANEL;
    const bool is_last = left <= width, is_end = first + n >= block->C;
    const int successor = !is_last ? column + width : is_end ? column : 0;
    const int channel = is_last && !is_end ? first + n : first;
    const int ahead = is_last ? (is_end ? left : block->n) : left - width;
    const int panels = ahead > PANEL ? TILE_PANELS : 1;
    const int lines = (int)lmd_panel_bytes(block->type, TILE_STEP * TILE_CHANNELS) / LINE;
    const int tiles_each = tiles < panels ? 1 : tiles / panels;
    const int steps_C = (n + TILE_CHANNELS - 1) / TILE_CHANNELS;
    const size_t steps = (size_t)(steps_C + TILE_STEP - 1) / TILE_STEP;
    const int each = tiles_each > lines ? 1 : (lines + tiles_each / 2) / tiles_each;
    return (tile_ahead){
        .from =
            lmd_panel_part(block->W, block->type, block->C, (size_t)successor, channel),
        .panel = lmd_panel_bytes(block->type, lmd_panel_channels(block->type, block->C)),
        .share = steps * (size_t)each * LINE,
        .tiles = each * tiles_each < lines ? tiles_each : (lines + each - 1) / each,
        .panels = panels,
        .lines = each,
        .rows_channel = is_last && !is_end ? channel : 0};
}

static void set_next(tile_task *task, const tile_ahead *ahead, int part)
{
    const int panel = part / ahead->tiles;
    const size_t at = (size_t)(part % ahead->tiles) * ahead->share;
    task->next = ahead->from + (size_t)panel * ahead->panel + at;
    task->next_lines = panel < ahead->panels ? ahead->lines : 0;
}

/* All rows times some panels, channels [first, first + n). */
static void panels_part(const lmd_product_block *block, int column, int first, int n)
{
    const size_t C = (size_t)block->C;
    const int left = block->n - column;
    const int columns = left < TILE_PANELS * PANEL ? left : TILE_PANELS * PANEL;
    const int parts = (block->M + TILE_ROWS - 1) / TILE_ROWS;
    tile_task task = {.out_stride = block->out_stride,
                      .out_panel = block->out_panel,
                      .panels = (columns + PANEL - 1) / PANEL,
                      .C = (n + TILE_CHANNELS - 1) / TILE_CHANNELS,
                      .add = first > 0};
    set_weights(&task, block, column, first, n);
    const tile_ahead ahead = look_ahead(block, column, first, n, parts);
    float *out = block->out + (size_t)(column / PANEL) * block->out_panel;
    for (int part = 0; part < parts; part++) {
        const size_t row = (size_t)part * TILE_ROWS;
        const int rows = block->M - (int)row;
        task.a = block->in + row * C + (size_t)first / TILE_CHANNELS * TILE_ROWS;
        task.out = out + row * block->out_stride;
        set_next(&task, &ahead, part);
        if (ahead.rows_channel > 0) {
            const size_t channel = (size_t)ahead.rows_channel / TILE_CHANNELS;
            task.next_rows = (const char *)(block->in + row * C + channel * TILE_ROWS);
            task.next_row_lines = TILE_STEP * TILE_ROWS * (int)sizeof(float) / LINE;
        }
        if (rows >= TILE_ROWS && columns % PANEL == 0) {
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
        for (int column = 0; column < block->n; column += TILE_PANELS * PANEL) {
            panels_part(block, column, first, n);
        }
    }
}

#endif
