/* Room kernel: arithmetic on the caller's buffers.
 *
 * Dimension letters, the only capital variables, everywhere in lmdepth:
 *     T positions   C channels of a product's input   O its outputs   d model width
 *     H heads       K key/value heads                 D head size     F hidden width
 *     V vocabulary  N blocks                          S tokens of a super-block
 *     L observed states, the last one the output      M rows of a product's block
 * Dimensions are int, products of dimensions and offsets size_t. Arrays are row major;
 * every parameter says its shape.
 *
 * One arithmetic: every product runs on blocks of a fixed number of rows and columns, so
 * a row's bits depend on neither its place, nor its neighbours, nor the number of
 * threads. A self-test in lmd_kernel_new checks it. Nothing here allocates, prints or
 * fails after lmd_kernel_new.
 */
#ifndef LMDEPTH_KERNEL_H
#define LMDEPTH_KERNEL_H

#include <stdbool.h>           /* bool */
#include <stddef.h>            /* size_t */
#include <stdint.h>            /* int32_t */
#include <lmdepth/base/team.h> /* lmd_team */

/* ---- the engine room: which arithmetic, which threads ---- */

typedef struct lmd_kernel lmd_kernel;

/* The OPENBLAS_CORETYPE with which this process should be started anew because the
 * library chose kernels of half speed for this processor (design 6), NULL when all is
 * well or the library is not going to be used. May be called before anything else. */
const char *lmd_kernel_better_core(void);

/* Chooses the product: the fastest tile kernel that the processor can run (AVX-512, AVX2
 * with FMA), else OpenBLAS if it passes the self-test, else plain C. LMDEPTH_KERNEL =
 * avx512, avx2, blas or plain forces one; a name that this processor has not is fatal
 * (LMD_USAGE). Sets the library to one thread, and takes scratch for inputs up to `max_C`
 * wide. The team is borrowed. */
lmd_kernel *lmd_kernel_new(lmd_team *team, int max_C);
void lmd_kernel_free(lmd_kernel *kernel); /* accepts NULL */

/* Replaces the product by the plain C one, which rounds alike on every processor: for
 * ranks that would differ otherwise. At any time between two calls; the layout of
 * matrices is the same for all products. */
void lmd_kernel_use_plain(lmd_kernel *kernel);

/* What decides the rounding, for lmdepth_arithmetic: "f32; tiles avx512 14x32",
 * "f32; OpenBLAS 0.3.21 SkylakeX".
 * Equal strings mean equal bits. Borrowed from the kernel. */
const char *lmd_kernel_arithmetic(const lmd_kernel *kernel);

/* Why that choice, a line for the plan; NULL when there is nothing to say. */
const char *lmd_kernel_remark(const lmd_kernel *kernel);

lmd_team *lmd_kernel_team(const lmd_kernel *kernel);

/* Peak of multiply-add in GFLOP/s (fp32, widest vectors this processor has), all threads
 * of the team at once, measured for about `milliseconds`. */
double lmd_kernel_measure_peak(lmd_kernel *kernel, double milliseconds);

/* ---- matrices: only this room knows how weights are laid out for the products ---- */

/* A weight matrix W (O, C) in memory of somebody else. */
typedef struct lmd_matrix {
    int O, C;
    float *packed; /* borrowed; fp32 in panels, of 32 rows */
} lmd_matrix;

/* Bytes of memory for (O, C), a multiple of 64. */
size_t lmd_matrix_bytes(int O, int C);

/* Binds a matrix to memory aligned to 64 bytes. `clear` zeroes the padding; by whoever
 * fills the memory, before the first put. */
void lmd_matrix_bind(lmd_matrix *matrix, int O, int C, void *memory);
void lmd_matrix_clear_padding(lmd_matrix *matrix);

/* Packs row `row` of W; `in` is (C). */
void lmd_matrix_put_row(lmd_matrix *matrix, int row, const float *in);

/* Row `row` of W, as it was put, into out (C). */
void lmd_matrix_get_row(const lmd_matrix *matrix, int row, float *out);

/* ---- the steps of a forward pass; all run on the kernel's team ---- */

/* out (T, O) = in (T, C) W^T + bias (O, or NULL). C is at most the kernel's max_C. */
void lmd_kernel_linear(lmd_kernel *kernel, float *out, const float *in,
                       const lmd_matrix *W, const float *bias, int T);

/* out (T, C) = in / sqrt(mean(in^2) + eps) * weight (C). RMSNorm, Zhang and Sennrich
 * 2019. The mean is taken in fp64. out may be in. */
void lmd_kernel_rms_norm(lmd_kernel *kernel, float *out, const float *in,
                         const float *weight, double eps, int T, int C);

/* One row of it, on the calling thread. */
void lmd_kernel_rms_norm_row(float *out, const float *in, const float *weight, double eps,
                             int C);

/* Rotary embedding, half-split pairs (i, i + D/2) as Hugging Face has them, in place on x
 * (T, H, D), rows `stride` floats apart. cosines, sines: (positions, D/2). place (T): the
 * position of each row in its prompt. Su et al. 2021. */
void lmd_kernel_rotate(lmd_kernel *kernel, float *x, int stride, const float *cosines,
                       const float *sines, const int32_t *place, int T, int H, int D);

/* Block-diagonal causal attention over a pack: prompt p is rows [starts[p], starts[p+1])
 * and sees only itself. q (T, H, D), k and v (T, K, D), out (T, H, D); head h reads
 * key/value head h / (H / K). A prompt's bits are those it has alone. */
void lmd_kernel_attention(lmd_kernel *kernel, float *out, const float *q, const float *k,
                          const float *v, const int32_t *starts, int n_prompts,
                          const int heads[3] /* H, K, D */, float scale);

/* gate (T, F) = silu(gate) * up. */
void lmd_kernel_silu_gate(lmd_kernel *kernel, float *gate, const float *up, int T, int F);

/* out (T, C) = a + b; out may be a or b. */
void lmd_kernel_add(lmd_kernel *kernel, float *out, const float *a, const float *b, int T,
                    int C);

/* ---- decode: the fused lens kernel (design 6) ---- */

/* Most tokens that share one sweep over the vocabulary. */
enum { LMD_DECODE_TOKENS = 112 };

/* The unembedding, its rows in order of frequency band and of id within a band. */
typedef struct lmd_head {
    const lmd_matrix *matrix; /* (V, d) borrowed */
    const int32_t *ids;       /* (V) borrowed: token id of each row */
    const int32_t *places;    /* (V) borrowed: row of each token id */
    const int32_t *band_rows; /* (n_bands + 1) borrowed: band b is rows [b], [b + 1) */
    int n_bands;
} lmd_head;

/* What one (position, state) says: z = logits, p = softmax(z), p* of the last state.
 * method 1.3; nats. */
typedef struct lmd_readout {
    bool is_finite;     /* all logits are; else nothing below counts */
    int32_t top1;       /* lowest id of the largest logits */
    float margin;       /* largest minus second largest logit (0 for a tie) */
    double lse;         /* log sum exp z; NaN when nothing is wanted */
    double entropy;     /* lse - sum p z, >= 0; NaN unless wanted */
    double kl;          /* KL(p* || p) >= 0; 0 at the last state; NaN unless wanted */
    double final_logit; /* z[t*], t* the last state's top-1 */
    double gold_logit;  /* z[gold]; NaN without gold */
    int32_t final_rank; /* 1 + number of logits strictly larger than z[t*] */
    int32_t gold_rank;  /* the same for gold; 0 without gold */
} lmd_readout;

/* What a sweep is to give besides top1, final_rank and gold_rank, which it always does.
 */
enum { LMD_DECODE_ENTROPY = 1, LMD_DECODE_KL = 2, LMD_DECODE_MASS = 4 };

typedef struct lmd_decoder lmd_decoder;

/* For up to `max_L` states and widths up to d of `head`; takes LMD_DECODE_TOKENS x V
 * floats for the last state's logits and small scratch for each thread. The head is
 * copied, its arrays borrowed. */
lmd_decoder *lmd_decoder_new(lmd_kernel *kernel, const lmd_head *head, int max_L,
                             int wants);
void lmd_decoder_free(lmd_decoder *decoder); /* accepts NULL */

/* At most what a kernel for inputs up to max_C and a decoder take together, for the plan.
 */
size_t lmd_decoder_bytes(int d, int V, int n_bands, int n_threads, int max_C);

/* Writes the normalised state of token `token` at observed state `state` into out (d);
 * called from any thread, possibly more than once. */
typedef void lmd_decode_fill(const void *context, int state, int token, float *out);

/* Decodes S <= LMD_DECODE_TOKENS tokens at L states; state L - 1 is the output.
 * gold (S): id or -1. readouts (L, S); mass (L, S, n_bands): probability in each band,
 * NULL unless LMD_DECODE_MASS is wanted. Where the output of a token is not finite its
 * ranks and kl mean nothing. */
void lmd_decode(lmd_decoder *decoder, lmd_decode_fill *fill, const void *context, int S,
                int L, const int32_t *gold, lmd_readout *readouts, double *mass);

/* The naive twin: one row, fp64 throughout, straight from the formulas. logits (V) by id,
 * output (V): the last state's logits by id. bands (V): band of each id. The oracle of
 * the tests, and the definition. */
void lmd_decode_naive(const float *logits, const float *output, int V,
                      const int32_t *bands, int n_bands, int32_t gold,
                      lmd_readout *readout, double *mass);

#endif
