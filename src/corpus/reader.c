/* One unit, file after file, record after record, cut into pieces.
 *
 *     text:  [ piece so far | blank, passed | ahead, not looked at ]
 *            0              kept            scanned               size
 *
 * A piece is given when the first record of a later stretch is found, so that it is known
 * whether it is the last. When a record is not whole, as much as lies ahead is read in
 * addition: looking at its start again and again costs no more than twice its length. */
#include <assert.h>              /* assert */
#include <lmdepth/base/file.h>   /* lmd_file_sha256 */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <lmdepth/base/stream.h> /* lmd_stream_read */
#include <string.h>              /* memmove */
#include "corpus_files.h"
#include "piece.h"

enum { BLOCK_BYTES = 1 << 20 };

struct lmd_reader {
    const lmd_corpus *corpus; /* borrowed */
    lmd_policy policy;
    int unit;
    int file;           /* that is read or comes next */
    int end_file;       /* of the unit */
    lmd_stream *stream; /* owned; NULL: the file is not open */
    char (
        *hexes)[LMD_SHA256_HEX]; /* owned, of the unit's files; "" when not read whole */

    lmd_text text; /* owned */
    size_t kept;
    size_t scanned;
    uint64_t offset; /* of text[scanned] in the file */
    uint64_t before; /* decompressed bytes of the unit's files before this */
    bool is_end;     /* the file ends with the text */
    bool is_first;   /* no record of the file was found yet */

    piece_segment *segments; /* owned */
    uint64_t n_segments;
    uint64_t segment_room;
    int64_t stretch;  /* of the records in the text */
    int64_t previous; /* of the piece before */
    int64_t n_sampled;
    bool is_over;  /* no more records */
    bool is_given; /* the last piece, too */
};

lmd_status lmd_reader_open(lmd_reader **out, const lmd_corpus *corpus, int unit,
                           const lmd_policy *policy)
{
    lmd_reader *const reader = lmd_memory_new(1, sizeof *reader);
    reader->corpus = corpus;
    reader->policy = *policy;
    if (reader->policy.chunk_bytes == 0) {
        reader->policy.chunk_bytes = LMD_CHUNK_BYTES;
    }
    reader->unit = unit;
    reader->file = corpus->units[unit];
    reader->end_file = corpus->units[unit + 1];
    reader->hexes =
        lmd_memory_new((size_t)(reader->end_file - reader->file), sizeof *reader->hexes);
    reader->previous = -1;
    *out = reader;
    return LMD_OK;
}

void lmd_reader_close(lmd_reader *reader)
{
    if (reader) {
        lmd_stream_close(reader->stream);
        lmd_text_clear(&reader->text);
        lmd_memory_free(reader->hexes);
        lmd_memory_free(reader->segments);
        lmd_memory_free(reader);
    }
}

static size_t ahead(const lmd_reader *reader)
{
    return reader->text.size - reader->scanned;
}

/* ---- bytes ---- */

static lmd_status open_file(lmd_reader *reader)
{
    reader->offset = 0;
    reader->is_end = false;
    reader->is_first = true;
    return lmd_stream_open(&reader->stream, reader->corpus->files[reader->file].path);
}

static void end_file(lmd_reader *reader)
{
    const int i = reader->file - reader->corpus->units[reader->unit];
    lmd_stream_sha256(reader->stream, reader->hexes[i]);
    lmd_stream_close(reader->stream);
    reader->stream = NULL;
    reader->before += reader->offset + ahead(reader);
    reader->scanned = reader->text.size;
    reader->file++;
    reader->is_over = reader->file == reader->end_file;
}

/* Much blank space between records is not kept in memory. */
static void drop_blank(lmd_reader *reader)
{
    if (reader->scanned - reader->kept >= BLOCK_BYTES) {
        char *const bytes = reader->text.bytes;
        memmove(bytes + reader->kept, bytes + reader->scanned, ahead(reader));
        reader->text.size -= reader->scanned - reader->kept;
        reader->scanned = reader->kept;
    }
}

static lmd_status fill(lmd_reader *reader)
{
    size_t got;
    const size_t wanted = ahead(reader) > BLOCK_BYTES ? ahead(reader) : BLOCK_BYTES;
    drop_blank(reader);
    char *const end = lmd_text_reserve(&reader->text, wanted);
    LMD_TRY(lmd_stream_read(reader->stream, end, wanted, &got));
    reader->text.size += got;
    reader->is_end = got < wanted;
    return LMD_OK;
}

/* ---- records ---- */

/* The next record of the file, if it is whole. */
static bool find_record(lmd_reader *reader, corpus_scan *scan)
{
    const corpus_format *const format = reader->corpus->files[reader->file].format;
    *scan = (corpus_scan){.bytes = lmd_text_string(&reader->text) + reader->scanned,
                          .n_bytes = ahead(reader),
                          .is_start = reader->offset == 0,
                          .is_end = reader->is_end,
                          .is_first = reader->is_first};
    return corpus_format_find(format, scan);
}

static void pass(lmd_reader *reader, size_t n_bytes)
{
    reader->scanned += n_bytes;
    reader->offset += n_bytes;
}

static void add_segment(lmd_reader *reader, piece_segment segment)
{
    if (reader->n_segments == reader->segment_room) {
        reader->segment_room = 2 * reader->segment_room + 4;
        reader->segments = lmd_memory_resize(
            reader->segments, (size_t)reader->segment_room, sizeof *reader->segments);
    }
    reader->segments[reader->n_segments++] = segment;
}

/* Takes the record into the piece: the last segment goes on when nothing is missing
 * between them. */
static void take_record(lmd_reader *reader, const corpus_scan *scan)
{
    const uint64_t at = reader->scanned + scan->start;
    const uint64_t end = reader->scanned + scan->end;
    const uint64_t offset = reader->offset + scan->start;
    const uint64_t file = (uint64_t)reader->file;
    const uint64_t key = corpus_record_key(reader->file, offset);
    piece_segment *const last =
        reader->n_segments > 0 ? &reader->segments[reader->n_segments - 1] : NULL;
    if (last && last->file == file && offset - last->offset == at - last->at) {
        last->n_bytes = end - last->at;
    } else {
        add_segment(reader, (piece_segment){file, offset, at, end - at});
    }
    pass(reader, scan->end);
    reader->kept = reader->scanned;
    reader->is_first = false;
    reader->n_sampled += corpus_is_sampled(&reader->policy, key);
    reader->is_over =
        reader->policy.limit > 0 && reader->n_sampled == reader->policy.limit;
}

/* ---- pieces ---- */

/* Hands the text over to `piece`; what lies behind the piece's records stays here. */
static void give(lmd_reader *reader, bool is_last, lmd_text *piece)
{
    const piece_head head = {.unit = reader->unit,
                             .stretch = reader->stretch,
                             .previous = reader->previous,
                             .is_last = is_last,
                             .n_segments = reader->n_segments};
    lmd_text rest = {0};
    if (!is_last) {
        lmd_text_append(&rest, reader->text.bytes + reader->scanned, ahead(reader));
    }
    lmd_text_clear(piece);
    *piece = reader->text;
    piece->size = reader->kept;
    piece_write(piece, &head, reader->segments);
    reader->text = rest;
    reader->kept = 0;
    reader->scanned = 0;
    reader->n_segments = 0;
    reader->previous = head.stretch;
    reader->is_given = is_last;
}

/* One step: a record, the end of a file, or more bytes; *is_cut when a piece was given.
 */
static lmd_status step(lmd_reader *reader, lmd_text *piece, bool *is_cut)
{
    corpus_scan scan;
    if (!reader->stream) {
        LMD_TRY(open_file(reader));
    }
    if (find_record(reader, &scan)) {
        const uint64_t start = reader->before + reader->offset + scan.start;
        const int64_t stretch = (int64_t)start / reader->policy.chunk_bytes;
        *is_cut = reader->n_segments > 0 && stretch != reader->stretch;
        if (*is_cut) {
            give(reader, false, piece); // the record will be found again
        } else {
            take_record(reader, &scan);
        }
        reader->stretch = stretch;
        return LMD_OK;
    }
    if (reader->is_end) {
        end_file(reader);
        return LMD_OK;
    }
    pass(reader, scan.passed);
    return fill(reader);
}

lmd_status lmd_reader_next(lmd_reader *reader, lmd_text *piece, bool *more)
{
    bool is_cut = false;
    *more = !reader->is_given;
    while (!reader->is_over && !is_cut) {
        LMD_TRY(step(reader, piece, &is_cut));
    }
    if (!is_cut && !reader->is_given) {
        give(reader, true, piece);
    }
    return LMD_OK;
}

double lmd_reader_stored(const lmd_reader *reader)
{
    double stored = reader->stream ? (double)lmd_stream_stored(reader->stream) : 0.0;
    for (int i = reader->corpus->units[reader->unit]; i < reader->file; i++) {
        stored += (double)reader->corpus->files[i].n_bytes;
    }
    const double taken = (double)(reader->before + reader->offset);
    const double all = taken + (double)ahead(reader);
    return reader->stream && all > 0 ? stored * (taken / all) : stored;
}

lmd_status lmd_reader_hashes(lmd_reader *reader, lmd_text *out)
{
    assert(reader->is_over);
    const int first = reader->corpus->units[reader->unit];
    for (int i = first; i < reader->end_file; i++) {
        char *const hex = reader->hexes[i - first];
        if (!*hex) {
            LMD_TRY(lmd_file_sha256(reader->corpus->files[i].path, hex));
        }
        lmd_text_append_format(out, "%d %s\n", i, hex);
    }
    return LMD_OK;
}
