/* A window over the file: headers are read in small pieces, the file in large ones. What
 * a length claims is compared with what is left of the file before anything is read or
 * allocated. */
#include "byte_cursor.h"

#include <inttypes.h>            /* PRIu64 */
#include <stdarg.h>              /* va_list */
#include <stdio.h>               /* vsnprintf */
#include <string.h>              /* memcpy */
#include <lmdepth/base/memory.h> /* lmd_memory_new */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "files are little-endian");

enum {
    WINDOW_BYTES = 1 << 18,
    LONGEST_STRING = 1 << 26 /* ggml's own limit; chat templates have some thousands */
};

void lmd_weights_cursor_init(lmd_cursor *cursor, const lmd_file *file)
{
    *cursor = (lmd_cursor){.file = file};
    cursor->window = lmd_memory_new(WINDOW_BYTES, 1);
}

void lmd_weights_cursor_clear(lmd_cursor *cursor)
{
    lmd_memory_free(cursor->window);
    cursor->window = NULL;
}

lmd_status lmd_weights_cursor_refuse(const lmd_cursor *cursor, const char *format, ...)
{
    char message[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    const char *const path = lmd_file_path(cursor->file);
    if (cursor->item == NULL) {
        return lmd_status_set(LMD_INPUT, "%s: %s (byte %" PRIu64 ")", path, message,
                              cursor->offset);
    }
    return lmd_status_set(LMD_INPUT, "%s: %s '%.200s': %s (byte %" PRIu64 ")", path,
                          cursor->kind, cursor->item, message, cursor->offset);
}

uint64_t lmd_weights_cursor_left(const lmd_cursor *cursor)
{
    return lmd_file_size(cursor->file) - cursor->offset;
}

/* Moves the window so that it starts at the next byte. */
static lmd_status refill(lmd_cursor *cursor)
{
    const uint64_t left = lmd_weights_cursor_left(cursor);
    const size_t n_bytes = left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES;
    cursor->window_bytes = 0;
    LMD_TRY(lmd_file_read(cursor->file, cursor->offset, cursor->window, n_bytes));
    cursor->window_start = cursor->offset;
    cursor->window_bytes = n_bytes;
    return LMD_OK;
}

lmd_status lmd_weights_cursor_read(lmd_cursor *cursor, void *out, size_t n_bytes)
{
    if (n_bytes > lmd_weights_cursor_left(cursor)) {
        return lmd_weights_cursor_refuse(
            cursor, "truncated: %zu bytes are needed, %" PRIu64 " are left", n_bytes,
            lmd_weights_cursor_left(cursor));
    }
    if (n_bytes > WINDOW_BYTES) {
        LMD_TRY(lmd_file_read(cursor->file, cursor->offset, out, n_bytes));
        cursor->offset += n_bytes;
        return LMD_OK;
    }
    uint64_t at = cursor->offset - cursor->window_start;
    if (at > cursor->window_bytes || n_bytes > cursor->window_bytes - at) {
        LMD_TRY(refill(cursor));
        at = 0;
    }
    memcpy(out, cursor->window + at, n_bytes);
    cursor->offset += n_bytes;
    return LMD_OK;
}

lmd_status lmd_weights_cursor_read_u32(lmd_cursor *cursor, uint32_t *value)
{
    return lmd_weights_cursor_read(cursor, value, sizeof *value);
}

lmd_status lmd_weights_cursor_read_u64(lmd_cursor *cursor, uint64_t *value)
{
    return lmd_weights_cursor_read(cursor, value, sizeof *value);
}

lmd_status lmd_weights_cursor_read_string(lmd_cursor *cursor, lmd_arena *arena,
                                          lmd_bytes *out)
{
    uint64_t size = 0;
    LMD_TRY(lmd_weights_cursor_read_u64(cursor, &size));
    if (size > lmd_weights_cursor_left(cursor) || size > LONGEST_STRING) {
        return lmd_weights_cursor_refuse(
            cursor,
            "a string of %" PRIu64 " bytes, but %" PRIu64 " are left (and %d allowed)",
            size, lmd_weights_cursor_left(cursor), (int)LONGEST_STRING);
    }
    char *const bytes = lmd_weights_arena_new(arena, (size_t)size + 1, 1);
    LMD_TRY(lmd_weights_cursor_read(cursor, bytes, (size_t)size));
    *out = (lmd_bytes){.bytes = bytes, .size = (size_t)size};
    return LMD_OK;
}
