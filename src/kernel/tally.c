/* Running sums of one row of logits (method 1.3), in fp64 across tiles.
 *
 * The sums of exponentials refer to the largest logit so far; when a larger one appears
 * they are scaled (online log-sum-exp, Milakov and Gimelshein 2018):
 *     with D = old - new <= 0:  sum' = sum e^D,  weighted' = (weighted + D sum) e^D.
 * Columns are in order of band, so ties compare original ids. */
#include <float.h>
#include <math.h>
#include <stddef.h>
#include "tally.h"

void lmd_tally_start(lmd_tally *tally, double *mass, int n_bands)
{
    *tally = (lmd_tally){
        .best = -INFINITY, .second = -INFINITY, .best_id = INT32_MAX, .is_finite = true};
    for (int b = 0; mass != NULL && b < n_bands; b++) {
        mass[b] = 0.0;
    }
}

/* Makes `best` the reference of the sums. */
static void raise_reference(lmd_tally *tally, double *mass, int n_bands, float best)
{
    if (tally->sum > 0.0) {
        const double shift = (double)tally->best - (double)best;
        const double factor = exp(shift);
        tally->weighted = (tally->weighted + shift * tally->sum) * factor;
        tally->sum *= factor;
        for (int b = 0; mass != NULL && b < n_bands; b++) {
            mass[b] *= factor;
        }
    }
    tally->best = best;
}

/* Takes in another part's two largest logits. */
static void see_best(lmd_tally *tally, double *mass, int n_bands, const float best[2],
                     int32_t best_id)
{
    const float loser = best[0] > tally->best ? tally->best : best[0];
    const float third = best[1] > tally->second ? best[1] : tally->second;
    if (best[0] > tally->best) {
        raise_reference(tally, mass, n_bands, best[0]);
        tally->best_id = best_id;
    } else if (!(best[0] < tally->best) && best_id < tally->best_id) {
        tally->best_id = best_id;
    }
    tally->second = loser > third ? loser : third;
}

static void add_mass(const lmd_tally_setup *setup, double *mass,
                     const lmd_tally_part *part, double sum)
{
    const int32_t *edges = setup->band_rows;
    const int end = part->first + part->n;
    int b = 0;
    while (edges[b + 1] <= part->first) {
        b++;
    }
    if (edges[b + 1] >= end) { // the whole tile is in one band
        mass[b] += sum;
        return;
    }
    for (int at = part->first; at < end; b++) {
        const int stop = edges[b + 1] < end ? edges[b + 1] : end;
        mass[b] += setup->vector->total(part->e + (at - part->first), stop - at);
        at = stop;
    }
}

void lmd_tally_add(const lmd_tally_setup *setup, lmd_tally *tally, double *mass,
                   const lmd_tally_part *part)
{
    const int n = (part->n + LMD_LANES - 1) / LMD_LANES * LMD_LANES;
    lmd_scan scan;
    setup->vector->scan(part->z, n, part->targets, &scan);
    tally->is_finite = tally->is_finite && scan.is_finite;
    if (!tally->is_finite) {
        return;
    }
    tally->above[0] += scan.above[0];
    tally->above[1] += scan.above[1];
    const int32_t id = scan.best < tally->best
                           ? INT32_MAX
                           : setup->vector->lowest_id(part->z, part->ids, n, scan.best);
    see_best(tally, mass, setup->n_bands, (const float[2]){scan.best, scan.second}, id);
    if (setup->wants == 0) {
        return;
    }
    const bool entropy = (setup->wants & LMD_DECODE_ENTROPY) != 0;
    const bool cross = part->output != NULL;
    const lmd_sums_task task = {.z = part->z,
                                .output = part->output,
                                .e = part->e,
                                .n = n,
                                .reference = tally->best,
                                .final_logit = part->targets[0]};
    lmd_sums sums;
    setup->vector->sums[entropy][cross](&task, &sums);
    tally->sum += sums.sum;
    tally->weighted += sums.weighted;
    tally->cross += sums.cross;
    if (mass != NULL) {
        add_mass(setup, mass, part, sums.sum);
    }
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
    see_best(tally, mass, n_bands, (const float[2]){other->best, other->second},
             other->best_id);
    const double shift = (double)other->best - (double)tally->best;
    const double factor = exp(shift);
    tally->weighted += (other->weighted + shift * other->sum) * factor;
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
        readout->lse = (double)tally->best + log(tally->sum);
    }
    if (tally->is_finite && (setup->wants & LMD_DECODE_ENTROPY) != 0) {
        readout->entropy = fmax(0.0, log(tally->sum) - tally->weighted / tally->sum);
    }
    for (int b = 0; mass != NULL && b < setup->n_bands; b++) {
        mass[b] = tally->is_finite ? mass[b] / tally->sum : (double)NAN;
    }
}
