/* Linear layers. Rows are packed for the product once, by the team, some hundred at a
 * time; then items are blocks of those rows times some panels of columns. The blocks of
 * one range of columns follow one another, so that its weights are read from memory once.
 * On a product whose bits depend on the shape of a block, that is a constant of the
 * matrix; the others are free to suit the team. */
#include <assert.h>
#include <math.h> /* HUGE_VAL */
#include <string.h>
#include "kernel_inside.h"

enum {
    /* Floats of packed rows, 16 MB, unless so many are fewer than LMD_LIBRARY_ROWS. */
    PACKED_FLOATS = 4 << 20,
    PACKED_ROWS = 280,
    /* Most panels of an item: with all packed rows, its part of C of them and its results
     * take half a second-level cache. */
    ITEM_PANELS = 8,
    /* Fewer rows would read weights too often for what is done with them. */
    LEAST_ROWS = 48
};

typedef struct linear_run {
    lmd_kernel *kernel;
    float *out;
    const float *in, *bias;
    size_t in_stride;
    const lmd_matrix *W;
    int first, rows;        /* packed now */
    int item_rows, columns; /* of an item */
    int n_blocks;           /* of rows */
} linear_run;

static int round_up(int n, int unit)
{
    return (n + unit - 1) / unit * unit;
}

static int parts(int n, int most)
{
    return (n + most - 1) / most;
}

static int smaller_of(int a, int b)
{
    return a < b ? a : b;
}

/* Most rows that are packed at a time for inputs C wide. */
static size_t packed_rows(int C)
{
    const size_t most = PACKED_FLOATS / (size_t)C;
    return most > PACKED_ROWS        ? PACKED_ROWS
           : most < LMD_LIBRARY_ROWS ? LMD_LIBRARY_ROWS
                                     : most;
}

size_t lmd_kernel_rows_floats(int max_C)
{
    const size_t least = max_C < LMD_ROW_BLOCK ? LMD_ROW_BLOCK : (size_t)max_C;
    const size_t wide = packed_rows(max_C) * least;
    const size_t narrow = PACKED_ROWS * least;
    return narrow <= PACKED_FLOATS ? narrow : wide > PACKED_FLOATS ? wide : PACKED_FLOATS;
}

/* A tile of rows, or one row. */
static void pack_item(void *context, int item, int member)
{
    (void)member;
    const linear_run *run = context;
    const lmd_product *product = run->kernel->product;
    const size_t floats = (size_t)lmd_product_row_floats(product, run->W->C);
    const int row = item * product->tile_rows;
    const int left = run->rows - row;
    const int n = left < 0 ? 0 : smaller_of(left, product->tile_rows);
    const float *in = run->in + (size_t)(run->first + row) * run->in_stride;
    lmd_product_put_tile(product, run->kernel->rows + (size_t)row * floats, in,
                         run->in_stride, n, run->W->C);
}

static void linear_item(void *context, int item, int member)
{
    const linear_run *run = context;
    const lmd_product *product = run->kernel->product;
    const size_t O = (size_t)run->W->O;
    const size_t floats = (size_t)lmd_product_row_floats(product, run->W->C);
    const int row = item % run->n_blocks * run->item_rows;
    const int column = item / run->n_blocks * run->columns;
    const int rows = smaller_of(run->rows - row, run->item_rows);
    const int columns = smaller_of(run->W->O - column, run->columns);
    float *out = run->out + (size_t)(run->first + row) * O + column;
    const lmd_product_block block = {
        .out = out,
        .out_stride = O,
        .out_panel = LMD_PANEL_COLUMNS,
        .in = run->kernel->rows + (size_t)row * floats,
        .W = lmd_panel_part(run->W->packed, run->W->type, run->W->C, (size_t)column, 0),
        .type = run->W->type,
        .widen = run->kernel->widener->from[run->W->type],
        .M = rows,
        .n = columns,
        .C = run->W->C,
        .chunk = lmd_product_chunk(product, run->W->C),
        .shape_M = lmd_product_shape_rows(product, rows, LMD_LIBRARY_ROWS),
        .shape_n = smaller_of(run->columns, round_up(columns, LMD_PANEL_COLUMNS)),
        .scratch = lmd_kernel_scratch(run->kernel, member)};
    product->run(run->kernel->vector, &block);
    for (size_t i = 0; run->bias != NULL && i < (size_t)rows; i++) {
        run->kernel->vector->add(out + i * O, out + i * O, run->bias + column,
                                 (size_t)columns);
    }
}

/* What the member that has most to do is to do: rows times panels, and a little for each
 * item. Tiles are two panels wide: one alone takes longer than its half. */
static double longest_share(const linear_run *run, int n_blocks, int panels)
{
    const int unit = run->kernel->product->tile_rows;
    const int item_rows = round_up(parts(run->rows, n_blocks), unit);
    const int items = n_blocks * parts(run->W->O, panels * LMD_PANEL_COLUMNS);
    const int rounds = parts(items, lmd_team_size(run->kernel->team));
    return rounds * item_rows * (panels + (panels % 2 == 0 ? 0.1 : 0.4));
}

/* The packed rows in blocks, and the columns in parts, such that no member waits long for
 * another: of equals the fewest blocks, then the widest parts. */
static void share_out(linear_run *run)
{
    const int unit = run->kernel->product->tile_rows;
    const int most = smaller_of(run->rows / LEAST_ROWS, lmd_team_size(run->kernel->team));
    double least = HUGE_VAL;
    for (int n_blocks = 1; n_blocks == 1 || n_blocks <= most; n_blocks++) {
        for (int panels = ITEM_PANELS; panels > 0; panels -= panels > 2 ? 2 : 1) {
            const double share = longest_share(run, n_blocks, panels);
            if (share < 0.98 * least) {
                least = share;
                run->item_rows = round_up(parts(run->rows, n_blocks), unit);
                run->columns = panels * LMD_PANEL_COLUMNS;
            }
        }
    }
}

/* How the packed rows and the columns are shared out. */
static void choose_items(linear_run *run)
{
    const int O = run->W->O;
    if (run->kernel->product->is_fixed) {
        run->item_rows = LMD_LIBRARY_ROWS;
        run->columns =
            round_up(parts(O, parts(O, LMD_LIBRARY_COLUMNS)), LMD_PANEL_COLUMNS);
    } else {
        share_out(run);
    }
    run->n_blocks = parts(run->rows, run->item_rows);
}

void lmd_kernel_linear(lmd_kernel *kernel, float *out, const float *in, size_t in_stride,
                       const lmd_matrix *W, const float *bias, int T)
{
    assert(W->C <= kernel->max_C && in_stride >= (size_t)W->C);
    assert(!kernel->is_bf16 || W->type == LMD_BF16);
    const lmd_product *product = kernel->product;
    linear_run run = {.kernel = kernel,
                      .out = out,
                      .in = in,
                      .bias = bias,
                      .in_stride = in_stride,
                      .W = W};
    const int unit = product->is_fixed ? LMD_LIBRARY_ROWS : product->tile_rows;
    const int most = (int)packed_rows(W->C) / unit * unit;
    const int step = round_up(parts(T, parts(T, most)), unit);
    for (run.first = 0; run.first < T; run.first += step) {
        run.rows = smaller_of(T - run.first, step);
        choose_items(&run);
        const int padded = round_up(run.rows, unit);
        lmd_team_run(kernel->team, padded / product->tile_rows, pack_item, &run);
        lmd_team_run(kernel->team, run.n_blocks * parts(W->O, run.columns), linear_item,
                     &run);
    }
}
