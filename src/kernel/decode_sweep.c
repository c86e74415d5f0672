/* Decode: the states before the last.
 *
 * A block is all other states of a few tokens, about 200 rows, so that its activations
 * and one tile of logits stay in the second-level cache. Blocks follow one another;
 * within one, the team shares out segments of the vocabulary, so that the weights pass
 * through memory once a block whatever the number of threads, and few states do not leave
 * threads idle. A segment's tallies are merged in order of the vocabulary.
 *
 * The logits of t* and gold are taken first, by the same product on a tile of their own
 * rows of the unembedding: hence the same bits as inside the vocabulary's tiles, which a
 * strict comparison needs. p* is made once for a tile and token and serves all its
 * states.
 *
 *     KL(p* || p) = -H(p*) - sum p* (z - z[t*]) + lse - z[t*]
 */
#include <math.h>
#include <stdatomic.h> /* atomic_load_explicit */
#include <string.h>
#include "decode.h"

enum { NB = LMD_TILE_COLUMNS, STRIDE = LMD_TILE_STRIDE };

/* Rows of the block are (token of the block, state). */
static size_t row_of(const lmd_decode_run *run, int i, int state)
{
    return (size_t)i * (size_t)(run->L - 1) + (size_t)state;
}

static int tokens_of_block(const lmd_decode_run *run)
{
    const int left = run->S - run->first_token;
    return left < run->decoder->block_tokens ? left : run->decoder->block_tokens;
}

static void fill_rows(void *context, int i, int member)
{
    const lmd_decode_run *run = context;
    const lmd_decode_scratch scratch = lmd_decode_scratch_of(run->decoder, member);
    for (int state = 0; state < run->L - 1; state++) {
        lmd_decode_fill_row(run, (int)row_of(run, i, state), state, run->first_token + i,
                            &scratch);
    }
}

/* ---- targets ---- */

/* Columns 2 i and 2 i + 1 of the tile of targets: t* and gold of the block's token i. */
static void gather_targets(const lmd_decode_run *run)
{
    lmd_decoder *decoder = run->decoder;
    const lmd_decode_scratch scratch = lmd_decode_scratch_of(decoder, 0);
    const int32_t *places = decoder->head.places;
    lmd_matrix targets;
    lmd_matrix_bind(&targets, NB, decoder->d, decoder->head.matrix->type,
                    decoder->targets);
    for (int i = 0; i < tokens_of_block(run); i++) {
        const lmd_decode_token *token = &decoder->tokens[run->first_token + i];
        const int32_t gold = token->gold >= 0 ? token->gold : token->final;
        lmd_matrix_get_row(decoder->head.matrix, places[token->final], scratch.state);
        lmd_matrix_put_row(&targets, 2 * i, scratch.state);
        lmd_matrix_get_row(decoder->head.matrix, places[gold], scratch.state);
        lmd_matrix_put_row(&targets, 2 * i + 1, scratch.state);
    }
}

/* The logits of every row's own two targets. */
static void find_wanted(const lmd_decode_run *run)
{
    lmd_decoder *decoder = run->decoder;
    const lmd_decode_scratch scratch = lmd_decode_scratch_of(decoder, 0);
    const int n_tokens = tokens_of_block(run);
    const int panels = (2 * n_tokens + LMD_PANEL_COLUMNS - 1) / LMD_PANEL_COLUMNS;
    lmd_decode_product(run, scratch.results, decoder->targets, panels * LMD_PANEL_COLUMNS,
                       0);
    for (int i = 0; i < n_tokens; i++) {
        for (int state = 0; state < run->L - 1; state++) {
            const size_t row = row_of(run, i, state);
            const float *found = scratch.results + row * STRIDE + 2 * i;
            memcpy(decoder->wanted + 2 * row, found, 2 * sizeof *found);
            atomic_init(&decoder->bounds[row], isfinite(*found) ? *found : -INFINITY);
        }
    }
}

/* ---- the vocabulary ---- */

static double *mass_of(const lmd_decoder *decoder, int segment, size_t row)
{
    const size_t at = (size_t)segment * (size_t)decoder->M + row;
    return decoder->masses == NULL ? NULL
                                   : decoder->masses + at * (size_t)decoder->head.n_bands;
}

static lmd_tally *tally_of(const lmd_decoder *decoder, int segment, size_t row)
{
    return &decoder->tallies[(size_t)segment * (size_t)decoder->M + row];
}

/* p* of a token over a tile; 0 in the padding and where the output is not finite. */
static void make_output(const lmd_decoder *decoder, float *out, int tile, int s)
{
    const lmd_decode_token *token = &decoder->tokens[s];
    if (!token->is_finite) {
        memset(out, 0, NB * sizeof *out);
        return;
    }
    const float *kept =
        decoder->keep + ((size_t)tile * LMD_DECODE_TOKENS + (size_t)s) * STRIDE;
    decoder->kernel->vector->exponentials(out, kept, NB, token->reference, token->scale);
}

/* All states of one token of the block, after the tile's product. */
static void add_token(const lmd_decode_run *run, int segment, int tile, int i,
                      const lmd_decode_scratch *scratch)
{
    const lmd_decoder *decoder = run->decoder;
    const bool kl = (decoder->setup.wants & LMD_DECODE_KL) != 0;
    if (kl) {
        make_output(decoder, scratch->output, tile, run->first_token + i);
    }
    for (int state = 0; state < run->L - 1; state++) {
        const size_t row = row_of(run, i, state);
        const float *wanted = decoder->wanted + 2 * row;
        const lmd_tally_part part = {.z = scratch->results + row * STRIDE,
                                     .ids = lmd_decode_tile_ids(decoder, tile),
                                     .output = kl ? scratch->output : NULL,
                                     .e = scratch->e,
                                     .first = tile * NB,
                                     .n = lmd_decode_tile_columns(decoder, tile),
                                     .targets = {wanted[0], wanted[1]}};
        lmd_tally_add(&decoder->setup, tally_of(decoder, segment, row),
                      &scratch->lanes[row], mass_of(decoder, segment, row), &part);
    }
}

/* Rows refer to the logit of t*, known from the start. */
static void start_row(const lmd_decoder *decoder, int segment, size_t row,
                      lmd_lanes *lanes)
{
    const float bound = atomic_load_explicit(&decoder->bounds[row], memory_order_relaxed);
    lmd_tally_start(tally_of(decoder, segment, row), lanes,
                    mass_of(decoder, segment, row), decoder->head.n_bands,
                    decoder->wanted[2 * row], bound);
}

static void close_row(const lmd_decoder *decoder, int segment, size_t row,
                      lmd_lanes *lanes)
{
    lmd_tally *tally = tally_of(decoder, segment, row);
    lmd_tally_close(&decoder->setup, tally, lanes, mass_of(decoder, segment, row));
    if (tally->best > atomic_load_explicit(&decoder->bounds[row], memory_order_relaxed)) {
        atomic_store_explicit(&decoder->bounds[row], tally->best, memory_order_relaxed);
    }
}

static void sweep_segment(void *context, int segment, int member)
{
    const lmd_decode_run *run = context;
    const lmd_decoder *decoder = run->decoder;
    const lmd_decode_scratch scratch = lmd_decode_scratch_of(decoder, member);
    const int n_tokens = tokens_of_block(run);
    const size_t rows = row_of(run, n_tokens, 0);
    for (size_t row = 0; row < rows; row++) {
        start_row(decoder, segment, row, &scratch.lanes[row]);
    }
    const int first = segment * decoder->tiles_per_segment;
    for (int tile = first;
         tile < first + decoder->tiles_per_segment && tile < decoder->n_tiles; tile++) {
        lmd_decode_tile(run, scratch.results, tile, member);
        for (int i = 0; i < n_tokens; i++) {
            add_token(run, segment, tile, i, &scratch);
        }
    }
    for (size_t row = 0; row < rows; row++) {
        close_row(decoder, segment, row, &scratch.lanes[row]);
    }
}

/* ---- the readouts ---- */

static double divergence(const lmd_decode_token *token, const lmd_tally *tally,
                         double lse, float final_logit)
{
    const double kl = -token->entropy - tally->cross + (lse - (double)final_logit);
    // NaN: a logit so far from z[t*] that the difference is beyond floats.
    return isnan(kl) ? (double)INFINITY : fmax(0.0, kl);
}

static void finish_row(const lmd_decode_run *run, int i, int state)
{
    const lmd_decoder *decoder = run->decoder;
    const int s = run->first_token + i, n_bands = decoder->head.n_bands;
    const size_t row = row_of(run, i, state);
    const size_t at = (size_t)state * (size_t)run->S + (size_t)s;
    double *mass = run->mass == NULL ? NULL : run->mass + at * (size_t)n_bands;
    lmd_tally tally;
    lmd_tally_clear(&tally, mass, n_bands);
    for (int segment = 0; segment < decoder->n_segments; segment++) {
        lmd_tally_merge(&tally, mass, tally_of(decoder, segment, row),
                        mass_of(decoder, segment, row), n_bands);
    }
    const lmd_decode_token *token = &decoder->tokens[s];
    const float *wanted = decoder->wanted + 2 * row;
    lmd_readout *out = &run->readouts[at];
    lmd_tally_finish(&decoder->setup, &tally, mass, out);
    const bool kl = (decoder->setup.wants & LMD_DECODE_KL) != 0 && out->is_finite;
    out->kl = kl ? divergence(token, &tally, out->lse, wanted[0]) : (double)NAN;
    out->final_logit = (double)wanted[0];
    out->final_rank = 1 + tally.above[0];
    out->gold_logit = token->gold >= 0 ? (double)wanted[1] : (double)NAN;
    out->gold_rank = token->gold >= 0 ? 1 + tally.above[1] : 0;
}

static void finish_token(void *context, int i, int member)
{
    (void)member;
    const lmd_decode_run *run = context;
    for (int state = 0; state < run->L - 1; state++) {
        finish_row(run, i, state);
    }
}

void lmd_decode_sweep(lmd_decode_run *run)
{
    lmd_decoder *decoder = run->decoder;
    lmd_team *team = decoder->kernel->team;
    for (run->first_token = 0; run->first_token < run->S;
         run->first_token += decoder->block_tokens) {
        const int n_tokens = tokens_of_block(run);
        lmd_team_run(team, n_tokens, fill_rows, run);
        lmd_decode_set_rows(run, n_tokens * (run->L - 1), decoder->M);
        gather_targets(run);
        find_wanted(run);
        lmd_team_run(team, decoder->n_segments, sweep_segment, run);
        lmd_team_run(team, n_tokens, finish_token, run);
    }
}
