/* The checks that all formats share. A format says what its header claims; here the
 * claims are held against each other and against the size of the file, once for all
 * formats, with arithmetic that can't overflow. */
#include "weight_store.h"

#include <assert.h>
#include <inttypes.h>            /* PRIu64 */
#include <stdarg.h>              /* va_list */
#include <stdio.h>               /* vsnprintf */
#include <stdlib.h>              /* qsort */
#include <string.h>              /* strlen */
#include <lmdepth/base/memory.h> /* lmd_memory_resize */
#include <lmdepth/base/size.h>   /* lmd_size_multiply */

lmd_status lmd_weights_store_refuse(const lmd_weights *weights, const char *tensor,
                                    const char *format, ...)
{
    char message[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return lmd_status_set(LMD_INPUT, "%s: tensor '%.200s': %s", weights->path, tensor,
                          message);
}

/* Is a growing array of n full? It then has room for exactly n: n is 0 or a power of two.
 */
static bool is_full(int n)
{
    return (n & (n - 1)) == 0;
}

static size_t next_capacity(int n)
{
    return n == 0 ? 1 : 2 * (size_t)n;
}

/* ---- tensors ---- */

/* Fills what follows from shape and encoding. */
static lmd_status measure(const lmd_weights *weights, lmd_tensor *tensor,
                          const lmd_encoding *encoding)
{
    int64_t n_rows = 1;
    bool fits = true;
    for (int i = 0; i < tensor->n_dims - 1; i++) {
        fits &= lmd_size_multiply(n_rows, tensor->shape[i], &n_rows);
    }
    const int64_t row_length = tensor->shape[tensor->n_dims - 1];
    if (row_length % encoding->block_length != 0) {
        return lmd_weights_store_refuse(
            weights, tensor->name,
            "rows of %" PRId64 " values are not a multiple of %s's "
            "blocks of %d",
            row_length, encoding->name, encoding->block_length);
    }
    int64_t n_blocks = 0;
    int64_t n_bytes = 0;
    int64_t n_float_bytes = 0; // callers widen: their buffers' sizes must be numbers too
    fits &= lmd_size_multiply(n_rows, row_length, &n_blocks);
    fits &= lmd_size_multiply(n_blocks, sizeof(double), &n_float_bytes);
    n_blocks /= encoding->block_length;
    fits &= lmd_size_multiply(n_blocks, encoding->block_bytes, &n_bytes);
    if (!fits) {
        return lmd_weights_store_refuse(weights, tensor->name, "its shape is too large");
    }
    tensor->n_rows = n_rows;
    tensor->row_length = row_length;
    tensor->n_bytes = (uint64_t)n_bytes;
    return LMD_OK;
}

lmd_status lmd_weights_store_add_tensor(lmd_weights *weights, const char *name,
                                        const lmd_encoding *encoding, int n_dims,
                                        const int64_t *shape, uint64_t offset)
{
    assert(n_dims >= 0 && n_dims <= LMD_WEIGHTS_DIMS);
    assert(encoding->is_supported && encoding->block_length > 0);
    lmd_tensor tensor = {.name = name, .type = encoding->name};
    tensor.n_dims = n_dims == 0 ? 1 : n_dims;
    for (int i = 0; i < LMD_WEIGHTS_DIMS; i++) {
        tensor.shape[i] = i < n_dims ? shape[i] : 1;
        assert(tensor.shape[i] >= 0);
    }
    LMD_TRY(measure(weights, &tensor, encoding));
    tensor.name = lmd_weights_arena_copy(&weights->arena, name, strlen(name));
    const int n = weights->n_tensors;
    if (is_full(n)) {
        const size_t capacity = next_capacity(n);
        weights->tensors = lmd_memory_resize(weights->tensors, capacity, sizeof tensor);
        weights->storage =
            lmd_memory_resize(weights->storage, capacity, sizeof *weights->storage);
    }
    weights->tensors[n] = tensor;
    weights->storage[n] =
        (lmd_storage){.encoding = encoding, .part = weights, .offset = offset};
    weights->n_tensors = n + 1;
    return LMD_OK;
}

/* ---- where tensors lie ---- */

typedef struct span {
    uint64_t begin; /* from data_start */
    uint64_t end;
    int index; /* of the tensor */
} span;

static int compare_spans(const void *left, const void *right)
{
    const span *const a = left;
    const span *const b = right;
    if (a->begin != b->begin) {
        return a->begin < b->begin ? -1 : 1;
    }
    return (a->end > b->end) - (a->end < b->end);
}

/* Spans in order of place, each inside the data. */
static lmd_status list_spans(const lmd_weights *weights, uint64_t data_bytes, span *spans)
{
    for (int i = 0; i < weights->n_tensors; i++) {
        const lmd_tensor *const tensor = &weights->tensors[i];
        const uint64_t offset = weights->storage[i].offset;
        if (offset > data_bytes || tensor->n_bytes > data_bytes - offset) {
            return lmd_weights_store_refuse(weights, tensor->name,
                                            "%" PRIu64 " bytes from data byte %" PRIu64
                                            " on, but the file has %" PRIu64
                                            " bytes of data",
                                            tensor->n_bytes, offset, data_bytes);
        }
        spans[i] = (span){offset, offset + tensor->n_bytes, i};
    }
    if (weights->n_tensors > 1) {
        qsort(spans, (size_t)weights->n_tensors, sizeof *spans, compare_spans);
    }
    return LMD_OK;
}

static lmd_status check_spans(const lmd_weights *weights, const span *spans,
                              uint64_t data_bytes, bool is_dense)
{
    uint64_t end = 0;
    for (int i = 0; i < weights->n_tensors; i++) {
        const char *const name = weights->tensors[spans[i].index].name;
        if (spans[i].begin < end) {
            const char *const other = weights->tensors[spans[i - 1].index].name;
            return lmd_weights_store_refuse(weights, name,
                                            "overlaps with tensor '%.200s'", other);
        }
        if (is_dense && spans[i].begin > end) {
            return lmd_weights_store_refuse(weights, name,
                                            "the %" PRIu64
                                            " data bytes before it belong to no "
                                            "tensor",
                                            spans[i].begin - end);
        }
        end = spans[i].end;
    }
    if (is_dense && end != data_bytes) {
        return lmd_status_set(LMD_INPUT,
                              "%s: the last %" PRIu64 " bytes belong to no tensor",
                              weights->path, data_bytes - end);
    }
    return LMD_OK;
}

static lmd_status check_places(const lmd_weights *weights, uint64_t data_start,
                               lmd_layout layout)
{
    const uint64_t size = lmd_file_size(weights->file);
    const uint64_t data_bytes = size > data_start ? size - data_start : 0;
    span *const spans = lmd_memory_new((size_t)weights->n_tensors, sizeof *spans);
    lmd_status status = list_spans(weights, data_bytes, spans);
    if (lmd_status_is_ok(status) && layout != LMD_LAYOUT_SHARED) {
        status = check_spans(weights, spans, data_bytes, layout == LMD_LAYOUT_DENSE);
    }
    lmd_memory_free(spans);
    return status;
}

const char *lmd_weights_store_sort_tensors(lmd_weights *weights)
{
    const int n = weights->n_tensors;
    weights->tensor_names = lmd_memory_new((size_t)n, sizeof *weights->tensor_names);
    for (int i = 0; i < n; i++) {
        weights->tensor_names[i] = (lmd_name){weights->tensors[i].name, i};
    }
    return lmd_weights_names_sort(weights->tensor_names, n);
}

lmd_status lmd_weights_store_seal_tensors(lmd_weights *weights, uint64_t data_start,
                                          lmd_layout layout)
{
    const char *const duplicate = lmd_weights_store_sort_tensors(weights);
    if (duplicate != NULL) {
        return lmd_weights_store_refuse(weights, duplicate, "is there twice");
    }
    LMD_TRY(check_places(weights, data_start, layout));
    for (int i = 0; i < weights->n_tensors; i++) {
        weights->storage[i].offset += data_start;
    }
    return LMD_OK;
}

/* ---- keys ---- */

void lmd_weights_store_add_key(lmd_weights *weights, const char *name,
                               const lmd_value *value)
{
    const int n = weights->n_keys;
    if (is_full(n)) {
        weights->keys =
            lmd_memory_resize(weights->keys, next_capacity(n), sizeof *weights->keys);
    }
    weights->keys[n] = (lmd_key){.name = name, .value = *value};
    weights->n_keys = n + 1;
}

lmd_status lmd_weights_store_seal_keys(lmd_weights *weights)
{
    const int n = weights->n_keys;
    weights->key_names = lmd_memory_new((size_t)n, sizeof *weights->key_names);
    for (int i = 0; i < n; i++) {
        weights->key_names[i] = (lmd_name){weights->keys[i].name, i};
    }
    const char *const duplicate = lmd_weights_names_sort(weights->key_names, n);
    if (duplicate != NULL) {
        return lmd_status_set(LMD_INPUT, "%s: key '%.200s' is there twice", weights->path,
                              duplicate);
    }
    return LMD_OK;
}
