/* Private header of `lmdepth bench`: what its files share. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>             /* bool */
#include <stddef.h>              /* size_t */
#include <lmdepth/base/status.h> /* lmd_status */
#include <lmdepth/kernel.h>      /* lmd_kernel, lmd_matrix_type */
#include <lmdepth/parallel.h>    /* lmd_session */
#include "app.h"

/* ---- bench_shapes.c: the models whose sizes are timed ---- */

typedef struct lmd_bench_shape {
    const char *name;
    int d, V, N;
    int H, K, F;        /* 0: its forward pass is not timed */
    const char *family; /* gpt2 or llama */
    bool is_quick;      /* also without --shape when all should be quick */
    bool is_default;
} lmd_bench_shape;

/* The n shapes. */
const lmd_bench_shape *lmd_bench_shapes(int *n);

/* ---- bench_timing.c: work against the peak of the same moments ---- */

enum { LMD_BENCH_PRECISIONS = 4 }; /* at most */

/* What products are done in: which kernel, and so which peak they are held against. */
typedef struct lmd_bench_precision {
    const char *name;
    lmd_kernel *(*new_kernel)(lmd_team *team, int max_C);
    bool takes_bf16_only; /* no weights of another type */
} lmd_bench_precision;

const lmd_bench_precision *lmd_bench_precisions(int *n);

typedef struct lmd_bench_timing {
    double seconds;                                  /* median of the repetitions */
    double of_peak, least_of_peak, greatest_of_peak; /* median, minimum, maximum */
    double on_cpu; /* median share of the threads' time in which they ran */
} lmd_bench_timing;

typedef struct lmd_bench_task {
    lmd_kernel *kernel;
    void (*work)(void *context);
    void *context;
    double flops; /* of one call */
} lmd_bench_task;

enum { LMD_BENCH_REPEATS = 1000 }; /* at most */

/* Once unwatched, then `repeats` times with the peak measured before and after each. */
lmd_bench_timing lmd_bench_time(const lmd_bench_task *task, int repeats);

/* Median and, sorted in place, least and greatest of n >= 1 values. */
double lmd_bench_median(double *values, int n);

/* ---- a line of the tables ---- */

typedef struct lmd_bench_row {
    bool is_forward;
    const lmd_bench_shape *shape;
    int tokens;         /* of a pack; of the super-block for decode */
    int states;         /* observed; decode only */
    const char *stored; /* type of the weights in memory */
    const char *precision;
    char kernel[96]; /* which arithmetic */
    int threads;
    double per_second; /* rows of decode, tokens of forward */
    double gflops;
    double bytes; /* of memory that a row of decode moves */
    lmd_bench_timing timing;
} lmd_bench_row;

/* What to time of one shape with one number of threads. */
typedef struct lmd_bench_plan {
    const lmd_bench_shape *shape;
    const lmd_bench_precision *precision;
    lmd_matrix_type stored;
    int threads, repeats;
    bool is_quick;
} lmd_bench_plan;

const char *lmd_bench_type_name(lmd_matrix_type type);

/* Numbers in [-limit, limit) that look like chance and are always the same. */
float *lmd_bench_noise(size_t n, float limit);

/* ---- bench_decode.c, bench_model.c, bench_forward.c ---- */

/* One super-block through the lens kernel: every statistic, weights made in memory. */
lmd_bench_row lmd_bench_decode(const lmd_bench_plan *plan);

/* Writes a model of random weights with the shape's blocks and a small vocabulary into a
 * new temporary folder, whose name is the caller's then. */
lmd_status lmd_bench_make_model(const lmd_bench_shape *shape, lmd_matrix_type stored,
                                char **folder);

/* Windows of 512 tokens: rows[0] one of them, rows[1] a pack of four (not when quick).
 * *n says how many. */
lmd_status lmd_bench_forward(const lmd_bench_plan *plan, lmd_bench_row rows[2], int *n);

/* ---- bench_job.c: a whole job, its result thrown away ---- */

typedef struct lmd_bench_job {
    int ranks, threads, repeats;
    int64_t packs, tokens;
    double gflops;                                   /* of all ranks */
    double tokens_per_s;                             /* median of the repetitions */
    double of_peak, least_of_peak, greatest_of_peak; /* median, minimum, maximum */
    double peak;                                     /* GFLOP/s a thread */
    /* Of the repetition with that speed, mean over ranks. */
    double seconds, forward, lens, metric, wait, other;
    double load, prepare;
    char arithmetic[96];
} lmd_bench_job;

/* Collective. */
lmd_status lmd_bench_run_job(lmd_session *session, const lmd_job_arguments *arguments,
                             int repeats, lmd_bench_job *job);

/* ---- bench_report.c ---- */

typedef struct lmd_bench_report {
    /* Of each precision: GFLOP/s a core, and which arithmetic. */
    double peaks[LMD_BENCH_PRECISIONS];
    char arithmetics[LMD_BENCH_PRECISIONS][96];
    const lmd_bench_row *rows;
    int n_rows;
    const lmd_bench_job *job; /* NULL: none */
} lmd_bench_report;

void lmd_bench_print_text(const lmd_bench_report *report);
void lmd_bench_print_json(const lmd_bench_report *report);

#endif
