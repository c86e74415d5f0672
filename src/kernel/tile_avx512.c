/* Products in fp32 with AVX-512: tiles of 14 rows by 32 columns.
 *
 * Registers: 28 sums of 16 floats, 2 for a channel's 32 weights, 1 for a row's number in
 * all lanes: 31 of 32. A channel costs 28 multiply-adds (14 cycles on two units) and 16
 * loads (8 cycles on two ports), so the units, of latency 4, are always busy; 28 chains
 * are enough for that thrice over. A row's number is loaded into all lanes once and used
 * twice, hence rows are packed 14 to a tile: one stream, no strides that collide in the
 * cache when C is a power of two.
 */
#include <immintrin.h>
#include "tile_x86_64.h"

enum { TILE_ROWS = 14 };
#include "tile_loops.h"

static inline __attribute__((always_inline)) void
add_channel(__m512 sums[TILE_ROWS][2], const float *a, const float *b)
{
    const __m512 low = _mm512_load_ps(b), high = _mm512_load_ps(b + 16);
    _Pragma("GCC unroll 14") for (int i = 0; i < TILE_ROWS; i++)
    {
        const __m512 x = _mm512_set1_ps(a[i]);
        sums[i][0] = _mm512_fmadd_ps(x, low, sums[i][0]);
        sums[i][1] = _mm512_fmadd_ps(x, high, sums[i][1]);
    }
}

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

const lmd_product lmd_product_avx512 = {.name = "avx512",
                                        .arithmetic = "f32; tiles avx512 14x32",
                                        .run = run,
                                        .tile_rows = TILE_ROWS};
