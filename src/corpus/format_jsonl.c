/* jsonl: every line that is not blank is a JSON object; the text is the string under a
 * path of keys.
 *
 * jansson turns numbers into values and refuses those that no int64 or double can hold,
 * and it refuses keys with a zero byte. Both are right JSON and none of our business, so
 * after such a refusal a simpler copy of the line is read: numbers shortened to a digit
 * or two, which keeps right syntax right and wrong syntax wrong, and \u0001 for \u0000 in
 * keys, where no path can ask for either. */
#include <jansson.h> /* json_loadb */
#include <string.h>  /* strcspn */
#include "format.h"

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* End of the string that begins at `at` with a quote. */
static size_t string_end(const char *line, size_t n_bytes, size_t at)
{
    at++;
    while (at < n_bytes && line[at] != '"') {
        at += line[at] == '\\' ? 2 : 1;
    }
    return at < n_bytes ? at + 1 : n_bytes;
}

static bool is_key(const char *line, size_t n_bytes, size_t behind_string)
{
    size_t at = behind_string;
    while (at < n_bytes && lmd_text_is_white(line[at])) {
        at++;
    }
    return at < n_bytes && line[at] == ':';
}

/* Changes \u0000 to \u0001 in a string. */
static void replace_zeros(char *string, size_t n_bytes)
{
    static const char zero[] = "u0000";
    for (size_t i = 0; i + sizeof zero < n_bytes; i++) {
        if (string[i] == '\\') {
            i++;
            if (memcmp(string + i, zero, sizeof zero - 1) == 0) {
                string[i + sizeof zero - 2] = '1';
            }
        }
    }
}

/* Length of the number's part, string or byte that begins at `at`, and how much of it the
 * copy keeps: of a run of digits the first, or two where that is 0, for 01 must stay
 * wrong. */
static size_t measure(const char *line, size_t n_bytes, size_t at, size_t *n_kept)
{
    size_t end = at + 1;
    if (line[at] == '"') {
        end = string_end(line, n_bytes, at);
        *n_kept = end - at;
        return end - at;
    }
    while (is_digit(line[at]) && end < n_bytes && is_digit(line[end])) {
        end++;
    }
    *n_kept = line[at] == '0' && end - at > 1 ? 2 : 1;
    return end - at;
}

static void simplify(const char *line, size_t n_bytes, lmd_text *out)
{
    size_t at = 0;
    while (at < n_bytes) {
        size_t n_kept;
        const size_t n = measure(line, n_bytes, at, &n_kept);
        lmd_text_append(out, line + at, n_kept);
        if (line[at] == '"' && is_key(line, n_bytes, at + n)) {
            replace_zeros(out->bytes + out->size - n_kept, n_kept);
        }
        at += n;
    }
}

/* The value of a line, the caller's; NULL when it is no JSON. */
static json_t *load(const char *line, size_t n_bytes)
{
    const size_t flags = JSON_ALLOW_NUL | JSON_DECODE_ANY;
    json_error_t error;
    json_t *value = json_loadb(line, n_bytes, flags, &error);
    const enum json_error_code code =
        value ? json_error_unknown : json_error_code(&error);
    if (code == json_error_numeric_overflow || code == json_error_null_byte_in_key) {
        lmd_text simple = {0};
        simplify(line, n_bytes, &simple);
        value = json_loadb(lmd_text_string(&simple), simple.size, flags, &error);
        lmd_text_clear(&simple);
    }
    return value;
}

/* The string under a path "meta.text", NULL when there is none; borrowed from `value`. */
static const json_t *find_string(const json_t *value, const char *path)
{
    while (value) {
        const size_t n = strcspn(path, ".");
        value = json_object_getn(value, path, n);
        if (path[n] == 0) {
            break;
        }
        path += n + 1;
    }
    return json_is_string(value) ? value : NULL;
}

/* A label is a name in the result, which can't hold a zero byte. */
static void take_label(const json_t *value, const char *group_field, lmd_text *label)
{
    const json_t *const string = group_field ? find_string(value, group_field) : NULL;
    const size_t n = string ? json_string_length(string) : 0;
    if (string && !memchr(json_string_value(string), 0, n)) {
        lmd_text_append(label, json_string_value(string), n);
    } else if (group_field) {
        lmd_text_append_string(label, corpus_no_label);
    }
}

lmd_fate lmd_corpus_parse_json(const char *line, size_t n_bytes, const char *field,
                               const char *group_field, lmd_text *text, lmd_text *label)
{
    const bool is_utf8 = lmd_text_find_bad_utf8(line, n_bytes) == n_bytes;
    json_t *const value = is_utf8 ? load(line, n_bytes) : NULL;
    const json_t *const string = value ? find_string(value, field) : NULL;
    take_label(value, group_field, label);
    if (string) {
        lmd_text_append(text, json_string_value(string), json_string_length(string));
    }
    const lmd_fate fate = string     ? LMD_FATE_USED
                          : !is_utf8 ? LMD_FATE_ENCODING
                          : value    ? LMD_FATE_FIELD
                                     : LMD_FATE_JSON;
    json_decref(value);
    return fate;
}

static lmd_fate parse(const corpus_record *record, corpus_content *out)
{
    out->scratch.size = 0;
    out->label.size = 0;
    out->n_text = 0;
    if (!record->is_sampled && !record->group_field) {
        return LMD_FATE_USED;
    }
    const lmd_fate fate =
        lmd_corpus_parse_json(record->bytes, record->n_bytes, record->field,
                              record->group_field, &out->scratch, &out->label);
    out->text = lmd_text_string(&out->scratch);
    out->n_text = out->scratch.size;
    return fate;
}

const corpus_format corpus_format_jsonl = {
    .name = "jsonl",
    .extension = ".jsonl",
    .has_fields = true,
    .find = corpus_format_find_line,
    .parse = parse,
};
