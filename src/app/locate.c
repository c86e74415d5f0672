/* What a model's name means: a path, or a repository in the Hugging Face cache; and which
 * tokenizer belongs to it. */
#include <lmdepth/base/hash_cache.h>
#include <lmdepth/weights.h>

#include "app.h"

lmd_status lmd_locate_model(lmd_model **out, const char *name)
{
    char *path = NULL;
    *out = NULL;
    LMD_TRY(lmd_weights_resolve(name, &path));
    const lmd_status status = lmd_model_open(out, path);
    lmd_memory_free(path);
    return status;
}

/* Files whose tokenizer lies beside them. */
static bool has_tokenizer_beside(const char *path)
{
    return lmd_file_ends_with(path, ".safetensors") || lmd_file_ends_with(path, ".bin") ||
           lmd_file_ends_with(path, ".index.json");
}

lmd_status lmd_locate_tokenizer(lmd_tokenizer **out, const char *name,
                                const lmd_model *model)
{
    char *path = NULL;
    *out = NULL;
    LMD_TRY(lmd_weights_resolve(name, &path));
    if (has_tokenizer_beside(path) && lmd_file_exists(path)) {
        char *const folder = lmd_file_folder_of(path);
        lmd_memory_free(path);
        path = folder;
    }
    lmd_status status = lmd_token_open(out, path);
    const char *const weights = model != NULL ? lmd_model_weights_path(model) : "";
    if (status == LMD_INPUT && lmd_file_is_folder(path) &&
        lmd_file_ends_with(weights, ".gguf")) {
        status = lmd_token_open(out, weights); // one of several parts in this folder
    }
    lmd_memory_free(path);
    return status;
}

/* "<sha256>  <name>", a line a file. */
static lmd_status list_hashes(const char *const *files, int n, lmd_text *out)
{
    for (int i = 0; i < n; i++) {
        char hash[LMD_SHA256_HEX];
        LMD_TRY(lmd_hash_cache_sha256(files[i], hash));
        lmd_text_append_format(out, "%s  %s\n", hash, lmd_file_name_of(files[i]));
    }
    return LMD_OK;
}

lmd_status lmd_locate_sha256(const lmd_model *model, char hex[LMD_SHA256_HEX])
{
    int n = 0;
    const char *const *const files = lmd_model_weights_files(model, &n);
    if (n == 1) {
        return lmd_hash_cache_sha256(files[0], hex);
    }
    lmd_text list = {0};
    const lmd_status status = list_hashes(files, n, &list);
    if (status == LMD_OK) {
        lmd_sha256_of(lmd_text_string(&list), list.size, hex);
    }
    lmd_text_clear(&list);
    return status;
}
