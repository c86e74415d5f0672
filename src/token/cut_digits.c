/* Pre-tokenizer Digits: numbers (categories Nd, Nl, No) stand alone, one by one or in
 * runs. Rust's table of numbers is one Unicode version ahead of the regular expressions'.
 */
#include "split_rule.h"

#include <string.h> /* strlen */
#include "json_fields.h"

#define UNICODE_17_NUMBERS "\\x{11DE0}-\\x{11DE9}\\x{16FF4}-\\x{16FF6}"

static lmd_status open_digits(lmd_pretokenizer **out, json_t *json)
{
    bool individual = false;
    LMD_TRY(lmd_json_check_keys(json, "type individual_digits"));
    LMD_TRY(lmd_json_get_bool(json, "individual_digits", false, &individual));
    const char *const pattern =
        individual ? "[\\p{N}" UNICODE_17_NUMBERS "]" : "[\\p{N}" UNICODE_17_NUMBERS "]+";
    lmd_split_rule rule = {.behavior = SPLIT_ISOLATED};
    LMD_TRY(lmd_regex_new(&rule.regex, pattern, strlen(pattern)));
    lmd_split_rule_open(out, &lmd_pretokenizer_digits, rule);
    return LMD_OK;
}

const lmd_pretokenizer_kind lmd_pretokenizer_digits = {
    "Digits", open_digits, lmd_split_rule_close, lmd_split_rule_apply};
