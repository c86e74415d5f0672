/* A piece to a chunk.
 *
 * Records are found one after another and gathered in slabs of a few MiB; the team reads
 * and tokenises a slab in batches, each member with its own encoder and each batch into
 * its own buffers; then the slab's records go into the chunk in their order. So the chunk
 * depends on the piece alone, and memory on neither the number of records nor the team.
 */
#include <assert.h>              /* assert */
#include <stdatomic.h>           /* atomic_flag */
#include <lmdepth/base/log.h>    /* lmd_log_warn */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <string.h>              /* memset */
#include "chunk.h"
#include "corpus_bytes.h"
#include "corpus_files.h"
#include "piece.h"

enum {
    BATCH_BYTES = 32 << 10, /* a batch is full with so much text */
    BATCH_RECORDS = 1024,   /* or so many records */
    SLAB_BATCHES = 256
};

/* A record on its way. */
typedef struct slab_record {
    const char *bytes; /* borrowed from the piece */
    size_t n_bytes;
    uint64_t key;
    int file;
    bool is_sampled;
    lmd_fate fate;
    size_t n_ids;   /* in its batch, in order */
    size_t n_label; /* bytes in its batch, in order */
    int64_t n_specials;
} slab_record;

typedef struct slab_batch {
    size_t first; /* record of the slab */
    size_t count;
    size_t n_bytes;
    lmd_ids ids;     /* owned */
    lmd_text labels; /* owned */
} slab_batch;

typedef struct slab_member {
    lmd_encoder *encoder;   /* owned; NULL without a tokenizer */
    corpus_content content; /* owned */
} slab_member;

struct lmd_preparer {
    const lmd_corpus *corpus; /* borrowed */
    lmd_team *team;           /* borrowed */
    lmd_policy policy;
    slab_member *members;  /* owned (team) */
    int64_t *token_counts; /* owned (V), all zero between chunks */
    slab_record *records;  /* owned */
    size_t n_records;
    size_t record_room;
    slab_batch *batches; /* owned (SLAB_BATCHES) */
    int n_batches;
    chunk_writer chunk;
    uint64_t key; /* 0: no chunk is used again */
    bool has_reused;
    atomic_flag has_named_id; /* one that the model has no row for */
};

lmd_preparer *lmd_preparer_new(const lmd_corpus *corpus, const lmd_tokenizer *tokenizer,
                               const lmd_policy *policy, lmd_team *team)
{
    const size_t n_members = (size_t)lmd_team_size(team);
    lmd_preparer *const preparer = lmd_memory_new(1, sizeof *preparer);
    assert(policy->length - (policy->bos >= 0) >= 1);
    assert(policy->pack_tokens >= policy->length);
    preparer->corpus = corpus;
    preparer->team = team;
    preparer->policy = *policy;
    atomic_flag_clear(&preparer->has_named_id);
    preparer->members = lmd_memory_new(n_members, sizeof *preparer->members);
    for (size_t i = 0; tokenizer && i < n_members; i++) {
        preparer->members[i].encoder = lmd_token_new_encoder(tokenizer);
    }
    preparer->token_counts =
        lmd_memory_new((size_t)policy->V, sizeof *preparer->token_counts);
    preparer->batches = lmd_memory_new(SLAB_BATCHES, sizeof *preparer->batches);
    return preparer;
}

void lmd_preparer_free(lmd_preparer *preparer)
{
    if (!preparer) {
        return;
    }
    for (int i = 0; i < lmd_team_size(preparer->team); i++) {
        lmd_token_free_encoder(preparer->members[i].encoder);
        corpus_format_clear(&preparer->members[i].content);
    }
    for (int i = 0; i < SLAB_BATCHES; i++) {
        lmd_ids_clear(&preparer->batches[i].ids);
        lmd_text_clear(&preparer->batches[i].labels);
    }
    lmd_memory_free(preparer->members);
    lmd_memory_free(preparer->token_counts);
    lmd_memory_free(preparer->records);
    lmd_memory_free(preparer->batches);
    lmd_memory_free(preparer);
}

static const corpus_file *file_of(const lmd_preparer *preparer, const slab_record *record)
{
    return &preparer->corpus->files[record->file];
}

static const corpus_source *source_of(const lmd_preparer *preparer,
                                      const slab_record *record)
{
    return &preparer->corpus->sources[file_of(preparer, record)->source];
}

/* ---- one record, any member ---- */

/* BOS of the windows of a format: ids are used as they are. */
static int bos_of(const lmd_preparer *preparer, const corpus_format *format)
{
    return format->has_ids ? -1 : preparer->policy.bos;
}

/* Tokens of a window without its BOS. */
static size_t body_of(const lmd_preparer *preparer, const corpus_format *format)
{
    return (size_t)(preparer->policy.length - (bos_of(preparer, format) >= 0));
}

/* Are the ids from number `first` on all in the vocabulary? */
/* False when a token has no row in the model; the first one is named. */
static bool are_ids_below(lmd_preparer *preparer, const lmd_ids *ids, size_t first)
{
    const int V = preparer->policy.V;
    for (size_t i = first; i < ids->count; i++) {
        if (ids->ids[i] >= (uint32_t)V) {
            if (!atomic_flag_test_and_set(&preparer->has_named_id)) {
                lmd_log_warn("a record has the token id %lu, and the model rows for %d "
                             "ids; such records are left out (fate id)",
                             (unsigned long)ids->ids[i], V);
            }
            return false;
        }
    }
    return true;
}

/* Appends the ids of a parsed record to `out`. */
static lmd_fate tokenise(const slab_member *member, const corpus_format *format,
                         slab_record *record, lmd_ids *out)
{
    const corpus_content *const content = &member->content;
    if (format->has_ids) {
        lmd_ids_append(out, content->ids.ids, content->ids.count);
        return LMD_FATE_USED;
    }
    if (lmd_text_is_blank(content->text, content->n_text)) {
        return LMD_FATE_EMPTY;
    }
    assert(member->encoder);
    const lmd_status status = lmd_token_encode(member->encoder, content->text,
                                               content->n_text, out, &record->n_specials);
    return status == LMD_OK ? LMD_FATE_USED : LMD_FATE_ENCODING;
}

/* Fate of a record that has n tokens. */
static lmd_fate fate_of_length(const lmd_preparer *preparer, const corpus_format *format,
                               size_t n)
{
    static const lmd_fate long_fates[] = {[LMD_LONG_SPLIT] = LMD_FATE_SPLIT,
                                          [LMD_LONG_HEAD] = LMD_FATE_CUT,
                                          [LMD_LONG_TAIL] = LMD_FATE_CUT,
                                          [LMD_LONG_SKIP] = LMD_FATE_LONG};
    if (n == 0) {
        return LMD_FATE_EMPTY;
    }
    return n <= body_of(preparer, format) ? LMD_FATE_USED
                                          : long_fates[preparer->policy.when_long];
}

static bool is_kept(lmd_fate fate)
{
    return fate == LMD_FATE_USED || fate == LMD_FATE_SPLIT || fate == LMD_FATE_CUT;
}

/* Everything about a record that does not depend on others: fate, label, ids. */
static void read_record(lmd_preparer *preparer, slab_member *member, slab_batch *batch,
                        slab_record *record)
{
    const corpus_source *const source = source_of(preparer, record);
    const corpus_format *const format = file_of(preparer, record)->format;
    const corpus_record raw = {.bytes = record->bytes,
                               .n_bytes = record->n_bytes,
                               .field = source->field,
                               .group_field = source->group_field,
                               .V = preparer->policy.V,
                               .is_sampled = record->is_sampled};
    const size_t n_before = batch->ids.count;
    lmd_fate fate = format->parse(&raw, &member->content);
    if (fate == LMD_FATE_USED && record->is_sampled) {
        fate = tokenise(member, format, record, &batch->ids);
    }
    const size_t n = batch->ids.count - n_before;
    if (fate == LMD_FATE_USED) {
        fate = are_ids_below(preparer, &batch->ids, n_before)
                   ? fate_of_length(preparer, format, n)
                   : LMD_FATE_ID;
    }
    record->fate = record->is_sampled ? fate : LMD_FATE_UNSAMPLED;
    record->n_ids = is_kept(record->fate) ? n : 0;
    batch->ids.count = n_before + record->n_ids;
    if (source->group_field) {
        const lmd_text *const label = &member->content.label;
        lmd_text_append(&batch->labels, lmd_text_string(label), label->size);
        record->n_label = label->size;
    }
}

/* The team's item: a batch. Member 0 is the calling thread, which may tick. */
static void read_batch(void *context, int item, int member)
{
    lmd_preparer *const preparer = context;
    slab_batch *const batch = &preparer->batches[item];
    batch->ids.count = 0;
    batch->labels.size = 0;
    for (size_t i = 0; i < batch->count; i++) {
        read_record(preparer, &preparer->members[member], batch,
                    &preparer->records[batch->first + i]);
        if (member == 0) {
            lmd_team_tick(preparer->team);
        }
    }
}

/* ---- records into the chunk, in their order ---- */

/* The windows of a record's ids, each a prompt. */
static void add_windows(lmd_preparer *preparer, const slab_record *record, int group,
                        const uint32_t *ids)
{
    const corpus_format *const format = file_of(preparer, record)->format;
    const lmd_long when_long = preparer->policy.when_long;
    const int bos = bos_of(preparer, format);
    const size_t body = body_of(preparer, format);
    const size_t n = record->n_ids;
    const bool is_cut = record->fate == LMD_FATE_CUT;
    const size_t first = is_cut && when_long == LMD_LONG_TAIL ? n - body : 0;
    const size_t end = is_cut && when_long == LMD_LONG_HEAD ? body : n;
    for (size_t at = first; at < end; at += body) {
        const size_t left = end - at;
        const size_t n_window = left < body ? left : body;
        const size_t next = at + n_window;
        const lmd_prompt prompt = {.key = record->key,
                                   .group = group,
                                   .next = next < n ? (int32_t)ids[next] : -1,
                                   .offset = (int64_t)at,
                                   .is_first = at == first,
                                   .is_last = next == end};
        chunk_add_prompt(&preparer->chunk, &prompt, bos, ids + at, n_window);
    }
}

static void add_record(lmd_preparer *preparer, const slab_record *record,
                       const char *label, const uint32_t *ids)
{
    const corpus_source *const source = source_of(preparer, record);
    chunk_writer *const chunk = &preparer->chunk;
    const int group = source->group_field
                          ? chunk_group(chunk, label, record->n_label)
                          : chunk_group(chunk, source->group, strlen(source->group));
    chunk_count_record(chunk, group, record->fate);
    if (is_kept(record->fate)) {
        for (size_t i = 0; i < record->n_ids; i++) {
            preparer->token_counts[ids[i]]++;
        }
        chunk->head.n_specials += record->n_specials;
        add_windows(preparer, record, group, ids);
    }
}

static void add_batch(lmd_preparer *preparer, const slab_batch *batch)
{
    const uint32_t *ids = batch->ids.ids;
    const char *label = lmd_text_string(&batch->labels);
    for (size_t i = 0; i < batch->count; i++) {
        const slab_record *const record = &preparer->records[batch->first + i];
        add_record(preparer, record, label, ids);
        label += record->n_label;
        ids = record->n_ids > 0 ? ids + record->n_ids : ids;
    }
    lmd_team_tick(preparer->team);
}

/* ---- slabs ---- */

static void finish_slab(lmd_preparer *preparer)
{
    lmd_team_run(preparer->team, preparer->n_batches, read_batch, preparer);
    for (int i = 0; i < preparer->n_batches; i++) {
        add_batch(preparer, &preparer->batches[i]);
    }
    preparer->n_records = 0;
    preparer->n_batches = 0;
}

/* The batch into which the next record goes. */
static slab_batch *open_batch(lmd_preparer *preparer)
{
    slab_batch *batch =
        preparer->n_batches > 0 ? &preparer->batches[preparer->n_batches - 1] : NULL;
    if (batch && batch->n_bytes < BATCH_BYTES && batch->count < BATCH_RECORDS) {
        return batch;
    }
    if (preparer->n_batches == SLAB_BATCHES) {
        finish_slab(preparer);
    }
    batch = &preparer->batches[preparer->n_batches++];
    batch->first = preparer->n_records;
    batch->count = 0;
    batch->n_bytes = 0;
    return batch;
}

static void add_to_slab(lmd_preparer *preparer, const slab_record *record)
{
    slab_batch *const batch = open_batch(preparer);
    if (preparer->n_records == preparer->record_room) {
        preparer->record_room = 2 * preparer->record_room + BATCH_RECORDS;
        preparer->records = lmd_memory_resize(preparer->records, preparer->record_room,
                                              sizeof *preparer->records);
    }
    preparer->records[preparer->n_records++] = *record;
    batch->count++;
    batch->n_bytes += record->n_bytes;
}

/* ---- the piece ---- */

/* The records of a segment into slabs; *left sampled ones are still wanted. */
static void read_segment(lmd_preparer *preparer, const char *bytes,
                         const piece_segment *segment, int64_t *left)
{
    const int file = (int)segment->file;
    const corpus_format *const format = preparer->corpus->files[file].format;
    size_t at = 0;
    corpus_scan scan = {.is_end = true, .is_first = true};
    while (*left > 0) {
        scan.bytes = bytes + at;
        scan.n_bytes = (size_t)segment->n_bytes - at;
        if (!format->find(&scan)) {
            return;
        }
        slab_record record = {.bytes = bytes + at + scan.start,
                              .n_bytes = scan.end - scan.start,
                              .file = file};
        record.key = corpus_record_key(file, segment->offset + at + scan.start);
        record.is_sampled = corpus_is_sampled(&preparer->policy, record.key);
        add_to_slab(preparer, &record);
        *left -= record.is_sampled;
        at += scan.end;
        scan.is_first = false;
    }
}

static lmd_status read_segments(lmd_preparer *preparer, const lmd_text *piece,
                                const piece_head *head, int64_t limit)
{
    int64_t left = limit > 0 ? limit : INT64_MAX;
    preparer->n_records = 0;
    preparer->n_batches = 0;
    for (uint64_t i = 0; i < head->n_segments; i++) {
        piece_segment segment;
        LMD_TRY(piece_read_segment(piece, head, i, &segment));
        if (segment.file >= (uint64_t)preparer->corpus->n_files) {
            return lmd_status_set(LMD_FAILED, "a piece of another corpus");
        }
        read_segment(preparer, piece->bytes + segment.at, &segment, &left);
    }
    finish_slab(preparer);
    return LMD_OK;
}

/* ---- the piece ---- */

void lmd_preparer_set_key(lmd_preparer *preparer, uint64_t key)
{
    preparer->key = key;
}

bool lmd_preparer_has_reused(const lmd_preparer *preparer)
{
    return preparer->has_reused;
}

/* Is the chunk of this piece in the folder, whole but for the packs, which are checked
 * when they are read? */
static bool is_prepared(const lmd_preparer *preparer, const chunk_head *wanted,
                        const char *folder)
{
    lmd_file *file = NULL;
    chunk_head head;
    chunk_tables tables = {0};
    char *const path = chunk_path(folder, wanted->unit, wanted->stretch);
    const bool is_there = preparer->key != 0 && lmd_file_open(&file, path) == LMD_OK &&
                          chunk_read_head(file, &head) == LMD_OK &&
                          head.key == wanted->key &&
                          head.piece_sum == wanted->piece_sum && head.V == wanted->V &&
                          head.unit == wanted->unit && head.stretch == wanted->stretch &&
                          chunk_read_tables(file, &head, &tables) == LMD_OK;
    lmd_text_clear(&tables.bytes);
    lmd_file_close(file);
    lmd_memory_free(path);
    return is_there;
}

/* Reads and tokenises the piece's records into its chunk. */
static lmd_status prepare(lmd_preparer *preparer, const lmd_text *piece,
                          const piece_head *head, const chunk_head *begin, int64_t limit,
                          const char *folder)
{
    chunk_begin(&preparer->chunk, begin, preparer->policy.pack_tokens);
    lmd_status status = read_segments(preparer, piece, head, limit);
    if (status == LMD_OK) {
        status = chunk_finish(&preparer->chunk, preparer->token_counts, folder);
    }
    chunk_clear(&preparer->chunk);
    memset(preparer->token_counts, 0,
           (size_t)preparer->policy.V * sizeof *preparer->token_counts);
    return status;
}

lmd_status lmd_preparer_work(lmd_preparer *preparer, const lmd_text *piece, int64_t limit,
                             const char *folder)
{
    piece_head head;
    LMD_TRY(piece_read_head(piece, &head));
    const chunk_head begin = {.V = preparer->policy.V,
                              .unit = head.unit,
                              .is_last = head.is_last,
                              .stretch = head.stretch,
                              .previous = head.previous,
                              .key = limit == 0 ? preparer->key : 0,
                              .piece_sum = corpus_checksum(piece->bytes, piece->size)};
    preparer->has_reused = limit == 0 && is_prepared(preparer, &begin, folder);
    return preparer->has_reused ? LMD_OK
                                : prepare(preparer, piece, &head, &begin, limit, folder);
}
