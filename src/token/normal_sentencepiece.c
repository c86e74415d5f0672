/* SentencePiece's normalization (Kudo and Richardson 2018): the longest key of the
 * character map at each place, spaces at the edges and repeated ones removed, a space
 * added before the text, spaces written as U+2581. The order of these steps, which
 * matters where the map makes spaces, is the library's. */
#include "normal_sentencepiece.h"

#include <string.h>              /* strlen */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include "scored_pieces.h"       /* LMD_SPACE_MARK */

typedef struct sentencepiece {
    lmd_normalizer base;
    lmd_sentencepiece_rules rules;
} sentencepiece;

static void close_sentencepiece(lmd_normalizer *self)
{
    sentencepiece *const made = (sentencepiece *)self;
    lmd_charsmap_free(made->rules.map);
    lmd_memory_free(made);
}

typedef struct view {
    const char *bytes; /* borrowed */
    size_t size;
} view;

/* What the beginning of a text turns into, and how many of its bytes that takes. */
static view first_of(const lmd_charsmap *map, const char *text, size_t size,
                     size_t *taken)
{
    const char *content = NULL;
    *taken = map == NULL ? 0 : lmd_charsmap_match(map, true, text, size, &content);
    if (*taken > 0) {
        return (view){content, strlen(content)};
    }
    uint32_t c = 0;
    *taken = lmd_text_decode_utf8(text, &c);
    return (view){text, *taken};
}

static void append_space(const lmd_sentencepiece_rules *rules, lmd_text *out)
{
    lmd_text_append_string(out, rules->escapes ? LMD_SPACE_MARK : " ");
}

static void append_content(const lmd_sentencepiece_rules *rules, view content,
                           lmd_text *out)
{
    size_t done = 0;
    for (size_t i = 0; i < content.size; i++) {
        if (content.bytes[i] == ' ') {
            lmd_text_append(out, content.bytes + done, i - done);
            append_space(rules, out);
            done = i + 1;
        }
    }
    lmd_text_append(out, content.bytes + done, content.size - done);
}

static size_t skip_spaces(const lmd_charsmap *map, const char *text, size_t size)
{
    size_t at = 0;
    while (at < size) {
        size_t taken = 0;
        const view first = first_of(map, text + at, size - at, &taken);
        if (first.size != 1 || first.bytes[0] != ' ') {
            break;
        }
        at += taken;
    }
    return at;
}

static void remove_last_spaces(const lmd_sentencepiece_rules *rules, size_t begin,
                               lmd_text *out)
{
    const char *const space = rules->escapes ? LMD_SPACE_MARK : " ";
    const size_t n = strlen(space);
    while (out->size >= begin + n && memcmp(out->bytes + out->size - n, space, n) == 0) {
        out->size -= n;
        out->bytes[out->size] = '\0';
    }
}

static lmd_status apply_sentencepiece(const lmd_normalizer *self, lmd_matcher *matcher,
                                      const char *text, size_t size, lmd_text *out)
{
    const lmd_sentencepiece_rules *const rules = &((const sentencepiece *)self)->rules;
    (void)matcher;
    const size_t begin = out->size;
    size_t at = rules->removes_extra ? skip_spaces(rules->map, text, size) : 0;
    if (at == size) {
        return LMD_OK;
    }
    if (rules->adds_space && !rules->space_is_last) {
        append_space(rules, out);
    }
    bool was_space = rules->removes_extra;
    while (at < size) {
        size_t taken = 0;
        view content = first_of(rules->map, text + at, size - at, &taken);
        while (was_space && content.size > 0 && content.bytes[0] == ' ') {
            content.bytes++;
            content.size--;
        }
        append_content(rules, content, out);
        if (content.size > 0) {
            was_space = rules->removes_extra && content.bytes[content.size - 1] == ' ';
        }
        at += taken;
    }
    if (rules->removes_extra) {
        remove_last_spaces(rules, begin, out);
    }
    if (rules->adds_space && rules->space_is_last) {
        append_space(rules, out);
    }
    return LMD_OK;
}

void lmd_sentencepiece_normalizer_open(lmd_normalizer **out,
                                       lmd_sentencepiece_rules rules)
{
    static const lmd_normalizer_kind kind = {.type = "SentencePiece",
                                             .close = close_sentencepiece,
                                             .apply = apply_sentencepiece};
    sentencepiece *const made = lmd_memory_new(1, sizeof *made);
    made->base.kind = &kind;
    made->rules = rules;
    *out = &made->base;
}
