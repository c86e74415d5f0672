/* Getters over jansson. */
#include "json_fields.h"

#include <string.h> /* strstr, strlen */

static bool is_missing(const json_t *value)
{
    return value == NULL || json_is_null(value);
}

lmd_status lmd_json_get_bool(const json_t *object, const char *key, bool fallback,
                             bool *value)
{
    const json_t *const found = json_object_get(object, key);
    if (!is_missing(found) && !json_is_boolean(found)) {
        return lmd_status_set(LMD_INPUT, "%s: neither true nor false", key);
    }
    *value = is_missing(found) ? fallback : json_is_true(found);
    return LMD_OK;
}

lmd_status lmd_json_get_string(const json_t *object, const char *key, const char **value,
                               size_t *size)
{
    const json_t *const found = json_object_get(object, key);
    if (!is_missing(found) && !json_is_string(found)) {
        return lmd_status_set(LMD_INPUT, "%s: no string", key);
    }
    *value = is_missing(found) ? NULL : json_string_value(found);
    if (size != NULL) {
        *size = is_missing(found) ? 0 : json_string_length(found);
    }
    return LMD_OK;
}

static bool is_empty(const json_t *value)
{
    return json_is_null(value) || json_is_false(value) ||
           (json_is_string(value) && json_string_length(value) == 0) ||
           (json_is_array(value) && json_array_size(value) == 0) ||
           (json_is_object(value) && json_object_size(value) == 0);
}

static bool is_word_of(const char *list, const char *word)
{
    const size_t n = strlen(word);
    for (const char *at = strstr(list, word); n > 0 && at != NULL;
         at = strstr(at + 1, word)) {
        const bool begins = at == list || at[-1] == ' ';
        if (begins && (at[n] == ' ' || at[n] == '\0')) {
            return true;
        }
    }
    return false;
}

lmd_status lmd_json_check_keys(json_t *object, const char *known)
{
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(object, key, value)
    {
        if (!is_word_of(known, key) && !is_empty(value)) {
            return lmd_status_set(LMD_INPUT, "%s: an unknown key", key);
        }
    }
    return LMD_OK;
}
