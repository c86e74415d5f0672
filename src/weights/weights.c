/* The room's face: opening, finding, reading. Formats only fill the store; everything
 * that touches values is here, once, so that no format can forget a check. */
#include <assert.h>
#include <inttypes.h>            /* PRId64 */
#include <string.h>              /* memcmp */
#include <lmdepth/base/file.h>   /* lmd_file_read */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <lmdepth/weights.h>
#include "weight_format.h"  /* lmd_format */
#include "weight_parts.h"   /* lmd_weights_open_index */
#include "weight_store.h"   /* struct lmd_weights */
#include "weights_folder.h" /* lmd_weights_locate */

enum { CHUNK_BYTES = 4 << 20 }; /* of one request: large for disks, small for memory */

#define FORMAT(name) &lmd_weights_format_##name,
static const lmd_format *const FORMATS[] = {
#include "formats.def"
};
#undef FORMAT

/* Files that people take for weights: beginnings, and what to say. */
static const struct {
    const char *head;
    const char *what;
} LOOKALIKES[] = {
    {"version https://git-lfs", "a Git LFS pointer, not the file itself (git lfs pull "
                                "fetches it)"},
    {"\x80\x02\x8a\x0al\xfc\x9c\x46\xf9",
     "a torch file of a version before 1.6; load it with a "
     "newer torch and save it again"},
};

/* ---- life ---- */

/* By extension, so that a damaged file is called by its name; else by content. */
static const lmd_format *find_format(const char *path, const uint8_t *head, size_t n)
{
    enum { N_FORMATS = sizeof FORMATS / sizeof FORMATS[0] };
    for (int i = 0; i < N_FORMATS; i++) {
        if (FORMATS[i]->extension != NULL &&
            lmd_file_ends_with(path, FORMATS[i]->extension)) {
            return FORMATS[i];
        }
    }
    for (int i = 0; i < N_FORMATS; i++) {
        if (FORMATS[i]->matches(head, n)) {
            return FORMATS[i];
        }
    }
    return NULL;
}

static lmd_status choose_format(lmd_weights *weights)
{
    const char *const path = lmd_file_path(weights->file);
    const uint64_t size = lmd_file_size(weights->file);
    const size_t n = size < LMD_FORMAT_HEAD ? (size_t)size : LMD_FORMAT_HEAD;
    uint8_t head[LMD_FORMAT_HEAD];
    LMD_TRY(lmd_file_read(weights->file, 0, head, n));
    for (size_t i = 0; i < sizeof LOOKALIKES / sizeof LOOKALIKES[0]; i++) {
        const size_t length = strlen(LOOKALIKES[i].head);
        if (n >= length && memcmp(head, LOOKALIKES[i].head, length) == 0) {
            return lmd_status_set(LMD_INPUT, "%s: %s", path, LOOKALIKES[i].what);
        }
    }
    weights->format = find_format(path, head, n);
    if (weights->format == NULL) {
        return lmd_status_set(LMD_INPUT, "%s: neither GGUF nor safetensors nor torch",
                              path);
    }
    return LMD_OK;
}

static lmd_status read_file(lmd_weights *weights)
{
    LMD_TRY(lmd_file_open(&weights->file, weights->path));
    LMD_TRY(choose_format(weights));
    weights->files = lmd_memory_new(1, sizeof *weights->files);
    weights->files[0] = weights->path;
    return weights->format->read_header(weights);
}

lmd_status lmd_weights_open_file(lmd_weights **out, const char *path)
{
    lmd_weights *weights = lmd_memory_new(1, sizeof *weights);
    weights->path = lmd_memory_copy_text(path);
    const lmd_status status = read_file(weights);
    if (!lmd_status_is_ok(status)) {
        lmd_weights_close(weights);
        weights = NULL;
    }
    *out = weights;
    return status;
}

lmd_status lmd_weights_open(lmd_weights **out, const char *path)
{
    char *file = NULL;
    *out = NULL;
    LMD_TRY(lmd_weights_locate(&file, path));
    lmd_status status;
    if (lmd_file_ends_with(file, LMD_INDEX_EXTENSION)) {
        status = lmd_weights_open_index(out, file);
    } else {
        status = lmd_weights_open_file(out, file);
        status = lmd_status_is_ok(status) ? lmd_weights_complete_split(out) : status;
    }
    lmd_memory_free(file);
    return status;
}

void lmd_weights_close(lmd_weights *weights)
{
    if (weights == NULL) {
        return;
    }
    for (int i = 0; i < weights->n_parts; i++) {
        lmd_weights_close(weights->parts[i]);
    }
    lmd_memory_free(weights->parts);
    lmd_memory_free(weights->files);
    lmd_memory_free(weights->path);
    lmd_file_close(weights->file);
    lmd_weights_arena_clear(&weights->arena);
    lmd_memory_free(weights->tensors);
    lmd_memory_free(weights->storage);
    lmd_memory_free(weights->tensor_names);
    lmd_memory_free(weights->keys);
    lmd_memory_free(weights->key_names);
    lmd_memory_free(weights);
}

const char *lmd_weights_format(const lmd_weights *weights)
{
    return weights->format->name;
}

const char *lmd_weights_path(const lmd_weights *weights)
{
    return weights->path;
}

const char *const *lmd_weights_files(const lmd_weights *weights, int *n)
{
    *n = weights->n_parts == 0 ? 1 : weights->n_parts;
    return weights->files;
}

/* ---- tensors ---- */

int lmd_weights_count(const lmd_weights *weights)
{
    return weights->n_tensors;
}

const lmd_tensor *lmd_weights_at(const lmd_weights *weights, int index)
{
    assert(index >= 0 && index < weights->n_tensors);
    return &weights->tensors[index];
}

const lmd_tensor *lmd_weights_find(const lmd_weights *weights, const char *name)
{
    const int index =
        lmd_weights_names_find(weights->tensor_names, weights->n_tensors, name);
    return index < 0 ? NULL : &weights->tensors[index];
}

static const lmd_storage *storage_of(const lmd_weights *weights, const lmd_tensor *tensor)
{
    assert(tensor >= weights->tensors && tensor < weights->tensors + weights->n_tensors);
    return &weights->storage[tensor - weights->tensors];
}

/* The first of n values that is NaN or infinite; n when there is none. All are looked at
 * first without a branch a value. */
static size_t find_nonfinite(const float *values, size_t n)
{
    static const uint32_t EXPONENT = 0x7f800000;
    uint32_t n_bad = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        n_bad |= (bits & EXPONENT) == EXPONENT;
    }
    for (size_t i = 0; n_bad != 0 && i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        if ((bits & EXPONENT) == EXPONENT) {
            return i;
        }
    }
    return n;
}

/* The same for half floats with this exponent. */
static size_t find_nonfinite_half(const uint16_t *values, size_t n, uint16_t exponent)
{
    uint16_t n_bad = 0;
    for (size_t i = 0; i < n; i++) {
        n_bad = (uint16_t)(n_bad | ((values[i] & exponent) == exponent));
    }
    for (size_t i = 0; n_bad != 0 && i < n; i++) {
        if ((values[i] & exponent) == exponent) {
            return i;
        }
    }
    return n;
}

static lmd_status refuse_value(const lmd_weights *weights, const lmd_tensor *tensor,
                               size_t at)
{
    const size_t row_length = (size_t)tensor->row_length;
    return lmd_weights_store_refuse(storage_of(weights, tensor)->part, tensor->name,
                                    "value %zu of row %zu is not finite", at % row_length,
                                    at / row_length);
}

/* From `offset` of the tensor's file. What follows will be wanted next: callers go from
 * front to back, and after a tensor comes another. */
static lmd_status read_bytes(const lmd_storage *storage, uint64_t offset, void *out,
                             size_t n_bytes)
{
    LMD_TRY(lmd_file_read(storage->part->file, offset, out, n_bytes));
    lmd_file_expect(storage->part->file, offset + n_bytes, n_bytes);
    return LMD_OK;
}

/* Blocks [first, first + n) of a tensor, as many at a time as a request takes. */
static lmd_status read_blocks(const lmd_weights *weights, const lmd_tensor *tensor,
                              size_t first, size_t n, float *out)
{
    const lmd_storage *const storage = storage_of(weights, tensor);
    const lmd_encoding *const encoding = storage->encoding;
    const size_t n_bytes = (size_t)encoding->block_bytes;
    const size_t length = (size_t)encoding->block_length;
    const size_t most = CHUNK_BYTES / n_bytes;
    uint8_t *const blocks = lmd_memory_new(n < most ? n : most, n_bytes);
    lmd_status status = LMD_OK;
    for (size_t done = 0; done < n && lmd_status_is_ok(status);) {
        const size_t part = n - done < most ? n - done : most;
        const uint64_t offset = storage->offset + (first + done) * n_bytes;
        float *const values = out + done * length;
        status = read_bytes(storage, offset, blocks, part * n_bytes);
        if (lmd_status_is_ok(status)) {
            encoding->widen(values, blocks, part);
            const size_t bad = find_nonfinite(values, part * length);
            if (bad < part * length) {
                status = refuse_value(weights, tensor, (first + done) * length + bad);
            }
        }
        done += part;
    }
    lmd_memory_free(blocks);
    return status;
}

lmd_status lmd_weights_check_type(const lmd_weights *weights, const lmd_tensor *tensor)
{
    const lmd_storage *const storage = storage_of(weights, tensor);
    return storage->encoding->widen
               ? LMD_OK
               : lmd_weights_store_refuse(storage->part, tensor->name,
                                          "weights of type %s are not supported",
                                          tensor->type);
}

lmd_status lmd_weights_read_rows(const lmd_weights *weights, const lmd_tensor *tensor,
                                 int64_t first, int64_t n, float *out)
{
    assert(first >= 0 && n >= 0 && n <= tensor->n_rows && first <= tensor->n_rows - n);
    const lmd_encoding *const encoding = storage_of(weights, tensor)->encoding;
    LMD_TRY(lmd_weights_check_type(weights, tensor));
    const size_t blocks_per_row = (size_t)(tensor->row_length / encoding->block_length);
    return read_blocks(weights, tensor, (size_t)first * blocks_per_row,
                       (size_t)n * blocks_per_row, out);
}

lmd_status lmd_weights_read_halves(const lmd_weights *weights, const lmd_tensor *tensor,
                                   int64_t first, int64_t n, uint16_t *out)
{
    assert(first >= 0 && n >= 0 && n <= tensor->n_rows && first <= tensor->n_rows - n);
    const lmd_storage *const storage = storage_of(weights, tensor);
    const bool is_f16 = strcmp(tensor->type, "F16") == 0;
    assert(is_f16 || strcmp(tensor->type, "BF16") == 0);
    const size_t before = (size_t)(first * tensor->row_length);
    const size_t count = (size_t)(n * tensor->row_length);
    LMD_TRY(read_bytes(storage, storage->offset + before * sizeof *out, out,
                       count * sizeof *out));
    const size_t bad = find_nonfinite_half(out, count, is_f16 ? 0x7c00 : 0x7f80);
    return bad == count ? LMD_OK : refuse_value(weights, tensor, before + bad);
}

lmd_status lmd_weights_read_int64(const lmd_weights *weights, const lmd_tensor *tensor,
                                  int64_t *out)
{
    const lmd_storage *const storage = storage_of(weights, tensor);
    const lmd_encoding *const encoding = storage->encoding;
    if (encoding->widen_int == NULL) {
        return lmd_weights_store_refuse(storage->part, tensor->name,
                                        "I64 or I32 is wanted here, its type is %s",
                                        tensor->type);
    }
    const size_t n = (size_t)(tensor->n_rows * tensor->row_length);
    uint8_t *const bytes = lmd_memory_new((size_t)tensor->n_bytes, 1);
    const lmd_status status = lmd_file_read(storage->part->file, storage->offset, bytes,
                                            (size_t)tensor->n_bytes);
    if (lmd_status_is_ok(status)) {
        encoding->widen_int(out, bytes, n);
    }
    lmd_memory_free(bytes);
    return status;
}

/* ---- metadata ---- */

/* NULL when the key is missing or its value of another kind. */
static const lmd_value *find_value(const lmd_weights *weights, const char *key,
                                   lmd_value_kind kind)
{
    const int index = lmd_weights_names_find(weights->key_names, weights->n_keys, key);
    const bool is_right = index >= 0 && weights->keys[index].value.kind == kind;
    return is_right ? &weights->keys[index].value : NULL;
}

bool lmd_weights_has(const lmd_weights *weights, const char *key)
{
    return lmd_weights_names_find(weights->key_names, weights->n_keys, key) >= 0;
}

bool lmd_weights_get_int(const lmd_weights *weights, const char *key, int64_t *value)
{
    const lmd_value *const found = find_value(weights, key, LMD_VALUE_INT);
    if (found != NULL) {
        *value = found->integer;
    }
    return found != NULL;
}

bool lmd_weights_get_real(const lmd_weights *weights, const char *key, double *value)
{
    const lmd_value *const found = find_value(weights, key, LMD_VALUE_REAL);
    if (found != NULL) {
        *value = found->real;
    }
    return found != NULL;
}

bool lmd_weights_get_bool(const lmd_weights *weights, const char *key, bool *value)
{
    const lmd_value *const found = find_value(weights, key, LMD_VALUE_BOOL);
    if (found != NULL) {
        *value = found->boolean;
    }
    return found != NULL;
}

bool lmd_weights_get_string(const lmd_weights *weights, const char *key, lmd_bytes *value)
{
    const lmd_value *const found = find_value(weights, key, LMD_VALUE_STRING);
    if (found != NULL) {
        *value = found->string;
    }
    return found != NULL;
}

bool lmd_weights_get_strings(const lmd_weights *weights, const char *key,
                             const lmd_bytes **values, size_t *n)
{
    const lmd_value *const found = find_value(weights, key, LMD_VALUE_STRINGS);
    if (found != NULL) {
        *values = found->strings;
        *n = found->n;
    }
    return found != NULL;
}

bool lmd_weights_get_ints(const lmd_weights *weights, const char *key,
                          const int64_t **values, size_t *n)
{
    const lmd_value *const found = find_value(weights, key, LMD_VALUE_INTS);
    if (found != NULL) {
        *values = found->integers;
        *n = found->n;
    }
    return found != NULL;
}

bool lmd_weights_get_reals(const lmd_weights *weights, const char *key,
                           const double **values, size_t *n)
{
    const lmd_value *const found = find_value(weights, key, LMD_VALUE_REALS);
    if (found != NULL) {
        *values = found->reals;
        *n = found->n;
    }
    return found != NULL;
}

int lmd_weights_key_count(const lmd_weights *weights)
{
    return weights->n_keys;
}

const char *lmd_weights_key_at(const lmd_weights *weights, int index)
{
    assert(index >= 0 && index < weights->n_keys);
    return weights->keys[index].name;
}
