/* Cutting at the matches of a regular expression: what Split, ByteLevel, Digits,
 * Punctuation and Whitespace have in common. */
#ifndef LMDEPTH_TOKEN_SPLIT_RULE_H
#define LMDEPTH_TOKEN_SPLIT_RULE_H

#include <stdbool.h>             /* bool */
#include <lmdepth/base/status.h> /* lmd_status */
#include "pretokenizer.h"        /* lmd_pretokenizer_kind */

/* What becomes of a match; the words of tokenizer.json. */
#define SPLIT_BEHAVIORS(X)                                                               \
    X(REMOVED, "Removed")                                                                \
    X(ISOLATED, "Isolated")                                                              \
    X(MERGED_WITH_PREVIOUS, "MergedWithPrevious")                                        \
    X(MERGED_WITH_NEXT, "MergedWithNext")                                                \
    X(CONTIGUOUS, "Contiguous")

typedef enum split_behavior {
#define SPLIT_BEHAVIOR_ENUM(name, word) SPLIT_##name,
    SPLIT_BEHAVIORS(SPLIT_BEHAVIOR_ENUM)
#undef SPLIT_BEHAVIOR_ENUM
} split_behavior;

lmd_status lmd_split_behavior_of(const char *word, split_behavior *behavior);

typedef struct lmd_split_rule {
    lmd_regex *regex; /* owned */
    split_behavior behavior;
    bool invert; /* matches count as what lies between, and the reverse */
} lmd_split_rule;

/* Cuts every piece and ends the stage. */
lmd_status lmd_split_rule_cut(const lmd_split_rule *rule, lmd_matcher *matcher,
                              lmd_pieces *pieces);

/* A pre-tokenizer that is a rule and nothing else: `rule->regex` becomes owned. */
void lmd_split_rule_open(lmd_pretokenizer **out, const lmd_pretokenizer_kind *kind,
                         lmd_split_rule rule);
void lmd_split_rule_close(lmd_pretokenizer *self);
lmd_status lmd_split_rule_apply(const lmd_pretokenizer *self, lmd_matcher *matcher,
                                lmd_pieces *pieces);

#endif
