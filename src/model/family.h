/* What a model family is: its names, its keys, and the functions that lay out, load and
 * run its weights. model.c does what is the same for all. */
#ifndef LMDEPTH_MODEL_FAMILY_H
#define LMDEPTH_MODEL_FAMILY_H

#include <stddef.h>              /* size_t */
#include <stdint.h>              /* int32_t */
#include <lmdepth/base/status.h> /* lmd_status */
#include <lmdepth/base/text.h>   /* lmd_text */
#include <lmdepth/kernel.h>      /* lmd_kernel, lmd_matrix */
#include <lmdepth/model.h>       /* lmd_model_shape, lmd_batch */
#include <lmdepth/weights.h>     /* lmd_weights */
#include "arena.h"               /* lmd_arena */
#include "settings.h"            /* lmd_config, lmd_key */
#include "tensors.h"             /* lmd_wants, lmd_found */

typedef struct lmd_family {
    const char *name;         /* its row in families.def */
    const char *const *types; /* model_type of config.json and general.architecture of
                               * GGUF that it serves; ends in NULL */
    size_t size;              /* of its struct, which begins with a lmd_model */
    const lmd_key *json_keys; /* what it makes of config.json; ends in {0} */
    const lmd_key *gguf_keys; /* and of GGUF metadata; NULL: it has no GGUF files */
    lmd_config defaults;      /* what a config that is silent means; K and D of a
                               * config.json only */
    lmd_wants wants;          /* its tensors; the first outer one is the embedding */

    /* Fills in what follows from the keys (D, HD, KD, ...), refuses what does not fit
     * together; `path` is for messages. */
    lmd_status (*complete)(lmd_config *config, const char *path);

    /* Takes the packed weights from the arena, binding them when it has memory. Depends
     * on config and found tensors alone. The first pieces, the unembedding and an untied
     * embedding, are model.c's. */
    void (*bind)(lmd_model *model, lmd_arena *arena);

    /* Fills what bind has bound, but for model.c's pieces. The padding of a matrix is to
     * be cleared. */
    lmd_status (*load)(lmd_model *model);

    size_t (*work_bytes)(const lmd_model *model, int T);
    void (*forward)(const lmd_model *model, lmd_kernel *kernel, const lmd_batch *batch,
                    void *work, float *states);
    void (*final_norm)(const lmd_model *model, const float *in, float *out);

    /* As lmd_model_flops. */
    double (*flops)(const lmd_model *model, const int32_t *starts, int n_prompts);

    /* Appends a line for each thing that is unusual about it; NULL: nothing to say. */
    void (*remarks)(const lmd_model *model, lmd_text *out);

    /* Frees what the family's struct owns. */
    void (*close)(lmd_model *model);
} lmd_family;

struct lmd_model {
    const lmd_family *family; /* borrowed */
    lmd_config config;
    lmd_model_shape shape;
    lmd_weights *weights;   /* owned */
    lmd_found found;        /* owned */
    char *description;      /* owned */
    char *config_path;      /* owned; NULL when the config is in the weights file */
    size_t n_bytes;         /* of packed weights */
    bool is_bf16;           /* all matrices are packed so */
    lmd_matrix unembedding; /* (V, d), rows in the order of lmd_model_load */
    lmd_matrix embedding;   /* (V, d), rows by id; not bound when tied */
    int32_t *places;        /* (V) owned: row of each id; NULL when that is the id */
};

#endif
