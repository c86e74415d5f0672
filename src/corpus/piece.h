/* A piece: the text of the records that start in one stretch of a unit. The text comes
 * first and the table of its segments behind it, so that a reader can hand over its own
 * buffer:
 *     text | segments: file, offset, at, n_bytes (u64 each) | tail
 * Each segment begins with the first byte of a record and ends with the last of one. */
#ifndef LMDEPTH_CORPUS_PIECE_H
#define LMDEPTH_CORPUS_PIECE_H

#include <stdbool.h>             /* bool */
#include <stdint.h>              /* uint64_t */
#include <lmdepth/base/status.h> /* lmd_status */
#include <lmdepth/base/text.h>   /* lmd_text */

typedef struct piece_segment {
    uint64_t file;
    uint64_t offset; /* of its first byte in the decompressed file */
    uint64_t at;     /* of its first byte in the piece */
    uint64_t n_bytes;
} piece_segment;

typedef struct piece_head {
    int unit;
    int64_t stretch;
    int64_t previous; /* stretch of the unit's piece before; -1: none */
    bool is_last;     /* of the unit */
    uint64_t n_segments;
} piece_head;

/* Completes a piece whose text is in `piece`. */
void piece_write(lmd_text *piece, const piece_head *head, const piece_segment *segments);

/* LMD_FAILED for what is no piece. */
lmd_status piece_read_head(const lmd_text *piece, piece_head *head);

/* Segment i, with its bytes inside the piece. */
lmd_status piece_read_segment(const lmd_text *piece, const piece_head *head, uint64_t i,
                              piece_segment *segment);

#endif
