/* Tokens that are found in the text before it is cut: special ones and others that were
 * added to a vocabulary. */
#ifndef LMDEPTH_TOKEN_ADDED_TOKENS_H
#define LMDEPTH_TOKEN_ADDED_TOKENS_H

#include <stdbool.h>             /* bool */
#include <stddef.h>              /* size_t */
#include <lmdepth/base/status.h> /* lmd_status */

typedef struct lmd_added_tokens lmd_added_tokens;

typedef struct lmd_added_token {
    const char *content; /* borrowed; copied when added */
    size_t size;
    int id;
    bool special;
    bool single_word; /* not inside a word */
    bool lstrip;      /* swallows the white space before it */
    bool rstrip;      /* and behind it */
    bool normalized;  /* looked for in normalized text */
} lmd_added_token;

lmd_added_tokens *lmd_added_tokens_new(void);
void lmd_added_tokens_free(lmd_added_tokens *added); /* accepts NULL */

/* Adds a token; `pattern` (size) is what to look for: its content, normalized when it is
 * to be found in normalized text. A token with a known id takes its place. */
void lmd_added_tokens_add(lmd_added_tokens *added, const lmd_added_token *token,
                          const char *pattern, size_t pattern_size);

size_t lmd_added_tokens_count(const lmd_added_tokens *added);
const lmd_added_token *lmd_added_tokens_at(const lmd_added_tokens *added, size_t index);

/* By content or by id; NULL when there is none. */
const lmd_added_token *lmd_added_tokens_find(const lmd_added_tokens *added,
                                             const char *content, size_t size);
const lmd_added_token *lmd_added_tokens_by_id(const lmd_added_tokens *added, int id);

/* A match in a text: [begin, end) after stripping, [.., next) where the search goes on.
 */
typedef struct lmd_added_match {
    const lmd_added_token *token; /* borrowed */
    size_t begin;
    size_t end;
    size_t next;
} lmd_added_match;

/* The leftmost, then longest token at or behind `start` in well-formed UTF-8 that may
 * stand there; `taken` is where the last match ended. */
bool lmd_added_tokens_match(const lmd_added_tokens *added, bool normalized,
                            const char *text, size_t size, size_t start, size_t taken,
                            lmd_added_match *match);

#endif
