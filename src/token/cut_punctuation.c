/* Pre-tokenizer Punctuation. What counts is ASCII's punctuation and the categories P* of
 * the table in `tokenizers`, which is Unicode 8's: characters that became punctuation
 * since are named here as exceptions, two that no longer are as additions. */
#include "split_rule.h"

#include <string.h> /* strlen */
#include "json_fields.h"

#define TOO_NEW                                                                          \
    "\\x{61D}\\x{9FD}\\x{A76}\\x{C77}\\x{C84}\\x{1B4E}\\x{1B4F}\\x{1B7D}-\\x{1B7F}"      \
    "\\x{2E43}-\\x{2E4F}\\x{2E52}-\\x{2E5D}\\x{10D6E}\\x{10EAD}\\x{10F55}-\\x{10F59}"    \
    "\\x{10F86}-\\x{10F89}\\x{113D4}\\x{113D5}\\x{113D7}\\x{113D8}\\x{1144B}-\\x{1144F}" \
    "\\x{1145A}\\x{1145B}\\x{1145D}\\x{11660}-\\x{1166C}\\x{116B9}\\x{1183B}"            \
    "\\x{11944}-\\x{11946}\\x{119E2}\\x{11A3F}-\\x{11A46}\\x{11A9A}-\\x{11A9C}"          \
    "\\x{11A9E}-\\x{11AA2}\\x{11B00}-\\x{11B09}\\x{11BE1}\\x{11C41}-\\x{11C45}"          \
    "\\x{11C70}\\x{11C71}\\x{11EF7}\\x{11EF8}\\x{11F43}-\\x{11F4F}\\x{11FFF}"            \
    "\\x{12FF1}\\x{12FF2}\\x{16D6D}-\\x{16D6F}\\x{16E97}-\\x{16E9A}\\x{16FE2}"           \
    "\\x{1E5FF}\\x{1E95E}\\x{1E95F}"

static const char pattern[] = "(?![" TOO_NEW "])[\\p{P}$+<=>\\^`|~\\x{166D}\\x{111C9}]";

static lmd_status open_punctuation(lmd_pretokenizer **out, json_t *json)
{
    const char *behavior = NULL;
    lmd_split_rule rule = {.behavior = SPLIT_ISOLATED};
    LMD_TRY(lmd_json_check_keys(json, "type behavior"));
    LMD_TRY(lmd_json_get_string(json, "behavior", &behavior, NULL));
    if (behavior != NULL) {
        LMD_TRY(lmd_split_behavior_of(behavior, &rule.behavior));
    }
    LMD_TRY(lmd_regex_new(&rule.regex, pattern, strlen(pattern)));
    lmd_split_rule_open(out, &lmd_pretokenizer_punctuation, rule);
    return LMD_OK;
}

const lmd_pretokenizer_kind lmd_pretokenizer_punctuation = {
    "Punctuation", open_punctuation, lmd_split_rule_close, lmd_split_rule_apply};
