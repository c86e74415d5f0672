/* Pre-tokenizer ByteLevel: GPT-2's cut (unless use_regex is false), then every byte
 * becomes a character of its own (byte_level.h). What stands behind it in a Sequence sees
 * those characters, as in Falcon's tokenizer, and so do vocabulary and merges. */
#include "split_rule.h"

#include <string.h>              /* strlen */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include "byte_level.h"
#include "json_fields.h"

typedef struct byte_level {
    lmd_pretokenizer base;
    bool add_prefix_space;
    bool use_regex;
    lmd_split_rule rule; /* GPT-2's, when use_regex */
} byte_level;

static const char gpt2_pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

static lmd_status open_byte_level(lmd_pretokenizer **out, json_t *json)
{
    byte_level made = {.base = {.kind = &lmd_pretokenizer_byte_level},
                       .rule = {.behavior = SPLIT_ISOLATED}};
    LMD_TRY(lmd_json_check_keys(json, "type add_prefix_space trim_offsets use_regex"));
    LMD_TRY(lmd_json_get_bool(json, "add_prefix_space", true, &made.add_prefix_space));
    LMD_TRY(lmd_json_get_bool(json, "use_regex", true, &made.use_regex));
    if (made.use_regex) {
        LMD_TRY(lmd_regex_new(&made.rule.regex, gpt2_pattern, strlen(gpt2_pattern)));
    }
    byte_level *const kept = lmd_memory_new(1, sizeof *kept);
    *kept = made;
    *out = &kept->base;
    return LMD_OK;
}

static void close_byte_level(lmd_pretokenizer *self)
{
    byte_level *const made = (byte_level *)self;
    lmd_regex_free(made->rule.regex);
    lmd_memory_free(made);
}

/* A space before every piece that has none. */
static void add_prefix_spaces(lmd_pieces *pieces)
{
    lmd_text *const out = lmd_pieces_new_text(pieces);
    for (size_t i = 0; i < pieces->spans.count; i++) {
        const lmd_span span = pieces->spans.at[i];
        const size_t begin = out->size;
        if (pieces->text[span.begin] != ' ') {
            lmd_text_append(out, " ", 1);
        }
        const size_t in_front = lmd_pieces_in_front(pieces, span);
        pieces->next_front = in_front > 0 ? out->size + in_front : pieces->next_front;
        lmd_text_append(out, pieces->text + span.begin, span.end - span.begin);
        lmd_spans_append(&pieces->next, begin, out->size);
    }
    lmd_pieces_advance_text(pieces);
}

static void write_bytes(lmd_pieces *pieces)
{
    lmd_text *const out = lmd_pieces_new_text(pieces);
    for (size_t i = 0; i < pieces->spans.count; i++) {
        const lmd_span span = pieces->spans.at[i];
        const size_t begin = out->size;
        const size_t in_front = lmd_pieces_in_front(pieces, span);
        lmd_byte_level_write(pieces->text + span.begin, in_front, out);
        pieces->next_front = in_front > 0 ? out->size : pieces->next_front;
        lmd_byte_level_write(pieces->text + span.begin + in_front,
                             span.end - span.begin - in_front, out);
        lmd_spans_append(&pieces->next, begin, out->size);
    }
    lmd_pieces_advance_text(pieces);
}

static lmd_status cut_byte_level(const lmd_pretokenizer *self, lmd_matcher *matcher,
                                 lmd_pieces *pieces)
{
    const byte_level *const made = (const byte_level *)self;
    if (made->add_prefix_space) {
        add_prefix_spaces(pieces);
    }
    if (made->use_regex) {
        LMD_TRY(lmd_split_rule_cut(&made->rule, matcher, pieces));
    }
    write_bytes(pieces);
    return LMD_OK;
}

const lmd_pretokenizer_kind lmd_pretokenizer_byte_level = {
    "ByteLevel", open_byte_level, close_byte_level, cut_byte_level};
