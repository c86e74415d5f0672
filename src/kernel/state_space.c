/* The steps of a state-space model (Mamba, Gu and Dao 2023). The convolution is shared
 * among the team by rows; the scan, which walks along the positions of a prompt, by
 * prompts and channels. Each prompt starts anew. */
#include <assert.h>
#include "kernel_inside.h"

enum { CONVOLVE_ROWS = 16 }; /* of an item */

typedef struct convolve_run {
    const lmd_vector_table *vector;
    const lmd_convolution *convolution;
    float *out;
    const float *in;
    size_t in_stride;
    const int32_t *starts;
    int n_prompts;
} convolve_run;

static void convolve_item(void *context, int item, int member)
{
    (void)member;
    const convolve_run *run = context;
    const int first = item * CONVOLVE_ROWS + run->starts[0];
    const int rows = run->starts[run->n_prompts] - first;
    const int end = first + (rows < CONVOLVE_ROWS ? rows : CONVOLVE_ROWS);
    int prompt = lmd_prompt_of_row(run->starts, run->n_prompts, first);
    for (int t = first; t < end; t++) {
        while (run->starts[prompt + 1] <= t) {
            prompt++;
        }
        const lmd_taps taps = {.convolution = run->convolution,
                               .out = run->out + (size_t)t * (size_t)run->convolution->C,
                               .in = run->in + (size_t)t * run->in_stride,
                               .in_stride = run->in_stride,
                               .before = t - run->starts[prompt]};
        run->vector->convolve(&taps);
    }
}

void lmd_kernel_convolve(lmd_kernel *kernel, float *out, const float *in,
                         size_t in_stride, const lmd_convolution *convolution,
                         const int32_t *starts, int n_prompts)
{
    convolve_run run = {.vector = kernel->vector,
                        .convolution = convolution,
                        .out = out,
                        .in = in,
                        .in_stride = in_stride,
                        .starts = starts,
                        .n_prompts = n_prompts};
    const int rows = starts[n_prompts] - starts[0];
    lmd_team_run(kernel->team, (rows + CONVOLVE_ROWS - 1) / CONVOLVE_ROWS, convolve_item,
                 &run);
}

typedef struct scan_run {
    const lmd_kernel *kernel;
    const lmd_selective_scan *scan;
    float *out;
    const int32_t *starts;
    int n_parts; /* of the channels */
} scan_run;

size_t lmd_scan_scratch_floats(void)
{
    return (size_t)2 * LMD_SCAN_STATES * LMD_SCAN_CHANNELS;
}

static void scan_item(void *context, int item, int member)
{
    const scan_run *run = context;
    const int prompt = item / run->n_parts;
    const int channel = item % run->n_parts * LMD_SCAN_CHANNELS;
    const int left = run->scan->width - channel;
    const lmd_scan_part part = {
        .scan = run->scan,
        .out = run->out,
        .scratch = lmd_kernel_scratch(run->kernel, member),
        .first = (size_t)run->starts[prompt],
        .end = (size_t)run->starts[prompt + 1],
        .channel = (size_t)channel,
        .n = (size_t)(left < LMD_SCAN_CHANNELS ? left : LMD_SCAN_CHANNELS)};
    run->kernel->vector->selective_scan(&part);
}

void lmd_kernel_scan(lmd_kernel *kernel, float *out, const lmd_selective_scan *scan,
                     const int32_t *starts, int n_prompts)
{
    assert(scan->n_states <= LMD_SCAN_STATES);
    scan_run run = {.kernel = kernel,
                    .scan = scan,
                    .out = out,
                    .starts = starts,
                    .n_parts = (scan->width + LMD_SCAN_CHANNELS - 1) / LMD_SCAN_CHANNELS};
    lmd_team_run(kernel->team, n_prompts * run.n_parts, scan_item, &run);
}
