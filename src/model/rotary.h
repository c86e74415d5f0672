/* Angles of the rotary embedding. */
#ifndef LMDEPTH_MODEL_ROTARY_H
#define LMDEPTH_MODEL_ROTARY_H

#include "settings.h" /* lmd_config */

/* The frequency of each pair of a head, before scaling base^(-2i / R), into out (R / 2);
 * R = lmd_config.rotary_D is how many of a head's numbers turn. Scaled as the config's
 * rope_kind says: linear (Chen et al. 2023, 2306.15595) divides all by the factor; llama3
 * (transformers' modeling_rope_utils) divides the slow ones and blends the middle ones.
 * `factors` (R / 2), which GGUF keeps as tensor rope_freqs.weight, divides each; NULL:
 * none. Every step is rounded to fp32 as transformers rounds it. */
void lmd_model_rotary_frequencies(float *out, const lmd_config *config,
                                  const float *factors);

/* cosines, sines (positions, pairs) of position * frequency. */
void lmd_model_fill_rotary(float *cosines, float *sines, int positions,
                           const float *frequencies, int pairs);

#endif
