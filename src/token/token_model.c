/* The table of models. */
#include "token_model.h"

#include <string.h> /* strcmp */
#include "json_fields.h"

static const lmd_token_model_kind *const kinds[] = {
#define TOKEN_MODEL(name) &lmd_token_model_##name,
#include "token_models.def"
#undef TOKEN_MODEL
};

/* Files of before 2020 have no type; those with merges are BPE. */
static const char *guess_type(const json_t *json)
{
    return json_is_array(json_object_get(json, "merges")) ? "BPE" : "without a type";
}

lmd_status lmd_token_model_open(lmd_token_model **out, json_t *json)
{
    *out = NULL;
    const char *type = NULL;
    LMD_TRY(lmd_json_get_string(json, "type", &type, NULL));
    if (type == NULL) {
        type = guess_type(json);
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i]->type, type) == 0) {
            return lmd_status_within(kinds[i]->open(out, json), "model %s", type);
        }
    }
    return lmd_status_set(LMD_INPUT, "the model %s is not supported", type);
}

void lmd_token_model_close(lmd_token_model *model)
{
    if (model != NULL) {
        model->kind->close(model);
    }
}
