/* Metric onset: where a token comes within the best k, and where it does so for good.
 *
 *     int64 first_count(fold, group, lens, threshold, state, final_band) ;
 *     int64 onset_count(fold, group, lens, threshold, state, final_band) ;
 *     int64 right_first_count(fold, group, lens, threshold, state, final_band) ;
 *     int64 right_onset_count(fold, group, lens, threshold, state, final_band) ;
 *     int64 gold_first_count(fold, group, lens, threshold, state, gold_band) ;
 *     int64 gold_onset_count(fold, group, lens, threshold, state, gold_band) ;
 *     int64 rank_count(group, lens, state, rank_bin) ;
 *     int64 gold_rank_count(group, lens, state, rank_bin) ;
 *
 * Method 2.3 and 2.4, for all thresholds at once. Thresholds ascend, so a smaller one is
 * never reached before a larger one: one walk over the states with one finger on the
 * thresholds finds all first states (from the front) or all onsets (from the back). A
 * position costs states + thresholds, not their product.
 */
#include "metric_schema.h"

enum {
    FIRST,
    ONSET,
    RIGHT_FIRST,
    RIGHT_ONSET,
    GOLD_FIRST,
    GOLD_ONSET,
    RANK,
    GOLD_RANK,
    VARIABLES
};

#define BY_BAND(band)                                                                    \
    {                                                                                    \
        LMD_DIM_FOLD, LMD_DIM_GROUP, LMD_DIM_LENS, LMD_DIM_THRESHOLD, LMD_DIM_STATE,     \
            band                                                                         \
    }
#define BY_RANK                                                                          \
    {                                                                                    \
        LMD_DIM_GROUP, LMD_DIM_LENS, LMD_DIM_STATE, LMD_DIM_RANK_BIN                     \
    }
#define RANK_RULE "rank = 1 + number of strictly larger logits"
#define FIRST_RULE RANK_RULE "; here and at no observed state before"
#define ONSET_RULE                                                                       \
    RANK_RULE "; from here on to the last state, and not at the observed state before"

static const lmd_variable variables[VARIABLES] = {
    [FIRST] = {"first_count", LMD_VARIABLE_COUNT, 6, BY_BAND(LMD_DIM_FINAL_BAND),
               "positions whose model's own top-1 first has rank <= threshold here",
               FIRST_RULE},
    [ONSET] = {"onset_count", LMD_VARIABLE_COUNT, 6, BY_BAND(LMD_DIM_FINAL_BAND),
               "positions whose model's own top-1 has rank <= threshold from here on",
               ONSET_RULE},
    [RIGHT_FIRST] = {"right_first_count", LMD_VARIABLE_COUNT, 6,
                     BY_BAND(LMD_DIM_FINAL_BAND),
                     "first_count of positions whose model's own top-1 is the gold token",
                     FIRST_RULE},
    [RIGHT_ONSET] = {"right_onset_count", LMD_VARIABLE_COUNT, 6,
                     BY_BAND(LMD_DIM_FINAL_BAND),
                     "onset_count of positions whose model's own top-1 is the gold token",
                     ONSET_RULE},
    [GOLD_FIRST] = {"gold_first_count", LMD_VARIABLE_COUNT, 6, BY_BAND(LMD_DIM_GOLD_BAND),
                    "positions whose gold token first has rank <= threshold here",
                    FIRST_RULE "; positions that never reach it are in none"},
    [GOLD_ONSET] = {"gold_onset_count", LMD_VARIABLE_COUNT, 6, BY_BAND(LMD_DIM_GOLD_BAND),
                    "positions whose gold token has rank <= threshold from here on",
                    ONSET_RULE "; positions that never reach it are in none"},
    [RANK] = {"rank_count", LMD_VARIABLE_COUNT, 4, BY_RANK,
              "positions by rank of the model's own top-1", RANK_RULE},
    [GOLD_RANK] = {"gold_rank_count", LMD_VARIABLE_COUNT, 4, BY_RANK,
                   "positions by rank of the gold token", RANK_RULE},
};

/* Rank of t* or of gold at a state; within no threshold where it is not finite. */
static int32_t rank_at(const lmd_readout *readout, bool is_gold)
{
    if (!readout->is_finite) {
        return INT32_MAX;
    }
    return is_gold ? readout->gold_rank : readout->final_rank;
}

static void count_at(const lmd_cells *cells, size_t start, int threshold, int state)
{
    cells->values[start + lmd_cells_step(cells, LMD_DIM_THRESHOLD, threshold) +
                  lmd_cells_step(cells, LMD_DIM_STATE, state)]++;
}

/* Front to back: all thresholds from `reached` on have been met. */
static void count_first(const lmd_cells *cells, size_t start, const lmd_readout *readouts,
                        int L, bool is_gold)
{
    int reached = LMD_THRESHOLDS;
    for (int s = 0; s < L && reached > 0; s++) {
        const int32_t rank = rank_at(&readouts[s], is_gold);
        while (reached > 0 && rank <= lmd_metric_thresholds[reached - 1]) {
            count_at(cells, start, --reached, s);
        }
    }
}

/* Back to front: thresholds below `lasting` are broken at some state from s on. The last
 * state has no state behind it: what breaks there has no onset. */
static void count_onset(const lmd_cells *cells, size_t start, const lmd_readout *readouts,
                        int L, bool is_gold)
{
    int lasting = 0;
    for (int s = L - 1; s >= 0 && lasting < LMD_THRESHOLDS; s--) {
        const int32_t rank = rank_at(&readouts[s], is_gold);
        for (; lasting < LMD_THRESHOLDS && rank > lmd_metric_thresholds[lasting];
             lasting++) {
            if (s + 1 < L) {
                count_at(cells, start, lasting, s + 1);
            }
        }
    }
    for (; lasting < LMD_THRESHOLDS; lasting++) {
        count_at(cells, start, lasting, 0);
    }
}

/* A first variable and the onset variable that follows it. */
static void count_pair(const lmd_cells *cells, const lmd_metric_setup *setup,
                       const lmd_observation *o, bool is_gold)
{
    const lmd_dim dim = is_gold ? LMD_DIM_GOLD_BAND : LMD_DIM_FINAL_BAND;
    const int32_t band = setup->bands[is_gold ? o->gold_id : o->final_id];
    const size_t start = lmd_cells_start(cells, o) + lmd_cells_step(cells, dim, band);
    count_first(&cells[0], start, o->readouts, setup->L, is_gold);
    count_onset(&cells[1], start, o->readouts, setup->L, is_gold);
}

static void count_ranks(const lmd_cells *cells, const lmd_metric_setup *setup,
                        const lmd_observation *o, bool is_gold)
{
    const size_t start = lmd_cells_start(cells, o);
    for (int s = 0; s < setup->L; s++) {
        if (o->readouts[s].is_finite) {
            const int bin = lmd_metric_rank_bin(rank_at(&o->readouts[s], is_gold));
            cells
                ->values[start + lmd_cells_step(cells, LMD_DIM_STATE, s) + (size_t)bin]++;
        }
    }
}

static void observe(const lmd_metric_setup *setup, const lmd_cells *cells,
                    const lmd_observation *o)
{
    count_pair(&cells[FIRST], setup, o, false);
    count_ranks(&cells[RANK], setup, o, false);
    if (o->gold_id >= 0) {
        count_pair(&cells[GOLD_FIRST], setup, o, true);
        count_ranks(&cells[GOLD_RANK], setup, o, true);
    }
    if (o->gold_id == o->final_id) {
        count_pair(&cells[RIGHT_FIRST], setup, o, false);
    }
}

const lmd_metric lmd_metric_onset = {
    .name = "onset",
    .wants = 0,
    .n_variables = VARIABLES,
    .variables = variables,
    .observe = observe,
};
