/* What is known of one row of logits after a part of the vocabulary: the running sums of
 * the decoder. Parts are merged in a fixed order, so the result does not know how many
 * threads there were. */
#ifndef TALLY_H
#define TALLY_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* int32_t */
#include <lmdepth/kernel.h>
#include "vector_table.h"

typedef struct lmd_tally {
    double sum;      /* of e = exp(z - reference) */
    double weighted; /* of e (z - reference) */
    double cross;    /* of p* (z - z[t*]) */
    float reference; /* at most 16 below the largest logit; -INFINITY: none yet */
    float best;      /* largest logit; while sweeping also one that is known before */
    float second;
    int32_t best_id;  /* the lowest of equals; INT32_MAX: `best` is not among them */
    int32_t above[2]; /* logits larger than z[t*], z[gold] */
    int unfolded;     /* columns whose sums are still in the lanes, */
    int band;         /* all of this band where masses are wanted */
    bool is_finite;
} lmd_tally;

/* What a sweep computes, and whose vector loops. */
typedef struct lmd_tally_setup {
    const lmd_vector_table *vector;
    int wants;
    const int32_t *band_rows; /* (n_bands + 1) */
    int n_bands;
} lmd_tally_setup;

/* A row of a tile: columns [first, first + n) of the vocabulary in order of band. */
typedef struct lmd_tally_part {
    const float *z;      /* (n padded with -FLT_MAX to a multiple of LMD_LANES) */
    const int32_t *ids;  /* (n padded) */
    const float *output; /* (n padded with 0) p* of the last state, NULL there itself */
    float *e;            /* (n padded) scratch */
    int first, n;
    float targets[2]; /* z[t*], z[gold] */
} lmd_tally_part;

/* One row, or a segment of it: start, add every tile, close. `known` and `bound` are
 * logits of the row, maybe elsewhere in it, or -INFINITY: the nearer to the largest the
 * less is done twice. `known` must not depend on anything but the row, for sums refer to
 * it; below `bound` no id is looked for, and the tally's best_id then means nothing.
 * mass (n_bands) is NULL unless LMD_DECODE_MASS is wanted: sums of e by band. */
void lmd_tally_start(lmd_tally *tally, lmd_lanes *lanes, double *mass, int n_bands,
                     float known, float bound);
void lmd_tally_add(const lmd_tally_setup *setup, lmd_tally *tally, lmd_lanes *lanes,
                   double *mass, const lmd_tally_part *part);
void lmd_tally_close(const lmd_tally_setup *setup, lmd_tally *tally, lmd_lanes *lanes,
                     double *mass);

/* A tally of nothing, and what merges a closed one into it. */
void lmd_tally_clear(lmd_tally *tally, double *mass, int n_bands);
void lmd_tally_merge(lmd_tally *tally, double *mass, const lmd_tally *other,
                     const double *other_mass, int n_bands);

/* lse, entropy, top1, margin, is_finite of the readout; mass becomes probabilities. */
void lmd_tally_finish(const lmd_tally_setup *setup, const lmd_tally *tally, double *mass,
                      lmd_readout *readout);

#endif
