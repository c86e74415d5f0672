/* A text and its pieces, as they go through the stages of pre-tokenization. A stage
 * replaces every piece by smaller ones, and may replace the text itself. */
#ifndef LMDEPTH_TOKEN_PIECES_H
#define LMDEPTH_TOKEN_PIECES_H

#include <stddef.h>            /* size_t */
#include <lmdepth/base/text.h> /* lmd_text */

typedef struct lmd_span {
    size_t begin;
    size_t end;
} lmd_span;

typedef struct lmd_spans {
    lmd_span *at; /* (count) owned */
    size_t count;
    size_t capacity;
} lmd_spans;

typedef struct lmd_pieces {
    const char *text; /* borrowed: the caller's, or one of the two buffers */
    lmd_spans spans;  /* never empty ones */
    lmd_spans next;   /* what the running stage has made so far */
    lmd_text buffers[2];
    size_t front;      /* what lies before it comes from the text's first character */
    size_t next_front; /* the same of the text that the running stage makes */
    int spare;         /* the buffer that `text` does not lie in */
} lmd_pieces;

/* One piece: the whole text (none when it is empty). {0} may be started. */
void lmd_pieces_start(lmd_pieces *pieces, const char *text, size_t size, size_t front);
void lmd_pieces_clear(lmd_pieces *pieces);

void lmd_spans_append(lmd_spans *spans, size_t begin, size_t end);

/* The end of a stage that kept the text: `next` becomes the list of pieces. */
void lmd_pieces_advance(lmd_pieces *pieces);

/* An empty buffer for a stage that makes a new text; how many bytes of a piece lie before
 * the front, for which the stage is to set next_front; and the end of such a stage: the
 * buffer becomes the text, `next` the pieces. */
lmd_text *lmd_pieces_new_text(lmd_pieces *pieces);
size_t lmd_pieces_in_front(const lmd_pieces *pieces, lmd_span span);
void lmd_pieces_advance_text(lmd_pieces *pieces);

#endif
