/* Reading and writing of chunk files (chunk.h shows the layout). The image is built in
 * one buffer in the order of the file, so that memory holds the ids only once. */
#include "chunk.h"

#include <assert.h>              /* assert */
#include <string.h>              /* memcmp, memchr */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include "corpus_bytes.h"

enum { VERSION = 2, HEADER_BYTES = 120, STAMP_AT = 112, FLAG_LAST = 1 };
enum { PROMPT_FIRST = 1, PROMPT_LAST = 2, PROMPT_BOS = 4 };

static const char magic[8] = "lmdchunk";

char *chunk_path(const char *folder, int unit, int64_t stretch)
{
    lmd_text name = {0};
    lmd_text_append_format(&name, "chunk.%06d.%06lld", unit, (long long)stretch);
    char *const path = lmd_file_join(folder, name.bytes);
    lmd_text_clear(&name);
    return path;
}

/* ---- writing ---- */

void chunk_begin(chunk_writer *writer, const chunk_head *head, int pack_tokens)
{
    *writer = (chunk_writer){.head = *head, .pack_tokens = pack_tokens};
    memset(lmd_text_reserve(&writer->image, HEADER_BYTES), 0, HEADER_BYTES);
    writer->image.size = HEADER_BYTES;
}

void chunk_clear(chunk_writer *writer)
{
    corpus_labels_clear(&writer->groups);
    lmd_memory_free(writer->records);
    lmd_text_clear(&writer->image);
    lmd_text_clear(&writer->table);
    lmd_text_clear(&writer->prompts);
    lmd_text_clear(&writer->ids);
}

int chunk_group(chunk_writer *writer, const char *name, size_t n_bytes)
{
    const int group = corpus_labels_number(&writer->groups, name, n_bytes);
    if (group >= writer->n_records_room) {
        const int room = 2 * group + 4;
        writer->records =
            lmd_memory_resize(writer->records, (size_t)room, sizeof *writer->records);
        memset(writer->records + writer->n_records_room, 0,
               (size_t)(room - writer->n_records_room) * sizeof *writer->records);
        writer->n_records_room = room;
    }
    return group;
}

void chunk_count_record(chunk_writer *writer, int group, lmd_fate fate)
{
    writer->records[group][fate]++;
    writer->head.n_trailing =
        fate == LMD_FATE_UNSAMPLED ? writer->head.n_trailing + 1 : 0;
}

static size_t pack_length(const chunk_writer *writer)
{
    return writer->ids.size / sizeof(uint32_t);
}

static void close_pack(chunk_writer *writer)
{
    if (writer->n_prompts == 0) {
        return;
    }
    const size_t at = writer->image.size;
    lmd_text_append(&writer->image, writer->prompts.bytes, writer->prompts.size);
    lmd_text_append(&writer->image, writer->ids.bytes, writer->ids.size);
    corpus_put64(&writer->table, at);
    corpus_put32(&writer->table, (uint32_t)pack_length(writer));
    corpus_put32(&writer->table, (uint32_t)writer->n_prompts);
    corpus_put64(&writer->table,
                 corpus_checksum(writer->image.bytes + at, writer->image.size - at));
    writer->head.n_packs++;
    writer->n_prompts = 0;
    writer->prompts.size = 0;
    writer->ids.size = 0;
}

void chunk_add_prompt(chunk_writer *writer, const lmd_prompt *prompt, int bos,
                      const uint32_t *ids, size_t n)
{
    const size_t length = n + (bos >= 0);
    assert(length > 0 && length <= (size_t)writer->pack_tokens);
    if (pack_length(writer) + length > (size_t)writer->pack_tokens) {
        close_pack(writer);
    }
    corpus_put64(&writer->prompts, prompt->key);
    corpus_put64(&writer->prompts, (uint64_t)prompt->offset);
    corpus_put32(&writer->prompts, (uint32_t)prompt->group);
    corpus_put32(&writer->prompts, (uint32_t)prompt->next);
    corpus_put32(&writer->prompts, (uint32_t)length);
    corpus_put32(&writer->prompts, (prompt->is_first ? PROMPT_FIRST : 0U) |
                                       (prompt->is_last ? PROMPT_LAST : 0U) |
                                       (bos >= 0 ? PROMPT_BOS : 0U));
    if (bos >= 0) {
        corpus_put32(&writer->ids, (uint32_t)bos);
    }
    char *const end = lmd_text_reserve(&writer->ids, n * sizeof(uint32_t));
    for (size_t i = 0; i < n; i++) {
        corpus_store32(end + i * sizeof(uint32_t), ids[i]);
    }
    writer->ids.size += n * sizeof(uint32_t);
    writer->n_prompts++;
}

static void append_records(chunk_writer *writer)
{
    writer->head.n_groups = writer->groups.count;
    for (int g = 0; g < writer->groups.count; g++) {
        for (int fate = 0; fate < LMD_FATE_COUNT; fate++) {
            corpus_put64(&writer->image, (uint64_t)writer->records[g][fate]);
        }
    }
    for (int g = 0; g < writer->groups.count; g++) {
        corpus_put32(&writer->image, (uint32_t)strlen(writer->groups.names[g]));
    }
    for (int g = 0; g < writer->groups.count; g++) {
        const size_t n = strlen(writer->groups.names[g]);
        lmd_text_append(&writer->image, writer->groups.names[g], n);
        writer->head.n_names += n;
    }
}

static void append_counts(chunk_writer *writer, const int64_t *token_counts)
{
    for (int id = 0; id < writer->head.V; id++) {
        if (token_counts[id] != 0) {
            corpus_put32(&writer->image, (uint32_t)id);
            corpus_put64(&writer->image, (uint64_t)token_counts[id]);
            writer->head.n_counts++;
        }
    }
}

/* Fills in the header, which was left free. */
static void write_header(chunk_writer *writer)
{
    const chunk_head *const head = &writer->head;
    lmd_text header = {0};
    lmd_text_append(&header, magic, sizeof magic);
    corpus_put32(&header, VERSION);
    corpus_put32(&header, (uint32_t)head->V);
    corpus_put32(&header, (uint32_t)head->unit);
    corpus_put32(&header, head->is_last ? FLAG_LAST : 0);
    corpus_put64(&header, (uint64_t)head->stretch);
    corpus_put64(&header, (uint64_t)head->previous);
    corpus_put32(&header, (uint32_t)head->n_groups);
    corpus_put32(&header, (uint32_t)head->n_packs);
    corpus_put64(&header, head->n_names);
    corpus_put64(&header, head->n_counts);
    corpus_put64(&header, (uint64_t)head->n_specials);
    corpus_put64(&header, (uint64_t)head->n_trailing);
    corpus_put64(&header, head->tables_at);
    corpus_put64(&header, head->tables_sum);
    corpus_put64(&header, head->key);
    corpus_put64(&header, head->piece_sum);
    assert(header.size == STAMP_AT);
    corpus_put64(&header, corpus_checksum(header.bytes, STAMP_AT));
    memcpy(writer->image.bytes, header.bytes, HEADER_BYTES);
    lmd_text_clear(&header);
}

lmd_status chunk_finish(chunk_writer *writer, const int64_t *token_counts,
                        const char *folder)
{
    close_pack(writer);
    const size_t tables_at = writer->image.size;
    writer->head.tables_at = tables_at;
    append_records(writer);
    append_counts(writer, token_counts);
    lmd_text_append(&writer->image, lmd_text_string(&writer->table), writer->table.size);
    writer->head.tables_sum =
        corpus_checksum(writer->image.bytes + tables_at, writer->image.size - tables_at);
    write_header(writer);
    char *const path = chunk_path(folder, writer->head.unit, writer->head.stretch);
    const lmd_status status =
        lmd_file_write(path, writer->image.bytes, writer->image.size);
    lmd_memory_free(path);
    return status;
}

/* ---- reading ---- */

lmd_status chunk_refuse(const lmd_file *file, const char *what)
{
    return lmd_status_set(LMD_INPUT,
                          "%s: damaged chunk of the work folder: %s; remove this file, "
                          "and the same command makes it anew",
                          lmd_file_path(file), what);
}

static size_t records_size(const chunk_head *head)
{
    return (size_t)head->n_groups * LMD_FATE_COUNT * sizeof(int64_t);
}

/* Do the tables, by the header's numbers, end with the file? None of the terms can
 * overflow: each is held against the file first. */
static bool is_consistent(const chunk_head *head, uint64_t file_size)
{
    if (head->V < 1 || head->unit < 0 || head->stretch < 0 || head->previous < -1 ||
        head->n_groups < 0 || head->n_packs < 0 || head->n_specials < 0 ||
        head->n_trailing < 0) {
        return false;
    }
    if (head->tables_at < HEADER_BYTES || head->tables_at > file_size ||
        head->n_names > file_size || head->n_counts > file_size / CHUNK_COUNT_BYTES) {
        return false;
    }
    const uint64_t n_tables =
        records_size(head) + (uint64_t)head->n_groups * sizeof(uint32_t) + head->n_names +
        head->n_counts * CHUNK_COUNT_BYTES + (uint64_t)head->n_packs * CHUNK_PACK_BYTES;
    return n_tables == file_size - head->tables_at;
}

lmd_status chunk_read_head(const lmd_file *file, chunk_head *head)
{
    char bytes[HEADER_BYTES];
    LMD_TRY(lmd_file_read(file, 0, bytes, sizeof bytes));
    corpus_cursor cursor = {bytes, sizeof bytes, false};
    if (memcmp(corpus_take(&cursor, sizeof magic), magic, sizeof magic) != 0) {
        return chunk_refuse(file, "it does not begin like one");
    }
    if (corpus_take32(&cursor) != VERSION) {
        return chunk_refuse(file, "of another version");
    }
    head->V = (int)corpus_take32(&cursor);
    head->unit = (int)corpus_take32(&cursor);
    head->is_last = (corpus_take32(&cursor) & FLAG_LAST) != 0;
    head->stretch = (int64_t)corpus_take64(&cursor);
    head->previous = (int64_t)corpus_take64(&cursor);
    head->n_groups = (int)corpus_take32(&cursor);
    head->n_packs = (int)corpus_take32(&cursor);
    head->n_names = corpus_take64(&cursor);
    head->n_counts = corpus_take64(&cursor);
    head->n_specials = (int64_t)corpus_take64(&cursor);
    head->n_trailing = (int64_t)corpus_take64(&cursor);
    head->tables_at = corpus_take64(&cursor);
    head->tables_sum = corpus_take64(&cursor);
    head->key = corpus_take64(&cursor);
    head->piece_sum = corpus_take64(&cursor);
    head->stamp = corpus_take64(&cursor);
    if (corpus_checksum(bytes, STAMP_AT) != head->stamp) {
        return chunk_refuse(file, "wrong checksum of the header");
    }
    if (!is_consistent(head, lmd_file_size(file))) {
        return chunk_refuse(file, "its header does not fit its size");
    }
    return LMD_OK;
}

/* The sum of all counts is a number; ids are below V. */
static bool are_counts_right(const chunk_head *head, chunk_tables *tables)
{
    tables->total = head->n_specials;
    for (size_t at = 0; at < records_size(head); at += sizeof(int64_t)) {
        if (!corpus_add_count(&tables->total, corpus_load64(tables->records + at))) {
            return false;
        }
    }
    for (uint64_t i = 0; i < head->n_counts; i++) {
        const char *const row = tables->counts + i * CHUNK_COUNT_BYTES;
        if (corpus_load32(row) >= (uint32_t)head->V ||
            !corpus_add_count(&tables->total, corpus_load64(row + sizeof(uint32_t)))) {
            return false;
        }
    }
    return true;
}

/* Names as long together as the header says, without a zero byte. */
static bool are_names_right(const chunk_head *head, const chunk_tables *tables)
{
    uint64_t n_names = 0;
    for (int g = 0; g < head->n_groups; g++) {
        n_names += corpus_load32(tables->name_sizes + (size_t)g * sizeof(uint32_t));
    }
    return n_names == head->n_names && !memchr(tables->names, 0, (size_t)n_names);
}

/* Does every pack lie inside? */
static bool are_packs_right(const chunk_head *head, const chunk_tables *tables)
{
    for (int i = 0; i < head->n_packs; i++) {
        const chunk_pack pack =
            chunk_parse_pack(tables->packs + (size_t)i * CHUNK_PACK_BYTES);
        if (!chunk_holds_pack(head, &pack)) {
            return false;
        }
    }
    return true;
}

lmd_status chunk_read_tables(const lmd_file *file, const chunk_head *head,
                             chunk_tables *tables)
{
    const size_t size = (size_t)(lmd_file_size(file) - head->tables_at);
    char *const bytes = lmd_text_reserve(&tables->bytes, size);
    tables->bytes.size = size;
    LMD_TRY(lmd_file_read(file, head->tables_at, bytes, size));
    if (corpus_checksum(bytes, size) != head->tables_sum) {
        return chunk_refuse(file, "wrong checksum of the tables");
    }
    tables->records = bytes;
    tables->name_sizes = tables->records + records_size(head);
    tables->names = tables->name_sizes + (size_t)head->n_groups * sizeof(uint32_t);
    tables->counts = tables->names + head->n_names;
    tables->packs = tables->counts + head->n_counts * CHUNK_COUNT_BYTES;
    return are_counts_right(head, tables) && are_names_right(head, tables) &&
                   are_packs_right(head, tables)
               ? LMD_OK
               : chunk_refuse(file, "its tables contradict each other");
}

chunk_pack chunk_parse_pack(const char *row)
{
    return (chunk_pack){.at = corpus_load64(row),
                        .T = corpus_load32(row + 8),
                        .n_prompts = corpus_load32(row + 12),
                        .sum = corpus_load64(row + 16)};
}

size_t chunk_pack_size(const chunk_pack *pack)
{
    return (size_t)pack->n_prompts * CHUNK_PROMPT_BYTES +
           (size_t)pack->T * sizeof(uint32_t);
}

bool chunk_holds_pack(const chunk_head *head, const chunk_pack *pack)
{
    return pack->T >= 1 && pack->T <= INT32_MAX && pack->n_prompts >= 1 &&
           pack->n_prompts <= pack->T && pack->at >= HEADER_BYTES &&
           pack->at <= head->tables_at &&
           chunk_pack_size(pack) <= head->tables_at - pack->at;
}

lmd_status chunk_read_pack(const lmd_file *file, const chunk_head *head, int i,
                           chunk_pack *pack)
{
    char row[CHUNK_PACK_BYTES];
    const uint64_t table_at =
        lmd_file_size(file) - (uint64_t)head->n_packs * CHUNK_PACK_BYTES;
    LMD_TRY(lmd_file_read(file, table_at + (uint64_t)i * sizeof row, row, sizeof row));
    *pack = chunk_parse_pack(row);
    return chunk_holds_pack(head, pack) ? LMD_OK
                                        : chunk_refuse(file, "a pack lies outside");
}

void chunk_parse_prompt(const char *bytes, int i, lmd_prompt *prompt, uint32_t *n_ids)
{
    const char *const at = bytes + (size_t)i * CHUNK_PROMPT_BYTES;
    const uint32_t flags = corpus_load32(at + 28);
    prompt->key = corpus_load64(at);
    prompt->offset = (int64_t)corpus_load64(at + 8);
    prompt->group = (int32_t)corpus_load32(at + 16);
    prompt->next = (int32_t)corpus_load32(at + 20);
    *n_ids = corpus_load32(at + 24);
    prompt->is_first = (flags & PROMPT_FIRST) != 0;
    prompt->is_last = (flags & PROMPT_LAST) != 0;
    prompt->has_bos = (flags & PROMPT_BOS) != 0;
}
