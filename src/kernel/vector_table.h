/* The vectorised loops of room kernel, as a table of functions. One portable source
 * (vector_loops.h) is compiled for several instruction sets; cpuid picks a table at run
 * time. All tables give the same bits: sums always run in 16 lanes, whatever the width of
 * the registers, and multiply-adds are fused where the source says so, nowhere else. */
#ifndef VECTOR_TABLE_H
#define VECTOR_TABLE_H

#include <stdbool.h> /* bool */
#include <stddef.h>  /* size_t */
#include <stdint.h>  /* int32_t */
#include <lmdepth/kernel.h>

/* Columns that the loops over logits take at a time: rows of logits are padded to it. */
enum { LMD_LANES = 16 };

/* What decides their rounding, part of lmd_kernel_arithmetic: another one when it is
 * changed, so that results of two builds are not summed unawares. */
#define LMD_VECTOR_ARITHMETIC "fused exp"

/* out (M, 16) = a (M, C) b (C, 16). Strides in floats. */
typedef struct lmd_panel {
    float *out;
    const float *a, *b;
    size_t out_stride, a_stride, b_stride;
    int M, C;
} lmd_panel;

/* What is known of a row of logits, in 16 lanes: column c counts for lane c % 16. */
typedef struct lmd_lanes {
    float best[LMD_LANES], second[LMD_LANES]; /* the two largest */
    float sum[LMD_LANES];                     /* of e = exp(z - reference) */
    float weighted[LMD_LANES];                /* of e (z - reference) */
    float cross[LMD_LANES];                   /* of p* (z - z[t*]) */
    int32_t above[2][LMD_LANES];              /* logits larger than each of two targets */
    uint32_t widest[LMD_LANES];               /* the largest of |z|, as bits */
} lmd_lanes;

/* A row of a tile. */
typedef struct lmd_sweep_task {
    const float *z;      /* (n) logits */
    const float *output; /* (n) p* of the last state; only read for `cross` */
    float *e;            /* (n) out: exp(z - reference); NULL: not wanted */
    int n;               /* a multiple of LMD_LANES */
    float targets[2];    /* z[t*], z[gold] */
    float reference;     /* no z of the lanes so far is above `limit` */
    float limit;
    float bound; /* the largest logit so far */
} lmd_sweep_task;

/* What came of it. */
typedef enum lmd_seen {
    LMD_SEEN,
    LMD_SEEN_BEST,     /* some z is >= bound */
    LMD_SEEN_TOO_LARGE /* some z is >= limit: the lanes are as they were */
} lmd_seen;

typedef lmd_seen lmd_sweep_loop(const lmd_sweep_task *task, lmd_lanes *lanes);

typedef struct lmd_sums {
    double sum, weighted, cross;
} lmd_sums;

/* The running softmax of 32 queries over a block of keys. Query i sees keys
 * [from + i, to + i) of it, maybe none. */
typedef struct lmd_softening {
    float *
        scores; /* (n, 32): of keys; becomes their exponentials, 0 for what is not seen */
    int n, from, to;
    float *largest; /* (32) scores so far, from -INFINITY; becomes that with this block */
    float *weights; /* (32) sums of exponentials; the same */
    float *factors; /* (32) out: what earlier sums are to be multiplied by */
} lmd_softening;

enum { LMD_SOFTEN_QUERIES = 32 };

/* One prompt position's rotary pairs. */
typedef struct lmd_pairs {
    float *x;                     /* (H, D) */
    const float *cosines, *sines; /* (R / 2) */
    int H, D, R;
} lmd_pairs;

enum { LMD_ACTIVATIONS = LMD_RELU + 1 };

/* x (n) = activation(x), times `factor` (n) unless that is NULL. */
typedef void lmd_activate_loop(float *x, const float *factor, size_t n);

/* One row of a convolution. */
typedef struct lmd_taps {
    const lmd_convolution *convolution;
    float *out;      /* (C) */
    const float *in; /* (C), the row of the same position */
    size_t in_stride;
    int before; /* rows before it that belong to its prompt */
} lmd_taps;

/* Most channels of an item of the selective scan: two cache lines of a row. */
enum { LMD_SCAN_CHANNELS = 32 };

/* Some channels of a prompt's selective scan. */
typedef struct lmd_scan_part {
    const lmd_selective_scan *scan;
    float *out;        /* (T, width) */
    float *scratch;    /* 2 n_states LMD_SCAN_CHANNELS floats */
    size_t first, end; /* rows */
    size_t channel, n; /* channels [channel, channel + n), n <= LMD_SCAN_CHANNELS */
} lmd_scan_part;

typedef struct lmd_vector_table {
    void (*panel)(const lmd_panel *panel);

    /* The largest of z (n), n a multiple of LMD_LANES. */
    float (*largest)(const float *z, int n);

    /* The lowest of ids (n) among those whose z equals `best`; INT32_MAX if none does. */
    int32_t (*lowest_id)(const float *z, const int32_t *ids, int n, float best);

    /* [entropy wanted][cross wanted]; what is not wanted stays as it is. `ranks`: none of
     * the sums, nor e. */
    lmd_sweep_loop *sweep[2][2], *sweep_ranks;

    void (*fold_sums)(const lmd_lanes *lanes, lmd_sums *out);

    /* The sum of x (n). */
    double (*total)(const float *x, int n);

    /* out (n) = scale exp(in - reference), 0 below exp(-87). n a multiple of LMD_LANES.
     */
    void (*exponentials)(float *out, const float *in, int n, float reference,
                         float scale);

    void (*soften)(const lmd_softening *softening);

    /* sums (C, 32) = sums * factors (32) + fresh (C, 32). */
    void (*carry)(float *sums, const float *fresh, const float *factors, int C);

    void (*rms_norm)(float *out, const float *in, const float *weight, double eps, int C);

    /* bias may be NULL. */
    void (*layer_norm)(float *out, const float *in, const float *weight,
                       const float *bias, double eps, int C);
    void (*rotate)(const lmd_pairs *pairs);
    lmd_activate_loop *activate[LMD_ACTIVATIONS];
    void (*convolve)(const lmd_taps *taps);
    void (*selective_scan)(const lmd_scan_part *part);
    void (*add)(float *out, const float *a, const float *b, size_t n);
    void (*multiply)(float *x, float factor, int n);
} lmd_vector_table;

extern const lmd_vector_table lmd_vector_base;
extern const lmd_vector_table lmd_vector_avx2;   /* x86-64 only */
extern const lmd_vector_table lmd_vector_avx512; /* x86-64 only */

/* The widest tables this processor can run, ending in NULL; [0] is the one to use. */
const lmd_vector_table *const *lmd_vector_tables(void);

/* Has the processor what the AVX-512 kernels of BLAS libraries want? */
bool lmd_vector_has_avx512(void);

#endif
