/* Room weights: from bytes on disk to named tensors and metadata.
 *
 * One object stands for all the files of a model, whatever their format: safetensors,
 * torch or GGUF, in one file or in several.
 * Opening reads headers only and checks every length, offset, type and name against the
 * size of the file. Values come out widened to float, row by row, into a buffer of the
 * caller: nobody outside knows how a file lays its bytes out.
 *
 * Shapes are given outermost first (row major, as PyTorch prints them), for GGUF too.
 */
#ifndef LMDEPTH_WEIGHTS_H
#define LMDEPTH_WEIGHTS_H

#include <stdbool.h>             /* bool */
#include <stddef.h>              /* size_t */
#include <stdint.h>              /* int64_t */
#include <lmdepth/base/status.h> /* lmd_status */

enum { LMD_WEIGHTS_DIMS = 4 };

typedef struct lmd_weights lmd_weights;

typedef struct lmd_tensor {
    const char *name;                /* borrowed from the weights */
    const char *type;                /* as the format calls it: "F32", "BF16", "Q4_1" */
    int n_dims;                      /* 1 to 4 */
    int64_t shape[LMD_WEIGHTS_DIMS]; /* outermost first; unused ones are 1 */
    int64_t n_rows;                  /* product of all but the innermost */
    int64_t row_length;              /* the innermost */
    uint64_t n_bytes;                /* as stored */
} lmd_tensor;

/* ---- names of models ---- */

/* A path as it is; org/name or org/name@revision, when no such file exists, to the
 * model's folder in the Hugging Face cache. `path` is the caller's. LMD_USAGE, and *path
 * NULL, when it is not there, with the folder looked in and what it has. Nothing is
 * fetched. */
lmd_status lmd_weights_resolve(const char *name, char **path);

/* ---- life ---- */

/* Opens `path`: a file of weights, the index of shards (*.index.json), a part of a split
 * GGUF model (all parts are opened), or a model folder; in it, the first of
 * model.safetensors.index.json, model.safetensors, the only *.gguf (or split model),
 * pytorch_model.bin.index.json, pytorch_model.bin. LMD_USAGE when it does not exist;
 * LMD_INPUT, with path and tensor or byte, when it can't be understood or parts are
 * missing, all of which are named. A GGUF file without tensors opens. Tensor types that
 * are not supported are refused by number and name here. */
lmd_status lmd_weights_open(lmd_weights **out, const char *path);
void lmd_weights_close(lmd_weights *weights); /* accepts NULL */

/* "GGUF", "safetensors" or "torch"; the file that was opened: of several, the index, or
 * the first part of a split model. */
const char *lmd_weights_format(const lmd_weights *weights);
const char *lmd_weights_path(const lmd_weights *weights);

/* The n files that hold tensors, without an index, in the order of their names. */
const char *const *lmd_weights_files(const lmd_weights *weights, int *n);

/* ---- tensors ---- */

int lmd_weights_count(const lmd_weights *weights);
const lmd_tensor *lmd_weights_at(const lmd_weights *weights, int index);

/* By exact name; NULL when there is none. */
const lmd_tensor *lmd_weights_find(const lmd_weights *weights, const char *name);

/* LMD_OK when the values of a tensor can be read as float; integers and F64 are refused
 * (LMD_INPUT) with file, tensor and type. */
lmd_status lmd_weights_check_type(const lmd_weights *weights, const lmd_tensor *tensor);

/* Rows [first, first + n) of a tensor seen as (n_rows, row_length), widened to float,
 * into out[n * row_length] of the caller. Dequantisation gives the bits of the reference
 * formulas (GGUF: value = d * q + m and so on in fp32). What is not finite is refused
 * with the tensor's name (LMD_INPUT), integers and F64 with their type. `tensor` is the
 * pointer that at or find gave, not a copy. Safe from several threads. */
lmd_status lmd_weights_read_rows(const lmd_weights *weights, const lmd_tensor *tensor,
                                 int64_t first, int64_t n, float *out);

/* The same as stored, for tensors of type F16 or BF16 only. */
lmd_status lmd_weights_read_halves(const lmd_weights *weights, const lmd_tensor *tensor,
                                   int64_t first, int64_t n, uint16_t *out);

/* All n_rows * row_length values of an I64 or I32 tensor (token ids of a reference).
 * Another type: LMD_INPUT with name and type. Safe from several threads. */
lmd_status lmd_weights_read_int64(const lmd_weights *weights, const lmd_tensor *tensor,
                                  int64_t *out);

/* ---- metadata: GGUF key-values; safetensors' __metadata__ strings ---- */

/* Each getter returns false when the key is missing or of another kind. Integers of all
 * widths and signs that fit become int64; both float widths become double. Strings and
 * arrays are borrowed from the weights. Bytes of strings need not be UTF-8. Arrays of
 * bool are ints, 0 and 1. */
typedef struct lmd_bytes {
    const char *bytes; /* borrowed; a zero follows, which is not counted */
    size_t size;
} lmd_bytes;

bool lmd_weights_has(const lmd_weights *weights, const char *key);
bool lmd_weights_get_int(const lmd_weights *weights, const char *key, int64_t *value);
bool lmd_weights_get_real(const lmd_weights *weights, const char *key, double *value);
bool lmd_weights_get_bool(const lmd_weights *weights, const char *key, bool *value);
bool lmd_weights_get_string(const lmd_weights *weights, const char *key,
                            lmd_bytes *value);
bool lmd_weights_get_strings(const lmd_weights *weights, const char *key,
                             const lmd_bytes **values, size_t *n);
bool lmd_weights_get_ints(const lmd_weights *weights, const char *key,
                          const int64_t **values, size_t *n);
bool lmd_weights_get_reals(const lmd_weights *weights, const char *key,
                           const double **values, size_t *n);

/* Keys in file order, so that a reader can refuse what it does not know. */
int lmd_weights_key_count(const lmd_weights *weights);
const char *lmd_weights_key_at(const lmd_weights *weights, int index);

#endif
