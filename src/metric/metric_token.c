/* Metric token: which tokens a state guesses.
 *
 *     int64 top1_token_count(lens, state, token) ;
 */
#include "metric_schema.h"

enum { TOP1_TOKEN, VARIABLES };

static const lmd_variable variables[VARIABLES] = {
    [TOP1_TOKEN] = {"top1_token_count",
                    LMD_VARIABLE_COUNT,
                    3,
                    {LMD_DIM_LENS, LMD_DIM_STATE, LMD_DIM_TOKEN},
                    "positions by lens top-1",
                    NULL},
};

static void observe(const lmd_metric_setup *setup, const lmd_cells *cells,
                    const lmd_observation *o)
{
    const lmd_cells *tokens = &cells[TOP1_TOKEN];
    const size_t start = lmd_cells_start(tokens, o);
    for (int s = 0; s < setup->L; s++) {
        if (o->readouts[s].is_finite) {
            tokens->values[start + lmd_cells_step(tokens, LMD_DIM_STATE, s) +
                           (size_t)o->readouts[s].top1]++;
        }
    }
}

const lmd_metric lmd_metric_token = {
    .name = "token",
    .wants = 0,
    .n_variables = VARIABLES,
    .variables = variables,
    .observe = observe,
};
