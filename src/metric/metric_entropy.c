/* Metric entropy: how uncertain a state is.
 *
 *     int64 entropy_count(group, lens, state, entropy_bin) ;
 *     int64 entropy_members(fold, group, lens, state, final_band) ;
 *     int64 entropy_sum(fold, group, lens, state, final_band, limb) ;
 *     int64 entropy_square_sum(fold, group, lens, state, final_band, limb) ;
 *     double entropy_mean(fold, group, lens, state, final_band) ;
 *     double entropy_std(fold, group, lens, state, final_band) ;
 *
 * H = lse - sum q z, method 1.3 and 2.9, in nats.
 */
#include "metric_schema.h"

enum { COUNT, ENTROPY, VARIABLES };

static const lmd_variable variables[VARIABLES] = {
    [COUNT] = {"entropy_count",
               LMD_VARIABLE_COUNT,
               4,
               {LMD_DIM_GROUP, LMD_DIM_LENS, LMD_DIM_STATE, LMD_DIM_ENTROPY_BIN},
               "positions by entropy of the lens distribution",
               "H = -sum over v of q(v) ln q(v), in nats"},
    [ENTROPY] = {"entropy",
                 LMD_VARIABLE_MOMENTS,
                 5,
                 {LMD_DIM_FOLD, LMD_DIM_GROUP, LMD_DIM_LENS, LMD_DIM_STATE,
                  LMD_DIM_FINAL_BAND},
                 "entropy of the lens distribution",
                 "H = -sum over v of q(v) ln q(v), in nats"},
};

static void observe(const lmd_metric_setup *setup, const lmd_cells *cells,
                    const lmd_observation *o)
{
    const int n_bins = lmd_metric_entropy_bins(setup->V);
    const size_t counts = lmd_cells_start(&cells[COUNT], o);
    const size_t moments =
        lmd_cells_start(&cells[ENTROPY], o) +
        lmd_cells_step(&cells[ENTROPY], LMD_DIM_FINAL_BAND, setup->bands[o->final_id]);
    for (int s = 0; s < setup->L; s++) {
        if (!o->readouts[s].is_finite) {
            continue;
        }
        const double entropy = o->readouts[s].entropy;
        const int bin = lmd_metric_entropy_bin(entropy, n_bins);
        cells[COUNT].values[counts + lmd_cells_step(&cells[COUNT], LMD_DIM_STATE, s) +
                            (size_t)bin]++;
        lmd_cells_add_moments(&cells[ENTROPY],
                              moments + lmd_cells_step(&cells[ENTROPY], LMD_DIM_STATE, s),
                              entropy);
    }
}

const lmd_metric lmd_metric_entropy = {
    .name = "entropy",
    .wants = LMD_DECODE_ENTROPY,
    .n_variables = VARIABLES,
    .variables = variables,
    .observe = observe,
};
