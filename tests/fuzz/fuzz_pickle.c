/* Pickles: the input is run, what it made is walked one level down, and it is put into a
 * zip file beside two storages, so that the tensors it describes are read. */
#include <stdio.h>  /* FILE */
#include <stdlib.h> /* abort */
#include <zip.h>
#include <lmdepth/base/memory.h>
#include "../../src/weights/pickle.h"
#include "fuzz_input.h"

enum { STORAGE = 16 };

static void walk(const lmd_pickled *root)
{
    if (root->kind != LMD_PICKLE_DICT) {
        return;
    }
    for (size_t i = 0; i < root->items.n; i++) {
        const lmd_pickled *const item = root->items.at[i];
        if (lmd_weights_pickle_kind(item) == NULL ||
            (item->kind == LMD_PICKLE_TEXT && item->text.bytes[item->text.size] != 0) ||
            (item->kind == LMD_PICKLE_TENSOR &&
             item->tensor->storage->encoding == NULL)) {
            abort();
        }
    }
}

static void add(zip_t *zip, const char *name, const void *bytes, size_t n_bytes)
{
    zip_source_t *const source = zip_source_buffer(zip, bytes, n_bytes, 0);
    const zip_int64_t entry = zip_file_add(zip, name, source, ZIP_FL_OVERWRITE);
    if (entry < 0 ||
        zip_set_file_compression(zip, (zip_uint64_t)entry, ZIP_CM_STORE, 0) != 0) {
        abort();
    }
}

static void put_into_zip(const char *path, const uint8_t *bytes, size_t n_bytes)
{
    static const uint8_t storage[STORAGE];
    int error = 0;
    zip_t *const zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &error);
    if (!zip) {
        abort();
    }
    add(zip, "m/data.pkl", bytes, n_bytes);
    add(zip, "m/data/0", storage, sizeof storage);
    add(zip, "m/data/1", storage, sizeof storage / 2);
    if (zip_close(zip) != 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    lmd_arena arena = {0};
    const lmd_pickled *root = NULL;
    if (fuzz_is_read(lmd_weights_pickle_read(&root, &arena, bytes, n_bytes))) {
        walk(root);
        const char *const path = fuzz_write("model.bin", (fuzz_bytes){0});
        put_into_zip(path, bytes, n_bytes);
        fuzz_read_weights(path);
    }
    lmd_weights_arena_clear(&arena);
    fuzz_check_memory();
    return 0;
}
