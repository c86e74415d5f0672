/* Pre-tokenizer Metaspace: spaces become a mark (U+2581 as a rule), one is put before a
 * piece that does not begin with it (prepend_scheme: always; never; or first: where its
 * first character comes from the first one of the text as it was before normalizers), and
 * pieces are cut before every mark (split). */
#include "split_rule.h"

#include <string.h>              /* memcmp */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include "json_fields.h"

/* The words of tokenizer.json. */
#define PREPEND_SCHEMES(X)                                                               \
    X(ALWAYS, "always")                                                                  \
    X(FIRST, "first")                                                                    \
    X(NEVER, "never")

typedef enum prepend_scheme {
#define SCHEME_ENUM(name, word) PREPEND_##name,
    PREPEND_SCHEMES(SCHEME_ENUM)
#undef SCHEME_ENUM
} prepend_scheme;

typedef struct metaspace {
    lmd_pretokenizer base;
    char mark[4];
    size_t mark_size;
    prepend_scheme scheme;
    lmd_split_rule rule; /* its regex is NULL when split is false */
} metaspace;

static lmd_status read_scheme(json_t *json, prepend_scheme *scheme)
{
    static const char *const words[] = {
#define SCHEME_WORD(name, word) word,
        PREPEND_SCHEMES(SCHEME_WORD)
#undef SCHEME_WORD
    };
    const char *word = NULL;
    bool adds_prefix = true;
    LMD_TRY(lmd_json_get_string(json, "prepend_scheme", &word, NULL));
    LMD_TRY(lmd_json_get_bool(json, "add_prefix_space", true, &adds_prefix));
    word = word == NULL ? "always" : word;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i], word) == 0) {
            *scheme = (prepend_scheme)i;
            return adds_prefix || *scheme == PREPEND_NEVER
                       ? LMD_OK
                       : lmd_status_set(LMD_INPUT,
                                        "add_prefix_space is false, but prepend_scheme "
                                        "is %s",
                                        word);
        }
    }
    return lmd_status_set(LMD_INPUT, "prepend_scheme: %s is not supported", word);
}

static lmd_status read_metaspace(json_t *json, metaspace *made)
{
    const char *mark = NULL;
    bool splits = true;
    uint32_t c = 0;
    LMD_TRY(lmd_json_check_keys(json, "type replacement str_rep add_prefix_space "
                                      "prepend_scheme split"));
    LMD_TRY(lmd_json_get_string(json, "replacement", &mark, &made->mark_size));
    if (mark == NULL || made->mark_size == 0 ||
        lmd_text_decode_utf8(mark, &c) != made->mark_size) {
        return lmd_status_set(LMD_INPUT, "replacement: not one character");
    }
    memcpy(made->mark, mark, made->mark_size);
    LMD_TRY(read_scheme(json, &made->scheme));
    LMD_TRY(lmd_json_get_bool(json, "split", true, &splits));
    made->rule.behavior = SPLIT_MERGED_WITH_NEXT;
    return splits ? lmd_regex_new_literal(&made->rule.regex, mark, made->mark_size)
                  : LMD_OK;
}

static lmd_status open_metaspace(lmd_pretokenizer **out, json_t *json)
{
    metaspace made = {.base = {.kind = &lmd_pretokenizer_metaspace}};
    LMD_TRY(read_metaspace(json, &made));
    metaspace *const kept = lmd_memory_new(1, sizeof *kept);
    *kept = made;
    kept->base.asks_front = made.scheme == PREPEND_FIRST;
    *out = &kept->base;
    return LMD_OK;
}

static void close_metaspace(lmd_pretokenizer *self)
{
    metaspace *const made = (metaspace *)self;
    lmd_regex_free(made->rule.regex);
    lmd_memory_free(made);
}

static bool has_mark(const metaspace *made, const char *text, size_t size)
{
    return text[0] == ' ' ||
           (size >= made->mark_size && memcmp(text, made->mark, made->mark_size) == 0);
}

/* A text with marks for spaces. */
static void write_marks(const metaspace *made, const char *text, size_t size,
                        lmd_text *out)
{
    size_t done = 0;
    for (const char *at = memchr(text, ' ', size); at != NULL;
         at = memchr(text + done, ' ', size - done)) {
        const size_t place = (size_t)(at - text);
        lmd_text_append(out, text + done, place - done);
        lmd_text_append(out, made->mark, made->mark_size);
        done = place + 1;
    }
    lmd_text_append(out, text + done, size - done);
}

static lmd_status cut_metaspace(const lmd_pretokenizer *self, lmd_matcher *matcher,
                                lmd_pieces *pieces)
{
    const metaspace *const made = (const metaspace *)self;
    lmd_text *const out = lmd_pieces_new_text(pieces);
    for (size_t i = 0; i < pieces->spans.count; i++) {
        const lmd_span span = pieces->spans.at[i];
        const char *const text = pieces->text + span.begin;
        const size_t size = span.end - span.begin;
        const size_t in_front = lmd_pieces_in_front(pieces, span);
        const size_t begin = out->size;
        const bool prepends = made->scheme == PREPEND_ALWAYS ||
                              (made->scheme == PREPEND_FIRST && in_front > 0);
        if (prepends && !has_mark(made, text, size)) {
            lmd_text_append(out, made->mark, made->mark_size);
        }
        write_marks(made, text, in_front, out);
        pieces->next_front = in_front > 0 ? out->size : pieces->next_front;
        write_marks(made, text + in_front, size - in_front, out);
        lmd_spans_append(&pieces->next, begin, out->size);
    }
    lmd_pieces_advance_text(pieces);
    return made->rule.regex == NULL ? LMD_OK
                                    : lmd_split_rule_cut(&made->rule, matcher, pieces);
}

const lmd_pretokenizer_kind lmd_pretokenizer_metaspace = {"Metaspace", open_metaspace,
                                                          close_metaspace, cut_metaspace};
