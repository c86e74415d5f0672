/* Room metric: observations to integer counters.
 *
 * A metric is one file and one row of src/metric/metrics.def: a schema of variables and a
 * function that adds one position to them. All counters of a job lie in one flat int64
 * array, so that reduction, snapshots, merging and writing need to know nothing of any
 * metric: the sum of the arrays of two halves of a corpus is the array of the whole.
 *
 *   accumulate  lmd_metric_observe  local, pure
 *   reduce      one sum of the flat array (by `app`, through `parallel`)
 *   report      `output` walks the schema
 *
 * Variables, bins and names: interface 2; formulas: method 1.3, 2.2, 2.9.
 */
#ifndef LMDEPTH_METRIC_H
#define LMDEPTH_METRIC_H

#include <stdbool.h>             /* bool */
#include <stddef.h>              /* size_t */
#include <stdint.h>              /* int64_t */
#include <lmdepth/base/status.h> /* lmd_status */
#include <lmdepth/kernel.h>      /* lmd_readout */

/* ---- dimensions of the result ---- */

/* X(enumerator, name in the file). */
#define LMD_DIM_LIST(X)                                                                  \
    X(FOLD, "fold")                                                                      \
    X(GROUP, "group")                                                                    \
    X(LENS, "lens")                                                                      \
    X(STATE, "state")                                                                    \
    X(BAND, "band")                                                                      \
    X(FINAL_BAND, "final_band")                                                          \
    X(GOLD_BAND, "gold_band")                                                            \
    X(THRESHOLD, "threshold")                                                            \
    X(OUTCOME, "outcome")                                                                \
    X(ENTROPY_BIN, "entropy_bin")                                                        \
    X(KL_BIN, "kl_bin")                                                                  \
    X(RANK_BIN, "rank_bin")                                                              \
    X(TOKEN, "token")                                                                    \
    X(LIMB, "limb")

typedef enum lmd_dim {
#define LMD_DIM_ENUM(name, label) LMD_DIM_##name,
    LMD_DIM_LIST(LMD_DIM_ENUM)
#undef LMD_DIM_ENUM
        LMD_DIM_COUNT
} lmd_dim;

const char *lmd_dim_name(lmd_dim dim);

/* ---- bins (interface 2), fixed but for their number ---- */

enum { LMD_THRESHOLDS = 24, LMD_OUTCOMES = 5, LMD_ENTROPY_BINS_A_NAT = 50 };
extern const int32_t lmd_metric_thresholds[LMD_THRESHOLDS];
extern const char *const lmd_metric_outcomes[LMD_OUTCOMES];

/* Entropy: ceil(ln V / 0.02) bins of 0.02 nats from 0; the ends take rounding. */
int lmd_metric_entropy_bins(int V);
int lmd_metric_entropy_bin(double entropy, int n_bins);

/* KL: below 1e-6, 20 a decade to 1e2, above: 162 bins. edges: n + 1, last infinite. */
int lmd_metric_kl_bins(void);
int lmd_metric_kl_bin(double kl);
void lmd_metric_kl_edges(double *edges);

/* Rank: 1 to 64 exactly, then lower edges floor(64 * 2^(k/4)) + 1 up to V. */
int lmd_metric_rank_bins(int V);
int lmd_metric_rank_bin(int rank);
void lmd_metric_rank_edges(int V, int32_t *edges); /* n + 1, last V + 1 */

/* ---- what a job observes ---- */

/* Sizes and labels of everything; borrowed arrays must outlive the counters. */
typedef struct lmd_metric_setup {
    int folds, groups, lenses;
    int L;                 /* observed states */
    const int32_t *states; /* (L) their indices, ascending */
    int N;                 /* blocks of the model */
    int V;                 /* rows of the unembedding */
    int n_bands;
    const int32_t *band_edges; /* (n_bands + 1) */
    const int32_t *bands;      /* (V) band of each id */
    const char *metrics;       /* names, comma-separated, in any order */
} lmd_metric_setup;

/* One position through one lens. */
typedef struct lmd_observation {
    int fold, group, lens;
    int32_t final_id;            /* t* */
    int32_t gold_id;             /* -1: none */
    const lmd_readout *readouts; /* (L) */
    const double *mass;          /* (L, n_bands); NULL unless wanted */
} lmd_observation;

/* ---- schema ---- */

/* COUNT: int64. MEAN: three variables, X_members (dims), X_sum (dims, limb) and the
 * derived double X_mean (dims). MOMENTS: the same with X_square_sum (dims, limb) and
 * X_std. */
typedef enum lmd_variable_kind {
    LMD_VARIABLE_COUNT,
    LMD_VARIABLE_MEAN,
    LMD_VARIABLE_MOMENTS
} lmd_variable_kind;

enum { LMD_VARIABLE_DIMS = 6 };

typedef struct lmd_variable {
    const char *name; /* of MEAN and MOMENTS the stem X: "entropy", "kl" */
    lmd_variable_kind kind;
    int n_dims;
    lmd_dim dims[LMD_VARIABLE_DIMS];
    const char *long_name;
    const char *comment; /* formula where it is not obvious; NULL: none */
} lmd_variable;

/* ---- counters ---- */

typedef struct lmd_counters lmd_counters;

/* All zero. LMD_USAGE for a metric that does not exist, with the list of those that do.
 */
lmd_status lmd_counters_new(lmd_counters **out, const lmd_metric_setup *setup);
void lmd_counters_free(lmd_counters *counters); /* accepts NULL */

/* Bytes the counters of such a job take, without making them; status as new. */
lmd_status lmd_counters_bytes(const lmd_metric_setup *setup, size_t *bytes);

/* Union of LMD_DECODE_* that the metrics need. */
lmd_status lmd_counters_wants(const char *metrics, int *wants);

/* Adds one position to all metrics. A position is shown once for each lens; what does not
 * depend on the lens is counted with lens 0, so that one must be among them. A position
 * whose output (last state) is not finite is counted as unusable and in nothing else; a
 * state that is not finite in nonfinite_count and in no other variable of that state. A
 * value that an exact sum refuses (not finite, or it or its square 2^31 and more) is in
 * the histogram and not among the members. */
void lmd_metric_observe(lmd_counters *counters, const lmd_observation *observation);

/* Propagates carries of all exact sums: after each pack, before and after a reduction. */
void lmd_counters_carry(lmd_counters *counters);

/* The flat array: (*n) int64. */
int64_t *lmd_counters_values(lmd_counters *counters, size_t *n);

/* Size of a dimension in this job. */
int lmd_counters_dim(const lmd_counters *counters, lmd_dim dim);
const lmd_metric_setup *lmd_counters_setup(const lmd_counters *counters);

/* Walks the variables: "always" ones first, then metric by metric. For MEAN and MOMENTS
 * the arrays follow each other at offset: members, sum limbs, square_sum limbs. */
int lmd_counters_variables(const lmd_counters *counters);
const lmd_variable *lmd_counters_variable(const lmd_counters *counters, int index,
                                          size_t *offset, size_t *n_cells);

#endif
