/* Pieces travel between ranks of one job, so a bad one is a bug or damaged memory; it is
 * checked all the same. */
#include "piece.h"

#include "corpus_bytes.h"

enum { SEGMENT_BYTES = 32, TAIL_BYTES = 48 };

static const uint64_t magic = UINT64_C(0x65636569702d646d); // "md-piece"

void piece_write(lmd_text *piece, const piece_head *head, const piece_segment *segments)
{
    for (uint64_t i = 0; i < head->n_segments; i++) {
        corpus_put64(piece, segments[i].file);
        corpus_put64(piece, segments[i].offset);
        corpus_put64(piece, segments[i].at);
        corpus_put64(piece, segments[i].n_bytes);
    }
    corpus_put64(piece, (uint64_t)head->unit);
    corpus_put64(piece, (uint64_t)head->stretch);
    corpus_put64(piece, (uint64_t)head->previous);
    corpus_put64(piece, head->is_last);
    corpus_put64(piece, head->n_segments);
    corpus_put64(piece, magic);
}

static lmd_status refuse(void)
{
    return lmd_status_set(LMD_FAILED, "a piece of the corpus was damaged on its way");
}

lmd_status piece_read_head(const lmd_text *piece, piece_head *head)
{
    if (piece->size < TAIL_BYTES) {
        return refuse();
    }
    corpus_cursor cursor = {piece->bytes + piece->size - TAIL_BYTES, TAIL_BYTES, false};
    head->unit = (int)corpus_take64(&cursor);
    head->stretch = (int64_t)corpus_take64(&cursor);
    head->previous = (int64_t)corpus_take64(&cursor);
    head->is_last = corpus_take64(&cursor) != 0;
    head->n_segments = corpus_take64(&cursor);
    const bool is_piece = corpus_take64(&cursor) == magic &&
                          head->n_segments <= (piece->size - TAIL_BYTES) / SEGMENT_BYTES;
    return is_piece ? LMD_OK : refuse();
}

lmd_status piece_read_segment(const lmd_text *piece, const piece_head *head, uint64_t i,
                              piece_segment *segment)
{
    const size_t n_table = (size_t)head->n_segments * SEGMENT_BYTES;
    const size_t n_text = piece->size - TAIL_BYTES - n_table;
    corpus_cursor cursor = {piece->bytes + n_text + i * SEGMENT_BYTES, SEGMENT_BYTES,
                            false};
    segment->file = corpus_take64(&cursor);
    segment->offset = corpus_take64(&cursor);
    segment->at = corpus_take64(&cursor);
    segment->n_bytes = corpus_take64(&cursor);
    const bool is_inside =
        segment->at <= n_text && segment->n_bytes <= n_text - segment->at;
    return is_inside ? LMD_OK : refuse();
}
