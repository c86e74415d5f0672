/* A tile of 6 rows by 64 columns, two panels, in 512-bit registers. The file that
 * includes this sets TILE_CHANNELS, includes tile_loops.h and defines multiply_add().
 *
 * Registers: 24 sums of 16 floats, 4 for a channel's 64 weights, 1 for a row's number in
 * all lanes: 29 of 32. A channel costs 24 multiply-adds (12 cycles on two units, whose
 * latency of 4 wants 8 chains) and 10 loads (5 cycles on two ports). 14 rows by 32
 * columns reuse weights more, but load more often, 16 times for 28 multiply-adds: side by
 * side they were 2 % faster on an idle Xeon and 2 to 3 % slower where another guest
 * shared the core. A row's number is loaded into all lanes once and used four times,
 * hence rows are packed 6 to a tile: one stream, no strides that collide in the cache
 * when C is a power of two.
 */
#ifndef TILE_WIDE_H
#define TILE_WIDE_H

enum { VECTOR = 16 /* floats */ };

/* One channel, or pair of channels, of `panels` panels. */
static inline __attribute__((always_inline)) void
add_channel(__m512 sums[TILE_ROWS][2 * TILE_PANELS], const float *a, const float *b,
            size_t b_panel, const size_t panels)
{
    __m512 w[2 * TILE_PANELS];
    _Pragma("GCC unroll 2") for (size_t p = 0; p < panels; p++)
    {
        w[2 * p] = _mm512_load_ps(b + p * b_panel);
        w[2 * p + 1] = _mm512_load_ps(b + p * b_panel + VECTOR);
    }
    _Pragma("GCC unroll 6") for (size_t i = 0; i < TILE_ROWS; i++)
    {
        const __m512 x = _mm512_set1_ps(a[i]);
        _Pragma("GCC unroll 4") for (size_t j = 0; j < 2 * panels; j++)
        {
            sums[i][j] = multiply_add(sums[i][j], x, w[j]);
        }
    }
}

static inline __attribute__((always_inline)) void tile_of(const tile_task *task,
                                                          const size_t panels)
{
    __m512 sums[TILE_ROWS][2 * TILE_PANELS];
    _Pragma("GCC unroll 6") for (size_t i = 0; i < TILE_ROWS; i++)
    {
        _Pragma("GCC unroll 4") for (size_t j = 0; j < 2 * panels; j++)
        {
            sums[i][j] = _mm512_setzero_ps();
        }
    }
    const float *a = task->a, *b = task->b;
    const char *next = task->next, *next_rows = task->next_rows;
    for (int first = 0; first < task->C; first += TILE_STEP) {
        next = fetch_lines(next, task->next_lines);
        next_rows = fetch_lines(next_rows, task->next_row_lines);
        const int end = first + TILE_STEP < task->C ? first + TILE_STEP : task->C;
        for (int c = first; c < end; c++, a += TILE_ROWS, b += PANEL) {
            add_channel(sums, a, b, task->b_panel, panels);
        }
    }
    float *out = task->out;
    const size_t stride = task->out_stride, panel = task->out_panel;
    if (task->add) {
        _Pragma("GCC unroll 6") for (size_t i = 0; i < TILE_ROWS; i++)
        {
            _Pragma("GCC unroll 4") for (size_t j = 0; j < 2 * panels; j++)
            {
                const float *old = out + i * stride + j / 2 * panel + j % 2 * VECTOR;
                sums[i][j] = _mm512_add_ps(_mm512_loadu_ps(old), sums[i][j]);
            }
        }
    }
    _Pragma("GCC unroll 6") for (size_t i = 0; i < TILE_ROWS; i++)
    {
        _Pragma("GCC unroll 4") for (size_t j = 0; j < 2 * panels; j++)
        {
            _mm512_storeu_ps(out + i * stride + j / 2 * panel + j % 2 * VECTOR,
                             sums[i][j]);
        }
    }
}

static void tile(const tile_task *task)
{
    if (task->panels == TILE_PANELS) {
        tile_of(task, TILE_PANELS);
    } else {
        tile_of(task, 1);
    }
}

#endif
