/* Pre-tokenizer Split: a pattern (Regex or String), a behaviour, and whether the pattern
 * tells what to cut at or what to keep (invert). */
#include "split_rule.h"

#include "json_fields.h"

static lmd_status open_pattern(const json_t *pattern, lmd_regex **regex)
{
    const char *string = NULL;
    size_t size = 0;
    LMD_TRY(lmd_json_get_string(pattern, "Regex", &string, &size));
    if (string != NULL) {
        return lmd_regex_new(regex, string, size);
    }
    LMD_TRY(lmd_json_get_string(pattern, "String", &string, &size));
    if (string != NULL) {
        return lmd_regex_new_literal(regex, string, size);
    }
    return lmd_status_set(LMD_INPUT, "pattern: neither a Regex nor a String");
}

static lmd_status open_split(lmd_pretokenizer **out, json_t *json)
{
    lmd_split_rule rule = {0};
    const char *behavior = NULL;
    LMD_TRY(lmd_json_check_keys(json, "type pattern behavior invert"));
    LMD_TRY(lmd_json_get_bool(json, "invert", false, &rule.invert));
    LMD_TRY(lmd_json_get_string(json, "behavior", &behavior, NULL));
    LMD_TRY(
        lmd_split_behavior_of(behavior == NULL ? "(none)" : behavior, &rule.behavior));
    LMD_TRY(open_pattern(json_object_get(json, "pattern"), &rule.regex));
    lmd_split_rule_open(out, &lmd_pretokenizer_split, rule);
    return LMD_OK;
}

const lmd_pretokenizer_kind lmd_pretokenizer_split = {
    "Split", open_split, lmd_split_rule_close, lmd_split_rule_apply};
