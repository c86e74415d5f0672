/* Room engine: what one rank does to one pack.
 *
 *     model    forward over the pack, residual stream of every state kept
 *     lens     observed positions, up to LMD_DECODE_TOKENS at a time, at observed states
 *     metric   one observation for each position and lens
 *
 * An engine owns its buffers (states, scratch, readouts), taken once from the largest
 * pack.
 */
#ifndef LMDEPTH_ENGINE_H
#define LMDEPTH_ENGINE_H

#include <stdbool.h>             /* bool */
#include <stdint.h>              /* int32_t */
#include <lmdepth/base/status.h> /* lmd_status */
#include <lmdepth/corpus.h>      /* lmd_pack, lmd_prompt */
#include <lmdepth/kernel.h>      /* lmd_kernel, lmd_head */
#include <lmdepth/lens.h>        /* lmd_lens */
#include <lmdepth/metric.h>      /* lmd_counters */
#include <lmdepth/model.h>       /* lmd_model */
#include <lmdepth/token.h>       /* lmd_frequency */

/* ---- which positions are observed (interface 1 and 1.1); pure ---- */

typedef enum lmd_which {
    LMD_WHICH_ALL,
    LMD_WHICH_LAST,
    LMD_WHICH_EVERY,
    LMD_WHICH_SAMPLE
} lmd_which;

typedef struct lmd_selection {
    lmd_which which;
    int64_t every;
    double share;
    int64_t skip;
    uint64_t seed;
} lmd_selection;

/* Is position `i` (from the window's start, BOS included) of a prompt of `length`
 * observed? */
bool lmd_engine_is_observed(const lmd_selection *selection, const lmd_prompt *prompt,
                            int i, int length);

/* Observed positions of a pack; with none it does not go through the model. */
int lmd_engine_count_observed(const lmd_selection *selection, const lmd_pack *pack);

/* The record's fold: h(h(seed) ^ key) mod folds. */
int lmd_engine_fold(uint64_t seed, uint64_t key, int folds);

/* ---- the order of the unembedding's rows; pure ---- */

/* By frequency band, then id. order (V): id of each row; places (V): row of each id;
 * band_rows (n_bands + 1): first row of each band. */
void lmd_engine_order(const lmd_frequency *frequency, int32_t *order, int32_t *places,
                      int32_t *band_rows);

/* ---- engine ---- */

typedef struct lmd_engine lmd_engine;

typedef struct lmd_engine_setup {
    const lmd_model *model; /* loaded */
    lmd_kernel *kernel;
    const lmd_lens *const *lenses; /* (n_lenses) */
    int n_lenses;
    lmd_head head;
    lmd_counters *counters;
    lmd_selection selection;
    int wants;       /* LMD_DECODE_* */
    int pack_tokens; /* largest T */
} lmd_engine_setup;

/* All borrowed, but for the struct itself, which is copied. */
lmd_engine *lmd_engine_new(const lmd_engine_setup *setup);
void lmd_engine_free(lmd_engine *engine); /* accepts NULL */

/* Adds a pack to the counters and carries them. */
void lmd_engine_run(lmd_engine *engine, const lmd_pack *pack);

/* What it has done so far. */
typedef struct lmd_engine_report {
    int64_t packs;  /* those without an observed position included */
    int64_t tokens; /* that went through the model: of the other packs */
    int64_t positions;
    double flops; /* products and attention, 2 a multiply-add */
    double forward_seconds, lens_seconds, metric_seconds;
} lmd_engine_report;

lmd_engine_report lmd_engine_get_report(const lmd_engine *engine);

/* Bytes an engine takes for such a job, the counters not included. */
size_t lmd_engine_bytes(const lmd_model_shape *shape, size_t work_bytes, int pack_tokens,
                        int L, int n_bands, int n_threads);

#endif
