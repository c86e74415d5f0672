/* Reads a pickle as torch.save writes one: plain data and a white list of names. Nothing
 * is ever executed: a name is a row of a table here, and what is not in it is refused. */
#ifndef LMDEPTH_WEIGHTS_PICKLE_H
#define LMDEPTH_WEIGHTS_PICKLE_H

#include <stdbool.h>             /* bool */
#include <stddef.h>              /* size_t */
#include <stdint.h>              /* int64_t */
#include <lmdepth/base/status.h> /* lmd_status */
#include <lmdepth/weights.h>     /* lmd_bytes, LMD_WEIGHTS_DIMS */
#include "quants.h"              /* lmd_encoding */
#include "weight_arena.h"        /* lmd_arena */

/* What a storage of torch holds, and in which entry of the zip file. */
typedef struct lmd_torch_storage {
    const lmd_encoding *encoding;
    lmd_bytes key;
    int64_t n; /* values */
} lmd_torch_storage;

typedef struct lmd_torch_tensor {
    const lmd_torch_storage *storage;
    int64_t first; /* its first value's place in the storage */
    int n_dims;
    int64_t shape[LMD_WEIGHTS_DIMS];
    int64_t strides[LMD_WEIGHTS_DIMS]; /* in values */
} lmd_torch_tensor;

typedef enum lmd_pickle_kind {
    LMD_PICKLE_NONE,
    LMD_PICKLE_BOOL,
    LMD_PICKLE_INT,
    LMD_PICKLE_REAL,
    LMD_PICKLE_TEXT,
    LMD_PICKLE_TUPLE,
    LMD_PICKLE_LIST,
    LMD_PICKLE_DICT,
    LMD_PICKLE_NAME,
    LMD_PICKLE_STORAGE,
    LMD_PICKLE_TENSOR,
    LMD_PICKLE_MARK /* on the machine's stack only */
} lmd_pickle_kind;

typedef struct lmd_pickled lmd_pickled;

/* Items; of a dictionary keys and values in turn. They may hold each other in circles. */
typedef struct lmd_pickled_items {
    const lmd_pickled **at; /* arena */
    size_t n, capacity;
} lmd_pickled_items;

struct lmd_pickled {
    lmd_pickle_kind kind;
    union {
        int64_t integer; /* bool too */
        double real;
        lmd_bytes text;
        lmd_pickled_items items;           /* tuple, list, dictionary */
        const struct lmd_torch_name *name; /* a row of the white list */
        const lmd_torch_storage *storage;  /* arena */
        const lmd_torch_tensor *tensor;    /* arena */
    };
};

/* Runs a pickle to its end. What it made lies in the arena, texts too. Refusals name the
 * opcode or the name, and the byte, but not the file: the caller does. */
lmd_status lmd_weights_pickle_read(const lmd_pickled **out, lmd_arena *arena,
                                   const void *bytes, size_t n_bytes);

const char *lmd_weights_pickle_kind(const lmd_pickled *value);

/* ---- the white list (pickle_torch.c) ---- */

/* LMD_INPUT when module.name is not in it. */
lmd_status lmd_weights_pickle_find_name(const struct lmd_torch_name **out,
                                        lmd_bytes module, lmd_bytes name);

/* What calling name(arguments) would give, for the three calls there are. */
lmd_status lmd_weights_pickle_call(lmd_pickled *out, lmd_arena *arena,
                                   const struct lmd_torch_name *name,
                                   const lmd_pickled_items *arguments);

/* What a persistent id stands for: ('storage', type, key, device, values). */
lmd_status lmd_weights_pickle_find_storage(lmd_pickled *out, lmd_arena *arena,
                                           const lmd_pickled *id);

#endif
