/* Linear layers over blocks of LMD_LINEAR_ROWS rows and tiles of columns. The last block
 * is filled up with zero rows, so that every product of a matrix has a shape that depends
 * on the matrix alone. */
#include <assert.h>
#include <string.h>
#include "kernel_inside.h"

typedef struct linear_run {
    const lmd_kernel *kernel;
    float *out;
    const float *in, *bias;
    const lmd_matrix *W;
    int T, n_tiles, tile_columns;
} linear_run;

static int round_up(int n, int unit)
{
    return (n + unit - 1) / unit * unit;
}

/* One block of rows times one tile of columns. */
static void linear_item(void *context, int item, int member)
{
    const linear_run *run = context;
    const size_t O = (size_t)run->W->O, C = (size_t)run->W->C;
    const int first = item / run->n_tiles * LMD_LINEAR_ROWS;
    const int column = item % run->n_tiles * run->tile_columns;
    const int rows = run->T - first < LMD_LINEAR_ROWS ? run->T - first : LMD_LINEAR_ROWS;
    const int left = run->W->O - column;
    const int columns = left < run->tile_columns ? left : run->tile_columns;
    float *panel = lmd_kernel_scratch(run->kernel, member);
    float *results = panel + (size_t)LMD_LANES * C;
    float *copy = results + (size_t)LMD_LINEAR_ROWS * LMD_TILE_COLUMNS;
    const float *in = run->in + (size_t)first * C;
    float *out = run->out + (size_t)first * O + column;
    lmd_product_block block = {.out = out,
                               .out_stride = O,
                               .in = in,
                               .W = run->W->packed + (size_t)column * C,
                               .M = LMD_LINEAR_ROWS,
                               .n = round_up(columns, LMD_LANES),
                               .C = run->W->C,
                               .chunk = LMD_LINEAR_CHUNK,
                               .scratch = panel};
    const bool is_whole = rows == block.M && columns == block.n;
    if (!is_whole) {
        memcpy(copy, in, (size_t)rows * C * sizeof *copy);
        memset(copy + (size_t)rows * C, 0, (size_t)(block.M - rows) * C * sizeof *copy);
        block.in = copy;
        block.out = results;
        block.out_stride = (size_t)block.n;
    }
    run->kernel->product(run->kernel->vector, &block);
    for (size_t row = 0; row < (size_t)rows; row++) {
        if (!is_whole) {
            memcpy(out + row * O, results + row * block.out_stride,
                   (size_t)columns * sizeof *out);
        }
        if (run->bias != NULL) {
            run->kernel->vector->add(out + row * O, out + row * O, run->bias + column,
                                     (size_t)columns);
        }
    }
}

void lmd_kernel_linear(lmd_kernel *kernel, float *out, const float *in,
                       const lmd_matrix *W, const float *bias, int T)
{
    assert(W->C <= kernel->max_C);
    const int n_tiles = (W->O + LMD_TILE_COLUMNS - 1) / LMD_TILE_COLUMNS;
    linear_run run = {.kernel = kernel,
                      .out = out,
                      .in = in,
                      .bias = bias,
                      .W = W,
                      .T = T,
                      .n_tiles = n_tiles,
                      .tile_columns =
                          round_up((W->O + n_tiles - 1) / n_tiles, LMD_LANES)};
    const int n_blocks = (T + LMD_LINEAR_ROWS - 1) / LMD_LINEAR_ROWS;
    lmd_team_run(kernel->team, n_blocks * n_tiles, linear_item, &run);
}
