/* SentencePiece's own normalizer, which a tokenizer.model describes. */
#ifndef LMDEPTH_TOKEN_NORMAL_SENTENCEPIECE_H
#define LMDEPTH_TOKEN_NORMAL_SENTENCEPIECE_H

#include "charsmap.h"   /* lmd_charsmap */
#include "normalizer.h" /* lmd_normalizer */

typedef struct lmd_sentencepiece_rules {
    lmd_charsmap *map;  /* owned by the normalizer; NULL: characters stay as they are */
    bool adds_space;    /* add_dummy_prefix */
    bool space_is_last; /* treat_whitespace_as_suffix: that space goes to the end */
    bool removes_extra; /* remove_extra_whitespaces */
    bool escapes;       /* escape_whitespaces: a space is written U+2581 */
} lmd_sentencepiece_rules;

void lmd_sentencepiece_normalizer_open(lmd_normalizer **out,
                                       lmd_sentencepiece_rules rules);

#endif
