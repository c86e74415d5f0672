/* Decode: the order of work (design 6) and the last state.
 *
 * t* is known only when the last state has seen the whole vocabulary, so it goes first
 * and its logits are kept, 112 rows of V: what KL and the targets of the other states
 * need. Then decode_sweep.c takes the other states. Products that want it have one of two
 * fixed shapes (112 or M rows times 512 columns), M a function of max_L alone; so the
 * bits of a token depend on neither S, nor its place, nor the team.
 */
#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>
#include <lmdepth/base/memory.h>
#include "decode.h"

enum {
    NB = LMD_TILE_COLUMNS,
    STRIDE = LMD_TILE_STRIDE,
    LANES_FLOATS = sizeof(lmd_lanes) / sizeof(float)
};

static int up(int n, int unit)
{
    return (n + unit - 1) / unit * unit;
}

/* Rows of either kind of block with any product's padding. */
static size_t most_rows(const lmd_decoder *decoder)
{
    const int most = decoder->M > LMD_DECODE_TOKENS ? decoder->M : LMD_DECODE_TOKENS;
    return (size_t)(most + LMD_LANES);
}

/* Rows are all other states of some tokens, evenly many in the blocks of a full call. */
static void choose_block(lmd_decoder *decoder)
{
    const int others = decoder->max_L > 1 ? decoder->max_L - 1 : 1;
    const bool is_fast = decoder->kernel->product->peak == LMD_PEAK_TILES;
    int most = (is_fast ? LMD_DECODE_MOST_ROWS : LMD_DECODE_ROWS) / others;
    most = most < 1 ? 1 : most > LMD_DECODE_TOKENS ? LMD_DECODE_TOKENS : most;
    const int n_blocks = (LMD_DECODE_TOKENS + most - 1) / most;
    decoder->block_tokens = (LMD_DECODE_TOKENS + n_blocks - 1) / n_blocks;
    decoder->M = decoder->block_tokens * others;
}

static void allocate(lmd_decoder *decoder)
{
    const size_t d = (size_t)decoder->d, M = (size_t)decoder->M;
    const size_t tallies = (size_t)decoder->n_segments * M;
    decoder->scratch_floats =
        M * (STRIDE + LANES_FLOATS) + 2 * NB + (size_t)up(decoder->d, LMD_LANES);
    if (most_rows(decoder) > LMD_PRODUCT_ROWS) { // more states than the kernel's is for
        decoder->product_at = decoder->scratch_floats;
        decoder->scratch_floats += LMD_PRODUCT_FIXED + most_rows(decoder) * NB;
    }
    decoder->keep = lmd_memory_new_aligned(
        (size_t)decoder->n_tiles * LMD_DECODE_TOKENS * STRIDE, sizeof(float));
    decoder->targets = lmd_memory_new_aligned(
        1, lmd_matrix_bytes(NB, decoder->d, decoder->head.matrix->type));
    const size_t row_floats = d < LMD_ROW_BLOCK ? LMD_ROW_BLOCK : d;
    decoder->rows =
        lmd_memory_new_aligned(most_rows(decoder) * row_floats, sizeof(float));
    decoder->wanted = lmd_memory_new_aligned(2 * M, sizeof(float));
    decoder->bounds = lmd_memory_new(M, sizeof *decoder->bounds);
    decoder->scratch = lmd_memory_new_aligned(
        (size_t)lmd_team_size(decoder->kernel->team) * decoder->scratch_floats,
        sizeof(float));
    decoder->last_ids = lmd_memory_new(NB, sizeof *decoder->last_ids);
    decoder->tallies = lmd_memory_new(tallies, sizeof *decoder->tallies);
    decoder->tokens = lmd_memory_new(LMD_DECODE_TOKENS, sizeof *decoder->tokens);
    if ((decoder->setup.wants & LMD_DECODE_MASS) != 0) {
        decoder->masses =
            lmd_memory_new(tallies * (size_t)decoder->head.n_bands, sizeof(double));
    }
}

lmd_decoder *lmd_decoder_new(lmd_kernel *kernel, const lmd_head *head, int max_L,
                             int wants)
{
    assert(head->matrix->C <= kernel->max_C && max_L >= 1);
    assert(!kernel->is_bf16 || head->matrix->type == LMD_BF16);
    lmd_decoder *decoder = lmd_memory_new(1, sizeof *decoder);
    decoder->kernel = kernel;
    decoder->head = *head;
    decoder->d = head->matrix->C;
    decoder->V = head->matrix->O;
    decoder->max_L = max_L;
    decoder->n_tiles = (decoder->V + NB - 1) / NB;
    decoder->tiles_per_segment =
        (decoder->n_tiles + LMD_DECODE_SEGMENTS - 1) / LMD_DECODE_SEGMENTS;
    decoder->n_segments =
        (decoder->n_tiles + decoder->tiles_per_segment - 1) / decoder->tiles_per_segment;
    decoder->setup = (lmd_tally_setup){.vector = kernel->vector,
                                       .wants = wants,
                                       .band_rows = head->band_rows,
                                       .n_bands = head->n_bands};
    decoder->output = decoder->setup;
    if ((wants & LMD_DECODE_KL) != 0) {
        decoder->output.wants |= LMD_DECODE_ENTROPY;
    }
    choose_block(decoder);
    allocate(decoder);
    return decoder;
}

void lmd_decoder_free(lmd_decoder *decoder)
{
    if (decoder == NULL) {
        return;
    }
    lmd_memory_free(decoder->keep);
    lmd_memory_free(decoder->targets);
    lmd_memory_free(decoder->rows);
    lmd_memory_free(decoder->wanted);
    lmd_memory_free(decoder->bounds);
    lmd_memory_free(decoder->scratch);
    lmd_memory_free(decoder->last_ids);
    lmd_memory_free(decoder->tallies);
    lmd_memory_free(decoder->masses);
    lmd_memory_free(decoder->tokens);
    lmd_memory_free(decoder);
}

size_t lmd_decoder_bytes(int d, int V, int n_bands, int n_threads, int max_C)
{
    const size_t tiles = ((size_t)V + NB - 1) / NB, D = (size_t)d;
    const size_t keep = tiles * LMD_DECODE_TOKENS * STRIDE;
    const size_t rows = LMD_DECODE_MOST_ROWS + LMD_LANES;
    const size_t shared = (NB + rows) * D + 3 * LMD_DECODE_MOST_ROWS;
    const size_t own =
        LMD_DECODE_MOST_ROWS * (STRIDE + LANES_FLOATS) + 2 * NB + D + LMD_LANES;
    const size_t kernel = lmd_kernel_scratch_floats(max_C);
    const size_t floats = keep + shared + lmd_kernel_rows_floats(max_C) +
                          (size_t)n_threads * (own + kernel);
    const size_t tally = sizeof(lmd_tally) + (size_t)n_bands * sizeof(double);
    return floats * sizeof(float) +
           (size_t)LMD_DECODE_SEGMENTS * LMD_DECODE_MOST_ROWS * tally;
}

double lmd_decoder_traffic(const lmd_decoder *decoder, int S, int L)
{
    const lmd_matrix *head = decoder->head.matrix;
    const double weights = (double)lmd_matrix_bytes(head->O, head->C, head->type);
    const double kept = (double)S * decoder->V * sizeof(float);
    const bool is_read_twice = (decoder->setup.wants & LMD_DECODE_KL) != 0 && L > 1;
    const int blocks =
        L > 1 ? (S + decoder->block_tokens - 1) / decoder->block_tokens : 0;
    return (1 + blocks) * weights + (is_read_twice ? 3 : 2) * kept;
}

/* ---- tiles ---- */

lmd_decode_scratch lmd_decode_scratch_of(const lmd_decoder *decoder, int member)
{
    lmd_decode_scratch scratch;
    scratch.results = decoder->scratch + (size_t)member * decoder->scratch_floats;
    scratch.output = scratch.results + (size_t)decoder->M * STRIDE;
    scratch.e = scratch.output + NB;
    scratch.lanes = (lmd_lanes *)(void *)(scratch.e + NB);
    scratch.state = scratch.e + NB + (size_t)decoder->M * LANES_FLOATS;
    return scratch;
}

int lmd_decode_tile_columns(const lmd_decoder *decoder, int tile)
{
    const int left = decoder->V - tile * NB;
    return left < NB ? left : NB;
}

const int32_t *lmd_decode_tile_ids(const lmd_decoder *decoder, int tile)
{
    const bool is_last = tile == decoder->n_tiles - 1;
    return is_last ? decoder->last_ids : decoder->head.ids + (size_t)tile * NB;
}

/* The ids of the last tile, filled up. */
static void make_last_ids(lmd_decoder *decoder)
{
    const int tile = decoder->n_tiles - 1;
    const int n = lmd_decode_tile_columns(decoder, tile);
    for (int i = 0; i < NB; i++) {
        decoder->last_ids[i] =
            i < n ? decoder->head.ids[(size_t)tile * NB + (size_t)i] : INT32_MAX;
    }
}

void lmd_decode_fill_row(const lmd_decode_run *run, int row, int state, int token,
                         const lmd_decode_scratch *scratch)
{
    const lmd_decoder *decoder = run->decoder;
    run->fill(run->context, state, token, scratch->state);
    lmd_product_put_row(decoder->kernel->product, decoder->rows, row, decoder->d,
                        scratch->state);
}

void lmd_decode_set_rows(lmd_decode_run *run, int used, int most)
{
    const lmd_decoder *decoder = run->decoder;
    const lmd_product *product = decoder->kernel->product;
    const lmd_decode_scratch scratch = lmd_decode_scratch_of(decoder, 0);
    run->rows = used;
    run->shape_rows = lmd_product_shape_rows(product, used, up(most, LMD_LANES));
    memset(scratch.state, 0, (size_t)decoder->d * sizeof *scratch.state);
    for (int row = used; row < run->shape_rows; row++) {
        lmd_product_put_row(product, decoder->rows, row, decoder->d, scratch.state);
    }
}

static float *product_scratch(const lmd_decoder *decoder, int member)
{
    if (decoder->product_at == 0) {
        return lmd_kernel_scratch(decoder->kernel, member);
    }
    return decoder->scratch + (size_t)member * decoder->scratch_floats +
           decoder->product_at;
}

void lmd_decode_product(const lmd_decode_run *run, float *out, const void *W, int n,
                        int member)
{
    const lmd_decoder *decoder = run->decoder;
    const lmd_kernel *kernel = decoder->kernel;
    const lmd_matrix_type type = decoder->head.matrix->type;
    const lmd_product_block block = {.out = out,
                                     .out_stride = STRIDE,
                                     .out_panel = LMD_PANEL_COLUMNS,
                                     .in = decoder->rows,
                                     .W = W,
                                     .type = type,
                                     .widen = kernel->widener->from[type],
                                     .M = run->rows,
                                     .n = n,
                                     .C = decoder->d,
                                     .chunk =
                                         lmd_product_chunk(kernel->product, decoder->d),
                                     .shape_M = run->shape_rows,
                                     .shape_n = NB,
                                     .scratch = product_scratch(decoder, member)};
    kernel->product->run(kernel->vector, &block);
}

void lmd_decode_tile(const lmd_decode_run *run, float *out, int tile, int member)
{
    const lmd_decoder *decoder = run->decoder;
    const lmd_matrix *matrix = decoder->head.matrix;
    const int n = lmd_decode_tile_columns(decoder, tile);
    const void *W =
        lmd_panel_part(matrix->packed, matrix->type, matrix->C, (size_t)tile * NB, 0);
    lmd_decode_product(run, out, W, up(n, LMD_PANEL_COLUMNS), member);
    for (size_t row = 0; n < NB && row < (size_t)run->rows; row++) {
        for (int column = n; column < NB; column++) {
            out[row * STRIDE + (size_t)column] = -FLT_MAX;
        }
    }
}

/* ---- the last state ---- */

static float *kept_row(const lmd_decoder *decoder, int tile, int token)
{
    return decoder->keep + ((size_t)tile * LMD_DECODE_TOKENS + (size_t)token) * STRIDE;
}

static void fill_output(void *context, int token, int member)
{
    const lmd_decode_run *run = context;
    const lmd_decode_scratch scratch = lmd_decode_scratch_of(run->decoder, member);
    lmd_decode_fill_row(run, token, run->L - 1, token, &scratch);
}

static void output_tile(void *context, int tile, int member)
{
    const lmd_decode_run *run = context;
    lmd_decode_tile(run, kept_row(run->decoder, tile, 0), tile, member);
}

/* What the other states need to know of a token. */
static void note_token(lmd_decode_token *token, const lmd_tally *tally,
                       const lmd_readout *readout, int32_t gold)
{
    *token = (lmd_decode_token){.is_finite = readout->is_finite,
                                .final = readout->top1,
                                .gold = gold,
                                .reference = tally->reference,
                                .scale = (float)(1.0 / tally->sum),
                                .entropy = readout->entropy};
}

static void output_row(void *context, int token, int member)
{
    const lmd_decode_run *run = context;
    const lmd_decoder *decoder = run->decoder;
    const size_t at = (size_t)(run->L - 1) * (size_t)run->S + (size_t)token;
    const int32_t gold = run->gold[token];
    float gold_logit = FLT_MAX;
    if (gold >= 0) {
        const int place = decoder->head.places[gold];
        gold_logit = kept_row(decoder, place / NB, token)[place % NB];
    }
    double *mass =
        run->mass == NULL ? NULL : run->mass + at * (size_t)decoder->head.n_bands;
    lmd_tally tally;
    _Alignas(64) lmd_lanes lanes;
    lmd_tally_start(&tally, &lanes, mass, decoder->head.n_bands, -INFINITY, -INFINITY);
    for (int tile = 0; tile < decoder->n_tiles; tile++) {
        const lmd_tally_part part = {.z = kept_row(decoder, tile, token),
                                     .ids = lmd_decode_tile_ids(decoder, tile),
                                     .e = lmd_decode_scratch_of(decoder, member).e,
                                     .first = tile * NB,
                                     .n = lmd_decode_tile_columns(decoder, tile),
                                     .targets = {FLT_MAX, gold_logit}};
        lmd_tally_add(&decoder->output, &tally, &lanes, mass, &part);
    }
    lmd_tally_close(&decoder->output, &tally, &lanes, mass);
    lmd_readout *readout = &run->readouts[at];
    lmd_tally_finish(&decoder->output, &tally, mass, readout);
    readout->kl = 0.0;
    readout->final_logit = (double)tally.best;
    readout->final_rank = 1;
    readout->gold_logit = gold >= 0 ? (double)gold_logit : (double)NAN;
    readout->gold_rank = gold >= 0 ? 1 + tally.above[1] : 0;
    note_token(&decoder->tokens[token], &tally, readout, gold);
}

static void decode_output(lmd_decode_run *run)
{
    lmd_decoder *decoder = run->decoder;
    lmd_team *team = decoder->kernel->team;
    lmd_team_run(team, run->S, fill_output, run);
    lmd_decode_set_rows(run, run->S, LMD_DECODE_TOKENS);
    lmd_team_run(team, decoder->n_tiles, output_tile, run);
    lmd_team_run(team, run->S, output_row, run);
}

void lmd_decode(lmd_decoder *decoder, lmd_decode_fill *fill, const void *context, int S,
                int L, const int32_t *gold, lmd_readout *readouts, double *mass)
{
    assert(S <= LMD_DECODE_TOKENS && L >= 1 && L <= decoder->max_L);
    lmd_decode_run run = {.decoder = decoder,
                          .fill = fill,
                          .context = context,
                          .S = S,
                          .L = L,
                          .gold = gold,
                          .readouts = readouts,
                          .mass = decoder->masses == NULL ? NULL : mass};
    make_last_ids(decoder);
    decode_output(&run);
    if (L > 1) {
        lmd_decode_sweep(&run);
    }
}
