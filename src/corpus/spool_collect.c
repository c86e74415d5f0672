/* The chunk files of a folder to one spool.
 *
 * Which chunks there must be is told by the chunks themselves: each names the stretch of
 * the one before it in its unit, and the last one says so. A limit is over the whole
 * corpus, but each unit was prepared without knowing of the others; so the chunk in which
 * the limit falls is made again from a reader that stops there. */
#include <assert.h>              /* assert */
#include <dirent.h>              /* opendir */
#include <errno.h>               /* errno */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <stdio.h>               /* sscanf */
#include <stdlib.h>              /* qsort */
#include <string.h>              /* strerror */
#include "chunk.h"
#include "corpus_bytes.h"
#include "corpus_files.h"
#include "spool.h"

/* A chunk by its name. */
typedef struct chunk_name {
    int unit;
    int64_t stretch;
} chunk_name;

typedef struct collector {
    const lmd_corpus *corpus; /* borrowed */
    const lmd_policy *policy; /* borrowed */
    lmd_preparer *preparer;   /* borrowed */
    const char *folder;       /* borrowed */
    bool is_beginning;        /* chunks may end before the corpus does */
    chunk_name *names;        /* owned */
    size_t n_names;
    lmd_spool *spool;     /* owned */
    corpus_labels groups; /* numbered as they come; in order only at the end */
    int64_t total;        /* of all counts so far, a number that fits */
    int64_t left;         /* sampled records that are still wanted */
    int64_t unit_sampled; /* records of this unit before the chunk */
} collector;

/* ---- names ---- */

static bool parse_name(const char *name, chunk_name *out)
{
    long long stretch;
    if (sscanf(name, "chunk.%d.%lld", &out->unit, &stretch) != 2 || out->unit < 0 ||
        stretch < 0) {
        return false;
    }
    out->stretch = stretch;
    char *const right = chunk_path("", out->unit, out->stretch);
    const bool is_right = strcmp(right, name) == 0; // no temporary file, no other form
    lmd_memory_free(right);
    return is_right;
}

static int compare_names(const void *a, const void *b)
{
    const chunk_name *const x = a;
    const chunk_name *const y = b;
    if (x->unit != y->unit) {
        return x->unit < y->unit ? -1 : 1;
    }
    return (x->stretch > y->stretch) - (x->stretch < y->stretch);
}

static lmd_status list_names(collector *c)
{
    DIR *const folder = opendir(c->folder);
    if (!folder) {
        return lmd_status_set(LMD_INPUT, "%s: the work folder can't be read: %s",
                              c->folder, strerror(errno));
    }
    size_t room = 0;
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        chunk_name name;
        if (!parse_name(entry->d_name, &name)) {
            continue;
        }
        if (c->n_names == room) {
            room = 2 * room + 16;
            c->names = lmd_memory_resize(c->names, room, sizeof *c->names);
        }
        c->names[c->n_names++] = name;
    }
    (void)closedir(folder);
    if (c->n_names > 0) {
        qsort(c->names, c->n_names, sizeof *c->names, compare_names);
    }
    return LMD_OK;
}

/* ---- one chunk ---- */

static int64_t count_sampled(const chunk_head *head, const chunk_tables *tables)
{
    int64_t sum = 0;
    for (int g = 0; g < head->n_groups; g++) {
        const char *const row =
            tables->records + (size_t)g * LMD_FATE_COUNT * sizeof(int64_t);
        for (int fate = 0; fate < LMD_FATE_COUNT; fate++) {
            const size_t at = (size_t)fate * sizeof(int64_t);
            sum += fate == LMD_FATE_UNSAMPLED ? 0 : (int64_t)corpus_load64(row + at);
        }
    }
    return sum;
}

static void take_groups(collector *c, const chunk_head *head, const chunk_tables *tables,
                        spool_chunk *chunk)
{
    const char *name = tables->names;
    const char *count = tables->records;
    for (int g = 0; g < head->n_groups; g++) {
        const size_t n = corpus_load32(tables->name_sizes + (size_t)g * sizeof(uint32_t));
        chunk->groups[g] = corpus_labels_number(&c->groups, name, n);
        name += n;
        for (int fate = 0; fate < LMD_FATE_COUNT; fate++) {
            chunk->records[g][fate] = (int64_t)corpus_load64(count);
            count += sizeof(int64_t);
        }
    }
}

/* What the spool keeps of a chunk; one without a record leaves no trace. */
static void take_chunk(collector *c, const chunk_head *head, const chunk_tables *tables)
{
    if (head->n_groups == 0) {
        return;
    }
    lmd_spool *const spool = c->spool;
    spool_chunk *const chunk = spool_add_chunk(spool, head->n_groups, head->n_packs);
    chunk->unit = head->unit;
    chunk->stretch = head->stretch;
    chunk->stamp = head->stamp;
    chunk->n_specials = head->n_specials;
    take_groups(c, head, tables, chunk);
    for (uint64_t i = 0; i < head->n_counts; i++) {
        const char *const row = tables->counts + i * CHUNK_COUNT_BYTES;
        spool->token_counts[corpus_load32(row)] += (int64_t)corpus_load64(row + 4);
    }
    for (int i = 0; i < head->n_packs; i++) {
        const char *const row = tables->packs + (size_t)i * CHUNK_PACK_BYTES;
        spool_add_pack(spool, (int32_t)chunk_parse_pack(row).T);
    }
}

static lmd_status open_chunk(const collector *c, const chunk_name *name, lmd_file **file)
{
    char *const path = chunk_path(c->folder, name->unit, name->stretch);
    const lmd_status status = lmd_file_open(file, path);
    lmd_memory_free(path);
    return status == LMD_OK ? LMD_OK : lmd_status_within(LMD_INPUT, "work folder");
}

/* Does the chunk say of itself what its name says, and was it made for this job? */
static lmd_status check_chunk(const collector *c, const lmd_file *file,
                              const chunk_name *name, int64_t previous,
                              const chunk_head *head)
{
    if (head->unit != name->unit || head->stretch != name->stretch) {
        return chunk_refuse(file, "its name is another chunk's");
    }
    if (head->V != c->policy->V) {
        return chunk_refuse(file, "prepared for another vocabulary");
    }
    if (head->previous != previous) {
        return chunk_refuse(file, "the chunk before it is missing");
    }
    return LMD_OK;
}

static lmd_status read_chunk(const collector *c, const chunk_name *name, int64_t previous,
                             chunk_head *head, chunk_tables *tables)
{
    lmd_file *file;
    LMD_TRY(open_chunk(c, name, &file));
    lmd_status status = chunk_read_head(file, head);
    if (status == LMD_OK) {
        status = check_chunk(c, file, name, previous, head);
    }
    if (status == LMD_OK) {
        status = chunk_read_tables(file, head, tables);
    }
    lmd_file_close(file);
    return status;
}

/* ---- the limit ---- */

/* The last piece of a unit as far as `limit` goes. */
static lmd_status read_last_piece(const collector *c, int unit, int64_t limit,
                                  lmd_text *piece)
{
    lmd_reader *reader;
    lmd_policy policy = *c->policy;
    bool more = true;
    policy.limit = limit;
    LMD_TRY(lmd_reader_open(&reader, c->corpus, unit, &policy));
    lmd_status status = LMD_OK;
    while (status == LMD_OK && more) {
        lmd_text next = {0};
        status = lmd_reader_next(reader, &next, &more);
        if (status == LMD_OK && more) {
            lmd_text_clear(piece);
            *piece = next;
        }
    }
    lmd_reader_close(reader);
    return status;
}

/* Prepares a chunk again, up to the limit. */
static lmd_status prepare_again(const collector *c, const chunk_name *name)
{
    lmd_text piece = {0};
    lmd_status status = read_last_piece(c, name->unit, c->unit_sampled + c->left, &piece);
    if (status == LMD_OK) {
        status = lmd_preparer_work(c->preparer, &piece, 0, c->folder);
    }
    lmd_text_clear(&piece);
    return status;
}

/* Reads a chunk, after it was prepared again where the limit falls into it. */
static lmd_status read_limited(const collector *c, const chunk_name *name,
                               int64_t previous, chunk_head *head, chunk_tables *tables)
{
    LMD_TRY(read_chunk(c, name, previous, head, tables));
    const int64_t n_sampled = count_sampled(head, tables);
    if (n_sampled < c->left || (n_sampled == c->left && head->n_trailing == 0)) {
        return LMD_OK;
    }
    LMD_TRY(prepare_again(c, name));
    lmd_text_clear(&tables->bytes);
    LMD_TRY(read_chunk(c, name, previous, head, tables));
    if (count_sampled(head, tables) != c->left) {
        return lmd_status_set(LMD_INPUT, "%s: changed while it was prepared",
                              c->corpus->files[c->corpus->units[name->unit]].path);
    }
    return LMD_OK;
}

/* Takes a chunk, or what the limit leaves of it; *previous is its stretch then. */
static lmd_status collect_chunk(collector *c, const chunk_name *name, int64_t *previous,
                                bool *is_last)
{
    chunk_head head;
    chunk_tables tables = {0};
    lmd_status status = read_limited(c, name, *previous, &head, &tables);
    if (status == LMD_OK && !corpus_add_count(&c->total, (uint64_t)tables.total)) {
        status = lmd_status_set(LMD_INPUT, "%s: the counts of its chunks are too large",
                                c->folder);
    }
    if (status == LMD_OK) {
        const int64_t n_sampled = count_sampled(&head, &tables);
        take_chunk(c, &head, &tables);
        c->left -= n_sampled;
        c->unit_sampled += n_sampled;
        *previous = head.stretch;
        *is_last = head.is_last;
    }
    lmd_text_clear(&tables.bytes);
    return status;
}

/* ---- the corpus ---- */

static lmd_status refuse_missing(const collector *c, int unit)
{
    return lmd_status_set(LMD_INPUT, "%s: a chunk of %s is missing", c->folder,
                          c->corpus->files[c->corpus->units[unit]].path);
}

/* The chunks of a unit, from names[*at] on, as far as the limit goes. */
static lmd_status collect_unit(collector *c, int unit, size_t *at)
{
    int64_t previous = -1;
    bool is_last = false;
    c->unit_sampled = 0;
    while (!is_last && c->left > 0) {
        if (c->is_beginning && *at == c->n_names) {
            return LMD_OK;
        }
        if (*at == c->n_names || c->names[*at].unit != unit) {
            return refuse_missing(c, unit);
        }
        LMD_TRY(collect_chunk(c, &c->names[(*at)++], &previous, &is_last));
    }
    if (is_last && c->left > 0 && *at < c->n_names && c->names[*at].unit == unit) {
        return lmd_status_set(LMD_INPUT, "%s: chunk %lld of %s is none of this job",
                              c->folder, (long long)c->names[*at].stretch,
                              c->corpus->files[c->corpus->units[unit]].path);
    }
    return LMD_OK;
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Groups in byte order of their names, and every chunk's numbers changed to it. */
static void sort_groups(collector *c)
{
    lmd_spool *const spool = c->spool;
    const int n = c->groups.count;
    int32_t *const numbers = lmd_memory_new((size_t)n, sizeof *numbers);
    spool->n_groups = n;
    spool->groups = lmd_memory_new((size_t)n, sizeof *spool->groups);
    for (int i = 0; i < n; i++) {
        spool->groups[i] = lmd_memory_copy_text(c->groups.names[i]);
    }
    qsort(spool->groups, (size_t)n, sizeof *spool->groups, compare_strings);
    for (int32_t i = 0; i < n; i++) {
        const size_t n_bytes = strlen(spool->groups[i]);
        numbers[corpus_labels_number(&c->groups, spool->groups[i], n_bytes)] = i;
    }
    for (int k = 0; k < spool->n_chunks; k++) {
        for (int g = 0; g < spool->chunks[k].n_groups; g++) {
            spool->chunks[k].groups[g] = numbers[spool->chunks[k].groups[g]];
        }
    }
    lmd_memory_free(numbers);
}

/* Something must be there that could be observed or was left out by choice. */
static lmd_status check_usable(const lmd_corpus *corpus, const lmd_spool *spool)
{
    int64_t sums[LMD_FATE_COUNT] = {0};
    for (int k = 0; k < spool->n_chunks; k++) {
        for (int g = 0; g < spool->chunks[k].n_groups; g++) {
            for (int fate = 0; fate < LMD_FATE_COUNT; fate++) {
                sums[fate] += spool->chunks[k].records[g][fate];
            }
        }
    }
    if (sums[LMD_FATE_USED] + sums[LMD_FATE_SPLIT] + sums[LMD_FATE_CUT] +
            sums[LMD_FATE_LONG] + sums[LMD_FATE_UNSAMPLED] >
        0) {
        return LMD_OK;
    }
    lmd_text fates = {0};
    for (int fate = 0; fate < LMD_FATE_COUNT; fate++) {
        if (sums[fate] > 0) {
            lmd_text_append_format(&fates, "%s%lld %s", fates.size > 0 ? ", " : ": ",
                                   (long long)sums[fate], lmd_fate_names[fate]);
        }
    }
    lmd_text others = {0};
    if (corpus->n_sources > 1) {
        lmd_text_append_format(&others, " and %d more", corpus->n_sources - 1);
    }
    const lmd_status status = lmd_status_set(
        LMD_INPUT, "%s: corpus.path: %s%s: no usable record in the whole corpus%s",
        corpus->sources[0].where, corpus->sources[0].path, lmd_text_string(&others),
        fates.size > 0 ? fates.bytes : ", which has no record at all");
    lmd_text_clear(&others);
    lmd_text_clear(&fates);
    return status;
}

static lmd_status collect_all(collector *c)
{
    size_t at = 0;
    LMD_TRY(list_names(c));
    for (int unit = 0; unit < c->corpus->n_units && c->left > 0; unit++) {
        LMD_TRY(collect_unit(c, unit, &at));
    }
    sort_groups(c);
    LMD_TRY(lmd_spool_check(c->spool, c->policy));
    return c->is_beginning ? LMD_OK : check_usable(c->corpus, c->spool);
}

static lmd_status collect(lmd_spool **out, const lmd_corpus *corpus,
                          const lmd_policy *policy, lmd_preparer *preparer,
                          const char *folder, bool is_beginning)
{
    collector c = {.corpus = corpus,
                   .policy = policy,
                   .preparer = preparer,
                   .folder = folder,
                   .is_beginning = is_beginning,
                   .spool = spool_new(folder, policy->V),
                   .left = policy->limit > 0 ? policy->limit : INT64_MAX};
    const lmd_status status = collect_all(&c);
    lmd_memory_free(c.names);
    corpus_labels_clear(&c.groups);
    *out = c.spool;
    if (status != LMD_OK) {
        lmd_spool_close(c.spool);
        *out = NULL;
    }
    return status;
}

lmd_status lmd_spool_collect(lmd_spool **out, const lmd_corpus *corpus,
                             const lmd_policy *policy, lmd_preparer *preparer,
                             const char *folder)
{
    return collect(out, corpus, policy, preparer, folder, false);
}

lmd_status lmd_spool_collect_beginning(lmd_spool **out, const lmd_corpus *corpus,
                                       const lmd_policy *policy, lmd_preparer *preparer,
                                       const char *folder)
{
    return collect(out, corpus, policy, preparer, folder, true);
}
