/* PCRE2 behind a narrow door. Patterns are compiled just in time where the machine
 * allows; a match whose machine stack does not do is repeated by the interpreter, which
 * keeps its frames on the heap, so a word of many megabytes is no error. */
#include "token_regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <lmdepth/base/memory.h> /* lmd_memory_new */

enum { STACK_START = 32 * 1024, STACK_LIMIT = 1024 * 1024 };

/* Steps of one match. Those of published tokenizers take a few a byte, at worst the
 * square of a run of spaces; one that tries every way to divide a word ("(a+)+$") would
 * take longer than anybody waits. */
enum { LEAST_STEPS = 1 << 27, STEPS_PER_BYTE = 1 << 10 };

struct lmd_regex {
    pcre2_code *code; /* owned */
};

struct lmd_matcher {
    pcre2_match_data *data;       /* owned */
    pcre2_match_context *context; /* owned */
    pcre2_jit_stack *stack;       /* owned */
};

static pcre2_code *compile(const lmd_text *pattern, int *error, size_t *place)
{
    pcre2_compile_context *const context = pcre2_compile_context_create(NULL);
    // Whatever the library was built with, '.' and '$' know the line feed only.
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_code *const code =
        pcre2_compile((PCRE2_SPTR)lmd_text_string(pattern), pattern->size,
                      PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NO_UTF_CHECK, error,
                      place, context);
    pcre2_compile_context_free(context);
    return code;
}

lmd_status lmd_regex_new(lmd_regex **out, const char *pattern, size_t size)
{
    lmd_text translated = {0};
    lmd_status status = lmd_regex_translate(pattern, size, &translated);
    if (status == LMD_OK) {
        int error = 0;
        size_t place = 0;
        pcre2_code *const code = compile(&translated, &error, &place);
        if (code == NULL) {
            PCRE2_UCHAR reason[120] = "";
            pcre2_get_error_message(error, reason, sizeof reason);
            status = lmd_status_set(LMD_INPUT, "%s", (const char *)reason);
        } else {
            pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
            *out = lmd_memory_new(1, sizeof **out);
            (*out)->code = code;
        }
    }
    lmd_text_clear(&translated);
    return lmd_status_within(status, "regular expression %.*s",
                             (int)(size < 200 ? size : 200), pattern);
}

lmd_status lmd_regex_new_literal(lmd_regex **out, const char *string, size_t size)
{
    lmd_text escaped = {0};
    for (size_t i = 0; i < size;) {
        uint32_t code_point = 0;
        i += lmd_text_decode_utf8(string + i, &code_point);
        lmd_text_append_format(&escaped, "\\x{%X}", (unsigned)code_point);
    }
    const lmd_status status = lmd_regex_new(out, lmd_text_string(&escaped), escaped.size);
    lmd_text_clear(&escaped);
    return status;
}

void lmd_regex_free(lmd_regex *regex)
{
    if (regex != NULL) {
        pcre2_code_free(regex->code);
        lmd_memory_free(regex);
    }
}

lmd_matcher *lmd_matcher_new(void)
{
    lmd_matcher *const matcher = lmd_memory_new(1, sizeof *matcher);
    matcher->data = pcre2_match_data_create(1, NULL);
    matcher->context = pcre2_match_context_create(NULL);
    matcher->stack = pcre2_jit_stack_create(STACK_START, STACK_LIMIT, NULL);
    pcre2_jit_stack_assign(matcher->context, NULL, matcher->stack);
    pcre2_set_depth_limit(matcher->context, UINT32_MAX);
    pcre2_set_heap_limit(matcher->context, UINT32_MAX);
    return matcher;
}

void lmd_matcher_free(lmd_matcher *matcher)
{
    if (matcher != NULL) {
        pcre2_match_data_free(matcher->data);
        pcre2_match_context_free(matcher->context);
        pcre2_jit_stack_free(matcher->stack);
        lmd_memory_free(matcher);
    }
}

static uint32_t limit_steps(size_t n_bytes)
{
    const size_t most = (UINT32_MAX - LEAST_STEPS) / STEPS_PER_BYTE;
    const size_t n = n_bytes < most ? n_bytes : most;
    return LEAST_STEPS + STEPS_PER_BYTE * (uint32_t)n;
}

lmd_status lmd_regex_find(const lmd_regex *regex, lmd_matcher *matcher, const char *text,
                          size_t size, size_t start, lmd_span *match, bool *found)
{
    const PCRE2_SPTR subject = (PCRE2_SPTR)text;
    pcre2_set_match_limit(matcher->context, limit_steps(size - start));
    int result = pcre2_match(regex->code, subject, size, start, PCRE2_NO_UTF_CHECK,
                             matcher->data, matcher->context);
    if (result == PCRE2_ERROR_JIT_STACKLIMIT) {
        result = pcre2_match(regex->code, subject, size, start,
                             PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, matcher->data,
                             matcher->context);
    }
    *found = result >= 0;
    if (*found) {
        const PCRE2_SIZE *const ends = pcre2_get_ovector_pointer(matcher->data);
        *match = (lmd_span){ends[0], ends[1]};
        return LMD_OK;
    }
    if (result == PCRE2_ERROR_NOMATCH) {
        return LMD_OK;
    }
    PCRE2_UCHAR reason[120] = "";
    pcre2_get_error_message(result, reason, sizeof reason);
    return lmd_status_set(LMD_RESOURCE, "the tokenizer's regular expression gives up: %s",
                          (const char *)reason);
}

static size_t next_character(const char *text, size_t size, size_t at)
{
    uint32_t code_point = 0;
    return at < size ? at + lmd_text_decode_utf8(text + at, &code_point) : size + 1;
}

lmd_status lmd_regex_next(const lmd_regex *regex, lmd_matcher *matcher, const char *text,
                          size_t size, lmd_match_walk *walk, lmd_span *match, bool *found)
{
    *found = false;
    while (walk->at <= size) {
        LMD_TRY(lmd_regex_find(regex, matcher, text, size, walk->at, match, found));
        if (!*found) {
            return LMD_OK;
        }
        if (match->begin < match->end || !walk->has_one || match->end != walk->end) {
            *walk = (lmd_match_walk){match->end, match->end, true};
            return LMD_OK;
        }
        *found = false;
        walk->at = next_character(text, size, walk->at);
    }
    return LMD_OK;
}
