/* Room model: token ids to the residual stream after every block.
 *
 * A family (llama, ...) is one file and one row of src/model/families.def. All that
 * distinguishes its members comes from config.json or GGUF metadata; a key or value that
 * would change the arithmetic and is not implemented is an error that names it.
 *
 * State index (method 1.1): state 0 is the embedding output, state l the residual stream
 * after block l, before any final norm; there are N + 1 states.
 */
#ifndef LMDEPTH_MODEL_H
#define LMDEPTH_MODEL_H

#include <stdbool.h>             /* bool */
#include <stddef.h>              /* size_t */
#include <stdint.h>              /* int32_t */
#include <lmdepth/base/status.h> /* lmd_status */
#include <lmdepth/base/text.h>   /* lmd_text */
#include <lmdepth/kernel.h>      /* lmd_kernel, lmd_matrix */

typedef struct lmd_model lmd_model;

typedef struct lmd_model_shape {
    const char *family; /* row of families.def */
    int N;              /* blocks */
    int d;              /* width of the residual stream */
    int H, K, D;        /* heads, key/value heads, head size */
    int F;              /* hidden width of the MLP */
    int V;              /* rows of the unembedding */
    int context;        /* longest prompt the config allows; 0: no limit */
    int max_C;          /* widest input of any product, for lmd_kernel_new */
    int bos;            /* BOS id of the config; -1: none given */
    bool is_tied;       /* unembedding = embedding */
    int64_t parameters; /* tied ones once */
} lmd_model_shape;

/* ---- life: open, then load or attach ---- */

/* Opens a .gguf file, a .safetensors file with config.json beside it, or a model folder.
 * Reads headers and config only; checks that every tensor is there with its shape, all
 * that are missing listed at once. LMD_USAGE: path does not exist; LMD_INPUT: the rest,
 * naming file and key or tensor. */
lmd_status lmd_model_open(lmd_model **out, const char *path);
void lmd_model_close(lmd_model *model); /* accepts NULL */

/* All matrices are to be packed as bf16, for a kernel of that precision: wider weights
 * are rounded when they are read, to nearest and ties to even. Before load or attach. */
void lmd_model_use_bf16(lmd_model *model);

const lmd_model_shape *lmd_model_get_shape(const lmd_model *model);

/* The weights file: of several, the index or the first. Borrowed. */
const char *lmd_model_weights_path(const lmd_model *model);

/* config.json, NULL when the config is in the weights file. Borrowed. */
const char *lmd_model_config_path(const lmd_model *model);

/* The n files that hold its weights. Borrowed. */
const char *const *lmd_model_weights_files(const lmd_model *model, int *n);

/* Its format and the tensor types in it, for people: "GGUF, Q4_1 Q8_0 F32". Borrowed. */
const char *lmd_model_describe(const lmd_model *model);

/* What is unusual about it, a line each, appended (may be nothing). */
void lmd_model_remarks(const lmd_model *model, lmd_text *out);

/* Bytes of packed weights, a multiple of 64; the layout depends on the config and on the
 * types of the tensors alone. */
size_t lmd_model_bytes(const lmd_model *model);

/* Reads and packs all weights into `memory` (lmd_model_bytes, 64-aligned, owned
 * by the caller, must outlive the model). order (V) is the token id of each row of the
 * unembedding, NULL for 0, 1, 2, ...: borrowed until close. */
lmd_status lmd_model_load(lmd_model *model, const int32_t *order, void *memory);

/* The same when another rank has loaded that memory. */
void lmd_model_attach(lmd_model *model, const int32_t *order, void *memory);

/* ---- use, after load or attach ---- */

/* A pack: whole prompts one behind the other, no padding. */
typedef struct lmd_batch {
    int T; /* positions in all */
    int n_prompts;
    const uint32_t *ids;   /* (T) < V */
    const int32_t *starts; /* (n_prompts + 1) first row of each prompt, last is T */
} lmd_batch;

/* Bytes of scratch a forward pass over T positions needs, 64-aligned. */
size_t lmd_model_work_bytes(const lmd_model *model, int T);

/* states (N + 1, T, d). No prompt may be longer than the context. */
void lmd_model_forward(const lmd_model *model, lmd_kernel *kernel, const lmd_batch *batch,
                       void *work, float *states);

/* The model's own final norm of one state, in (d) to out (d). */
void lmd_model_final_norm(const lmd_model *model, const float *in, float *out);

/* The unembedding, rows in `order`; where each id's row is is for the caller to know. */
const lmd_matrix *lmd_model_unembedding(const lmd_model *model);

/* Floating point operations (2 a multiply-add) of a forward pass over prompts of these
 * lengths: products and causal attention, without the unembedding. */
double lmd_model_flops(const lmd_model *model, const int32_t *starts, int n_prompts);

#endif
