/* Matches and the stretches between them, in order, become pieces. The behaviours are
 * those of `tokenizers`, its corner cases included: a match with nothing to merge with
 * stands alone, and pieces without characters vanish at the end. */
#include "split_rule.h"

#include <string.h>              /* strcmp */
#include <lmdepth/base/memory.h> /* lmd_memory_new */

/* The pieces that are being made of one piece. */
typedef struct cutting {
    split_behavior behavior;
    bool was_match; /* was the last stretch a match? */
    lmd_spans *out; /* borrowed */
    size_t first;   /* pieces of `out` before it belong to others */
    size_t base;    /* offset of the piece in the text */
} cutting;

lmd_status lmd_split_behavior_of(const char *word, split_behavior *behavior)
{
    static const char *const words[] = {
#define SPLIT_BEHAVIOR_WORD(name, word) word,
        SPLIT_BEHAVIORS(SPLIT_BEHAVIOR_WORD)
#undef SPLIT_BEHAVIOR_WORD
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i], word) == 0) {
            *behavior = (split_behavior)i;
            return LMD_OK;
        }
    }
    return lmd_status_set(LMD_INPUT, "behavior: %s is not supported", word);
}

/* Does a stretch go into the piece before it? */
static bool joins_previous(const cutting *cut, bool is_match)
{
    switch (cut->behavior) {
    case SPLIT_CONTIGUOUS:
        return is_match == cut->was_match;
    case SPLIT_MERGED_WITH_PREVIOUS:
        return is_match && !cut->was_match;
    case SPLIT_MERGED_WITH_NEXT:
        return !is_match && cut->was_match;
    default:
        return false;
    }
}

static void add_stretch(cutting *cut, size_t begin, size_t end, bool is_match)
{
    if (cut->behavior == SPLIT_REMOVED && is_match) {
        return;
    }
    if (cut->out->count > cut->first && joins_previous(cut, is_match)) {
        cut->out->at[cut->out->count - 1].end = cut->base + end;
    } else {
        lmd_spans_append(cut->out, cut->base + begin, cut->base + end);
    }
    cut->was_match = is_match;
}

static void drop_empty(cutting *cut)
{
    size_t kept = cut->first;
    for (size_t i = cut->first; i < cut->out->count; i++) {
        const lmd_span span = cut->out->at[i];
        if (span.begin < span.end) {
            cut->out->at[kept++] = span;
        }
    }
    cut->out->count = kept;
}

static lmd_status cut_piece(const lmd_split_rule *rule, lmd_matcher *matcher,
                            const char *text, size_t size, cutting *cut)
{
    lmd_match_walk walk = {0};
    size_t done = 0; // the end of the last match
    for (;;) {
        lmd_span match = {0, 0};
        bool found = false;
        LMD_TRY(lmd_regex_next(rule->regex, matcher, text, size, &walk, &match, &found));
        if (!found) {
            break;
        }
        if (match.begin > done) {
            add_stretch(cut, done, match.begin, rule->invert);
        }
        add_stretch(cut, match.begin, match.end, !rule->invert);
        done = match.end;
    }
    if (done < size) {
        add_stretch(cut, done, size, rule->invert);
    }
    drop_empty(cut);
    return LMD_OK;
}

lmd_status lmd_split_rule_cut(const lmd_split_rule *rule, lmd_matcher *matcher,
                              lmd_pieces *pieces)
{
    for (size_t i = 0; i < pieces->spans.count; i++) {
        const lmd_span span = pieces->spans.at[i];
        cutting cut = {rule->behavior, false, &pieces->next, pieces->next.count,
                       span.begin};
        LMD_TRY(cut_piece(rule, matcher, pieces->text + span.begin, span.end - span.begin,
                          &cut));
    }
    lmd_pieces_advance(pieces);
    return LMD_OK;
}

/* ---- a pre-tokenizer that is a rule ---- */

typedef struct rule_only {
    lmd_pretokenizer base;
    lmd_split_rule rule;
} rule_only;

void lmd_split_rule_open(lmd_pretokenizer **out, const lmd_pretokenizer_kind *kind,
                         lmd_split_rule rule)
{
    rule_only *const made = lmd_memory_new(1, sizeof *made);
    made->base.kind = kind;
    made->rule = rule;
    *out = &made->base;
}

void lmd_split_rule_close(lmd_pretokenizer *self)
{
    rule_only *const made = (rule_only *)self;
    lmd_regex_free(made->rule.regex);
    lmd_memory_free(made);
}

lmd_status lmd_split_rule_apply(const lmd_pretokenizer *self, lmd_matcher *matcher,
                                lmd_pieces *pieces)
{
    return lmd_split_rule_cut(&((const rule_only *)self)->rule, matcher, pieces);
}
