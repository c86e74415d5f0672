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

#include <stdbool.h>             /* bool */
#include <stddef.h>              /* size_t */
#include <stdint.h>              /* int32_t */
#include <lmdepth/base/status.h> /* lmd_status */
#include <lmdepth/base/team.h>   /* lmd_team */

/* ---- the engine room: which arithmetic, which threads ---- */

typedef struct lmd_kernel lmd_kernel;

/* The OPENBLAS_CORETYPE with which this process should be started anew because the
 * library chose kernels of half speed for this processor (design 6), NULL when all is
 * well or the library is not going to be used. May be called before anything else. */
const char *lmd_kernel_better_core(void);

/* Bytes of address space that the library of products takes for each thread beside what
 * the program itself asks for; 0 when it is not going to be used. Where a limit leaves
 * less it does not fail but tries for ever. May be called before anything else. */
double lmd_kernel_library_space(void);

/* LMD_USAGE when LMDEPTH_KERNEL names a product that this processor has not, which would
 * be fatal below. May be called before anything else. */
lmd_status lmd_kernel_check_choice(bool is_bf16);

/* Chooses the product: the fastest tile kernel that the processor can run (AVX-512, AVX2
 * with FMA), else OpenBLAS if it passes the self-test, else plain C. LMDEPTH_KERNEL =
 * avx512, avx2, blas or plain forces one; a name that this processor has not is fatal
 * (LMD_USAGE). Sets the library to one thread, and takes scratch for inputs up to `max_C`
 * wide. The team is borrowed. */
lmd_kernel *lmd_kernel_new(lmd_team *team, int max_C);
void lmd_kernel_free(lmd_kernel *kernel); /* accepts NULL */

/* The same for products in bf16: both operands of lmd_kernel_linear and of the decoder
 * are rounded to bf16, to nearest and ties to even, and their products summed in fp32;
 * the rest, attention too, stays fp32. All weights are then LMD_BF16. Uses the
 * processor's own products of bf16 where they are fast (LMDEPTH_KERNEL = amx or
 * avx512_bf16, which take subnormal numbers for 0), else the products of fp32 on rounded
 * rows. */
lmd_kernel *lmd_kernel_new_bf16(lmd_team *team, int max_C);

/* Replaces the product by the plain C one, which rounds alike on every processor: for
 * ranks that would differ otherwise. At any time between two calls; the layout of
 * matrices is the same for all products. */
void lmd_kernel_use_plain(lmd_kernel *kernel);

/* What decides the rounding, for lmdepth_arithmetic: "f32; fused sums of 96, fused exp"
 * (all tile kernels of fp32, whatever the instructions; the vector loops), "f32; OpenBLAS
 * 0.3.21 SkylakeX, fused exp", "bf16; pairs amx, attention f32 fused sums of 96, fused
 * exp", "bf16; rounded, fused sums of 96, fused exp". Equal strings mean equal bits.
 * Borrowed from the kernel. */
const char *lmd_kernel_arithmetic(const lmd_kernel *kernel);

/* Which product and why, a line for the plan: "by avx512: the fastest that this processor
 * has". Borrowed. */
const char *lmd_kernel_choice(const lmd_kernel *kernel);

lmd_team *lmd_kernel_team(const lmd_kernel *kernel);

/* Peak of multiply-add in GFLOP/s (widest vectors this processor has; of bf16 pairs where
 * the kernel's products are, else fp32), all threads of the team at once, measured for
 * about `milliseconds`. */
double lmd_kernel_measure_peak(lmd_kernel *kernel, double milliseconds);

/* The share of that peak which whole jobs reach as a rule, for estimates: a half (seen:
 * 0.48 to 0.64), of AMX 0.15 (seen: 0.15 to 0.2). */
double lmd_kernel_usual_share(const lmd_kernel *kernel);

/* ---- matrices: only this room knows how weights are laid out for the products ---- */

/* How packed weights are kept. Half floats widen inside the product, a part of a panel at
 * a time, so a model takes no more memory than its file. */
typedef enum lmd_matrix_type { LMD_F32, LMD_F16, LMD_BF16 } lmd_matrix_type;

/* A weight matrix W (O, C) in memory of somebody else. */
typedef struct lmd_matrix {
    int O, C;
    lmd_matrix_type type;
    void *packed; /* borrowed; panels of 32 rows */
} lmd_matrix;

/* Bytes of memory for (O, C), a multiple of 64. */
size_t lmd_matrix_bytes(int O, int C, lmd_matrix_type type);

/* Binds a matrix to memory aligned to 64 bytes. `clear` zeroes the padding; by whoever
 * fills the memory, before the first put. */
void lmd_matrix_bind(lmd_matrix *matrix, int O, int C, lmd_matrix_type type,
                     void *memory);
void lmd_matrix_clear_padding(lmd_matrix *matrix);

/* Packs row `row` of W; `in` is (C). Values that the type can't hold are rounded to
 * nearest, ties to even: those of a file of that type never are. */
void lmd_matrix_put_row(lmd_matrix *matrix, int row, const float *in);

/* The same for n rows at a time, which is faster. Row i of `in` (n, C) becomes row
 * first + rows[i] of W; `rows` NULL: first + i. `type` is that of `in`: LMD_F32, or the
 * matrix's own, which is kept bit for bit. */
void lmd_matrix_put_rows(lmd_matrix *matrix, int first, const int32_t *rows, int n,
                         const void *in, lmd_matrix_type type);

/* Packs channels [channel, channel + n_channels) of rows [first, first + n) of W; `in` is
 * (n_channels, n), `type` as above: for files that keep the transpose. */
void lmd_matrix_put_channels(lmd_matrix *matrix, int channel, int n_channels, int first,
                             int n, const void *in, lmd_matrix_type type);

/* Row `row` of W, as it was put, into out (C). */
void lmd_matrix_get_row(const lmd_matrix *matrix, int row, float *out);

/* ---- the steps of a forward pass; all run on the kernel's team ---- */

/* out (T, O) = in (T, C) W^T + bias (O, or NULL); rows of `in` lie in_stride >= C floats
 * apart, those of out are dense. C is at most the kernel's max_C. */
void lmd_kernel_linear(lmd_kernel *kernel, float *out, const float *in, size_t in_stride,
                       const lmd_matrix *W, const float *bias, int T);

/* out (T, C) = in / sqrt(mean(in^2) + eps) * weight (C). RMSNorm, Zhang and Sennrich
 * 2019. The mean is taken in fp64. out may be in. */
void lmd_kernel_rms_norm(lmd_kernel *kernel, float *out, const float *in,
                         const float *weight, double eps, int T, int C);

/* One row of it, on the calling thread. */
void lmd_kernel_rms_norm_row(float *out, const float *in, const float *weight, double eps,
                             int C);

/* RMSNorm of each head on its own, in place on x (T, H, D), rows `stride` floats apart;
 * weight (D). */
void lmd_kernel_rms_norm_heads(lmd_kernel *kernel, float *x, size_t stride,
                               const float *weight, double eps, int T, int H, int D);

/* out (T, C) = (in - mean) / sqrt(variance + eps) * weight (C) + bias (C, or NULL), the
 * variance biased. LayerNorm, Ba et al. 2016. Mean and variance in fp64, two passes. out
 * may be in. */
void lmd_kernel_layer_norm(lmd_kernel *kernel, float *out, const float *in,
                           const float *weight, const float *bias, double eps, int T,
                           int C);

/* One row of it, on the calling thread. */
void lmd_kernel_layer_norm_row(float *out, const float *in, const float *weight,
                               const float *bias, double eps, int C);

/* Rotary embedding of the first R of each head's D numbers, half-split pairs (i, i + R/2)
 * as Hugging Face has them. Su et al. 2021. */
typedef struct lmd_rotary {
    const float *cosines, *sines; /* (positions, R / 2) borrowed */
    const int32_t *place;         /* (T) borrowed: each row's position in its prompt */
    int R;                        /* even, <= D */
} lmd_rotary;

/* In place on x (T, H, D), rows `stride` floats apart. */
void lmd_kernel_rotate(lmd_kernel *kernel, float *x, size_t stride,
                       const lmd_rotary *rotary, int T, int H, int D);

/* Block-diagonal causal attention over a pack: prompt p is rows [starts[p], starts[p+1])
 * and sees only itself; head h reads key/value head h / (H / K). */
typedef struct lmd_attention {
    const float *q;             /* (T, H, D), rows q_stride floats apart */
    const float *k, *v;         /* (T, K, D), rows kv_stride floats apart */
    size_t q_stride, kv_stride; /* floats */
    int H, K, D;
    int window;  /* keys that a query sees, its own included; 0: all before it too */
    float scale; /* of q k^T */
} lmd_attention;

/* out (T, H, D), dense. A prompt's bits are those it has alone. Memory and time of a
 * prompt of n positions: n and n min(n, window). */
void lmd_kernel_attention(lmd_kernel *kernel, float *out, const lmd_attention *attention,
                          const int32_t *starts, int n_prompts);

/* Activations. gelu: x Phi(x), by erf (Hendrycks and Gimpel 2016). gelu_tanh: its tanh
 * form, 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). silu: x / (1 + exp(-x)). */
typedef enum lmd_activation {
    LMD_SILU,
    LMD_GELU,
    LMD_GELU_TANH,
    LMD_RELU
} lmd_activation;

/* x (T, C) = activation(x), in place. */
void lmd_kernel_activate(lmd_kernel *kernel, float *x, lmd_activation activation, int T,
                         int C);

/* x (T, 2 F): its first half of each row = activation(first half) * second half. */
void lmd_kernel_gate(lmd_kernel *kernel, float *x, lmd_activation activation, int T,
                     int F);

/* out (T, C) = a + b; out may be a or b. */
void lmd_kernel_add(lmd_kernel *kernel, float *out, const float *a, const float *b, int T,
                    int C);

/* ---- state-space steps (Mamba, Gu and Dao 2023, 2312.00752) ---- */

/* Causal convolution over the positions of each prompt, channel by channel, then silu:
 *     out[t, c] = silu(bias[c] + sum_j weight[j, c] in[t - width + 1 + j, c])
 * where what is before the prompt's first position is 0. */
typedef struct lmd_convolution {
    const float *weight; /* (width, C) borrowed */
    const float *bias;   /* (C) borrowed, or NULL */
    int width, C;
} lmd_convolution;

/* out (T, C) dense; in (T, C), rows in_stride floats apart. out is not in. */
void lmd_kernel_convolve(lmd_kernel *kernel, float *out, const float *in,
                         size_t in_stride, const lmd_convolution *convolution,
                         const int32_t *starts, int n_prompts);

/* Most states of a channel. */
enum { LMD_SCAN_STATES = 1024 };

/* The selective scan, gated. For each prompt, channel c and state n, from h = 0:
 *     s       = softplus(delta[t, c] + delta_bias[c])
 *     h[n, c] = exp(s A[n, c]) h[n, c] + s B[t, n] x[t, c]
 *     out[t, c] = (sum_n C[t, n] h[n, c] + skip[c] x[t, c]) * silu(gate[t, c]) */
typedef struct lmd_selective_scan {
    const float *A;                /* (n_states, width) borrowed: -exp(A_log)^T */
    const float *skip;             /* (width) D of the paper */
    const float *delta_bias;       /* (width) */
    const float *x;                /* (T, width) dense */
    const float *delta;            /* (T, width) dense, before bias and softplus */
    const float *B, *C;            /* (T, n_states), rows bc_stride floats apart */
    const float *gate;             /* (T, width), rows gate_stride floats apart */
    size_t bc_stride, gate_stride; /* floats */
    int width, n_states;
} lmd_selective_scan;

/* out (T, width), dense; may be x. A prompt's bits are those it has alone. */
void lmd_kernel_scan(lmd_kernel *kernel, float *out, const lmd_selective_scan *scan,
                     const int32_t *starts, int n_prompts);

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

/* Bytes that lmd_decode for S tokens at L states moves between memory and caches which
 * hold what the order of work means them to hold: the head once for the last state and
 * once for each block of the others, the last state's logits. For benchmarks. */
double lmd_decoder_traffic(const lmd_decoder *decoder, int S, int L);

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
