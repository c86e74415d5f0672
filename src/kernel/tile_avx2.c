/* Products in fp32 with AVX2 and FMA: tiles of 6 rows by 16 columns, two of them side by
 * side on a panel of 32.
 *
 * Registers: 12 sums of 8 floats, 2 for a channel's 16 weights, 1 for a row's number in
 * all lanes: 15 of 16. A channel costs 12 multiply-adds (6 cycles) and 8 loads (4
 * cycles); 12 chains are just enough for two units of latency 4 or 5.
 */
#include <immintrin.h>
#include "tile_x86_64.h"

enum { TILE_ROWS = 6, TILE_PANELS = 1, TILE_CHANNELS = 1 };
#include "tile_loops.h"

static inline __attribute__((always_inline)) void
add_channel(__m256 sums[TILE_ROWS][2], const float *a, const float *b)
{
    const __m256 low = _mm256_load_ps(b), high = _mm256_load_ps(b + 8);
    for (int i = 0; i < TILE_ROWS; i++) {
        const __m256 x = _mm256_set1_ps(a[i]);
        sums[i][0] = _mm256_fmadd_ps(x, low, sums[i][0]);
        sums[i][1] = _mm256_fmadd_ps(x, high, sums[i][1]);
    }
}

static void half_tile(const tile_task *task, size_t column)
{
    __m256 sums[TILE_ROWS][2];
    for (int i = 0; i < TILE_ROWS; i++) {
        sums[i][0] = _mm256_setzero_ps();
        sums[i][1] = _mm256_setzero_ps();
    }
    const float *a = task->a, *b = task->b + column;
    const char *next = task->next, *next_rows = task->next_rows;
    const int lines = column == 0 ? task->next_lines : 0;
    const int row_lines = column == 0 ? task->next_row_lines : 0;
    for (int first = 0; first < task->C; first += TILE_STEP) {
        next = fetch_lines(next, lines);
        next_rows = fetch_lines(next_rows, row_lines);
        const int end = first + TILE_STEP < task->C ? first + TILE_STEP : task->C;
        for (int c = first; c < end; c++, a += TILE_ROWS, b += PANEL) {
            add_channel(sums, a, b);
        }
    }
    float *out = task->out + column;
    const size_t stride = task->out_stride;
    if (task->add) {
        for (size_t i = 0; i < TILE_ROWS; i++) {
            const float *old = out + i * stride;
            sums[i][0] = _mm256_add_ps(_mm256_loadu_ps(old), sums[i][0]);
            sums[i][1] = _mm256_add_ps(_mm256_loadu_ps(old + 8), sums[i][1]);
        }
    }
    for (size_t i = 0; i < TILE_ROWS; i++) {
        _mm256_storeu_ps(out + i * stride, sums[i][0]);
        _mm256_storeu_ps(out + i * stride + 8, sums[i][1]);
    }
}

static void tile(const tile_task *task)
{
    half_tile(task, 0);
    half_tile(task, 16);
}

const lmd_product lmd_product_avx2 = {.name = "avx2",
                                      .arithmetic = LMD_FUSED_ARITHMETIC,
                                      .run = run,
                                      .tile_rows = TILE_ROWS};
