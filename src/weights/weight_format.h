/* What a weight format has to bring (rows: formats.def). */
#ifndef LMDEPTH_WEIGHTS_WEIGHT_FORMAT_H
#define LMDEPTH_WEIGHTS_WEIGHT_FORMAT_H

#include <stdbool.h>             /* bool */
#include <stddef.h>              /* size_t */
#include <stdint.h>              /* uint8_t */
#include <lmdepth/base/status.h> /* lmd_status */
#include <lmdepth/weights.h>     /* lmd_weights */

enum { LMD_FORMAT_HEAD = 32 }; /* bytes of a file's start that `matches` may see */

typedef struct lmd_format {
    const char *name;      /* for people */
    const char *extension; /* with its dot; NULL: content alone decides */

    /* Do these first bytes (n <= LMD_FORMAT_HEAD) look like this format? */
    bool (*matches)(const uint8_t *head, size_t n);

    /* Reads tensors and keys of weights->file into the store (weight_store.h), every
     * bound checked. What was stored before a failure is freed by the caller. */
    lmd_status (*read_header)(lmd_weights *weights);
} lmd_format;

#define FORMAT(name) extern const lmd_format lmd_weights_format_##name;
#include "formats.def"
#undef FORMAT

#endif
