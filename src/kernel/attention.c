/* Block-diagonal causal attention over a pack: softmax(scale q k^T) v, Vaswani et al.
 * 2017.
 *
 * An item is 64 queries of one head of one prompt. It walks over the prompt's keys, 64 at
 * a time, up to its own diagonal, with a running maximum and sum (online softmax, Milakov
 * and Gimelshein 2018), so that no more than 64 x 64 scores exist and scratch does not
 * grow with the prompt. Blocks are counted from the prompt's start and the products are
 * our own, so a prompt's bits don't know the rest of the pack.
 */
#include <assert.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#include "kernel_inside.h"

enum { BLOCK = 64 }; /* queries and keys */

typedef struct attention_run {
    const lmd_kernel *kernel;
    const lmd_attention *task;
    float *out;
    const int32_t *starts;
    int window; /* task->window, or more than any prompt is long */
} attention_run;

/* A member's scratch: (D + 1) padded rows of 64, and some of 64. */
typedef struct attention_block {
    float *scores;  /* (64, 64): of queries, then their softmax */
    float *keys;    /* (D, 64): transposed */
    float *values;  /* (64, E), E = D padded to 16 */
    float *sums;    /* (64, E): of values */
    float *largest; /* (64) */
    float *weights; /* (64): sums of exponentials */
    int E;
} attention_block;

size_t lmd_attention_scratch_floats(int max_D)
{
    const size_t E = ((size_t)max_D + LMD_LANES - 1) / LMD_LANES * LMD_LANES;
    return (size_t)BLOCK * BLOCK + 2 * BLOCK + 3 * BLOCK * E;
}

static attention_block carve_scratch(float *scratch, int D)
{
    attention_block block = {.E = (D + LMD_LANES - 1) / LMD_LANES * LMD_LANES};
    block.scores = scratch;
    block.largest = block.scores + (size_t)BLOCK * BLOCK;
    block.weights = block.largest + BLOCK;
    block.keys = block.weights + BLOCK;
    block.values = block.keys + (size_t)BLOCK * (size_t)block.E;
    block.sums = block.values + (size_t)BLOCK * (size_t)block.E;
    return block;
}

/* Copies n keys and values of one key/value head; what is beyond them is 0. */
static void load_keys(const attention_run *run, attention_block *block, size_t first,
                      int n, int kv_head)
{
    const size_t D = (size_t)run->task->D, E = (size_t)block->E;
    const size_t stride = run->task->kv_stride;
    const size_t at = first * stride + (size_t)kv_head * D;
    memset(block->keys, 0, D * BLOCK * sizeof *block->keys);
    memset(block->values, 0, BLOCK * E * sizeof *block->values);
    for (size_t j = 0; j < (size_t)n; j++) {
        const float *key = run->task->k + at + j * stride;
        for (size_t c = 0; c < D; c++) {
            block->keys[c * BLOCK + j] = key[c];
        }
        memcpy(block->values + j * E, run->task->v + at + j * stride, D * sizeof(float));
    }
}

/* Turns row i of the scores, of which it sees [from, to), into exponentials, and takes
 * the row's sums to the new maximum. */
static void soften_row(const attention_run *run, attention_block *block, int i, int from,
                       int to)
{
    const lmd_vector_table *vector = run->kernel->vector;
    float *row = block->scores + (size_t)i * BLOCK;
    if (from >= to) { // a narrow window has left the block behind
        memset(row, 0, BLOCK * sizeof *row);
        return;
    }
    vector->multiply(row, run->task->scale, BLOCK);
    for (int j = 0; j < from; j++) {
        row[j] = -INFINITY;
    }
    for (int j = to; j < BLOCK; j++) {
        row[j] = -INFINITY;
    }
    const float here = vector->largest(row, BLOCK);
    const float largest = here > block->largest[i] ? here : block->largest[i];
    vector->exponentials(row, row, BLOCK, largest, 1.0f);
    float factor[LMD_LANES] = {block->largest[i] - largest};
    vector->exponentials(factor, factor, LMD_LANES, 0.0f, 1.0f);
    block->weights[i] = block->weights[i] * factor[0] + (float)vector->total(row, BLOCK);
    vector->multiply(block->sums + (size_t)i * (size_t)block->E, factor[0], block->E);
    block->largest[i] = largest;
}

/* One block of keys; q is the first of `rows` queries, key j is seen by row i if
 * i + offset - window < j <= i + offset. */
static void see_keys(const attention_run *run, attention_block *block, const float *q,
                     int rows, int offset)
{
    const lmd_vector_table *vector = run->kernel->vector;
    lmd_panel scores = {.out_stride = BLOCK,
                        .a = q,
                        .a_stride = run->task->q_stride,
                        .b_stride = BLOCK,
                        .M = rows,
                        .C = run->task->D};
    for (int j = 0; j < BLOCK; j += LMD_LANES) {
        scores.out = block->scores + j;
        scores.b = block->keys + j;
        vector->panel(&scores);
    }
    for (int i = 0; i < rows; i++) {
        const int to = i + offset + 1;
        const int from = to - run->window;
        soften_row(run, block, i, from > 0 ? from : 0, to < BLOCK ? to : BLOCK);
    }
    lmd_panel sums = {.out_stride = (size_t)block->E,
                      .a = block->scores,
                      .a_stride = BLOCK,
                      .b_stride = (size_t)block->E,
                      .M = rows,
                      .C = BLOCK,
                      .add = true};
    for (int c = 0; c < block->E; c += LMD_LANES) {
        sums.out = block->sums + c;
        sums.b = block->values + c;
        vector->panel(&sums);
    }
}

/* The first key that query `first` sees, down to a whole block. */
static int first_key(const attention_run *run, int first)
{
    const int key = first - run->window + 1;
    return key > 0 ? key / BLOCK * BLOCK : 0;
}

/* Query block `index` of a prompt of n rows from `start`, one head. */
static void attend(const attention_run *run, int start, int n, int index,
                   const int head[2])
{
    const lmd_attention *task = run->task;
    const size_t D = (size_t)task->D, stride = (size_t)task->H * D;
    attention_block block =
        carve_scratch(lmd_kernel_scratch(run->kernel, head[1]), task->D);
    const int first = index * BLOCK;
    const int rows = n - first < BLOCK ? n - first : BLOCK;
    const size_t row = (size_t)(start + first), at = (size_t)head[0] * D;
    memset(block.sums, 0, BLOCK * (size_t)block.E * sizeof *block.sums);
    for (int i = 0; i < BLOCK; i++) {
        block.largest[i] = -INFINITY;
        block.weights[i] = 0.0f;
    }
    for (int j = first_key(run, first); j <= first; j += BLOCK) {
        const int keys = n - j < BLOCK ? n - j : BLOCK;
        load_keys(run, &block, (size_t)(start + j), keys, head[0] / (task->H / task->K));
        see_keys(run, &block, task->q + row * task->q_stride + at, rows, first - j);
    }
    float *out = run->out + row * stride + at;
    for (size_t i = 0; i < (size_t)rows; i++) {
        for (size_t c = 0; c < D; c++) {
            out[i * stride + c] = block.sums[i * (size_t)block.E + c] / block.weights[i];
        }
    }
}

static int n_blocks(const int32_t *starts, int prompt)
{
    return (starts[prompt + 1] - starts[prompt] + BLOCK - 1) / BLOCK;
}

/* Items run over heads, prompts and query blocks, the last (longest) block first. */
static void attention_item(void *context, int item, int member)
{
    const attention_run *run = context;
    const int head[2] = {item % run->task->H, member};
    int block = item / run->task->H, prompt = 0;
    while (block >= n_blocks(run->starts, prompt)) {
        block -= n_blocks(run->starts, prompt);
        prompt++;
    }
    const int start = run->starts[prompt], n = run->starts[prompt + 1] - start;
    attend(run, start, n, n_blocks(run->starts, prompt) - 1 - block, head);
}

void lmd_kernel_attention(lmd_kernel *kernel, float *out, const lmd_attention *attention,
                          const int32_t *starts, int n_prompts)
{
    attention_run run = {.kernel = kernel,
                         .task = attention,
                         .out = out,
                         .starts = starts,
                         .window = attention->window > 0 ? attention->window : INT_MAX};
    assert(attention->D <= kernel->max_C && attention->H % attention->K == 0);
    int n_items = 0;
    for (int p = 0; p < n_prompts; p++) {
        n_items += n_blocks(starts, p) * attention->H;
    }
    lmd_team_run(kernel->team, n_items, attention_item, &run);
}
