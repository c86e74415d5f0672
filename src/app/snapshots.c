/* An attempt at a job: what it has counted, on disk and back (store.h names the other
 * parts). A rank's file holds all that it has counted since the attempt began, and is
 * written over and over. */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "store.h"

/* ---- beginning an attempt ---- */

static void format_now(char out[32])
{
    const time_t now = time(NULL);
    struct tm parts;
    (void)gmtime_r(&now, &parts);
    (void)strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

static char *describe_attempt(const lmd_store *store, int threads,
                              const char *command_line)
{
    char now[32];
    lmd_text line = {0};
    format_now(now);
    lmd_text_append_format(&line, "%s: attempt %d, %d rank%s x %d thread%s: %s", now,
                           store->attempt, lmd_parallel_ranks(store->session),
                           lmd_parallel_ranks(store->session) == 1 ? "" : "s", threads,
                           threads == 1 ? "" : "s", command_line);
    for (char *c = line.bytes; *c; c++) {
        *c = *c == '\n' ? ' ' : *c; /* one line, whatever the command */
    }
    return line.bytes;
}

/* Collective. Root's list of files to all, so that all see the same. */
static lmd_saved_name *share_names(lmd_session *session, const char *folder, size_t *n)
{
    lmd_text bytes = {0};
    if (lmd_parallel_is_root(session)) {
        lmd_saved_name *const names = lmd_store_list(folder, n);
        lmd_text_append(&bytes, names ? (const void *)names : "", *n * sizeof *names);
        lmd_memory_free(names);
    }
    lmd_parallel_broadcast_text(session, &bytes);
    *n = bytes.size / sizeof(lmd_saved_name);
    lmd_saved_name *const names = lmd_memory_new(*n, sizeof *names);
    memcpy(names, lmd_text_string(&bytes), *n * sizeof *names);
    lmd_text_clear(&bytes);
    return names;
}

lmd_status lmd_store_open(lmd_store **out, lmd_session *session,
                          const lmd_store_setup *setup, lmd_counters *counters)
{
    lmd_store *const store = lmd_memory_new(1, sizeof *store);
    const size_t n_words = lmd_snapshot_words(setup->n_packs);
    *out = store;
    store->session = session;
    store->folder = lmd_memory_copy_text(setup->folder);
    store->n_packs = setup->n_packs;
    store->done = lmd_memory_new(n_words, sizeof *store->done);
    store->mine = lmd_memory_new(n_words, sizeof *store->mine);
    memcpy(store->fingerprint, setup->fingerprint, sizeof store->fingerprint);
    size_t n = 0;
    lmd_saved_name *const names = share_names(session, setup->folder, &n);
    store->attempt = n > 0 ? names[0].attempt + 1 : 1;
    store->line = describe_attempt(store, setup->threads, setup->command_line);
    lmd_status status = LMD_OK;
    if (lmd_parallel_is_root(session)) {
        lmd_store_sweep(setup->folder);
        status = lmd_store_write_identity(setup->folder, setup->identity);
    }
    status = lmd_parallel_agree(session, status);
    if (status == LMD_OK && n > 0) {
        status = lmd_store_resume(store, counters, names, n);
    }
    lmd_memory_free(names);
    return status;
}

void lmd_store_close(lmd_store *store)
{
    if (store) {
        lmd_memory_free(store->folder);
        lmd_memory_free(store->done);
        lmd_memory_free(store->mine);
        lmd_memory_free(store->story);
        lmd_memory_free(store->line);
        lmd_memory_free(store);
    }
}

/* ---- during the attempt ---- */

bool lmd_store_is_done(const lmd_store *store, int64_t pack)
{
    const int64_t word = store->done[pack / LMD_SNAPSHOT_WORD];
    return (word >> (pack % LMD_SNAPSHOT_WORD)) & 1;
}

void lmd_store_mark(lmd_store *store, int64_t pack)
{
    store->mine[pack / LMD_SNAPSHOT_WORD] |= INT64_C(1) << (pack % LMD_SNAPSHOT_WORD);
}

lmd_status lmd_store_save(lmd_store *store, lmd_counters *counters,
                          const lmd_effort *effort)
{
    const lmd_saved_name name = {store->attempt, lmd_parallel_rank(store->session)};
    char *const path = lmd_store_path(store->folder, &name);
    lmd_snapshot state = {.attempt = name.attempt,
                          .rank = name.rank,
                          .n_packs = store->n_packs,
                          .done = store->mine,
                          .effort = *effort,
                          .story = store->line};
    memcpy(state.fingerprint, store->fingerprint, sizeof state.fingerprint);
    state.values = lmd_counters_values(counters, &state.n_values);
    const lmd_status status = lmd_snapshot_write(path, &state);
    lmd_memory_free(path);
    return status;
}

/* ---- at the end ---- */

void lmd_store_join(lmd_store *store)
{
    const size_t n_words = lmd_snapshot_words(store->n_packs);
    lmd_parallel_sum_int64(store->session, store->mine, n_words);
    for (size_t i = 0; i < n_words; i++) {
        store->done[i] |= store->mine[i];
    }
}

lmd_status lmd_store_save_all(lmd_store *store, lmd_counters *counters,
                              const lmd_effort *effort)
{
    const lmd_saved_name name = {store->attempt + 1, LMD_SNAPSHOT_BASE};
    char *const path = lmd_store_path(store->folder, &name);
    lmd_text story = {0};
    lmd_text_append_format(&story, "%s%s%s; all packs done, no result written",
                           lmd_store_story(store), *lmd_store_story(store) ? "\n" : "",
                           store->line);
    lmd_snapshot all = {.attempt = name.attempt,
                        .rank = LMD_SNAPSHOT_BASE,
                        .n_packs = store->n_packs,
                        .done = store->done,
                        .effort = store->before,
                        .story = story.bytes};
    lmd_store_add_effort(&all.effort, effort);
    memcpy(all.fingerprint, store->fingerprint, sizeof all.fingerprint);
    all.values = lmd_counters_values(counters, &all.n_values);
    const lmd_status status = lmd_snapshot_write(path, &all);
    lmd_text_clear(&story);
    lmd_memory_free(path);
    return status;
}

lmd_status lmd_store_add_base(lmd_store *store, lmd_counters *counters)
{
    if (!store->has_base) {
        return LMD_OK;
    }
    const lmd_saved_name name = {store->attempt, LMD_SNAPSHOT_BASE};
    char *const path = lmd_store_path(store->folder, &name);
    const size_t n_words = lmd_snapshot_words(store->n_packs);
    lmd_text story = {0};
    lmd_snapshot base = {.n_packs = store->n_packs};
    memcpy(base.fingerprint, store->fingerprint, sizeof base.fingerprint);
    base.done = lmd_memory_new(n_words, sizeof *base.done);
    base.values = lmd_counters_values(counters, &base.n_values);
    const lmd_status status = lmd_snapshot_add(path, &base, &story);
    lmd_counters_carry(counters);
    lmd_text_clear(&story);
    lmd_memory_free(base.done);
    lmd_memory_free(path);
    return status;
}

int lmd_store_attempt(const lmd_store *store)
{
    return store->attempt;
}

const lmd_effort *lmd_store_before(const lmd_store *store)
{
    return &store->before;
}

const char *lmd_store_story(const lmd_store *store)
{
    return store->story ? store->story : "";
}

const char *lmd_store_line(const lmd_store *store)
{
    return store->line;
}
