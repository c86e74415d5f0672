/* The naive twin of the decoder: the definitions of method 1.3 in fp64, one row. */
#include <math.h>
#include <stddef.h>
#include <lmdepth/kernel.h>

static int32_t lowest_top1(const float *logits, int V)
{
    int32_t best = 0;
    for (int32_t id = 1; id < V; id++) {
        if (logits[id] > logits[best]) {
            best = id;
        }
    }
    return best;
}

static int32_t rank_of(const float *logits, int V, int32_t id)
{
    int32_t rank = 1;
    for (int32_t other = 0; other < V; other++) {
        rank += logits[other] > logits[id];
    }
    return rank;
}

static double log_sum_exp(const float *logits, int V, int32_t top1)
{
    double sum = exp(0.0); // of top1
    for (int id = 0; id < V; id++) {
        sum += id == top1 ? 0.0 : exp((double)logits[id] - (double)logits[top1]);
    }
    return (double)logits[top1] + log(sum);
}

static float margin_of(const float *logits, int V, int32_t top1)
{
    float second = -INFINITY;
    for (int32_t id = 0; id < V; id++) {
        if (id != top1 && logits[id] > second) {
            second = logits[id];
        }
    }
    return V > 1 ? logits[top1] - second : 0.0f;
}

static bool is_row_finite(const float *logits, int V)
{
    for (int id = 0; id < V; id++) {
        if (!isfinite(logits[id])) {
            return false;
        }
    }
    return true;
}

void lmd_decode_naive(const float *logits, const float *output, int V,
                      const int32_t *bands, int n_bands, int32_t gold,
                      lmd_readout *readout, double *mass)
{
    *readout = (lmd_readout){.is_finite = is_row_finite(logits, V)};
    if (!readout->is_finite) {
        return;
    }
    const int32_t final = lowest_top1(output, V);
    const double output_lse = log_sum_exp(output, V, final);
    readout->top1 = lowest_top1(logits, V);
    readout->margin = margin_of(logits, V, readout->top1);
    readout->lse = log_sum_exp(logits, V, readout->top1);
    readout->final_logit = (double)logits[final];
    readout->final_rank = rank_of(logits, V, final);
    readout->gold_logit = gold >= 0 ? (double)logits[gold] : (double)NAN;
    readout->gold_rank = gold >= 0 ? rank_of(logits, V, gold) : 0;
    for (int b = 0; mass != NULL && b < n_bands; b++) {
        mass[b] = 0.0;
    }
    for (int id = 0; id < V; id++) {
        const double log_p = (double)logits[id] - readout->lse;
        const double log_output = (double)output[id] - output_lse;
        readout->entropy -= exp(log_p) * log_p;
        readout->kl += exp(log_output) * (log_output - log_p);
        if (mass != NULL) {
            mass[bands[id]] += exp(log_p);
        }
    }
    readout->entropy = fmax(0.0, readout->entropy);
    readout->kl = fmax(0.0, readout->kl);
}
