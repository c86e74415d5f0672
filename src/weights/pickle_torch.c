/* The names that a saved dictionary of tensors needs (torch/_utils.py, torch/storage.py),
 * and what stands for a call of each: a description of a tensor, no more. */
#include <string.h> /* strlen, memcmp */
#include "pickle.h"

typedef enum name_kind {
    ORDERED_DICT,
    REBUILD_TENSOR,
    REBUILD_PARAMETER,
    STORAGE
} name_kind;

typedef struct lmd_torch_name {
    const char *module;
    const char *name;
    name_kind kind;
    const char *dtype; /* of a storage */
} lmd_torch_name;

static const lmd_torch_name NAMES[] = {
    {"collections", "OrderedDict", ORDERED_DICT, NULL},
    {"torch._utils", "_rebuild_tensor_v2", REBUILD_TENSOR, NULL},
    {"torch._utils", "_rebuild_parameter", REBUILD_PARAMETER, NULL},
    {"torch", "FloatStorage", STORAGE, "F32"},
    {"torch", "HalfStorage", STORAGE, "F16"},
    {"torch", "BFloat16Storage", STORAGE, "BF16"},
    {"torch", "DoubleStorage", STORAGE, "F64"},
    {"torch", "LongStorage", STORAGE, "I64"},
    {"torch", "IntStorage", STORAGE, "I32"},
    {"torch", "ShortStorage", STORAGE, "I16"},
    {"torch", "CharStorage", STORAGE, "I8"},
    {"torch", "ByteStorage", STORAGE, "U8"},
    {"torch", "BoolStorage", STORAGE, "BOOL"},
};

static bool is_text(lmd_bytes text, const char *string)
{
    return text.size == strlen(string) && memcmp(text.bytes, string, text.size) == 0;
}

lmd_status lmd_weights_pickle_find_name(const lmd_torch_name **out, lmd_bytes module,
                                        lmd_bytes name)
{
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (is_text(module, NAMES[i].module) && is_text(name, NAMES[i].name)) {
            *out = &NAMES[i];
            return LMD_OK;
        }
    }
    return lmd_status_set(LMD_INPUT,
                          "'%.200s.%.200s' is refused: weights need no such name, and "
                          "nothing of a pickle is ever executed",
                          module.bytes, name.bytes);
}

/* ---- tensors ---- */

/* A tuple or list of integers >= 0. */
static bool read_numbers(const lmd_pickled *tuple, int64_t out[LMD_WEIGHTS_DIMS])
{
    for (size_t i = 0; i < tuple->items.n; i++) {
        const lmd_pickled *const item = tuple->items.at[i];
        if (item->kind != LMD_PICKLE_INT || item->integer < 0) {
            return false;
        }
        out[i] = item->integer;
    }
    return true;
}

/* _rebuild_tensor_v2(storage, first, shape, strides, requires_grad, hooks[, metadata]) */
static lmd_status rebuild_tensor(lmd_pickled *out, lmd_arena *arena,
                                 const lmd_pickled_items *given)
{
    if (given->n < 6 || given->n > 7 || given->at[0]->kind != LMD_PICKLE_STORAGE ||
        given->at[1]->kind != LMD_PICKLE_INT || given->at[1]->integer < 0 ||
        given->at[2]->kind != LMD_PICKLE_TUPLE ||
        given->at[3]->kind != LMD_PICKLE_TUPLE ||
        given->at[2]->items.n != given->at[3]->items.n) {
        return lmd_status_set(LMD_INPUT, "_rebuild_tensor_v2 has other arguments than "
                                         "storage, offset, shape and strides");
    }
    const size_t n_dims = given->at[2]->items.n;
    if (n_dims > LMD_WEIGHTS_DIMS) {
        return lmd_status_set(LMD_INPUT, "a tensor of %zu dimensions; %d are supported",
                              n_dims, (int)LMD_WEIGHTS_DIMS);
    }
    lmd_torch_tensor *const tensor = lmd_weights_arena_new(arena, 1, sizeof *tensor);
    tensor->storage = given->at[0]->storage;
    tensor->first = given->at[1]->integer;
    tensor->n_dims = (int)n_dims;
    if (!read_numbers(given->at[2], tensor->shape) ||
        !read_numbers(given->at[3], tensor->strides)) {
        return lmd_status_set(LMD_INPUT, "a tensor's shape or strides are no numbers");
    }
    *out = (lmd_pickled){.kind = LMD_PICKLE_TENSOR, .tensor = tensor};
    return LMD_OK;
}

lmd_status lmd_weights_pickle_call(lmd_pickled *out, lmd_arena *arena,
                                   const lmd_torch_name *name,
                                   const lmd_pickled_items *arguments)
{
    switch (name->kind) {
    case REBUILD_TENSOR:
        return rebuild_tensor(out, arena, arguments);
    case REBUILD_PARAMETER:
        if (arguments->n == 3 && arguments->at[0]->kind == LMD_PICKLE_TENSOR) {
            *out = *arguments->at[0];
            return LMD_OK;
        }
        break;
    case ORDERED_DICT:
        if (arguments->n == 0) {
            *out = (lmd_pickled){.kind = LMD_PICKLE_DICT};
            return LMD_OK;
        }
        break;
    default:
        break;
    }
    return lmd_status_set(LMD_INPUT, "a call of '%s.%s' with %zu arguments is refused",
                          name->module, name->name, arguments->n);
}

/* ---- storages ---- */

lmd_status lmd_weights_pickle_find_storage(lmd_pickled *out, lmd_arena *arena,
                                           const lmd_pickled *id)
{
    const lmd_pickled *const *const at = id->items.at;
    if (id->kind != LMD_PICKLE_TUPLE || id->items.n != 5 ||
        at[0]->kind != LMD_PICKLE_TEXT || !is_text(at[0]->text, "storage") ||
        at[1]->kind != LMD_PICKLE_NAME || at[1]->name->kind != STORAGE ||
        at[2]->kind != LMD_PICKLE_TEXT || at[4]->kind != LMD_PICKLE_INT ||
        at[4]->integer < 0) {
        return lmd_status_set(LMD_INPUT, "a persistent id is not "
                                         "('storage', type, key, device, size)");
    }
    lmd_torch_storage *const storage = lmd_weights_arena_new(arena, 1, sizeof *storage);
    storage->encoding = lmd_weights_find_dtype(at[1]->name->dtype);
    storage->key = at[2]->text;
    storage->n = at[4]->integer;
    *out = (lmd_pickled){.kind = LMD_PICKLE_STORAGE, .storage = storage};
    return LMD_OK;
}
