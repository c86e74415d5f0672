/* GGUF, versions 2 and 3 (docs/gguf.md of ggml), little-endian:
 *
 *     "GGUF"  u32 version  u64 tensors  u64 keys
 *     keys:     string name   u32 kind   value
 *     tensors:  string name   u32 n_dims   u64 dims[n_dims]   u32 type   u64 offset
 *     padding to a multiple of general.alignment (32 when that key is missing)
 *     data, which the offsets count from
 *
 * A string is a u64 length and its bytes. The value of kind array is u32 kind, u64 count
 * and the elements. dims go from the innermost outwards; we turn them round. Counts and
 * lengths are held against the bytes that are left before anything is allocated.
 */
#include <inttypes.h>      /* PRIu64 */
#include <limits.h>        /* INT_MAX */
#include <string.h>        /* memcpy, memcmp */
#include "byte_cursor.h"   /* lmd_cursor */
#include "weight_format.h" /* lmd_format */
#include "quants.h"        /* lmd_weights_find_type */
#include "weight_store.h"  /* lmd_weights_store_add_tensor */

enum {
    DEFAULT_ALIGNMENT = 32,
    LARGEST_ALIGNMENT = 1 << 30,
    LARGEST_ARRAY = 1 << 26, /* elements; ggml's own limit */
    LEAST_KEY_BYTES = 8 + 1 + 4 + 1,
    LEAST_TENSOR_BYTES = 8 + 1 + 4 + 4 + 8
};

/* ---- kinds of values ---- */

typedef enum value_sort { UNSIGNED, SIGNED, REAL, BOOLEAN, STRING, ARRAY } value_sort;

typedef struct value_kind {
    const char *name;
    value_sort sort;
    int n_bytes; /* at least, for strings and arrays: their lengths */
} value_kind;

/* Position is GGUF's number. */
static const value_kind KINDS[] = {
    {"uint8", UNSIGNED, 1}, {"int8", SIGNED, 1},     {"uint16", UNSIGNED, 2},
    {"int16", SIGNED, 2},   {"uint32", UNSIGNED, 4}, {"int32", SIGNED, 4},
    {"float32", REAL, 4},   {"bool", BOOLEAN, 1},    {"string", STRING, 8},
    {"array", ARRAY, 12},   {"uint64", UNSIGNED, 8}, {"int64", SIGNED, 8},
    {"float64", REAL, 8},
};

static lmd_status read_kind(lmd_cursor *cursor, const value_kind **out)
{
    uint32_t number = 0;
    LMD_TRY(lmd_weights_cursor_read_u32(cursor, &number));
    if (number >= sizeof KINDS / sizeof KINDS[0]) {
        return lmd_weights_cursor_refuse(cursor, "unknown kind of value, number %" PRIu32,
                                         number);
    }
    *out = &KINDS[number];
    return LMD_OK;
}

/* ---- single values ---- */

/* False when it does not fit, which can only happen to uint64. */
static bool to_integer(const value_kind *kind, const uint8_t *raw, int64_t *out)
{
    uint64_t bits = 0;
    memcpy(&bits, raw, (size_t)kind->n_bytes);
    if (kind->sort == SIGNED) {
        const uint64_t sign = UINT64_C(1) << (8 * kind->n_bytes - 1);
        bits = (bits ^ sign) - sign; // extends the sign
    } else if (bits > INT64_MAX) {
        return false;
    }
    *out = (int64_t)bits;
    return true;
}

static double to_real(const value_kind *kind, const uint8_t *raw)
{
    if (kind->n_bytes == 4) {
        float value;
        memcpy(&value, raw, sizeof value);
        return (double)value;
    }
    double value;
    memcpy(&value, raw, sizeof value);
    return value;
}

/* `sort` is no string and no array. A bool is 0 or 1 of an integer here. */
static lmd_status read_number(lmd_cursor *cursor, const value_kind *kind,
                              int64_t *integer, double *real, bool *fits)
{
    uint8_t raw[8];
    LMD_TRY(lmd_weights_cursor_read(cursor, raw, (size_t)kind->n_bytes));
    if (kind->sort == REAL) {
        *real = to_real(kind, raw);
        return LMD_OK;
    }
    *fits = to_integer(kind, raw, integer);
    if (kind->sort == BOOLEAN && *integer > 1) {
        return lmd_weights_cursor_refuse(cursor, "a bool is neither 0 nor 1");
    }
    return LMD_OK;
}

static lmd_status read_scalar(lmd_cursor *cursor, const value_kind *kind,
                              lmd_value *value)
{
    int64_t integer = 0;
    double real = 0;
    bool fits = true;
    LMD_TRY(read_number(cursor, kind, &integer, &real, &fits));
    if (!fits) {
        value->kind = LMD_VALUE_OTHER;
    } else if (kind->sort == REAL) {
        value->kind = LMD_VALUE_REAL;
        value->real = real;
    } else if (kind->sort == BOOLEAN) {
        value->kind = LMD_VALUE_BOOL;
        value->boolean = integer != 0;
    } else {
        value->kind = LMD_VALUE_INT;
        value->integer = integer;
    }
    return LMD_OK;
}

/* ---- arrays ---- */

static lmd_status read_strings(lmd_cursor *cursor, lmd_arena *arena, lmd_value *value)
{
    lmd_bytes *const strings = lmd_weights_arena_new(arena, value->n, sizeof *strings);
    value->kind = LMD_VALUE_STRINGS;
    value->strings = strings;
    for (size_t i = 0; i < value->n; i++) {
        LMD_TRY(lmd_weights_cursor_read_string(cursor, arena, &strings[i]));
    }
    return LMD_OK;
}

static lmd_status read_reals(lmd_cursor *cursor, lmd_arena *arena, const value_kind *kind,
                             lmd_value *value)
{
    double *const reals = lmd_weights_arena_new(arena, value->n, sizeof *reals);
    bool fits = true;
    value->kind = LMD_VALUE_REALS;
    value->reals = reals;
    for (size_t i = 0; i < value->n; i++) {
        LMD_TRY(read_number(cursor, kind, NULL, &reals[i], &fits));
    }
    return LMD_OK;
}

static lmd_status read_integers(lmd_cursor *cursor, lmd_arena *arena,
                                const value_kind *kind, lmd_value *value)
{
    int64_t *const integers = lmd_weights_arena_new(arena, value->n, sizeof *integers);
    value->kind = LMD_VALUE_INTS;
    value->integers = integers;
    for (size_t i = 0; i < value->n; i++) {
        bool fits = true;
        LMD_TRY(read_number(cursor, kind, &integers[i], NULL, &fits));
        if (!fits) {
            value->kind = LMD_VALUE_OTHER;
        }
    }
    return LMD_OK;
}

static lmd_status read_array(lmd_cursor *cursor, lmd_arena *arena, lmd_value *value)
{
    const value_kind *element = NULL;
    uint64_t n = 0;
    LMD_TRY(read_kind(cursor, &element));
    LMD_TRY(lmd_weights_cursor_read_u64(cursor, &n));
    if (element->sort == ARRAY) {
        return lmd_weights_cursor_refuse(cursor, "an array of arrays is not supported");
    }
    if (n > lmd_weights_cursor_left(cursor) / (uint64_t)element->n_bytes ||
        n > LARGEST_ARRAY) {
        return lmd_weights_cursor_refuse(
            cursor,
            "an array of %" PRIu64 " %s, but %" PRIu64
            " bytes are left (and %d elements allowed)",
            n, element->name, lmd_weights_cursor_left(cursor), (int)LARGEST_ARRAY);
    }
    value->n = (size_t)n;
    if (element->sort == STRING) {
        return read_strings(cursor, arena, value);
    }
    return element->sort == REAL ? read_reals(cursor, arena, element, value)
                                 : read_integers(cursor, arena, element, value);
}

/* ---- keys ---- */

static lmd_status read_value(lmd_cursor *cursor, lmd_arena *arena, lmd_value *value)
{
    const value_kind *kind = NULL;
    LMD_TRY(read_kind(cursor, &kind));
    switch (kind->sort) {
    case ARRAY:
        return read_array(cursor, arena, value);
    case STRING:
        value->kind = LMD_VALUE_STRING;
        return lmd_weights_cursor_read_string(cursor, arena, &value->string);
    default:
        return read_scalar(cursor, kind, value);
    }
}

/* A name that messages can show; it becomes the cursor's item. */
static lmd_status read_name(lmd_cursor *cursor, lmd_arena *arena, const char *kind)
{
    lmd_bytes name = {0};
    cursor->item = NULL;
    LMD_TRY(lmd_weights_cursor_read_string(cursor, arena, &name));
    if (!lmd_weights_names_is_good(name.bytes, name.size)) {
        return lmd_weights_cursor_refuse(
            cursor,
            "the %s name before this byte is empty, too long "
            "or no text",
            kind);
    }
    cursor->kind = kind;
    cursor->item = name.bytes;
    return LMD_OK;
}

static lmd_status read_keys(lmd_weights *weights, lmd_cursor *cursor, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        lmd_value value = {.kind = LMD_VALUE_OTHER};
        LMD_TRY(read_name(cursor, &weights->arena, "key"));
        LMD_TRY(read_value(cursor, &weights->arena, &value));
        lmd_weights_store_add_key(weights, cursor->item, &value);
    }
    cursor->item = NULL;
    return lmd_weights_store_seal_keys(weights);
}

/* ---- tensors ---- */

static lmd_status read_shape(lmd_cursor *cursor, int *n_dims,
                             int64_t shape[LMD_WEIGHTS_DIMS])
{
    uint32_t n = 0;
    LMD_TRY(lmd_weights_cursor_read_u32(cursor, &n));
    if (n > LMD_WEIGHTS_DIMS) {
        return lmd_weights_cursor_refuse(
            cursor, "%" PRIu32 " dimensions; %d are supported", n, (int)LMD_WEIGHTS_DIMS);
    }
    for (uint32_t i = 0; i < n; i++) {
        uint64_t length = 0;
        LMD_TRY(lmd_weights_cursor_read_u64(cursor, &length));
        if (length > INT64_MAX) {
            return lmd_weights_cursor_refuse(cursor, "its shape is too large");
        }
        shape[n - 1 - i] = (int64_t)length;
    }
    *n_dims = (int)n;
    return LMD_OK;
}

static lmd_status read_type(lmd_cursor *cursor, const lmd_encoding **encoding)
{
    uint32_t number = 0;
    LMD_TRY(lmd_weights_cursor_read_u32(cursor, &number));
    *encoding = lmd_weights_find_type(number);
    if (*encoding == NULL) {
        return lmd_weights_cursor_refuse(cursor, "unknown tensor type, number %" PRIu32,
                                         number);
    }
    if (!(*encoding)->is_supported) {
        return lmd_weights_cursor_refuse(cursor,
                                         "tensor type %" PRIu32 ", %s, is not supported",
                                         number, (*encoding)->name);
    }
    return LMD_OK;
}

static lmd_status read_tensors(lmd_weights *weights, lmd_cursor *cursor, uint64_t n,
                               uint64_t alignment)
{
    for (uint64_t i = 0; i < n; i++) {
        int n_dims = 0;
        int64_t shape[LMD_WEIGHTS_DIMS] = {0};
        const lmd_encoding *encoding = NULL;
        uint64_t offset = 0;
        LMD_TRY(read_name(cursor, &weights->arena, "tensor"));
        LMD_TRY(read_shape(cursor, &n_dims, shape));
        LMD_TRY(read_type(cursor, &encoding));
        LMD_TRY(lmd_weights_cursor_read_u64(cursor, &offset));
        if (offset % alignment != 0) {
            return lmd_weights_cursor_refuse(cursor,
                                             "its offset %" PRIu64
                                             " is not a multiple of the "
                                             "alignment %" PRIu64,
                                             offset, alignment);
        }
        LMD_TRY(lmd_weights_store_add_tensor(weights, cursor->item, encoding, n_dims,
                                             shape, offset));
    }
    cursor->item = NULL;
    return LMD_OK;
}

/* ---- the whole ---- */

typedef struct header_counts {
    uint64_t tensors;
    uint64_t keys;
} header_counts;

static lmd_status check_version(const lmd_cursor *cursor, uint32_t version)
{
    if (version != 0 && (version & 0xffff) == 0) {
        return lmd_weights_cursor_refuse(
            cursor, "a big-endian GGUF file; only little-endian ones "
                    "are supported");
    }
    if (version != 2 && version != 3) {
        return lmd_weights_cursor_refuse(
            cursor, "GGUF version %" PRIu32 "; 2 and 3 are supported", version);
    }
    return LMD_OK;
}

static lmd_status read_start(lmd_cursor *cursor, header_counts *counts)
{
    char magic[4];
    uint32_t version = 0;
    LMD_TRY(lmd_weights_cursor_read(cursor, magic, sizeof magic));
    if (memcmp(magic, "GGUF", sizeof magic) != 0) {
        return lmd_weights_cursor_refuse(cursor,
                                         "not a GGUF file: it does not begin with GGUF");
    }
    LMD_TRY(lmd_weights_cursor_read_u32(cursor, &version));
    LMD_TRY(check_version(cursor, version));
    LMD_TRY(lmd_weights_cursor_read_u64(cursor, &counts->tensors));
    LMD_TRY(lmd_weights_cursor_read_u64(cursor, &counts->keys));
    const uint64_t left = lmd_weights_cursor_left(cursor);
    if (counts->tensors > left / LEAST_TENSOR_BYTES || counts->tensors >= INT_MAX) {
        return lmd_weights_cursor_refuse(
            cursor, "%" PRIu64 " tensors can't lie in %" PRIu64 " bytes", counts->tensors,
            left);
    }
    if (counts->keys > left / LEAST_KEY_BYTES || counts->keys >= INT_MAX) {
        return lmd_weights_cursor_refuse(
            cursor, "%" PRIu64 " keys can't lie in %" PRIu64 " bytes", counts->keys,
            left);
    }
    return LMD_OK;
}

static lmd_status find_alignment(const lmd_weights *weights, uint64_t *alignment)
{
    static const char KEY[] = "general.alignment";
    int64_t value = DEFAULT_ALIGNMENT;
    const bool is_bad =
        lmd_weights_has(weights, KEY) && !lmd_weights_get_int(weights, KEY, &value);
    if (is_bad || value < 1 || value > LARGEST_ALIGNMENT || (value & (value - 1)) != 0) {
        return lmd_status_set(LMD_INPUT, "%s: key '%s': not a power of two",
                              lmd_file_path(weights->file), KEY);
    }
    *alignment = (uint64_t)value;
    return LMD_OK;
}

static lmd_status read_all(lmd_weights *weights, lmd_cursor *cursor)
{
    header_counts counts = {0};
    uint64_t alignment = 0;
    LMD_TRY(read_start(cursor, &counts));
    LMD_TRY(read_keys(weights, cursor, counts.keys));
    LMD_TRY(find_alignment(weights, &alignment));
    LMD_TRY(read_tensors(weights, cursor, counts.tensors, alignment));
    const uint64_t data_start = (cursor->offset + alignment - 1) / alignment * alignment;
    return lmd_weights_store_seal_tensors(weights, data_start, LMD_LAYOUT_SPARSE);
}

static lmd_status read_header(lmd_weights *weights)
{
    lmd_cursor cursor;
    lmd_weights_cursor_init(&cursor, weights->file);
    const lmd_status status = read_all(weights, &cursor);
    lmd_weights_cursor_clear(&cursor);
    return status;
}

static bool matches(const uint8_t *head, size_t n)
{
    return n >= 4 && memcmp(head, "GGUF", 4) == 0;
}

const lmd_format lmd_weights_format_gguf = {
    .name = "GGUF",
    .extension = ".gguf",
    .matches = matches,
    .read_header = read_header,
};
