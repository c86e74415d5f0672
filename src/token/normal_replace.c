/* Normalizer Replace: every match of a String or Regex becomes a string, which is taken
 * as it stands. Strings, most often one space, are searched for without PCRE2. */
#include "normalizer.h"

#include <string.h>              /* memmem */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include "json_fields.h"

typedef struct replace {
    lmd_normalizer base;
    lmd_text string;  /* to look for, when there is no regex */
    lmd_regex *regex; /* owned; NULL: a string */
    lmd_text content;
} replace;

static lmd_status read_pattern(replace *made, const json_t *pattern)
{
    const char *string = NULL;
    size_t size = 0;
    LMD_TRY(lmd_json_get_string(pattern, "Regex", &string, &size));
    if (string != NULL) {
        return lmd_regex_new(&made->regex, string, size);
    }
    LMD_TRY(lmd_json_get_string(pattern, "String", &string, &size));
    if (string == NULL) {
        return lmd_status_set(LMD_INPUT, "pattern: neither a Regex nor a String");
    }
    if (size == 0) {
        return lmd_regex_new_literal(&made->regex, string, size);
    }
    lmd_text_append(&made->string, string, size);
    return LMD_OK;
}

static lmd_status read_replace(replace *made, json_t *json)
{
    const char *content = NULL;
    size_t size = 0;
    LMD_TRY(lmd_json_check_keys(json, "type pattern content"));
    LMD_TRY(lmd_json_get_string(json, "content", &content, &size));
    if (content == NULL) {
        return lmd_status_set(LMD_INPUT, "content: no string");
    }
    lmd_text_append(&made->content, content, size);
    return read_pattern(made, json_object_get(json, "pattern"));
}

static void close_replace(lmd_normalizer *self)
{
    replace *const made = (replace *)self;
    lmd_text_clear(&made->string);
    lmd_regex_free(made->regex);
    lmd_text_clear(&made->content);
    lmd_memory_free(made);
}

static lmd_status open_replace(lmd_normalizer **out, json_t *json)
{
    replace *const made = lmd_memory_new(1, sizeof *made);
    made->base.kind = &lmd_normalizer_replace;
    const lmd_status status = read_replace(made, json);
    if (status != LMD_OK) {
        close_replace(&made->base);
        return status;
    }
    *out = &made->base;
    return LMD_OK;
}

static lmd_status next_match(const replace *made, lmd_matcher *matcher, const char *text,
                             size_t size, lmd_match_walk *walk, lmd_span *match,
                             bool *found)
{
    if (made->regex != NULL) {
        return lmd_regex_next(made->regex, matcher, text, size, walk, match, found);
    }
    const char *const at = memmem(text + walk->at, size - walk->at,
                                  lmd_text_string(&made->string), made->string.size);
    *found = at != NULL;
    if (*found) {
        match->begin = (size_t)(at - text);
        match->end = match->begin + made->string.size;
        walk->at = match->end;
    }
    return LMD_OK;
}

static lmd_status apply_replace(const lmd_normalizer *self, lmd_matcher *matcher,
                                const char *text, size_t size, lmd_text *out)
{
    const replace *const made = (const replace *)self;
    const size_t start = out->size;
    lmd_match_walk walk = {0};
    size_t done = 0;
    while (size > 0) {
        lmd_span match = {0, 0};
        bool found = false;
        LMD_TRY(next_match(made, matcher, text, size, &walk, &match, &found));
        if (!found) {
            break;
        }
        lmd_text_append(out, text + done, match.begin - done);
        lmd_text_append(out, lmd_text_string(&made->content), made->content.size);
        done = match.end;
        LMD_TRY(lmd_normalizer_check_growth(size, out->size - start));
    }
    lmd_text_append(out, text + done, size - done);
    return LMD_OK;
}

/* What a match becomes comes from its last character. */
static lmd_status front_of_replace(const lmd_normalizer *self, lmd_matcher *matcher,
                                   const char *text, size_t size, size_t *front)
{
    const replace *const made = (const replace *)self;
    lmd_match_walk walk = {0};
    size_t done = 0;
    size_t found_front = 0;
    while (size > 0 && done < *front) {
        lmd_span match = {0, 0};
        bool found = false;
        LMD_TRY(next_match(made, matcher, text, size, &walk, &match, &found));
        if (!found || match.begin >= *front) {
            found_front += *front - done;
            break;
        }
        found_front += match.begin - done;
        if (match.end > *front) {
            break;
        }
        found_front += made->content.size;
        done = match.end;
    }
    *front = found_front;
    return LMD_OK;
}

const lmd_normalizer_kind lmd_normalizer_replace = {
    "Replace", open_replace, close_replace, apply_replace, front_of_replace};
