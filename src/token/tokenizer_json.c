/* tokenizer.json, the file of Hugging Face's `tokenizers`: normalizer, pre_tokenizer,
 * model, added_tokens, post_processor. The decoder does not bear on ids, padding not on a
 * single text; truncation is not done, for windows are cut elsewhere.
 *
 * Ids of added tokens are those that `tokenizers` gives on loading: the model's where the
 * content is in its vocabulary, else the next free ones; the file's "id" is a remark. */
#include "tokenizer.h"

#include <string.h>              /* strcmp */
#include <jansson.h>             /* json_loadb */
#include <lmdepth/base/memory.h> /* lmd_memory_free */
#include "json_fields.h"
#include "post_processor.h"

/* The id that `tokenizers` gives to an added token, and the next free one after it. */
static int64_t choose_id(const lmd_tokenizer *tokenizer, const lmd_added_token *token,
                         int64_t *largest)
{
    int64_t id = lmd_tokenizer_find(tokenizer, token->content, token->size);
    if (id < 0) {
        const int64_t n = (int64_t)lmd_vocabulary_count(tokenizer->model->vocabulary);
        id = *largest >= n ? *largest + 1 : n;
    }
    *largest = id > *largest ? id : *largest;
    return id;
}

static lmd_status read_flags(const json_t *json, lmd_added_token *token)
{
    LMD_TRY(lmd_json_get_string(json, "content", &token->content, &token->size));
    if (token->content == NULL) {
        return lmd_status_set(LMD_INPUT, "no content");
    }
    LMD_TRY(lmd_json_get_bool(json, "special", false, &token->special));
    LMD_TRY(lmd_json_get_bool(json, "single_word", false, &token->single_word));
    LMD_TRY(lmd_json_get_bool(json, "lstrip", false, &token->lstrip));
    LMD_TRY(lmd_json_get_bool(json, "rstrip", false, &token->rstrip));
    return lmd_json_get_bool(json, "normalized", !token->special, &token->normalized);
}

lmd_status lmd_tokenizer_add_json_token(lmd_tokenizer *tokenizer, const json_t *json,
                                        int64_t id)
{
    lmd_added_token token = {0};
    LMD_TRY(read_flags(json, &token));
    const int found = lmd_tokenizer_find(tokenizer, token.content, token.size);
    if (id < 0 || id >= LMD_VOCABULARY_IDS || (found >= 0 && found != id)) {
        return lmd_status_set(LMD_INPUT, "the id %lld is out of bounds or not that of %s",
                              (long long)id, token.content);
    }
    token.id = (int)id;
    return token.size == 0 ? LMD_OK : lmd_tokenizer_add_token(tokenizer, &token);
}

static lmd_status read_added_token(lmd_tokenizer *tokenizer, const json_t *json,
                                   int64_t *largest)
{
    lmd_added_token token = {0};
    LMD_TRY(read_flags(json, &token));
    if (token.size == 0) {
        return LMD_OK;
    }
    const int64_t id = choose_id(tokenizer, &token, largest);
    if (id >= LMD_VOCABULARY_IDS) {
        return lmd_status_set(LMD_INPUT, "the id %lld is out of bounds", (long long)id);
    }
    token.id = (int)id;
    return lmd_tokenizer_add_token(tokenizer, &token);
}

static lmd_status read_added_tokens(lmd_tokenizer *tokenizer, const json_t *list)
{
    int64_t largest = -1;
    if (list != NULL && !json_is_null(list) && !json_is_array(list)) {
        return lmd_status_set(LMD_INPUT, "added_tokens: no list");
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        LMD_TRY(lmd_status_within(
            read_added_token(tokenizer, json_array_get(list, i), &largest),
            "added_tokens, number %zu", i + 1));
    }
    return LMD_OK;
}

static const char *name_of_pretokenizer(const lmd_tokenizer *tokenizer)
{
    return tokenizer->pretokenizer == NULL ? "no pre-tokenizer"
                                           : tokenizer->pretokenizer->kind->type;
}

/* Are pieces written as ByteLevel has it? Its decoder or pre-tokenizer says so. */
static bool names_byte_level(const json_t *part)
{
    const json_t *list = json_object_get(part, "pretokenizers");
    list = list != NULL ? list : json_object_get(part, "decoders");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *const type =
            json_string_value(json_object_get(json_array_get(list, i), "type"));
        if (type != NULL && strcmp(type, "ByteLevel") == 0) {
            return true;
        }
    }
    const char *const type = json_string_value(json_object_get(part, "type"));
    return type != NULL && strcmp(type, "ByteLevel") == 0;
}

static void describe(lmd_tokenizer *tokenizer)
{
    lmd_text text = {0};
    const int n_model = lmd_vocabulary_end(tokenizer->model->vocabulary);
    int n = n_model;
    for (size_t i = 0; i < lmd_added_tokens_count(tokenizer->added); i++) {
        const int id = lmd_added_tokens_at(tokenizer->added, i)->id;
        n = id >= n ? id + 1 : n;
    }
    lmd_text_append_format(&text, "%s, %d ids, %s", tokenizer->model->kind->description,
                           n, name_of_pretokenizer(tokenizer));
    tokenizer->description = lmd_memory_copy_text(lmd_text_string(&text));
    lmd_text_clear(&text);
}

lmd_status lmd_tokenizer_read_parts(lmd_tokenizer *tokenizer, json_t *json)
{
    const char *version = NULL;
    if (!json_is_object(json)) {
        return lmd_status_set(LMD_INPUT, "no object");
    }
    LMD_TRY(lmd_json_get_string(json, "version", &version, NULL));
    if (version != NULL && strcmp(version, "1.0") != 0) {
        return lmd_status_set(LMD_INPUT, "version %s is not supported", version);
    }
    json_t *const model = json_object_get(json, "model");
    if (!json_is_object(model)) {
        return lmd_status_set(LMD_INPUT, "model: no object");
    }
    LMD_TRY(
        lmd_normalizer_open(&tokenizer->normalizer, json_object_get(json, "normalizer")));
    LMD_TRY(lmd_pretokenizer_open(&tokenizer->pretokenizer,
                                  json_object_get(json, "pre_tokenizer")));
    LMD_TRY(lmd_token_model_open(&tokenizer->model, model));
    tokenizer->is_byte_level = names_byte_level(json_object_get(json, "pre_tokenizer")) ||
                               names_byte_level(json_object_get(json, "decoder"));
    LMD_TRY(read_added_tokens(tokenizer, json_object_get(json, "added_tokens")));
    LMD_TRY(lmd_post_processor_front(json_object_get(json, "post_processor"),
                                     &tokenizer->bos));
    tokenizer->adds_bos = tokenizer->bos >= 0;
    describe(tokenizer);
    return LMD_OK;
}

lmd_status lmd_tokenizer_read_json(lmd_tokenizer *tokenizer, const char *bytes,
                                   size_t size)
{
    json_error_t error;
    json_t *const json = json_loadb(bytes, size, JSON_ALLOW_NUL, &error);
    if (json == NULL) {
        return lmd_status_set(LMD_INPUT, "line %d: %s", error.line, error.text);
    }
    const lmd_status status = lmd_tokenizer_read_parts(tokenizer, json);
    json_decref(json);
    return status;
}
