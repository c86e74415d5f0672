/* tokenizer_config.json. Beside a tokenizer.json only add_bos_token and bos_token count
 * (EOS is never added; everything else repeats or contradicts it); beside other files
 * also tokenizer_class with what belongs to it, and added_tokens_decoder. A tokenizer
 * that names no BOS has the one of the model's config.json, if there is such a file. */
#include "tokenizer.h"

#include <string.h>              /* strcmp */
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
    LMD_TRY(lmd_json_get_bool(config, "add_bos_token", tokenizer->adds_bos,
                              &tokenizer->adds_bos));
    return read_bos(tokenizer, config);
}

static lmd_status load(const char *path, json_t **config)
{
    lmd_text bytes = {0};
    lmd_status status = lmd_file_read_all(path, FILE_LIMIT, &bytes);
    if (status == LMD_OK) {
        json_error_t error;
        /* Transformers writes a model_max_length of 10^30, which is no int64. */
        *config = json_loadb(lmd_text_string(&bytes), bytes.size,
                             JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
        if (!json_is_object(*config)) {
            status = *config == NULL ? lmd_status_set(LMD_INPUT, "%s: line %d: %s", path,
                                                      error.line, error.text)
                                     : lmd_status_set(LMD_INPUT, "%s: no object", path);
            json_decref(*config);
            *config = NULL;
        }
    }
    lmd_text_clear(&bytes);
    return status;
}

static char *path_beside(const lmd_tokenizer *tokenizer, const char *name)
{
    char *const folder = lmd_file_folder_of(tokenizer->path);
    char *const path = lmd_file_join(folder, name);
    lmd_memory_free(folder);
    return path;
}

static char *config_path(const lmd_tokenizer *tokenizer)
{
    return path_beside(tokenizer, "tokenizer_config.json");
}

/* The model's config.json, NULL when there is none. What is wrong with that file is for
 * those to tell who need it. */
static json_t *load_model_config(const lmd_tokenizer *tokenizer)
{
    char *const path = path_beside(tokenizer, "config.json");
    json_t *config = NULL;
    if (lmd_file_exists(path)) {
        (void)load(path, &config);
    }
    lmd_memory_free(path);
    return config;
}

static void read_model_bos(lmd_tokenizer *tokenizer)
{
    json_t *const config = load_model_config(tokenizer);
    const json_t *const id = json_object_get(config, "bos_token_id");
    const double value = json_is_number(id) ? json_number_value(id) : -1;
    tokenizer->bos = value >= 0 && value < tokenizer->vocab ? (int)value : -1;
    json_decref(config);
}

static const char *class_of_model(const json_t *config)
{
    static const char *const with_llama_tokenizer[] = {"llama", "mistral"};
    const char *const type = json_string_value(json_object_get(config, "model_type"));
    for (size_t i = 0; type != NULL && i < 2; i++) {
        if (strcmp(type, with_llama_tokenizer[i]) == 0) {
            return "LlamaTokenizer";
        }
    }
    return NULL;
}

bool lmd_tokenizer_is_alone(const lmd_tokenizer *tokenizer)
{
    char *const path = path_beside(tokenizer, "config.json");
    const bool is_alone = !lmd_file_exists(path);
    lmd_memory_free(path);
    return is_alone;
}

lmd_status lmd_tokenizer_find_class(const lmd_tokenizer *tokenizer, const json_t *config,
                                    char **name)
{
    const char *found = NULL;
    *name = NULL;
    LMD_TRY(lmd_json_get_string(config, "tokenizer_class", &found, NULL));
    json_t *const model = load_model_config(tokenizer);
    if (found == NULL) {
        found = json_string_value(json_object_get(model, "tokenizer_class"));
    }
    if (found == NULL) {
        found = class_of_model(model);
    }
    *name = found == NULL ? NULL : lmd_memory_copy_text(found);
    json_decref(model);
    return LMD_OK;
}

lmd_status lmd_tokenizer_load_config(const lmd_tokenizer *tokenizer, json_t **config)
{
    char *const path = config_path(tokenizer);
    *config = NULL;
    const lmd_status status = lmd_file_exists(path) ? load(path, config) : LMD_OK;
    lmd_memory_free(path);
    return status;
}

lmd_status lmd_tokenizer_read_config(lmd_tokenizer *tokenizer)
{
    json_t *config = NULL;
    LMD_TRY(lmd_tokenizer_load_config(tokenizer, &config));
    char *const path = config_path(tokenizer);
    const lmd_status status =
        config == NULL ? LMD_OK
                       : lmd_status_within(apply_values(tokenizer, config), "%s", path);
    lmd_memory_free(path);
    json_decref(config);
    if (status == LMD_OK && tokenizer->bos < 0) {
        read_model_bos(tokenizer);
    }
    return status;
}

lmd_status lmd_tokenizer_add_config_tokens(lmd_tokenizer *tokenizer, json_t *config)
{
    const char *key = NULL;
    json_t *token = NULL;
    json_object_foreach(json_object_get(config, "added_tokens_decoder"), key, token)
    {
        int64_t id = -1;
        (void)lmd_text_to_int64(key, &id);
        LMD_TRY(lmd_status_within(lmd_tokenizer_add_json_token(tokenizer, token, id),
                                  "tokenizer_config.json: added_tokens_decoder, %s",
                                  key));
    }
    return LMD_OK;
}
