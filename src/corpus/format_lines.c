/* lines: every line that is not blank is a record; its text is the line without line feed
 * and without the CR before it. */
#include "format.h"

static lmd_fate parse(const corpus_record *record, corpus_content *out)
{
    out->text = record->bytes;
    out->n_text = corpus_format_strip_line(record->bytes, record->n_bytes);
    return record->is_sampled ? corpus_format_check_text(out) : LMD_FATE_USED;
}

const corpus_format corpus_format_lines = {
    .name = "lines",
    .find = corpus_format_find_line,
    .parse = parse,
};
