/* Regular expressions as Hugging Face's tokenizers read them (Oniguruma, Ruby syntax,
 * Unicode 16), run by PCRE2. A regex is immutable and shared; each thread has a matcher.
 */
#ifndef LMDEPTH_TOKEN_REGEX_H
#define LMDEPTH_TOKEN_REGEX_H

#include <stdbool.h>             /* bool */
#include <stddef.h>              /* size_t */
#include <lmdepth/base/status.h> /* lmd_status */
#include <lmdepth/base/text.h>   /* lmd_text */
#include "pieces.h"              /* lmd_span */

typedef struct lmd_regex lmd_regex;
typedef struct lmd_matcher lmd_matcher;

/* Compiles a pattern in Oniguruma's syntax; LMD_INPUT with pattern and place. */
lmd_status lmd_regex_new(lmd_regex **out, const char *pattern, size_t size);

/* The expression that matches exactly `string`. */
lmd_status lmd_regex_new_literal(lmd_regex **out, const char *string, size_t size);

void lmd_regex_free(lmd_regex *regex); /* accepts NULL */

lmd_matcher *lmd_matcher_new(void);
void lmd_matcher_free(lmd_matcher *matcher); /* accepts NULL */

/* First match at or behind `start` in well-formed UTF-8. LMD_RESOURCE when PCRE2 gives
 * up (memory). */
lmd_status lmd_regex_find(const lmd_regex *regex, lmd_matcher *matcher, const char *text,
                          size_t size, size_t start, lmd_span *match, bool *found);

/* A walk over all matches, in order; {0} stands before the first. An empty match at the
 * end of the one before it is none. */
typedef struct lmd_match_walk {
    size_t at;    /* where the search goes on */
    size_t end;   /* of the last match */
    bool has_one; /* was there a match? */
} lmd_match_walk;

lmd_status lmd_regex_next(const lmd_regex *regex, lmd_matcher *matcher, const char *text,
                          size_t size, lmd_match_walk *walk, lmd_span *match,
                          bool *found);

/* Rewrites a pattern for PCRE2 (UTF, UCP, MULTILINE); what has no equal there is refused
 * by name (LMD_INPUT). */
lmd_status lmd_regex_translate(const char *pattern, size_t size, lmd_text *out);

#endif
