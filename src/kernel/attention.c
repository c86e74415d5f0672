/* Block-diagonal causal attention over a pack: softmax(scale q k^T) v, Vaswani et al.
 * 2017.
 *
 * A block is 128 queries of one head of one prompt, in panels of 32. It walks over the
 * prompt's keys, 84 at a time, with a running maximum and sum (online softmax, Milakov
 * and Gimelshein 2018), so that scratch does not grow with the prompt. Everything is done
 * transposed, a lane for each query: scores = K Q^T, and the sums of values += V^T P.
 * Then the queries, and after them their weights P, lie as the products want weights to
 * lie, no sum of the softmax crosses lanes, and of the keys alone an order must be made,
 * once for all panels of an item.
 *
 * Blocks are counted from the prompt's start and rows of a product don't know their
 * neighbours, so a prompt's bits don't know the rest of the pack.
 */
#include <assert.h>
#include <math.h>
#include <string.h>
#include "kernel_inside.h"

enum {
    LANES = LMD_PANEL_COLUMNS, /* queries of a panel */
    PAIR = 2,                  /* panels that are taken together */
    PANELS = 4,                /* of a block, */
    WIDE_HEAD = 256,           /* unless heads are wider than this: then one */
    KEYS = 84,                 /* of a block; whole tiles of 14, 6 and 1 rows */
    MOST_TILE_ROWS = 16,
    USUAL_TILE_ROWS = 6,
    NO_WINDOW = 1 << 30 /* more than any prompt is long; differences don't overflow */
};

typedef struct attention_run {
    const lmd_kernel *kernel;
    const lmd_product *product;
    const lmd_attention *task;
    float *out;
    const int32_t *starts;
    int n_prompts;
    int window; /* at most NO_WINDOW */
    int block_queries;
    int n_ranges; /* of so many rows of the pack */
} attention_run;

/* A member's scratch. */
typedef struct attention_scratch {
    float *queries; /* (PANELS, D, LANES), times scale */
    float *sums;    /* (PANELS, D, LANES): of values */
    float *largest; /* (PANELS, LANES): scores so far */
    float *weights; /* (PANELS, LANES): sums of exponentials */
    float *factors; /* (PAIR, LANES) */
    float *scores;  /* (PAIR, keys, LANES), then their softmax */
    float *fresh;   /* (PAIR, D, LANES): sums of one block */
    float *keys;    /* tiles of keys (KEYS, D) */
    float *values;  /* tiles of channels (D, KEYS) */
    float *product; /* the product's own */
} attention_scratch;

/* A block of queries, and one of keys. */
typedef struct attention_block {
    attention_scratch scratch;
    int head;
    int start, n;   /* the prompt's rows */
    int first, end; /* queries, counted from its start */
    int key, keys;  /* the block of keys at hand */
} attention_block;

static int panels_of_block(int D)
{
    return D > WIDE_HEAD ? 1 : PANELS;
}

static int smaller_of(int a, int b)
{
    return a < b ? a : b;
}

/* Takes n floats, each piece aligned to 64 bytes; NULL only counts. */
static float *take(float *memory, size_t *used, size_t n)
{
    float *const piece = memory == NULL ? NULL : memory + *used;
    *used += (n + LMD_LANES - 1) / LMD_LANES * LMD_LANES;
    return piece;
}

static size_t lay_out(attention_scratch *scratch, float *memory, int head_size)
{
    const size_t D = (size_t)head_size, panels = (size_t)panels_of_block(head_size);
    const size_t most_rows = D > KEYS ? D : KEYS;
    size_t used = 0;
    scratch->queries = take(memory, &used, panels * D * LANES);
    scratch->sums = take(memory, &used, panels * D * LANES);
    scratch->largest = take(memory, &used, panels * LANES);
    scratch->weights = take(memory, &used, panels * LANES);
    scratch->factors = take(memory, &used, PAIR * LANES);
    scratch->scores = take(memory, &used, PAIR * KEYS * LANES);
    scratch->fresh = take(memory, &used, PAIR * D * LANES);
    scratch->keys = take(memory, &used, (KEYS + MOST_TILE_ROWS) * D);
    scratch->values = take(memory, &used, (D + MOST_TILE_ROWS) * KEYS);
    scratch->product = take(memory, &used, LMD_PRODUCT_PANEL + most_rows * LMD_LANES);
    return used;
}

size_t lmd_attention_scratch_floats(int max_D)
{
    attention_scratch scratch;
    const size_t wide = lay_out(&scratch, NULL, max_D);
    const size_t usual = lay_out(&scratch, NULL, smaller_of(max_D, WIDE_HEAD));
    return wide > usual ? wide : usual;
}

/* ---- in ---- */

/* The queries as panels, times scale; there is nothing beyond the prompt's end. */
static void load_queries(const attention_run *run, const attention_block *it)
{
    const lmd_attention *task = run->task;
    const lmd_product panel = {.tile_rows = LANES};
    const int D = task->D;
    const float *q = task->q + (size_t)(it->start + it->first) * task->q_stride +
                     (size_t)it->head * (size_t)D;
    float *to = it->scratch.queries;
    for (int at = it->first; at < it->end; at += LANES) {
        lmd_product_put_tile(&panel, to, q, task->q_stride,
                             smaller_of(it->end - at, LANES), D);
        run->kernel->vector->multiply(to, task->scale, D * LANES);
        q += LANES * task->q_stride;
        to += (size_t)D * LANES;
    }
}

/* The keys as tiles of rows of a product, the values as tiles of its channels. */
static void load_keys(const attention_run *run, const attention_block *it)
{
    const lmd_attention *task = run->task;
    const size_t D = (size_t)task->D, unit = (size_t)run->product->tile_rows;
    const size_t n = (size_t)it->keys, head = (size_t)(it->head / (task->H / task->K));
    const size_t at = (size_t)(it->start + it->key) * task->kv_stride + head * D;
    for (size_t j = 0; j < n; j += unit) {
        lmd_product_put_tile(run->product, it->scratch.keys + j * D,
                             task->k + at + j * task->kv_stride, task->kv_stride,
                             (int)(n - j < unit ? n - j : unit), task->D);
    }
    for (size_t c = 0; c < D; c += unit) {
        const size_t left = D - c < unit ? D - c : unit;
        const float *v = task->v + at + c;
        float *to = it->scratch.values + c * n;
        for (size_t j = 0; j < n; j++, v += task->kv_stride, to += unit) {
            lmd_copy_floats(to, v, left, USUAL_TILE_ROWS);
        }
    }
}

/* ---- one or two panels of queries and a block of keys ---- */

/* out (panels, M, LANES) = in (M, C) W (panels LANES, C)^T. */
typedef struct tile_product {
    float *out;
    size_t out_panel; /* floats, >= M LANES */
    const float *in, *W;
    int panels, M, C;
} tile_product;

static void multiply_tiles(const attention_run *run, const attention_block *it,
                           const tile_product *task)
{
    const int unit = run->product->tile_rows;
    const lmd_product_block block = {.out = task->out,
                                     .out_stride = LANES,
                                     .out_panel = task->out_panel,
                                     .in = task->in,
                                     .W = task->W,
                                     .type = LMD_F32,
                                     .M = task->M,
                                     .n = task->panels * LANES,
                                     .C = task->C,
                                     .chunk = lmd_product_chunk(run->product, task->C),
                                     .shape_M = (task->M + unit - 1) / unit * unit,
                                     .shape_n = task->panels * LANES,
                                     .scratch = it->scratch.product};
    run->product->run(run->kernel->vector, &block);
}

/* The softmax of one panel's scores. What none of its queries sees yet is 0. */
static void soften(const attention_run *run, const attention_block *it, int panel,
                   float *scores)
{
    const attention_scratch *scratch = &it->scratch;
    const int query = it->first + panel * LANES;
    const int seen = smaller_of(it->keys, query + LANES - it->key);
    const lmd_softening softening = {.scores = scores,
                                     .n = seen,
                                     .from = query - it->key - run->window + 1,
                                     .to = query - it->key + 1,
                                     .largest = scratch->largest + panel * LANES,
                                     .weights = scratch->weights + panel * LANES,
                                     .factors = scratch->factors + panel % PAIR * LANES};
    run->kernel->vector->soften(&softening);
    memset(scores + (size_t)seen * LANES, 0,
           (size_t)(it->keys - seen) * LANES * sizeof *scores);
}

static void see_keys(const attention_run *run, const attention_block *it, int panel,
                     int panels)
{
    const int D = run->task->D;
    const attention_scratch *scratch = &it->scratch;
    const size_t size = (size_t)D * LANES, at = (size_t)panel * size;
    const size_t block = (size_t)it->keys * LANES;
    // What the last of the queries doesn't see yet needs no scores.
    const int query = it->first + panel * LANES;
    const int seen = smaller_of(it->keys, query + panels * LANES - it->key);
    const tile_product scores = {
        scratch->scores, block, scratch->keys, scratch->queries + at, panels, seen, D};
    multiply_tiles(run, it, &scores);
    for (int i = 0; i < panels; i++) {
        soften(run, it, panel + i, scratch->scores + (size_t)i * block);
    }
    const tile_product values = {scratch->fresh, size, scratch->values, scratch->scores,
                                 panels,         D,    it->keys};
    multiply_tiles(run, it, &values);
    for (int i = 0; i < panels; i++) {
        run->kernel->vector->carry(scratch->sums + at + (size_t)i * size,
                                   scratch->fresh + (size_t)i * size,
                                   scratch->factors + (panel + i) % PAIR * LANES, D);
    }
}

/* ---- out ---- */

static void store_sums(const attention_run *run, const attention_block *it)
{
    const size_t D = (size_t)run->task->D, stride = (size_t)run->task->H * D;
    for (int i = 0; i < it->end - it->first; i++) {
        const size_t panel = (size_t)i / LANES, lane = (size_t)i % LANES;
        const float *sums = it->scratch.sums + panel * D * LANES + lane;
        const float weight = it->scratch.weights[i];
        float *out = run->out + (size_t)(it->start + it->first + i) * stride +
                     (size_t)it->head * D;
        for (size_t c = 0; c < D; c++) {
            out[c] = sums[c * LANES] / weight;
        }
    }
}

/* ---- items ---- */

/* The first key that query `first` sees, down to a whole block. */
static int first_key(const attention_run *run, int first)
{
    const int key = first - run->window + 1;
    return key > 0 ? key / KEYS * KEYS : 0;
}

/* Does any query of the panel see any key of the block? */
static bool sees_some(const attention_run *run, const attention_block *it, int panel)
{
    const int query = it->first + panel * LANES;
    const bool is_ahead = it->key >= query + LANES;
    const bool is_behind = it->key + KEYS <= query - run->window + 1;
    return !is_ahead && !is_behind;
}

static void attend(const attention_run *run, attention_block *it)
{
    const size_t D = (size_t)run->task->D;
    const int panels = (it->end - it->first + LANES - 1) / LANES;
    load_queries(run, it);
    memset(it->scratch.sums, 0, (size_t)panels * D * LANES * sizeof *it->scratch.sums);
    for (int i = 0; i < panels * LANES; i++) {
        it->scratch.largest[i] = -INFINITY;
        it->scratch.weights[i] = 0.0f;
    }
    for (it->key = first_key(run, it->first); it->key < it->end; it->key += KEYS) {
        it->keys = smaller_of(it->n - it->key, KEYS);
        load_keys(run, it);
        for (int panel = 0; panel < panels; panel++) {
            if (!sees_some(run, it, panel)) {
                continue;
            }
            const bool has_two = panel + 1 < panels && sees_some(run, it, panel + 1);
            see_keys(run, it, panel, has_two ? PAIR : 1);
            panel += has_two ? 1 : 0;
        }
    }
    store_sums(run, it);
}

/* An item's rows of the pack: all blocks of queries that begin among them, of each prompt
 * at most one. The last rows come first, which see most keys where prompts are long. */
static void run_item(void *context, int item, int member)
{
    const attention_run *run = context;
    const int size = run->block_queries, H = run->task->H;
    const int low = run->starts[0] + (run->n_ranges - 1 - item / H) * size;
    attention_block it = {.head = item % H};
    lay_out(&it.scratch, lmd_kernel_scratch(run->kernel, member), run->task->D);
    for (int p = lmd_prompt_of_row(run->starts, run->n_prompts, low);
         p < run->n_prompts && run->starts[p] < low + size; p++) {
        it.start = run->starts[p];
        it.n = run->starts[p + 1] - it.start;
        it.first = low > it.start ? (low - it.start + size - 1) / size * size : 0;
        it.end = smaller_of(it.first + size, it.n);
        if (it.first < it.n && it.start + it.first < low + size) {
            attend(run, &it);
        }
    }
}

void lmd_kernel_attention(lmd_kernel *kernel, float *out, const lmd_attention *attention,
                          const int32_t *starts, int n_prompts)
{
    assert(attention->D <= kernel->max_C && attention->H % attention->K == 0);
    const bool is_free = !kernel->attention->is_fixed;
    attention_run run = {.kernel = kernel,
                         .product = is_free ? kernel->attention : &lmd_product_plain,
                         .task = attention,
                         .out = out,
                         .starts = starts,
                         .n_prompts = n_prompts,
                         .window = attention->window > 0
                                       ? smaller_of(attention->window, NO_WINDOW)
                                       : NO_WINDOW,
                         .block_queries = LANES * panels_of_block(attention->D)};
    const int T = starts[n_prompts] - starts[0];
    run.n_ranges = (T + run.block_queries - 1) / run.block_queries;
    lmd_team_run(kernel->team, run.n_ranges * attention->H, run_item, &run);
}
