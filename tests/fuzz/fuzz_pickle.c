/* Fuzz target for torch files: the input as a pickle, whose values are walked one level
 * down, and as a whole file. Build with clang -fsanitize=fuzzer,address,undefined and the
 * sources of src/base and src/weights; run with a folder of small valid files. */
#include <stddef.h> /* size_t */
#include "../../src/weights/pickle.h"
#include "fuzz_weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

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

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    lmd_arena arena = {0};
    const lmd_pickled *root = NULL;
    if (lmd_weights_pickle_read(&root, &arena, bytes, n_bytes) == LMD_OK) {
        walk(root);
    }
    lmd_weights_arena_clear(&arena);
    try_input(bytes, n_bytes);
    return 0;
}
