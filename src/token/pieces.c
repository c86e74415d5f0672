/* Lists of pieces. Two lists and two buffers take turns, so that stages of any number
 * need no memory of their own and nothing is allocated per text once the buffers have
 * grown. */
#include "pieces.h"

#include <lmdepth/base/memory.h> /* lmd_memory_resize */

void lmd_spans_append(lmd_spans *spans, size_t begin, size_t end)
{
    if (spans->count == spans->capacity) {
        spans->capacity = spans->capacity == 0 ? 256 : 2 * spans->capacity;
        spans->at = lmd_memory_resize(spans->at, spans->capacity, sizeof *spans->at);
    }
    spans->at[spans->count++] = (lmd_span){begin, end};
}

void lmd_pieces_start(lmd_pieces *pieces, const char *text, size_t size, size_t front)
{
    pieces->text = text;
    pieces->front = front;
    pieces->spans.count = 0;
    pieces->next.count = 0;
    if (size > 0) {
        lmd_spans_append(&pieces->spans, 0, size);
    }
}

void lmd_pieces_clear(lmd_pieces *pieces)
{
    lmd_memory_free(pieces->spans.at);
    lmd_memory_free(pieces->next.at);
    lmd_text_clear(&pieces->buffers[0]);
    lmd_text_clear(&pieces->buffers[1]);
    *pieces = (lmd_pieces){0};
}

static void swap_lists(lmd_pieces *pieces)
{
    const lmd_spans done = pieces->spans;
    pieces->spans = pieces->next;
    pieces->next = done;
    pieces->next.count = 0;
}

void lmd_pieces_advance(lmd_pieces *pieces)
{
    swap_lists(pieces);
}

lmd_text *lmd_pieces_new_text(lmd_pieces *pieces)
{
    lmd_text *const buffer = &pieces->buffers[pieces->spare];
    buffer->size = 0;
    pieces->next_front = 0;
    return buffer;
}

size_t lmd_pieces_in_front(const lmd_pieces *pieces, lmd_span span)
{
    const size_t end = pieces->front < span.end ? pieces->front : span.end;
    return end > span.begin ? end - span.begin : 0;
}

void lmd_pieces_advance_text(lmd_pieces *pieces)
{
    pieces->front = pieces->next_front;
    pieces->text = lmd_text_string(&pieces->buffers[pieces->spare]);
    pieces->spare = 1 - pieces->spare;
    swap_lists(pieces);
}
