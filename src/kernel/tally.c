/* Running sums of one row of logits (method 1.3): in lanes of fp32 over some tiles, then
 * in fp64.
 *
 * The sums of exponentials refer to one logit, first to one that is known beforehand.
 * When one appears that is much larger they are scaled (online log-sum-exp, Milakov and
 * Gimelshein 2018):
 *     with D = old - new <= 0:  sum' = sum e^D,  weighted' = (weighted + D sum) e^D.
 * Columns are in order of band, so ties compare original ids. */
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <string.h>
#include "tally.h"

enum {
    /* Columns that lanes sum in fp32, 256 each: errors of 1e-6 at most. */
    FOLD_COLUMNS = 4096,
    /* A logit so far above the reference makes a new one. Its e is rounded like a sum's
     * e x, which grows with the distance: 2e-6 here. */
    FAR_ABOVE = 16
};

void lmd_tally_clear(lmd_tally *tally, double *mass, int n_bands)
{
    *tally = (lmd_tally){.reference = -INFINITY,
                         .best = -INFINITY,
                         .second = -INFINITY,
                         .best_id = INT32_MAX,
                         .is_finite = true};
    for (int b = 0; mass != NULL && b < n_bands; b++) {
        mass[b] = 0.0;
    }
}

void lmd_tally_start(lmd_tally *tally, lmd_lanes *lanes, double *mass, int n_bands,
                     float known, float bound)
{
    lmd_tally_clear(tally, mass, n_bands);
    if (isfinite(known)) {
        tally->reference = known;
    }
    tally->best = bound;
    memset(lanes, 0, sizeof *lanes);
    for (int i = 0; i < LMD_LANES; i++) {
        lanes->best[i] = -FLT_MAX;
        lanes->second[i] = -FLT_MAX;
    }
}

/* ---- the reference ---- */

static void scale_sums(lmd_tally *tally, double *mass, int n_bands, float reference)
{
    const double shift = (double)tally->reference - (double)reference;
    if (tally->sum > 0.0 && shift < 0.0) {
        const double factor = exp(shift);
        tally->weighted = (tally->weighted + shift * tally->sum) * factor;
        tally->sum *= factor;
        for (int b = 0; mass != NULL && b < n_bands; b++) {
            mass[b] *= factor;
        }
    }
    tally->reference = reference;
}

static void scale_lanes(lmd_lanes *lanes, float old, float reference)
{
    const float shift = old - reference, factor = expf(shift);
    for (int i = 0; i < LMD_LANES; i++) {
        const float sum = lanes->sum[i];
        lanes->weighted[i] =
            factor > 0.0f ? (lanes->weighted[i] + shift * sum) * factor : 0.0f;
        lanes->sum[i] = sum * factor;
    }
}

/* ---- a tile ---- */

/* The lanes' sums into the tally's, and into one band's mass. */
static void fold(const lmd_tally_setup *setup, lmd_tally *tally, lmd_lanes *lanes,
                 double *band_mass)
{
    lmd_sums sums;
    setup->vector->fold_sums(lanes, &sums);
    tally->sum += sums.sum;
    tally->weighted += sums.weighted;
    tally->cross += sums.cross;
    tally->unfolded = 0;
    if (band_mass != NULL) {
        *band_mass += sums.sum;
    }
    memset(lanes->sum, 0, sizeof lanes->sum);
    memset(lanes->weighted, 0, sizeof lanes->weighted);
    memset(lanes->cross, 0, sizeof lanes->cross);
}

/* Runs the pass, with a better reference if it has to be. False: a logit is infinite. */
static bool sweep_part(const lmd_tally_setup *setup, lmd_tally *tally, lmd_lanes *lanes,
                       double *mass, lmd_sweep_task *task, lmd_seen *seen)
{
    const lmd_vector_table *vector = setup->vector;
    if (setup->wants == 0) {
        *seen = vector->sweep_ranks(task, lanes);
        return true;
    }
    const bool entropy = (setup->wants & LMD_DECODE_ENTROPY) != 0;
    lmd_sweep_loop *const sweep = vector->sweep[entropy][task->output != NULL];
    if (tally->reference > -INFINITY) {
        task->reference = tally->reference;
        task->limit = tally->reference + FAR_ABOVE;
        *seen = sweep(task, lanes);
        if (*seen != LMD_SEEN_TOO_LARGE) {
            return true;
        }
    }
    const float largest = vector->largest(task->z, task->n);
    if (!isfinite(largest)) {
        return false;
    }
    scale_lanes(lanes, tally->reference, largest);
    scale_sums(tally, mass, setup->n_bands, largest);
    task->reference = largest;
    task->limit = INFINITY;
    *seen = sweep(task, lanes);
    return *seen != LMD_SEEN_TOO_LARGE;
}

/* The tile has a logit that is at least the best. */
static void see_best(const lmd_tally_setup *setup, lmd_tally *tally,
                     const lmd_tally_part *part, int n)
{
    const float best = setup->vector->largest(part->z, n);
    const int32_t id = setup->vector->lowest_id(part->z, part->ids, n, best);
    if (best > tally->best || id < tally->best_id) {
        tally->best_id = id;
    }
    tally->best = best;
}

static int band_of(const lmd_tally_setup *setup, int column)
{
    int b = 0;
    while (setup->band_rows[b + 1] <= column) {
        b++;
    }
    return b;
}

/* The masses of a tile with an edge between bands, from its e. */
static void add_mass(const lmd_tally_setup *setup, double *mass,
                     const lmd_tally_part *part, int b)
{
    const int end = part->first + part->n;
    for (int at = part->first; at < end; b++) {
        const int edge = setup->band_rows[b + 1];
        const int stop = edge < end ? edge : end;
        mass[b] += setup->vector->total(part->e + (at - part->first), stop - at);
        at = stop;
    }
}

void lmd_tally_add(const lmd_tally_setup *setup, lmd_tally *tally, lmd_lanes *lanes,
                   double *mass, const lmd_tally_part *part)
{
    const int n = (part->n + LMD_LANES - 1) / LMD_LANES * LMD_LANES;
    // Sums are folded by band, wanted or not: the bits of the others don't depend on it.
    const int band = band_of(setup, part->first);
    const bool has_edge = setup->band_rows[band + 1] < part->first + part->n;
    lmd_seen seen;
    lmd_sweep_task task = {.z = part->z,
                           .output = part->output,
                           .e = has_edge && mass != NULL ? part->e : NULL,
                           .n = n,
                           .targets = {part->targets[0], part->targets[1]},
                           .bound = tally->best};
    if (tally->unfolded > 0 &&
        (has_edge || band != tally->band || tally->unfolded + n > FOLD_COLUMNS)) {
        fold(setup, tally, lanes, mass == NULL ? NULL : &mass[tally->band]);
    }
    if (!sweep_part(setup, tally, lanes, mass, &task, &seen)) {
        tally->is_finite = false;
        return;
    }
    if (seen == LMD_SEEN_BEST) {
        see_best(setup, tally, part, n);
    }
    tally->unfolded += n;
    tally->band = band;
    if (has_edge) {
        if (mass != NULL) {
            add_mass(setup, mass, part, band);
        }
        fold(setup, tally, lanes, NULL);
    }
}

static void fold_best(lmd_tally *tally, const lmd_lanes *lanes)
{
    float best = -FLT_MAX, second = -FLT_MAX;
    uint32_t widest = 0;
    for (int i = 0; i < LMD_LANES; i++) {
        const float high = lanes->best[i];
        const float loser = high > best ? best : high;
        second = loser > second ? loser : second;
        second = lanes->second[i] > second ? lanes->second[i] : second;
        best = high > best ? high : best;
        tally->above[0] += lanes->above[0][i];
        tally->above[1] += lanes->above[1][i];
        widest = lanes->widest[i] > widest ? lanes->widest[i] : widest;
    }
    tally->best = best;
    tally->second = second;
    tally->is_finite = tally->is_finite && widest < 0x7f800000u; // bits of infinity
}

void lmd_tally_close(const lmd_tally_setup *setup, lmd_tally *tally, lmd_lanes *lanes,
                     double *mass)
{
    if (tally->unfolded > 0) {
        fold(setup, tally, lanes, mass == NULL ? NULL : &mass[tally->band]);
    }
    fold_best(tally, lanes);
}

/* ---- merge and finish ---- */

static void merge_best(lmd_tally *tally, const lmd_tally *other)
{
    const float loser = other->best > tally->best ? tally->best : other->best;
    const float third = other->second > tally->second ? other->second : tally->second;
    if (other->best > tally->best) {
        tally->best = other->best;
        tally->best_id = other->best_id;
    } else if (!(other->best < tally->best) && other->best_id < tally->best_id) {
        tally->best_id = other->best_id;
    }
    tally->second = loser > third ? loser : third;
}

void lmd_tally_merge(lmd_tally *tally, double *mass, const lmd_tally *other,
                     const double *other_mass, int n_bands)
{
    tally->is_finite = tally->is_finite && other->is_finite;
    if (!tally->is_finite) {
        return;
    }
    tally->above[0] += other->above[0];
    tally->above[1] += other->above[1];
    merge_best(tally, other);
    if (other->reference > tally->reference) {
        scale_sums(tally, mass, n_bands, other->reference);
    }
    const double shift = (double)other->reference - (double)tally->reference;
    const double factor = shift < 0.0 ? exp(shift) : 1.0;
    const double moved = shift < 0.0 ? shift * other->sum : 0.0;
    tally->weighted += (other->weighted + moved) * factor;
    tally->sum += other->sum * factor;
    tally->cross += other->cross;
    for (int b = 0; mass != NULL && b < n_bands; b++) {
        mass[b] += other_mass[b] * factor;
    }
}

void lmd_tally_finish(const lmd_tally_setup *setup, const lmd_tally *tally, double *mass,
                      lmd_readout *readout)
{
    readout->is_finite = tally->is_finite;
    readout->lse = (double)NAN;
    readout->entropy = (double)NAN;
    if (!tally->is_finite) {
        readout->top1 = 0;
        readout->margin = NAN;
    } else {
        readout->top1 = tally->best_id;
        // A vocabulary of one id has no second.
        const bool has_second = tally->second > -FLT_MAX;
        readout->margin = has_second ? tally->best - tally->second : 0.0f;
    }
    if (tally->is_finite && setup->wants != 0) {
        readout->lse = (double)tally->reference + log(tally->sum);
    }
    if (tally->is_finite && (setup->wants & LMD_DECODE_ENTROPY) != 0) {
        readout->entropy = fmax(0.0, log(tally->sum) - tally->weighted / tally->sum);
    }
    for (int b = 0; mass != NULL && b < setup->n_bands; b++) {
        mass[b] = tally->is_finite ? mass[b] / tally->sum : (double)NAN;
    }
}
