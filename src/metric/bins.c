/* Bins and names of dimensions, interface 2.
 *
 * Every bin is the half-open interval between two edges that are computed in one place,
 * by products of constants and never by the mathematics library: an index is first
 * guessed and then held against the edges, so that bounds in the file are what was
 * counted by, on every machine.
 */
#include <lmdepth/metric.h>

#include <math.h> /* log, log10, floor */

#define LMD_DIM_LABEL(name, label) [LMD_DIM_##name] = label,
static const char *const dim_names[LMD_DIM_COUNT] = {LMD_DIM_LIST(LMD_DIM_LABEL)};

const char *lmd_dim_name(lmd_dim dim)
{
    return dim_names[dim];
}

const int32_t lmd_metric_thresholds[LMD_THRESHOLDS] = {
    1,   2,   3,   5,   7,   10,   15,   20,   30,   50,   70,   100,
    150, 200, 300, 500, 700, 1000, 1500, 2000, 3000, 5000, 7000, 10000,
};

const char *const lmd_metric_outcomes[LMD_OUTCOMES] = {
    "same_wrong", "other_wrong", "lens_only", "output_only", "both"};

/* ---- entropy ---- */

int lmd_metric_entropy_bins(int V)
{
    const int n_bins = (int)ceil(log(V) * LMD_ENTROPY_BINS_A_NAT);
    return n_bins > 0 ? n_bins : 1;
}

static double entropy_edge(int bin)
{
    return (double)bin / LMD_ENTROPY_BINS_A_NAT;
}

int lmd_metric_entropy_bin(double entropy, int n_bins)
{
    if (!(entropy > 0)) {
        return 0;
    }
    if (entropy >= entropy_edge(n_bins - 1)) {
        return n_bins - 1;
    }
    const int bin = (int)(entropy * LMD_ENTROPY_BINS_A_NAT);
    return bin - (entropy < entropy_edge(bin)) + (entropy >= entropy_edge(bin + 1));
}

/* ---- KL ---- */

enum { KL_STEPS = 20, KL_DECADES = 8, KL_BINS = KL_STEPS * KL_DECADES + 2 };

/* Lower edge of bin 1 + step: 10^(step / 20 - 6), steps 0 to 160. */
static double kl_edge(int step)
{
    static const double tenths[KL_STEPS] = {
        1.0,
        1.1220184543019633,
        1.2589254117941673,
        1.4125375446227544,
        1.5848931924611134,
        1.7782794100389228,
        1.9952623149688795,
        2.2387211385683394,
        2.51188643150958,
        2.8183829312644537,
        3.1622776601683795,
        3.5481338923357546,
        3.9810717055349727,
        4.466835921509631,
        5.011872336272723,
        5.623413251903491,
        6.3095734448019325,
        7.0794578438413795,
        7.943282347242815,
        8.912509381337456,
    };
    static const double decades[KL_DECADES + 1] = {1e-6, 1e-5, 1e-4, 1e-3, 1e-2,
                                                   1e-1, 1e0,  1e1,  1e2};
    return tenths[step % KL_STEPS] * decades[step / KL_STEPS];
}

int lmd_metric_kl_bins(void)
{
    return KL_BINS;
}

/* What is not a number, like what is infinite, goes to the last bin. */
int lmd_metric_kl_bin(double kl)
{
    const int last_step = KL_BINS - 2;
    if (kl < kl_edge(0)) {
        return 0;
    }
    if (!(kl < kl_edge(last_step))) {
        return KL_BINS - 1;
    }
    int step = (int)((log10(kl) + 6) * KL_STEPS);
    step = step < 0 ? 0 : step >= last_step ? last_step - 1 : step;
    return 1 + step - (kl < kl_edge(step)) + (kl >= kl_edge(step + 1));
}

void lmd_metric_kl_edges(double *edges)
{
    edges[0] = 0;
    for (int bin = 1; bin < KL_BINS; bin++) {
        edges[bin] = kl_edge(bin - 1);
    }
    edges[KL_BINS] = (double)INFINITY;
}

/* ---- rank ---- */

enum { RANK_EXACT = 64, RANK_STEPS = 4 };

/* floor(64 * 2^(step / 4)) + 1; beyond any int when step is large. */
static int64_t rank_edge(int step)
{
    static const double quarters[RANK_STEPS] = {1.0, 1.189207115002721,
                                                1.4142135623730951, 1.681792830507429};
    const double octave = (double)(INT64_C(1) << (step / RANK_STEPS));
    return (int64_t)floor(RANK_EXACT * octave * quarters[step % RANK_STEPS]) + 1;
}

int lmd_metric_rank_bin(int rank)
{
    if (rank <= RANK_EXACT) {
        return rank - 1;
    }
    int step = 0;
    while (rank >= rank_edge(step + RANK_STEPS)) {
        step += RANK_STEPS;
    }
    while (rank >= rank_edge(step + 1)) {
        step++;
    }
    return RANK_EXACT + step;
}

int lmd_metric_rank_bins(int V)
{
    return lmd_metric_rank_bin(V) + 1;
}

void lmd_metric_rank_edges(int V, int32_t *edges)
{
    const int n_bins = lmd_metric_rank_bins(V);
    for (int bin = 0; bin < n_bins; bin++) {
        edges[bin] = bin < RANK_EXACT ? bin + 1 : (int32_t)rank_edge(bin - RANK_EXACT);
    }
    edges[n_bins] = V + 1;
}
