/* paragraphs: runs of lines that are not blank. The lines are joined by one line feed;
 * CRs at their ends and the last line feed do not belong to the text. Mostly there is no
 * CR, and the text is the record's own bytes. */
#include <string.h> /* memchr */
#include "format.h"

/* End of the line at `at`, 0 when it is not whole. */
static size_t line_end(const corpus_scan *scan, size_t at)
{
    const char *const feed = memchr(scan->bytes + at, '\n', scan->n_bytes - at);
    if (feed) {
        return (size_t)(feed - scan->bytes) + 1;
    }
    return scan->is_end ? scan->n_bytes : 0;
}

static bool find(corpus_scan *scan)
{
    if (!corpus_format_find_line(scan)) {
        return false;
    }
    scan->passed = scan->start;
    while (scan->end < scan->n_bytes) {
        const size_t end = line_end(scan, scan->end);
        if (end == 0) {
            return false;
        }
        if (lmd_text_is_blank(scan->bytes + scan->end, end - scan->end)) {
            return true;
        }
        scan->end = end;
    }
    return scan->is_end;
}

static void join_lines(const corpus_record *record, lmd_text *out)
{
    const char *const end = record->bytes + record->n_bytes;
    out->size = 0;
    for (const char *line = record->bytes; line < end;) {
        const char *const feed = memchr(line, '\n', (size_t)(end - line));
        const char *const next = feed ? feed + 1 : end;
        if (line > record->bytes) {
            lmd_text_append(out, "\n", 1);
        }
        lmd_text_append(out, line, corpus_format_strip_line(line, (size_t)(next - line)));
        line = next;
    }
}

static lmd_fate parse(const corpus_record *record, corpus_content *out)
{
    out->text = record->bytes;
    out->n_text = corpus_format_strip_line(record->bytes, record->n_bytes);
    if (!record->is_sampled) {
        return LMD_FATE_USED;
    }
    if (memchr(record->bytes, '\r', record->n_bytes)) {
        join_lines(record, &out->scratch);
        out->text = lmd_text_string(&out->scratch);
        out->n_text = out->scratch.size;
    }
    return corpus_format_check_text(out);
}

const corpus_format corpus_format_paragraphs = {
    .name = "paragraphs",
    .extension = ".txt",
    .find = find,
    .parse = parse,
};
