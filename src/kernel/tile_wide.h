/* A tile of 14 rows by 32 columns in 512-bit registers. The file that includes this sets
 * TILE_CHANNELS, includes tile_loops.h and defines add_channel().
 *
 * Registers: 28 sums of 16 floats, 2 for a channel's 32 weights, 1 for a row's number in
 * all lanes: 31 of 32. A channel costs 28 multiply-adds (14 cycles on two units) and 16
 * loads (8 cycles on two ports), so the units, of latency 4, are always busy; 28 chains
 * are enough for that thrice over. A row's number is loaded into all lanes once and used
 * twice, hence rows are packed 14 to a tile: one stream, no strides that collide in the
 * cache when C is a power of two.
 */
#ifndef TILE_WIDE_H
#define TILE_WIDE_H

static void tile(const tile_task *task)
{
    __m512 sums[TILE_ROWS][2];
    _Pragma("GCC unroll 14") for (int i = 0; i < TILE_ROWS; i++)
    {
        sums[i][0] = _mm512_setzero_ps();
        sums[i][1] = _mm512_setzero_ps();
    }
    const float *a = task->a, *b = task->b;
    const char *next = task->next;
    for (int first = 0; first < task->C; first += TILE_STEP) {
        next = fetch_lines(next, task->next_lines);
        const int end = first + TILE_STEP < task->C ? first + TILE_STEP : task->C;
        for (int c = first; c < end; c++, a += TILE_ROWS, b += PANEL) {
            add_channel(sums, a, b);
        }
    }
    float *out = task->out;
    const size_t stride = task->out_stride;
    if (task->add) {
        _Pragma("GCC unroll 14") for (size_t i = 0; i < TILE_ROWS; i++)
        {
            const float *old = out + i * stride;
            sums[i][0] = _mm512_add_ps(_mm512_loadu_ps(old), sums[i][0]);
            sums[i][1] = _mm512_add_ps(_mm512_loadu_ps(old + 16), sums[i][1]);
        }
    }
    _Pragma("GCC unroll 14") for (size_t i = 0; i < TILE_ROWS; i++)
    {
        _mm512_storeu_ps(out + i * stride, sums[i][0]);
        _mm512_storeu_ps(out + i * stride + 16, sums[i][1]);
    }
}

#endif
