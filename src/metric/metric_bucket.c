/* Metric bucket: from which frequency band a state's guess comes, and whether it holds.
 *
 *     int64 top1_count(fold, group, lens, state, band, final_band) ;
 *     int64 agree_count(fold, group, lens, state, band) ;
 *     int64 gold_count(group, lens, state, band, outcome) ;
 *     int64 stay_count(group, lens, state) ;
 *
 * Method 2.2. Sums over bands give the papers' buckets; flips = top1 - agree.
 */
#include "metric_schema.h"

enum { TOP1, AGREE, GOLD, STAY, VARIABLES };

static const lmd_variable variables[VARIABLES] = {
    [TOP1] =
        {"top1_count",
         LMD_VARIABLE_COUNT,
         6,
         {LMD_DIM_FOLD, LMD_DIM_GROUP, LMD_DIM_LENS, LMD_DIM_STATE, LMD_DIM_BAND,
          LMD_DIM_FINAL_BAND},
         "positions by frequency bands of the lens top-1 and of the model's own top-1",
         NULL},
    [AGREE] = {"agree_count",
               LMD_VARIABLE_COUNT,
               5,
               {LMD_DIM_FOLD, LMD_DIM_GROUP, LMD_DIM_LENS, LMD_DIM_STATE, LMD_DIM_BAND},
               "positions whose lens top-1, of that band, is the model's own top-1",
               "flips = sum of top1_count over final_band - agree_count"},
    [GOLD] =
        {"gold_count",
         LMD_VARIABLE_COUNT,
         5,
         {LMD_DIM_GROUP, LMD_DIM_LENS, LMD_DIM_STATE, LMD_DIM_BAND, LMD_DIM_OUTCOME},
         "positions with a gold token by frequency band of the lens top-1 and by who "
         "is right",
         NULL},
    [STAY] = {"stay_count",
              LMD_VARIABLE_COUNT,
              3,
              {LMD_DIM_GROUP, LMD_DIM_LENS, LMD_DIM_STATE},
              "positions whose lens top-1 equals that of the observed state before",
              "0 at the first observed state; where either state is not finite it does "
              "not count as equal"},
};

/* Order of lmd_metric_outcomes. */
enum { SAME_WRONG, OTHER_WRONG, LENS_ONLY, OUTPUT_ONLY, BOTH };

static int32_t outcome_of(int32_t guess, int32_t final_id, int32_t gold_id)
{
    if (guess == gold_id) {
        return final_id == gold_id ? BOTH : LENS_ONLY;
    }
    if (final_id == gold_id) {
        return OUTPUT_ONLY;
    }
    return guess == final_id ? SAME_WRONG : OTHER_WRONG;
}

static bool is_stay(const lmd_readout *readouts, int s)
{
    return s > 0 && readouts[s].is_finite && readouts[s - 1].is_finite &&
           readouts[s].top1 == readouts[s - 1].top1;
}

static void observe(const lmd_metric_setup *setup, const lmd_cells *cells,
                    const lmd_observation *o)
{
    size_t start[VARIABLES];
    for (int v = 0; v < VARIABLES; v++) {
        start[v] = lmd_cells_start(&cells[v], o);
    }
    start[TOP1] +=
        lmd_cells_step(&cells[TOP1], LMD_DIM_FINAL_BAND, setup->bands[o->final_id]);
    for (int s = 0; s < setup->L; s++) {
        const lmd_readout *readout = &o->readouts[s];
        if (!readout->is_finite) {
            continue;
        }
        size_t place[VARIABLES];
        for (int v = 0; v < VARIABLES; v++) {
            place[v] =
                start[v] + lmd_cells_step(&cells[v], LMD_DIM_STATE, s) +
                lmd_cells_step(&cells[v], LMD_DIM_BAND, setup->bands[readout->top1]);
        }
        cells[TOP1].values[place[TOP1]]++;
        cells[AGREE].values[place[AGREE]] += readout->top1 == o->final_id;
        cells[STAY].values[place[STAY]] += is_stay(o->readouts, s);
        if (o->gold_id >= 0) {
            const int32_t outcome = outcome_of(readout->top1, o->final_id, o->gold_id);
            cells[GOLD].values[place[GOLD] +
                               lmd_cells_step(&cells[GOLD], LMD_DIM_OUTCOME, outcome)]++;
        }
    }
}

const lmd_metric lmd_metric_bucket = {
    .name = "bucket",
    .wants = 0,
    .n_variables = VARIABLES,
    .variables = variables,
    .observe = observe,
};
