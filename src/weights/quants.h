/* How numbers are stored: plain types and ggml's quantised blocks. */
#ifndef LMDEPTH_WEIGHTS_QUANTS_H
#define LMDEPTH_WEIGHTS_QUANTS_H

#include <stdbool.h> /* bool */
#include <stddef.h>  /* size_t */
#include <stdint.h>  /* uint8_t, uint32_t, int64_t */

/* n_blocks consecutive blocks at any alignment, widened. */
typedef void lmd_widen(float *restrict out, const uint8_t *restrict in, size_t n_blocks);
typedef void lmd_widen_int(int64_t *restrict out, const uint8_t *restrict in, size_t n);

/* One type of numbers. Supported without `widen` are those that are no weights (integers,
 * F64): they may lie in a file but are not read as rows. */
typedef struct lmd_encoding {
    const char *name;
    int block_length; /* values a block */
    int block_bytes;
    bool is_supported;        /* false: known by name only, a file with it is refused */
    lmd_widen *widen;         /* NULL: not as real numbers */
    lmd_widen_int *widen_int; /* NULL: not as integers */
} lmd_encoding;

/* By ggml's type number; NULL when nobody knows it. */
const lmd_encoding *lmd_weights_find_type(uint32_t number);

/* A plain type by safetensors' name for it ("BF16"); NULL when it has none such. */
const lmd_encoding *lmd_weights_find_dtype(const char *name);

#endif
