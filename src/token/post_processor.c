/* TemplateProcessing says with a list what stands before and behind a text; ByteLevel
 * only trims offsets; a Sequence runs several. */
#include "post_processor.h"

#include <string.h> /* strcmp */
#include "json_fields.h"
#include "vocabulary.h" /* LMD_VOCABULARY_IDS */

static lmd_status ids_of_special(const json_t *json, const char *name, int *id)
{
    const json_t *const specials = json_object_get(json, "special_tokens");
    const json_t *const ids = json_object_get(json_object_get(specials, name), "ids");
    const json_t *const first = json_array_get(ids, 0);
    if (json_array_size(ids) != 1 || !json_is_integer(first) ||
        json_integer_value(first) < 0 ||
        json_integer_value(first) >= LMD_VOCABULARY_IDS) {
        return lmd_status_set(LMD_INPUT, "special_tokens: %s is not one id", name);
    }
    *id = (int)json_integer_value(first);
    return LMD_OK;
}

static lmd_status read_template(const json_t *json, int *id)
{
    const json_t *const single = json_object_get(json, "single");
    if (!json_is_array(single)) {
        return lmd_status_set(LMD_INPUT, "single: no list");
    }
    for (size_t i = 0; i < json_array_size(single); i++) {
        const json_t *const item = json_array_get(single, i);
        if (json_object_get(item, "Sequence") != NULL) {
            return LMD_OK;
        }
        const char *name = NULL;
        LMD_TRY(lmd_json_get_string(json_object_get(item, "SpecialToken"), "id", &name,
                                    NULL));
        if (name == NULL || *id >= 0) {
            return lmd_status_set(LMD_INPUT,
                                  "single: more than one token before the text");
        }
        LMD_TRY(ids_of_special(json, name, id));
    }
    return lmd_status_set(LMD_INPUT, "single: no place for the text");
}

static lmd_status read_processor(json_t *json, int depth, int *id);

static lmd_status read_sequence(const json_t *json, int depth, int *id)
{
    const json_t *const list = json_object_get(json, "processors");
    if (!json_is_array(list) || depth > 8) {
        return lmd_status_set(LMD_INPUT, "processors: no list");
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        LMD_TRY(read_processor(json_array_get(list, i), depth + 1, id));
    }
    return LMD_OK;
}

static lmd_status read_processor(json_t *json, int depth, int *id)
{
    const char *type = NULL;
    if (json == NULL || json_is_null(json)) {
        return LMD_OK;
    }
    LMD_TRY(lmd_json_get_string(json, "type", &type, NULL));
    if (type != NULL && strcmp(type, "ByteLevel") == 0) {
        return LMD_OK;
    }
    if (type != NULL && strcmp(type, "TemplateProcessing") == 0) {
        return lmd_status_within(read_template(json, id), "post-processor %s", type);
    }
    if (type != NULL && strcmp(type, "Sequence") == 0) {
        return lmd_status_within(read_sequence(json, depth, id), "post-processor %s",
                                 type);
    }
    return lmd_status_set(LMD_INPUT, "the post-processor %s is not supported",
                          type == NULL ? "without a type" : type);
}

lmd_status lmd_post_processor_front(json_t *json, int *id)
{
    *id = -1;
    return read_processor(json, 0, id);
}
