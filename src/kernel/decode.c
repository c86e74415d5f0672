/* Decode: the order of work (design 6) and the last state.
 *
 * t* is known only when the last state has seen the whole vocabulary, so it goes first
 * and its logits are kept, 112 rows of V: what KL and the targets of the other states
 * need. Then decode_sweep.c takes the other states. Every product has one of two fixed
 * shapes (112 or M rows times 512 columns), M a function of max_L alone; so the bits of a
 * token depend on neither S, nor its place, nor the team.
 */
#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>
#include <lmdepth/base/memory.h>
#include "decode.h"

enum { NB = LMD_TILE_COLUMNS };

static int up(int n, int unit)
{
    return (n + unit - 1) / unit * unit;
}

static size_t larger_of(int a, int b)
{
    return (size_t)(a > b ? a : b);
}

/* Rows are all other states of some tokens, evenly many in the blocks of a full call. */
static void choose_block(lmd_decoder *decoder)
{
    const int others = decoder->max_L > 1 ? decoder->max_L - 1 : 1;
    int most = LMD_DECODE_ROWS / others;
    most = most < 1 ? 1 : most > LMD_DECODE_TOKENS ? LMD_DECODE_TOKENS : most;
    const int n_blocks = (LMD_DECODE_TOKENS + most - 1) / most;
    decoder->block_tokens = (LMD_DECODE_TOKENS + n_blocks - 1) / n_blocks;
    decoder->M = up(decoder->block_tokens * others, LMD_LANES);
}

static void allocate(lmd_decoder *decoder)
{
    const size_t d = (size_t)decoder->d, M = (size_t)decoder->M;
    const size_t rows = larger_of(decoder->M, LMD_DECODE_TOKENS);
    const size_t tallies = (size_t)decoder->n_segments * M;
    decoder->scratch_floats = rows * NB + 2 * NB + LMD_LANES * d;
    decoder->keep = lmd_memory_new_aligned(
        (size_t)decoder->n_tiles * LMD_DECODE_TOKENS * NB, sizeof(float));
    decoder->last_tile = lmd_memory_new_aligned(NB * d, sizeof(float));
    decoder->targets = lmd_memory_new_aligned(NB * d, sizeof(float));
    decoder->rows = lmd_memory_new_aligned(rows * d, sizeof(float));
    decoder->wanted = lmd_memory_new_aligned(2 * M, sizeof(float));
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
    lmd_memory_free(decoder->last_tile);
    lmd_memory_free(decoder->targets);
    lmd_memory_free(decoder->rows);
    lmd_memory_free(decoder->wanted);
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
    const size_t keep = tiles * LMD_DECODE_TOKENS * NB;
    const size_t shared = (2 * NB + LMD_DECODE_ROWS) * D;
    const size_t own = LMD_DECODE_ROWS * NB + 2 * NB + LMD_LANES * D;
    const size_t kernel = lmd_kernel_scratch_floats(max_C);
    const size_t floats = keep + shared + (size_t)n_threads * (own + kernel);
    const size_t tally = sizeof(lmd_tally) + (size_t)n_bands * sizeof(double);
    return floats * sizeof(float) + (size_t)LMD_DECODE_SEGMENTS * LMD_DECODE_ROWS * tally;
}

/* ---- tiles ---- */

lmd_decode_scratch lmd_decode_scratch_of(const lmd_decoder *decoder, int member)
{
    const size_t rows = larger_of(decoder->M, LMD_DECODE_TOKENS);
    lmd_decode_scratch scratch;
    scratch.results = decoder->scratch + (size_t)member * decoder->scratch_floats;
    scratch.output = scratch.results + rows * NB;
    scratch.e = scratch.output + NB;
    scratch.panel = scratch.e + NB;
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

/* The last tile, filled up with zero rows to the shape of all others. */
static void make_last_tile(lmd_decoder *decoder)
{
    const int tile = decoder->n_tiles - 1;
    const size_t n = (size_t)lmd_decode_tile_columns(decoder, tile);
    const size_t d = (size_t)decoder->d, first = (size_t)tile * NB;
    memcpy(decoder->last_tile, decoder->head.matrix->packed + first * d,
           n * d * sizeof *decoder->last_tile);
    for (size_t i = 0; i < NB; i++) {
        decoder->last_ids[i] = i < n ? decoder->head.ids[first + i] : INT32_MAX;
    }
}

void lmd_decode_product(const lmd_decoder *decoder, float *out, int M, const float *W,
                        float *panel)
{
    const lmd_product_block block = {.out = out,
                                     .out_stride = NB,
                                     .in = decoder->rows,
                                     .W = W,
                                     .M = M,
                                     .n = NB,
                                     .C = decoder->d,
                                     .scratch = panel};
    decoder->kernel->product(decoder->kernel->vector, &block);
}

void lmd_decode_tile(const lmd_decoder *decoder, float *out, int M, int tile,
                     float *panel)
{
    const bool is_last = tile == decoder->n_tiles - 1;
    const float *W =
        decoder->head.matrix->packed + (size_t)tile * NB * (size_t)decoder->d;
    lmd_decode_product(decoder, out, M, is_last ? decoder->last_tile : W, panel);
    const int n = lmd_decode_tile_columns(decoder, tile);
    for (size_t row = 0; n < NB && row < (size_t)M; row++) {
        for (int column = n; column < NB; column++) {
            out[row * NB + (size_t)column] = -FLT_MAX;
        }
    }
}

/* ---- the last state ---- */

static float *kept_row(const lmd_decoder *decoder, int tile, int token)
{
    return decoder->keep + ((size_t)tile * LMD_DECODE_TOKENS + (size_t)token) * NB;
}

static void fill_output(void *context, int token, int member)
{
    (void)member;
    const lmd_decode_run *run = context;
    const size_t d = (size_t)run->decoder->d;
    run->fill(run->context, run->L - 1, token, run->decoder->rows + (size_t)token * d);
}

static void output_tile(void *context, int tile, int member)
{
    const lmd_decode_run *run = context;
    lmd_decode_tile(run->decoder, kept_row(run->decoder, tile, 0), LMD_DECODE_TOKENS,
                    tile, lmd_decode_scratch_of(run->decoder, member).panel);
}

/* What the other states need to know of a token. */
static void note_token(lmd_decode_token *token, const lmd_tally *tally,
                       const lmd_readout *readout, int32_t gold)
{
    *token = (lmd_decode_token){.is_finite = readout->is_finite,
                                .final = readout->top1,
                                .gold = gold,
                                .best = tally->best,
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
    lmd_tally_start(&tally, mass, decoder->head.n_bands);
    for (int tile = 0; tile < decoder->n_tiles; tile++) {
        const lmd_tally_part part = {.z = kept_row(decoder, tile, token),
                                     .ids = lmd_decode_tile_ids(decoder, tile),
                                     .e = lmd_decode_scratch_of(decoder, member).e,
                                     .first = tile * NB,
                                     .n = lmd_decode_tile_columns(decoder, tile),
                                     .targets = {FLT_MAX, gold_logit}};
        lmd_tally_add(&decoder->output, &tally, mass, &part);
    }
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
    const size_t d = (size_t)decoder->d, S = (size_t)run->S;
    lmd_team_run(team, run->S, fill_output, run);
    memset(decoder->rows + S * d, 0, (LMD_DECODE_TOKENS - S) * d * sizeof *decoder->rows);
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
    make_last_tile(decoder);
    decode_output(&run);
    if (L > 1) {
        lmd_decode_sweep(&run);
    }
}
