/* document: a whole file is one record, every byte of it, an empty one included. */
#include "format.h"

static bool find(corpus_scan *scan)
{
    scan->start = 0;
    scan->end = scan->n_bytes;
    return scan->is_end && scan->is_first;
}

static lmd_fate parse(const corpus_record *record, corpus_content *out)
{
    out->text = record->bytes;
    out->n_text = record->n_bytes;
    return record->is_sampled ? corpus_format_check_text(out) : LMD_FATE_USED;
}

const corpus_format corpus_format_document = {
    .name = "document",
    .keeps_bom = true,
    .find = find,
    .parse = parse,
};
