/* Corpus to spool, all ranks taking part: each rank reads whole units, the largest given
 * out first, and whoever is free tokenises the pieces (room parallel's farm). The root
 * collects the chunks into an index, which the others get by broadcast; packs are read
 * from the chunks when their turn comes. A spool whose fingerprint fits is used again. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <lmdepth/base/hash_cache.h>

#include "app.h"

/* ---- shares ---- */

typedef struct lmd_unit_size {
    int unit;
    uint64_t bytes;
} lmd_unit_size;

/* Large ones first, equal ones in corpus order. */
static int compare_sizes(const void *a, const void *b)
{
    const lmd_unit_size *left = a;
    const lmd_unit_size *right = b;
    if (left->bytes != right->bytes) {
        return left->bytes > right->bytes ? -1 : 1;
    }
    return left->unit - right->unit;
}

/* Which rank reads which unit: each unit, largest first, to the rank with the least. */
static int *share_units(const lmd_corpus *corpus, int ranks)
{
    const int n = lmd_corpus_units(corpus);
    int *owner = lmd_memory_new((size_t)n, sizeof *owner);
    double *load = lmd_memory_new((size_t)ranks, sizeof *load);
    lmd_unit_size *sizes = lmd_memory_new((size_t)n, sizeof *sizes);
    for (int u = 0; u < n; u++) {
        sizes[u] = (lmd_unit_size){.unit = u, .bytes = lmd_corpus_unit_bytes(corpus, u)};
    }
    qsort(sizes, (size_t)n, sizeof *sizes, compare_sizes);
    for (int i = 0; i < n; i++) {
        int rank = 0;
        for (int r = 1; r < ranks; r++) {
            rank = load[r] < load[rank] ? r : rank;
        }
        owner[sizes[i].unit] = rank;
        // One byte more, so that empty units are spread as well.
        load[rank] += (double)sizes[i].bytes + 1;
    }
    lmd_memory_free(load);
    lmd_memory_free(sizes);
    return owner;
}

/* ---- hashes of the files ---- */

/* Lines "<file number> <hex>" of all ranks into the table. */
static void take_hashes(const lmd_text *lines, int files, char (*hashes)[LMD_SHA256_HEX])
{
    const char *line = lmd_text_string(lines);
    while (*line != '\0') {
        int file;
        char hex[LMD_SHA256_HEX];
        if (sscanf(line, "%d %64s", &file, hex) == 2 && file >= 0 && file < files) {
            memcpy(hashes[file], hex, sizeof hex);
        }
        line = strchr(line, '\n');
        if (line == NULL) {
            break;
        }
        line++;
    }
}

/* Collective. */
static void exchange_hashes(lmd_session *session, const lmd_text *mine, int files,
                            char (*hashes)[LMD_SHA256_HEX])
{
    const int ranks = lmd_parallel_ranks(session);
    lmd_text *texts = lmd_memory_new((size_t)ranks, sizeof *texts);
    lmd_parallel_gather_texts(session, mine, texts);
    for (int r = 0; r < ranks; r++) {
        take_hashes(&texts[r], files, hashes);
        lmd_text_clear(&texts[r]);
    }
    lmd_memory_free(texts);
}

lmd_status lmd_prepare_hash(lmd_session *session, const lmd_inputs *inputs,
                            char (*hashes)[LMD_SHA256_HEX])
{
    const lmd_corpus *corpus = inputs->corpus;
    const int files = lmd_corpus_files(corpus);
    const int ranks = lmd_parallel_ranks(session);
    lmd_text mine = {0};
    lmd_status status = LMD_OK;
    for (int f = lmd_parallel_rank(session); f < files && status == LMD_OK; f += ranks) {
        char hex[LMD_SHA256_HEX];
        status = lmd_hash_cache_sha256(lmd_corpus_file(corpus, f), hex);
        if (status == LMD_OK) {
            lmd_text_append_format(&mine, "%d %s\n", f, hex);
        }
    }
    status = lmd_parallel_agree(session, status);
    if (status == LMD_OK) {
        exchange_hashes(session, &mine, files, hashes);
    }
    lmd_text_clear(&mine);
    return status;
}

/* ---- the farm's calls ---- */

typedef struct lmd_preparation {
    lmd_session *session;
    const lmd_inputs *inputs;
    lmd_preparer *preparer;
    const char *folder;
    const int *owner;   /* rank of each unit */
    int next;           /* first unit not looked at yet */
    lmd_reader *reader; /* of the unit in hand, NULL between units */
    lmd_text hashes;
    uint64_t bytes; /* decompressed, read by this rank */
    double slowest; /* seconds of a piece that was prepared here */
} lmd_preparation;

/* Opens this rank's next unit; reader stays NULL when there is none. */
static lmd_status open_next_unit(lmd_preparation *preparation)
{
    const lmd_corpus *corpus = preparation->inputs->corpus;
    const int me = lmd_parallel_rank(preparation->session);
    const int n = lmd_corpus_units(corpus);
    while (preparation->next < n && preparation->owner[preparation->next] != me) {
        preparation->next++;
    }
    if (preparation->next == n) {
        return LMD_OK;
    }
    return lmd_reader_open(&preparation->reader, corpus, preparation->next++,
                           &preparation->inputs->policy);
}

static lmd_status read_piece(void *context, lmd_text *piece, bool *more)
{
    lmd_preparation *preparation = context;
    for (;;) {
        if (preparation->reader == NULL) {
            LMD_TRY(open_next_unit(preparation));
        }
        if (preparation->reader == NULL) {
            *more = false;
            return LMD_OK;
        }
        LMD_TRY(lmd_reader_next(preparation->reader, piece, more));
        if (*more) {
            preparation->bytes += piece->size;
            return LMD_OK;
        }
        LMD_TRY(lmd_reader_hashes(preparation->reader, &preparation->hashes));
        lmd_reader_close(preparation->reader);
        preparation->reader = NULL;
    }
}

static lmd_status work_piece(void *context, const lmd_text *piece)
{
    lmd_preparation *preparation = context;
    const double start = lmd_team_clock();
    LMD_TRY(lmd_preparer_work(preparation->preparer, piece, 0, preparation->folder));
    const double seconds = lmd_team_clock() - start;
    const bool is_new = !lmd_preparer_has_reused(preparation->preparer);
    preparation->slowest =
        is_new && seconds > preparation->slowest ? seconds : preparation->slowest;
    // However short the limit, every attempt prepares something new.
    if (lmd_stop_is_signalled() || (is_new && lmd_stop_is_late(preparation->slowest))) {
        return lmd_status_set(LMD_STOPPED,
                              "stopped early while preparing: %s; what is prepared is in "
                              "%s, the same command goes on",
                              lmd_stop_reason(), preparation->folder);
    }
    return LMD_OK;
}

static void tick_farm(void *session)
{
    lmd_farm_tick(session);
}

/* Collective. Fills the folder with chunks, and the table of hashes. */
static lmd_status fill_spool(lmd_preparation *preparation, lmd_team *team,
                             char (*hashes)[LMD_SHA256_HEX])
{
    const lmd_inputs *inputs = preparation->inputs;
    lmd_session *session = preparation->session;
    const int ranks = lmd_parallel_ranks(session);
    const int files = lmd_corpus_files(inputs->corpus);
    const time_t since = time(NULL);
    int *owner = share_units(inputs->corpus, ranks);
    preparation->owner = owner;
    const lmd_farm_calls calls = {
        .context = preparation,
        .read = read_piece,
        .work = work_piece,
    };
    lmd_team_set_tick(team, tick_farm, session, 2.0);
    const lmd_status status = lmd_farm_run(session, &calls);
    lmd_team_set_tick(team, NULL, NULL, 0.0);
    lmd_reader_close(preparation->reader);
    preparation->reader = NULL;
    lmd_memory_free(owner);
    if (status == LMD_OK) {
        exchange_hashes(session, &preparation->hashes, files, hashes);
        for (int f = lmd_parallel_rank(session); f < files; f += ranks) {
            lmd_hash_cache_put(lmd_corpus_file(inputs->corpus, f), since, hashes[f]);
        }
    }
    return status;
}

/* ---- fingerprint of a spool ---- */

/* What chunks depend on: files, tokenizer, policy. */
static char *spool_fingerprint(const lmd_inputs *inputs, char (*hashes)[LMD_SHA256_HEX])
{
    const lmd_policy *policy = &inputs->policy;
    lmd_text text = {0};
    lmd_text_append_format(&text, "lmdepth spool 1 %s\n", lmd_version);
    lmd_text_append_format(&text, "tokenizer %s\n",
                           inputs->tokenizer != NULL ? lmd_token_sha256(inputs->tokenizer)
                                                     : "none");
    lmd_text_append_format(&text, "bos %d length %d long %d sample %.17g limit %lld\n",
                           policy->bos, policy->length, (int)policy->when_long,
                           policy->sample, (long long)policy->limit);
    lmd_text_append_format(&text, "seed %llu pack %d V %d\n",
                           (unsigned long long)policy->seed, policy->pack_tokens,
                           policy->V);
    lmd_provenance_append_corpus(inputs, hashes, false, &text);
    char hex[LMD_SHA256_HEX];
    lmd_sha256_of(text.bytes, text.size, hex);
    lmd_text_clear(&text);
    return lmd_memory_copy_text(hex);
}

/* What chunks depend on but for the pieces' bytes. Sizes and times of the files are in
 * it, so that no chunk of a file that has become shorter stays. Never 0. */
static uint64_t preparation_key(const lmd_inputs *inputs)
{
    const lmd_corpus *corpus = inputs->corpus;
    const size_t files = (size_t)lmd_corpus_files(corpus);
    char(*stamps)[LMD_SHA256_HEX] = lmd_memory_new(files, sizeof *stamps);
    for (size_t f = 0; f < files; f++) {
        struct stat info = {0};
        (void)stat(lmd_corpus_file(corpus, (int)f), &info);
        (void)snprintf(stamps[f], sizeof stamps[f], "%lld.%lld.%ld",
                       (long long)info.st_size, (long long)info.st_mtim.tv_sec,
                       info.st_mtim.tv_nsec);
    }
    char *hex = spool_fingerprint(inputs, stamps);
    hex[16] = '\0'; // 64 bits
    const uint64_t key = strtoull(hex, NULL, 16);
    lmd_memory_free(hex);
    lmd_memory_free(stamps);
    return key != 0 ? key : 1;
}

/* ---- the index ---- */

/* Collective. The root's spool to everyone. */
static lmd_status share_index(lmd_session *session, const char *folder,
                              lmd_prepared *prepared)
{
    lmd_text bytes = {0};
    if (lmd_parallel_is_root(session)) {
        lmd_spool_write_index(prepared->spool, prepared->fingerprint, &bytes);
    }
    lmd_parallel_broadcast_text(session, &bytes);
    lmd_status status = LMD_OK;
    if (!lmd_parallel_is_root(session)) {
        lmd_text fingerprint = {0};
        status = lmd_spool_read_index(&prepared->spool, bytes.bytes, bytes.size, folder,
                                      &fingerprint);
        lmd_text_clear(&fingerprint);
    }
    lmd_text_clear(&bytes);
    return lmd_parallel_agree(session, status);
}

/* Root: the spool that lies in the folder, if its fingerprint fits; else none. A right
 * fingerprint is easily had, so what the engine relies on is looked at as well. A chunk
 * that is gone or cut off is made again, as all are that the index does not know. */
static void read_old_index(const char *folder, const lmd_policy *policy,
                           lmd_prepared *prepared)
{
    char *path = lmd_file_join(folder, LMD_SPOOL_INDEX);
    lmd_text bytes = {0};
    lmd_text fingerprint = {0};
    lmd_spool *spool = NULL;
    if (lmd_file_exists(path) &&
        lmd_file_read_all(path, LMD_SPOOL_LARGEST_INDEX, &bytes) == LMD_OK &&
        lmd_spool_read_index(&spool, bytes.bytes, bytes.size, folder, &fingerprint) ==
            LMD_OK &&
        strcmp(lmd_text_string(&fingerprint), prepared->fingerprint) == 0 &&
        lmd_spool_check(spool, policy) == LMD_OK &&
        lmd_spool_check_chunks(spool) == LMD_OK) {
        prepared->spool = spool;
        spool = NULL;
    }
    lmd_spool_close(spool);
    lmd_text_clear(&fingerprint);
    lmd_text_clear(&bytes);
    lmd_memory_free(path);
}

/* Collective. Looks for a spool to use again: only then are the files hashed beforehand.
 */
static lmd_status reuse_spool(lmd_session *session, const lmd_inputs *inputs,
                              const char *folder, char (*hashes)[LMD_SHA256_HEX],
                              lmd_prepared *prepared)
{
    char *path = lmd_file_join(folder, LMD_SPOOL_INDEX);
    const bool is_there = lmd_parallel_max_int64(session, lmd_file_exists(path)) != 0;
    lmd_memory_free(path);
    if (!is_there) {
        return LMD_OK;
    }
    if (hashes != NULL) {
        memcpy(prepared->file_hashes, hashes,
               (size_t)lmd_corpus_files(inputs->corpus) * sizeof *hashes);
    } else {
        LMD_TRY(lmd_prepare_hash(session, inputs, prepared->file_hashes));
    }
    prepared->fingerprint = spool_fingerprint(inputs, prepared->file_hashes);
    if (lmd_parallel_is_root(session)) {
        read_old_index(folder, &inputs->policy, prepared);
    }
    prepared->was_reused = lmd_parallel_max_int64(session, prepared->spool != NULL) != 0;
    if (!prepared->was_reused) {
        lmd_memory_free(prepared->fingerprint);
        prepared->fingerprint = NULL;
        return LMD_OK;
    }
    return share_index(session, folder, prepared);
}

/* Root: chunks to index, kept in the folder for a later run. */
static lmd_status collect(lmd_preparation *preparation, lmd_prepared *prepared)
{
    const lmd_inputs *inputs = preparation->inputs;
    LMD_TRY(lmd_spool_collect(&prepared->spool, inputs->corpus, &inputs->policy,
                              preparation->preparer, preparation->folder));
    lmd_text bytes = {0};
    lmd_spool_write_index(prepared->spool, prepared->fingerprint, &bytes);
    char *path = lmd_file_join(preparation->folder, LMD_SPOOL_INDEX);
    const lmd_status status = lmd_file_write(path, bytes.bytes, bytes.size);
    lmd_memory_free(path);
    lmd_text_clear(&bytes);
    return status;
}

/* Collective. */
static lmd_status make_spool(lmd_session *session, const lmd_inputs *inputs,
                             lmd_team *team, const char *folder, lmd_prepared *prepared)
{
    lmd_status status = LMD_OK;
    uint64_t key = 0;
    if (lmd_parallel_is_root(session)) {
        key = preparation_key(inputs);
        status = lmd_spool_sweep(folder, key);
        status = status == LMD_OK ? lmd_file_make_folders(folder) : status;
    }
    LMD_TRY(lmd_parallel_agree(session, status));
    lmd_parallel_broadcast(session, &key, sizeof key);
    lmd_preparation preparation = {
        .session = session,
        .inputs = inputs,
        .preparer =
            lmd_preparer_new(inputs->corpus, inputs->tokenizer, &inputs->policy, team),
        .folder = folder,
    };
    lmd_preparer_set_key(preparation.preparer, key);
    status = fill_spool(&preparation, team, prepared->file_hashes);
    if (status == LMD_OK) {
        prepared->fingerprint = spool_fingerprint(inputs, prepared->file_hashes);
        if (lmd_parallel_is_root(session)) {
            status = collect(&preparation, prepared);
        }
        status = lmd_parallel_agree(session, status);
    }
    lmd_preparer_free(preparation.preparer);
    lmd_text_clear(&preparation.hashes);
    if (status == LMD_INPUT && lmd_parallel_is_root(session)) {
        (void)lmd_spool_clear(folder); // another corpus is needed, which has other chunks
    }
    return status == LMD_OK ? share_index(session, folder, prepared) : status;
}

/* ---- frequencies ---- */

static void make_frequency(const lmd_inputs *inputs, lmd_prepared *prepared)
{
    const int64_t *counts = inputs->frequency_counts != NULL
                                ? inputs->frequency_counts
                                : lmd_spool_token_counts(prepared->spool);
    prepared->frequency = lmd_frequency_new(inputs->policy.V, counts, inputs->tokenizer,
                                            strcmp(inputs->job->specials, "keep") == 0);
}

lmd_status lmd_prepare(lmd_session *session, const lmd_inputs *inputs, lmd_team *team,
                       const char *folder, char (*hashes)[LMD_SHA256_HEX],
                       lmd_prepared *prepared)
{
    const double start = lmd_team_clock();
    *prepared = (lmd_prepared){0};
    prepared->file_hashes = lmd_memory_new((size_t)lmd_corpus_files(inputs->corpus),
                                           sizeof *prepared->file_hashes);
    LMD_TRY(reuse_spool(session, inputs, folder, hashes, prepared));
    if (!prepared->was_reused) {
        LMD_TRY(make_spool(session, inputs, team, folder, prepared));
    }
    make_frequency(inputs, prepared);
    prepared->seconds = lmd_team_clock() - start;
    return LMD_OK;
}

void lmd_prepared_clear(lmd_prepared *prepared)
{
    lmd_spool_close(prepared->spool);
    lmd_frequency_free(prepared->frequency);
    lmd_memory_free(prepared->file_hashes);
    lmd_memory_free(prepared->fingerprint);
    *prepared = (lmd_prepared){0};
}
