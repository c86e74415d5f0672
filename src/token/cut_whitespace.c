/* Pre-tokenizers Whitespace (runs of word characters and runs of what is neither those
 * nor space) and WhitespaceSplit (what lies between spaces). Word characters are those of
 * Unicode Technical Standard 18, joiners included: Rust's, not Oniguruma's. */
#include "split_rule.h"

#include <string.h> /* strlen */
#include "json_fields.h"

#define WORD "\\w\\x{200C}\\x{200D}"

static lmd_status open_rule(lmd_pretokenizer **out, const lmd_pretokenizer_kind *kind,
                            json_t *json, const char *pattern, bool invert)
{
    LMD_TRY(lmd_json_check_keys(json, "type"));
    lmd_split_rule rule = {.behavior = SPLIT_REMOVED, .invert = invert};
    LMD_TRY(lmd_regex_new(&rule.regex, pattern, strlen(pattern)));
    lmd_split_rule_open(out, kind, rule);
    return LMD_OK;
}

static lmd_status open_whitespace(lmd_pretokenizer **out, json_t *json)
{
    return open_rule(out, &lmd_pretokenizer_whitespace, json,
                     "[" WORD "]+|[^" WORD "\\s]+", true);
}

static lmd_status open_whitespace_split(lmd_pretokenizer **out, json_t *json)
{
    return open_rule(out, &lmd_pretokenizer_whitespace_split, json, "\\s", false);
}

const lmd_pretokenizer_kind lmd_pretokenizer_whitespace = {
    "Whitespace", open_whitespace, lmd_split_rule_close, lmd_split_rule_apply};

const lmd_pretokenizer_kind lmd_pretokenizer_whitespace_split = {
    "WhitespaceSplit", open_whitespace_split, lmd_split_rule_close, lmd_split_rule_apply};
