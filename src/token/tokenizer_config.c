/* tokenizer_config.json, of which only add_bos_token and bos_token count (EOS is never
 * added; everything else there repeats or contradicts tokenizer.json). */
#include "tokenizer.h"

#include <jansson.h>             /* json_loadb */
#include <lmdepth/base/file.h>   /* lmd_file_read_all */
#include <lmdepth/base/memory.h> /* lmd_memory_free */
#include "json_fields.h"

enum { FILE_LIMIT = 1 << 28 };

static lmd_status read_bos(lmd_tokenizer *tokenizer, const json_t *config)
{
    const json_t *const value = json_object_get(config, "bos_token");
    const char *content = NULL;
    size_t size = 0;
    if (json_is_object(value)) {
        LMD_TRY(lmd_status_within(lmd_json_get_string(value, "content", &content, &size),
                                  "bos_token"));
    } else {
        LMD_TRY(lmd_json_get_string(config, "bos_token", &content, &size));
    }
    const int found = content == NULL ? -1 : lmd_tokenizer_find(tokenizer, content, size);
    tokenizer->bos = found >= 0 ? found : tokenizer->bos;
    return LMD_OK;
}

static lmd_status apply_values(lmd_tokenizer *tokenizer, const json_t *config)
{
    if (!json_is_object(config)) {
        return lmd_status_set(LMD_INPUT, "no object");
    }
    LMD_TRY(lmd_json_get_bool(config, "add_bos_token", tokenizer->adds_bos,
                              &tokenizer->adds_bos));
    LMD_TRY(read_bos(tokenizer, config));
    if (tokenizer->adds_bos && tokenizer->bos < 0) {
        return lmd_status_set(LMD_INPUT, "a BOS is to be added, but bos_token is not in "
                                         "the vocabulary");
    }
    return LMD_OK;
}

lmd_status lmd_tokenizer_apply_config(lmd_tokenizer *tokenizer, const char *bytes,
                                      size_t size)
{
    json_error_t error;
    json_t *const config = json_loadb(bytes, size, JSON_ALLOW_NUL, &error);
    if (config == NULL) {
        return lmd_status_set(LMD_INPUT, "line %d: %s", error.line, error.text);
    }
    const lmd_status status = apply_values(tokenizer, config);
    json_decref(config);
    return status;
}

static lmd_status read_file(lmd_tokenizer *tokenizer, const char *path)
{
    lmd_text bytes = {0};
    lmd_status status = lmd_file_read_all(path, FILE_LIMIT, &bytes);
    if (status == LMD_OK) {
        status = lmd_status_within(
            lmd_tokenizer_apply_config(tokenizer, lmd_text_string(&bytes), bytes.size),
            "%s", path);
    }
    lmd_text_clear(&bytes);
    return status;
}

lmd_status lmd_tokenizer_read_config(lmd_tokenizer *tokenizer)
{
    char *const folder = lmd_file_folder_of(tokenizer->path);
    char *const path = lmd_file_join(folder, "tokenizer_config.json");
    const lmd_status status = lmd_file_exists(path) ? read_file(tokenizer, path) : LMD_OK;
    lmd_memory_free(folder);
    lmd_memory_free(path);
    return status;
}
