/* safetensors (README.md of huggingface/safetensors, "Format"), little-endian:
 *
 *     u64 n   n bytes of JSON   data, which the offsets count from
 *     JSON: {"<tensor>": {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]},
 *            ..., "__metadata__": {"<key>": "<string>", ...}}
 *
 * Row major; every byte of the data belongs to exactly one tensor. Limits are those of
 * the reference reader (safetensors/src/tensor.rs): without them a damaged length could
 * ask for all memory.
 */
#include <inttypes.h>            /* PRIu64 */
#include <string.h>              /* strcmp, memcpy */
#include <jansson.h>             /* json_loadb */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include "weight_format.h"       /* lmd_format */
#include "quants.h"              /* lmd_encoding */
#include "weight_store.h"        /* lmd_weights_store_add_tensor */

enum { LENGTH_BYTES = 8, LARGEST_HEADER = 100000000 };

/* ---- one tensor ---- */

/* A list of at most `limit` integers >= 0; false when it is something else. */
static bool read_list(const json_t *list, size_t limit, int64_t *out, size_t *n)
{
    if (!json_is_array(list) || json_array_size(list) > limit) {
        return false;
    }
    *n = json_array_size(list);
    for (size_t i = 0; i < *n; i++) {
        const json_t *const item = json_array_get(list, i);
        if (!json_is_integer(item) || json_integer_value(item) < 0) {
            return false;
        }
        out[i] = json_integer_value(item);
    }
    return true;
}

static lmd_status read_tensor(lmd_weights *weights, const char *name, const json_t *entry)
{
    const json_t *const dtype = json_object_get(entry, "dtype");
    int64_t shape[LMD_WEIGHTS_DIMS];
    int64_t offsets[2];
    size_t n_dims = 0;
    size_t n_offsets = 0;
    if (!json_is_string(dtype)) {
        return lmd_weights_store_refuse(weights, name, "'dtype' is missing or no string");
    }
    const lmd_encoding *const encoding = lmd_weights_find_dtype(json_string_value(dtype));
    if (encoding == NULL) {
        return lmd_weights_store_refuse(weights, name, "dtype '%.40s' is not supported",
                                        json_string_value(dtype));
    }
    if (!read_list(json_object_get(entry, "shape"), LMD_WEIGHTS_DIMS, shape, &n_dims)) {
        return lmd_weights_store_refuse(weights, name,
                                        "'shape' is no list of up to %d lengths",
                                        (int)LMD_WEIGHTS_DIMS);
    }
    if (!read_list(json_object_get(entry, "data_offsets"), 2, offsets, &n_offsets) ||
        n_offsets != 2 || offsets[0] > offsets[1]) {
        return lmd_weights_store_refuse(weights, name,
                                        "'data_offsets' is no pair of begin and end");
    }
    LMD_TRY(lmd_weights_store_add_tensor(weights, name, encoding, (int)n_dims, shape,
                                         (uint64_t)offsets[0]));
    const uint64_t n_bytes = weights->tensors[weights->n_tensors - 1].n_bytes;
    if (n_bytes != (uint64_t)(offsets[1] - offsets[0])) {
        return lmd_weights_store_refuse(weights, name,
                                        "shape and dtype make %" PRIu64
                                        " bytes, 'data_offsets' %" PRId64,
                                        n_bytes, offsets[1] - offsets[0]);
    }
    return LMD_OK;
}

/* ---- the header ---- */

static lmd_status read_metadata(lmd_weights *weights, json_t *metadata)
{
    const char *name;
    json_t *text;
    if (!json_is_object(metadata)) {
        return lmd_status_set(LMD_INPUT, "%s: '__metadata__' is no object",
                              lmd_file_path(weights->file));
    }
    json_object_foreach(metadata, name, text)
    {
        if (!json_is_string(text) || !lmd_weights_names_is_good(name, strlen(name))) {
            return lmd_status_set(LMD_INPUT,
                                  "%s: '__metadata__' holds what is no text for a name",
                                  lmd_file_path(weights->file));
        }
        const size_t size = json_string_length(text);
        lmd_value value = {.kind = LMD_VALUE_STRING};
        value.string.bytes =
            lmd_weights_arena_copy(&weights->arena, json_string_value(text), size);
        value.string.size = size;
        lmd_weights_store_add_key(
            weights, lmd_weights_arena_copy(&weights->arena, name, strlen(name)), &value);
    }
    return LMD_OK;
}

static lmd_status read_entries(lmd_weights *weights, json_t *root)
{
    const char *name;
    json_t *entry;
    if (!json_is_object(root)) {
        return lmd_status_set(LMD_INPUT, "%s: the header is no JSON object",
                              lmd_file_path(weights->file));
    }
    json_object_foreach(root, name, entry)
    {
        if (strcmp(name, "__metadata__") == 0) {
            LMD_TRY(read_metadata(weights, entry));
        } else if (!lmd_weights_names_is_good(name, strlen(name))) {
            return lmd_status_set(LMD_INPUT,
                                  "%s: a tensor's name is empty, too long or no text",
                                  lmd_file_path(weights->file));
        } else {
            LMD_TRY(read_tensor(weights, name, entry));
        }
    }
    return lmd_weights_store_seal_keys(weights);
}

static lmd_status parse(const lmd_weights *weights, size_t n_bytes, json_t **root)
{
    json_error_t error;
    char *const text = lmd_memory_new(n_bytes + 1, 1);
    lmd_status status = lmd_file_read(weights->file, LENGTH_BYTES, text, n_bytes);
    if (lmd_status_is_ok(status)) {
        *root =
            json_loadb(text, n_bytes, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
        if (*root == NULL) {
            status = lmd_status_set(LMD_INPUT, "%s: header, byte %d: %s",
                                    lmd_file_path(weights->file),
                                    LENGTH_BYTES + error.position, error.text);
        }
    }
    lmd_memory_free(text);
    return status;
}

static lmd_status read_length(const lmd_weights *weights, size_t *n_bytes)
{
    const char *const path = lmd_file_path(weights->file);
    const uint64_t size = lmd_file_size(weights->file);
    uint64_t length = 0;
    if (size < LENGTH_BYTES) {
        return lmd_status_set(LMD_INPUT,
                              "%s: truncated: %" PRIu64 " bytes, too short for a "
                              "safetensors file",
                              path, size);
    }
    LMD_TRY(lmd_file_read(weights->file, 0, &length, sizeof length));
    if (length > LARGEST_HEADER || length > size - LENGTH_BYTES) {
        return lmd_status_set(LMD_INPUT,
                              "%s: a header of %" PRIu64 " bytes in a file of %" PRIu64
                              " (at most %d are allowed)",
                              path, length, size, (int)LARGEST_HEADER);
    }
    *n_bytes = (size_t)length;
    return LMD_OK;
}

static lmd_status read_header(lmd_weights *weights)
{
    size_t n_bytes = 0;
    json_t *root = NULL;
    LMD_TRY(read_length(weights, &n_bytes));
    LMD_TRY(parse(weights, n_bytes, &root));
    const lmd_status status = read_entries(weights, root);
    json_decref(root);
    LMD_TRY(status);
    return lmd_weights_store_seal_tensors(weights, LENGTH_BYTES + n_bytes,
                                          LMD_LAYOUT_DENSE);
}

static bool matches(const uint8_t *head, size_t n)
{
    return n > LENGTH_BYTES && head[LENGTH_BYTES] == '{';
}

const lmd_format lmd_weights_format_safetensors = {
    .name = "safetensors",
    .extension = ".safetensors",
    .matches = matches,
    .read_header = read_header,
};
