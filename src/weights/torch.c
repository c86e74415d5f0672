/* What torch.save (1.6 and later) makes of a dictionary of tensors: a zip file with
 *
 *     <stem>/data.pkl     the dictionary; a tensor is a window of a storage
 *     <stem>/data/<key>   the values of the storage with this key
 *     <stem>/byteorder    "little" or "big"; missing: little
 *
 * Two names may share a storage (tied weights), so tensors may lie over each other here.
 */
#include <inttypes.h>            /* PRId64 */
#include <string.h>              /* memcmp, strlen */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <lmdepth/base/size.h>   /* lmd_size_multiply */
#include <lmdepth/base/text.h>   /* lmd_text */
#include "pickle.h"              /* lmd_weights_pickle_read */
#include "torch_zip.h"           /* lmd_zip */
#include "weight_format.h"       /* lmd_format */
#include "weight_store.h"        /* lmd_weights_store_add_tensor */

enum {
    LARGEST_PICKLE = 1 << 24, /* some hundred bytes a tensor are usual */
    LARGEST_ORDER = 16
};

static const char PICKLE[] = "/data.pkl";

typedef struct reading {
    lmd_weights *weights;
    lmd_zip *zip;
    lmd_text stem; /* of every entry's name */
} reading;

/* ---- one tensor ---- */

static bool is_row_major(const lmd_torch_tensor *tensor)
{
    int64_t stride = 1;
    for (int i = tensor->n_dims - 1; i >= 0; i--) {
        if (tensor->shape[i] == 0) {
            return true; // no values, no order
        }
        if (tensor->shape[i] != 1 && tensor->strides[i] != stride) {
            return false;
        }
        if (!lmd_size_multiply(stride, tensor->shape[i], &stride)) {
            return false;
        }
    }
    return true;
}

/* Where the storage lies; its entry must have the size that the pickle says. */
static lmd_status find_storage(const reading *it, const char *name,
                               const lmd_torch_storage *storage, uint64_t *offset)
{
    uint64_t size = 0;
    lmd_text entry = {0};
    lmd_text_append_format(&entry, "%s/data/%s", lmd_text_string(&it->stem),
                           storage->key.bytes);
    const lmd_status status =
        lmd_weights_zip_place(it->zip, lmd_text_string(&entry), offset, &size);
    lmd_text_clear(&entry);
    if (status != LMD_OK) {
        return lmd_status_within(status, "tensor '%.200s'", name);
    }
    const uint64_t width = (uint64_t)storage->encoding->block_bytes;
    if (size % width != 0 || size / width != (uint64_t)storage->n) {
        return lmd_weights_store_refuse(
            it->weights, name,
            "its storage '%.40s' of %" PRId64 " values of %s has %" PRIu64 " bytes",
            storage->key.bytes, storage->n, storage->encoding->name, size);
    }
    return LMD_OK;
}

static lmd_status read_tensor(const reading *it, const char *name,
                              const lmd_torch_tensor *tensor)
{
    lmd_weights *const weights = it->weights;
    const lmd_torch_storage *const storage = tensor->storage;
    uint64_t offset = 0;
    if (!is_row_major(tensor)) {
        return lmd_weights_store_refuse(weights, name,
                                        "its strides are not those of rows one after the "
                                        "other; save it with .contiguous()");
    }
    LMD_TRY(find_storage(it, name, storage, &offset));
    LMD_TRY(lmd_weights_store_add_tensor(weights, name, storage->encoding, tensor->n_dims,
                                         tensor->shape, 0));
    const int at = weights->n_tensors - 1;
    const uint64_t width = (uint64_t)storage->encoding->block_bytes;
    const uint64_t n = weights->tensors[at].n_bytes / width;
    if (tensor->first > storage->n || n > (uint64_t)(storage->n - tensor->first)) {
        return lmd_weights_store_refuse(weights, name,
                                        "%" PRIu64 " values from value %" PRId64
                                        " on, but its storage has %" PRId64,
                                        n, tensor->first, storage->n);
    }
    weights->storage[at].offset = offset + (uint64_t)tensor->first * width;
    return LMD_OK;
}

/* ---- the dictionary ---- */

static lmd_status read_items(const reading *it, const lmd_pickled *root)
{
    if (root->kind != LMD_PICKLE_DICT) {
        return lmd_status_set(LMD_INPUT, "%s: is %s, no dictionary of tensors",
                              it->weights->path, lmd_weights_pickle_kind(root));
    }
    for (size_t i = 0; i + 1 < root->items.n; i += 2) {
        const lmd_pickled *const key = root->items.at[i];
        const lmd_pickled *const value = root->items.at[i + 1];
        if (key->kind != LMD_PICKLE_TEXT || key->text.size == 0) {
            return lmd_status_set(LMD_INPUT, "%s: entry %zu has %s for a name",
                                  it->weights->path, i / 2, lmd_weights_pickle_kind(key));
        }
        if (value->kind != LMD_PICKLE_TENSOR) {
            return lmd_status_set(LMD_INPUT,
                                  "%s: '%.200s' is %s, no tensor; a checkpoint of a "
                                  "training is no model file",
                                  it->weights->path, key->text.bytes,
                                  lmd_weights_pickle_kind(value));
        }
        LMD_TRY(read_tensor(it, key->text.bytes, value->tensor));
    }
    return lmd_weights_store_seal_tensors(it->weights, 0, LMD_LAYOUT_SHARED);
}

static lmd_status read_entry(const reading *it, const char *end, size_t limit,
                             lmd_text *out)
{
    lmd_text name = {0};
    lmd_text_append_format(&name, "%s%s", lmd_text_string(&it->stem), end);
    const lmd_status status =
        lmd_weights_zip_read(it->zip, lmd_text_string(&name), limit, out);
    lmd_text_clear(&name);
    return status;
}

static lmd_status check_order(const reading *it)
{
    lmd_text name = {0};
    lmd_text_append_format(&name, "%s/byteorder", lmd_text_string(&it->stem));
    const bool is_there = lmd_weights_zip_has(it->zip, lmd_text_string(&name));
    lmd_text_clear(&name);
    if (!is_there) {
        return LMD_OK;
    }
    lmd_text order = {0};
    lmd_status status = read_entry(it, "/byteorder", LARGEST_ORDER, &order);
    if (status == LMD_OK && strcmp(lmd_text_string(&order), "little") != 0) {
        status = lmd_status_set(LMD_INPUT,
                                "%s: its byte order is '%s'; only little is supported",
                                it->weights->path, lmd_text_string(&order));
    }
    lmd_text_clear(&order);
    return status;
}

static lmd_status read_dictionary(const reading *it)
{
    lmd_text bytes = {0};
    lmd_arena arena = {0};
    const lmd_pickled *root = NULL;
    lmd_status status = read_entry(it, PICKLE, LARGEST_PICKLE, &bytes);
    if (status == LMD_OK) {
        status = lmd_status_within(
            lmd_weights_pickle_read(&root, &arena, lmd_text_string(&bytes), bytes.size),
            "%s", it->weights->path);
    }
    if (status == LMD_OK) {
        status = read_items(it, root);
    }
    lmd_weights_arena_clear(&arena);
    lmd_text_clear(&bytes);
    return status;
}

static lmd_status read_all(reading *it)
{
    const char *const pickle = lmd_weights_zip_find_end(it->zip, PICKLE);
    if (pickle == NULL) {
        return lmd_status_set(LMD_INPUT,
                              "%s: a zip file, but not of torch.save: no data.pkl in it",
                              it->weights->path);
    }
    lmd_text_append(&it->stem, pickle, strlen(pickle) - strlen(PICKLE));
    LMD_TRY(check_order(it));
    LMD_TRY(read_dictionary(it));
    return lmd_weights_store_seal_keys(it->weights);
}

static lmd_status read_header(lmd_weights *weights)
{
    reading it = {.weights = weights};
    LMD_TRY(lmd_weights_zip_open(&it.zip, weights->file));
    const lmd_status status = read_all(&it);
    lmd_text_clear(&it.stem);
    lmd_weights_zip_close(it.zip);
    return status;
}

static bool matches(const uint8_t *head, size_t n)
{
    return n >= 4 && memcmp(head, "PK\x03\x04", 4) == 0;
}

const lmd_format lmd_weights_format_torch = {
    .name = "torch",
    .extension = NULL, // .bin says nothing: GGUF files are called so too
    .matches = matches,
    .read_header = read_header,
};
