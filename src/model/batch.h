/* What every forward pass begins with, and what every family counts. */
#ifndef LMDEPTH_MODEL_BATCH_H
#define LMDEPTH_MODEL_BATCH_H

#include <stdint.h>        /* int32_t */
#include <lmdepth/model.h> /* lmd_model, lmd_batch */

/* out (T, d): the embedding's rows of the ids. */
void lmd_model_embed(const lmd_model *model, const lmd_batch *batch, float *out);

/* Numbers each prompt's positions from 0 in place (T); returns the longest prompt's
 * length, which is within the context. */
int lmd_model_number_positions(const lmd_model *model, int32_t *place,
                               const lmd_batch *batch);

/* Pairs of query and key that attend to each other in prompts of these lengths when a
 * query sees `window` keys (0: all before it). */
double lmd_model_pairs(const int32_t *starts, int n_prompts, int window);

#endif
