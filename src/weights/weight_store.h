/* What a format fills when it reads a header: tensors and metadata. */
#ifndef LMDEPTH_WEIGHTS_STORE_H
#define LMDEPTH_WEIGHTS_STORE_H

#include <stdbool.h>             /* bool */
#include <stddef.h>              /* size_t */
#include <stdint.h>              /* int64_t, uint64_t */
#include <lmdepth/base/file.h>   /* lmd_file */
#include <lmdepth/base/status.h> /* lmd_status */
#include <lmdepth/weights.h>     /* lmd_weights, lmd_tensor, lmd_bytes */
#include "weight_format.h"       /* lmd_format */
#include "quants.h"              /* lmd_encoding */
#include "weight_arena.h"        /* lmd_arena */
#include "weight_names.h"        /* lmd_name */

typedef struct lmd_storage {
    const lmd_encoding *encoding;
    const lmd_weights
        *part;       /* whose file holds it; the weights themselves, if not parts */
    uint64_t offset; /* in the file */
} lmd_storage;

typedef enum lmd_value_kind {
    LMD_VALUE_OTHER, /* is there, but no getter returns it (integers beyond int64) */
    LMD_VALUE_INT,
    LMD_VALUE_REAL,
    LMD_VALUE_BOOL,
    LMD_VALUE_STRING,
    LMD_VALUE_INTS,
    LMD_VALUE_REALS,
    LMD_VALUE_STRINGS
} lmd_value_kind;

typedef struct lmd_value {
    lmd_value_kind kind;
    size_t n; /* of an array */
    union {
        int64_t integer;
        double real;
        bool boolean;
        lmd_bytes string;
        const int64_t *integers;  /* arena */
        const double *reals;      /* arena */
        const lmd_bytes *strings; /* arena */
    };
} lmd_value;

typedef struct lmd_key {
    const char *name; /* arena */
    lmd_value value;
} lmd_key;

/* The weights of one file, or the sum of parts that are such (weight_parts.h). */
struct lmd_weights {
    const lmd_format *format;
    lmd_file *file;      /* owned; NULL: there are parts */
    char *path;          /* owned; what was opened, with parts the index or the first */
    int n_parts;         /* 0: one file */
    lmd_weights **parts; /* owned, each too */
    const char **files;  /* owned; the paths of all files, without an index */
    lmd_arena arena;     /* holds every name, string and array */
    int n_tensors;
    lmd_tensor *tensors;    /* owned, n_tensors */
    lmd_storage *storage;   /* owned, n_tensors */
    lmd_name *tensor_names; /* owned, n_tensors; NULL until sealed */
    int n_keys;
    lmd_key *keys;       /* owned, n_keys */
    lmd_name *key_names; /* owned, n_keys; NULL until sealed */
};

/* LMD_INPUT with "<path>: tensor '<name>': " before the message. */
__attribute__((format(printf, 3, 4))) lmd_status
lmd_weights_store_refuse(const lmd_weights *weights, const char *tensor,
                         const char *format, ...);

/* Appends a tensor; `name` is copied, `shape` outermost first (n_dims 0: one value).
 * Sizes are checked for overflow and against the block length; `offset` is kept as it is.
 */
lmd_status lmd_weights_store_add_tensor(lmd_weights *weights, const char *name,
                                        const lmd_encoding *encoding, int n_dims,
                                        const int64_t *shape, uint64_t offset);

/* Appends a key; `name` and what `value` points to must lie in the arena. */
void lmd_weights_store_add_key(lmd_weights *weights, const char *name,
                               const lmd_value *value);

/* Makes keys findable; refuses duplicates. */
lmd_status lmd_weights_store_seal_keys(lmd_weights *weights);

typedef enum lmd_layout {
    LMD_LAYOUT_DENSE,  /* every byte of the data belongs to exactly one tensor */
    LMD_LAYOUT_SPARSE, /* to one at most */
    LMD_LAYOUT_SHARED  /* tensors may lie over each other (tied weights of torch) */
} lmd_layout;

/* Ends the tensors: their offsets, so far counted from `data_start`, are checked against
 * the file's size and each other, as `layout` says, and become offsets in the file; names
 * are made findable and duplicates refused. */
lmd_status lmd_weights_store_seal_tensors(lmd_weights *weights, uint64_t data_start,
                                          lmd_layout layout);

/* Makes tensors findable; the name of one that is there twice, else NULL. */
const char *lmd_weights_store_sort_tensors(lmd_weights *weights);

#endif
