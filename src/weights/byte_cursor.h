/* Reads a binary header front to end, never beyond the file. */
#ifndef LMDEPTH_WEIGHTS_BYTE_CURSOR_H
#define LMDEPTH_WEIGHTS_BYTE_CURSOR_H

#include <stddef.h>              /* size_t */
#include <stdint.h>              /* uint64_t */
#include <lmdepth/base/file.h>   /* lmd_file */
#include <lmdepth/base/status.h> /* lmd_status */
#include <lmdepth/weights.h>     /* lmd_bytes */
#include "weight_arena.h"        /* lmd_arena */

typedef struct lmd_cursor {
    const lmd_file *file; /* borrowed */
    const char *kind;     /* borrowed; "key" or "tensor", for messages */
    const char *item;     /* borrowed; its name; NULL: outside of any */
    uint64_t offset;      /* of the next byte */
    uint64_t window_start;
    size_t window_bytes;
    uint8_t *window; /* owned */
} lmd_cursor;

void lmd_weights_cursor_init(lmd_cursor *cursor, const lmd_file *file);
void lmd_weights_cursor_clear(lmd_cursor *cursor);

/* LMD_INPUT: "<path>: <kind> '<item>': <message> (byte <offset>)". */
__attribute__((format(printf, 2, 3))) lmd_status
lmd_weights_cursor_refuse(const lmd_cursor *cursor, const char *format, ...);

/* Bytes that are left. */
uint64_t lmd_weights_cursor_left(const lmd_cursor *cursor);

/* Each fails with LMD_INPUT when the file ends before. Integers are little-endian. */
lmd_status lmd_weights_cursor_read(lmd_cursor *cursor, void *out, size_t n_bytes);
lmd_status lmd_weights_cursor_read_u32(lmd_cursor *cursor, uint32_t *value);
lmd_status lmd_weights_cursor_read_u64(lmd_cursor *cursor, uint64_t *value);

/* A string after its length (u64), copied into the arena. */
lmd_status lmd_weights_cursor_read_string(lmd_cursor *cursor, lmd_arena *arena,
                                          lmd_bytes *out);

#endif
