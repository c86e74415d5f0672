/* Metric divergence: how far a state's distribution q is from the output p*, from the
 * gold token, and where its probability lies.
 *
 *     int64 kl_count(group, lens, state, kl_bin) ;
 *     int64 kl_members(fold, group, lens, state) ;
 *     int64 kl_sum(fold, group, lens, state, limb) ;
 *     double kl_mean(fold, group, lens, state) ;
 *     surprisal_members, surprisal_sum, surprisal_mean     (the same dimensions)
 *     int64 mass_members(group, lens, state, band) ;
 *     int64 mass_sum(group, lens, state, band, limb) ;
 *     double mass_mean(group, lens, state, band) ;
 *
 * Method 1.3. A KL that is beyond an exact sum (infinite, or 2^31 and more) is in the
 * last bin of kl_count and not in kl_members.
 */
#include "metric_schema.h"

enum { COUNT, KL, SURPRISAL, MASS, VARIABLES };

static const lmd_variable variables[VARIABLES] = {
    [COUNT] =
        {"kl_count",
         LMD_VARIABLE_COUNT,
         4,
         {LMD_DIM_GROUP, LMD_DIM_LENS, LMD_DIM_STATE, LMD_DIM_KL_BIN},
         "positions by Kullback-Leibler divergence of the lens distribution from the "
         "output",
         "KL = sum over v of p*(v) (ln p*(v) - ln q(v)), in nats, p* the output; "
         "negative by rounding: 0"},
    [KL] = {"kl",
            LMD_VARIABLE_MEAN,
            4,
            {LMD_DIM_FOLD, LMD_DIM_GROUP, LMD_DIM_LENS, LMD_DIM_STATE},
            "Kullback-Leibler divergence of the lens distribution from the output",
            "KL = sum over v of p*(v) (ln p*(v) - ln q(v)), in nats, p* the output; "
            "negative by rounding: 0"},
    [SURPRISAL] = {"surprisal",
                   LMD_VARIABLE_MEAN,
                   4,
                   {LMD_DIM_FOLD, LMD_DIM_GROUP, LMD_DIM_LENS, LMD_DIM_STATE},
                   "surprisal of the gold token under the lens distribution",
                   "-ln q(gold), in nats"},
    [MASS] = {"mass",
              LMD_VARIABLE_MEAN,
              4,
              {LMD_DIM_GROUP, LMD_DIM_LENS, LMD_DIM_STATE, LMD_DIM_BAND},
              "probability of the lens distribution in the frequency band",
              "sum of q(v) over the tokens v of the band"},
};

static void add_masses(const lmd_cells *cells, const lmd_metric_setup *setup,
                       const lmd_observation *o, int s)
{
    const double *mass = o->mass + (size_t)s * (size_t)setup->n_bands;
    const size_t row =
        lmd_cells_start(cells, o) + lmd_cells_step(cells, LMD_DIM_STATE, s);
    for (int b = 0; b < setup->n_bands; b++) {
        lmd_cells_add_mean(cells, row + (size_t)b, mass[b]);
    }
}

static void observe(const lmd_metric_setup *setup, const lmd_cells *cells,
                    const lmd_observation *o)
{
    const size_t counts = lmd_cells_start(&cells[COUNT], o);
    const size_t means = lmd_cells_start(&cells[KL], o); // surprisal has the same shape
    for (int s = 0; s < setup->L; s++) {
        const lmd_readout *readout = &o->readouts[s];
        if (!readout->is_finite) {
            continue;
        }
        const double kl = readout->kl < 0 ? 0 : readout->kl;
        cells[COUNT].values[counts + lmd_cells_step(&cells[COUNT], LMD_DIM_STATE, s) +
                            (size_t)lmd_metric_kl_bin(kl)]++;
        lmd_cells_add_mean(&cells[KL], means + (size_t)s, kl);
        if (o->gold_id >= 0) {
            lmd_cells_add_mean(&cells[SURPRISAL], means + (size_t)s,
                               readout->lse - readout->gold_logit);
        }
        add_masses(&cells[MASS], setup, o, s);
    }
}

const lmd_metric lmd_metric_divergence = {
    .name = "divergence",
    .wants = LMD_DECODE_KL | LMD_DECODE_MASS,
    .n_variables = VARIABLES,
    .variables = variables,
    .observe = observe,
};
