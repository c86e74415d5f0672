/* Metric position: how many positions there are; part of every result.
 *
 *     int64 position_count(fold, group) ;
 *     int64 gold_position_count(fold, group) ;
 *     int64 unusable_position_count(group) ;
 *     int64 nonfinite_count(group, lens, state) ;
 *     int64 final_count(fold, group, final_band) ;
 *     int64 gold_band_count(fold, group, gold_band) ;
 *
 * A position is shown once for each lens; what does not depend on the lens is counted
 * with the first. The output is the last state through any lens, so whether a position is
 * usable is the same for all.
 */
#include "metric_schema.h"

enum { POSITION, GOLD_POSITION, UNUSABLE, NONFINITE, FINAL, GOLD_BAND, VARIABLES };

static const lmd_variable variables[VARIABLES] = {
    [POSITION] = {"position_count",
                  LMD_VARIABLE_COUNT,
                  2,
                  {LMD_DIM_FOLD, LMD_DIM_GROUP},
                  "observed positions with a finite output",
                  NULL},
    [GOLD_POSITION] = {"gold_position_count",
                       LMD_VARIABLE_COUNT,
                       2,
                       {LMD_DIM_FOLD, LMD_DIM_GROUP},
                       "observed positions with a finite output and a gold token",
                       "gold is the next token of the record"},
    [UNUSABLE] = {"unusable_position_count",
                  LMD_VARIABLE_COUNT,
                  1,
                  {LMD_DIM_GROUP},
                  "observed positions with an output that is not finite",
                  "in no other variable"},
    [NONFINITE] = {"nonfinite_count",
                   LMD_VARIABLE_COUNT,
                   3,
                   {LMD_DIM_GROUP, LMD_DIM_LENS, LMD_DIM_STATE},
                   "positions whose readout at this state is not finite",
                   "in no other variable of that state; within no threshold"},
    [FINAL] = {"final_count",
               LMD_VARIABLE_COUNT,
               3,
               {LMD_DIM_FOLD, LMD_DIM_GROUP, LMD_DIM_FINAL_BAND},
               "positions by frequency band of the model's own top-1",
               "the model's own top-1 t* is the lowest id of its largest logits"},
    [GOLD_BAND] = {"gold_band_count",
                   LMD_VARIABLE_COUNT,
                   3,
                   {LMD_DIM_FOLD, LMD_DIM_GROUP, LMD_DIM_GOLD_BAND},
                   "positions by frequency band of the gold token",
                   NULL},
};

static void count_position(const lmd_metric_setup *setup, const lmd_cells *cells,
                           const lmd_observation *o)
{
    const int32_t band = setup->bands[o->final_id];
    cells[POSITION].values[lmd_cells_start(&cells[POSITION], o)]++;
    cells[FINAL].values[lmd_cells_start(&cells[FINAL], o) +
                        lmd_cells_step(&cells[FINAL], LMD_DIM_FINAL_BAND, band)]++;
    if (o->gold_id >= 0) {
        const int32_t gold = setup->bands[o->gold_id];
        cells[GOLD_POSITION].values[lmd_cells_start(&cells[GOLD_POSITION], o)]++;
        cells[GOLD_BAND]
            .values[lmd_cells_start(&cells[GOLD_BAND], o) +
                    lmd_cells_step(&cells[GOLD_BAND], LMD_DIM_GOLD_BAND, gold)]++;
    }
}

static void observe(const lmd_metric_setup *setup, const lmd_cells *cells,
                    const lmd_observation *o)
{
    const bool is_usable = o->readouts[setup->L - 1].is_finite;
    if (!is_usable) {
        cells[UNUSABLE].values[lmd_cells_start(&cells[UNUSABLE], o)] += o->lens == 0;
        return;
    }
    if (o->lens == 0) {
        count_position(setup, cells, o);
    }
    int64_t *nonfinite = cells[NONFINITE].values + lmd_cells_start(&cells[NONFINITE], o);
    for (int s = 0; s < setup->L; s++) {
        nonfinite[s] += !o->readouts[s].is_finite;
    }
}

const lmd_metric lmd_metric_position = {
    .name = "position",
    .wants = 0,
    .n_variables = VARIABLES,
    .variables = variables,
    .observe = observe,
};
