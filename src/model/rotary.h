/* Angles of the rotary embedding, and the keys that say them. */
#ifndef LMDEPTH_MODEL_ROTARY_H
#define LMDEPTH_MODEL_ROTARY_H

#include <lmdepth/base/text.h> /* lmd_text */
#include "settings.h"          /* lmd_config */

/* Rows of a family's table, in this order, for config.json of transformers 4 (rope_theta,
 * rope_scaling) and 5 (rope_parameters, which hold rope_theta). Of two names of the kind
 * rope_type is the one that counts, and of two original contexts the one that is not
 * inside these objects (as transformers 5 has it; 4 knows no such key). */
#define LMD_ROTARY_KEYS LMD_REAL("rope_theta", rope_theta), LMD_ROTARY_OBJECT_KEYS

/* The same without rope_theta, for families that call it something else. */
#define LMD_ROTARY_OBJECT_KEYS                                                           \
    LMD_REAL("rope_parameters.rope_theta", rope_base),                                   \
        LMD_REAL("rope_scaling.rope_theta", rope_base),                                  \
        LMD_WORD("rope_parameters.type", rope_kind, lmd_model_rope_words),               \
        LMD_WORD("rope_parameters.rope_type", rope_kind, lmd_model_rope_words),          \
        LMD_WORD("rope_scaling.type", rope_kind, lmd_model_rope_words),                  \
        LMD_WORD("rope_scaling.rope_type", rope_kind, lmd_model_rope_words),             \
        LMD_REAL("rope_parameters.factor", rope_factor),                                 \
        LMD_REAL("rope_scaling.factor", rope_factor),                                    \
        LMD_REAL("rope_parameters.low_freq_factor", rope_low),                           \
        LMD_REAL("rope_scaling.low_freq_factor", rope_low),                              \
        LMD_REAL("rope_parameters.high_freq_factor", rope_high),                         \
        LMD_REAL("rope_scaling.high_freq_factor", rope_high),                            \
        LMD_SIZE("rope_parameters.original_max_position_embeddings", rope_context),      \
        LMD_SIZE("rope_scaling.original_max_position_embeddings", rope_context),         \
        LMD_SIZE("original_max_position_embeddings", rope_context_beside)

extern const lmd_word lmd_model_rope_words[];      /* transformers' names of the kinds */
extern const lmd_word lmd_model_gguf_rope_words[]; /* GGUF's: none, linear */

/* Settles the base and what belongs to the kind, once rotary_D is known; LMD_INPUT for
 * what is missing or contradicts itself. `path` is for messages. */
lmd_status lmd_model_complete_rotary(lmd_config *config, const char *path);

/* Appends a line on how they are scaled, if they are. */
void lmd_model_remark_rotary(const lmd_config *config, lmd_text *out);

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
