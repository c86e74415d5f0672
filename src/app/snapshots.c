/* What a job has counted, on disk and back (design 2).
 *
 * Files of the work folder:
 *     identity              what determines the job's result, a line each: for refusing
 *                           another job by what differs
 *     state.<attempt>.<rank>   counters and packs of one rank since the attempt began,
 *                           written over and over
 *     base.<attempt>        everything that was known when the attempt began
 *     lock                  who works here (base/lock.h)
 *
 * An attempt begins with the newest base that can be read, and the states of that base's
 * attempt and later. Their sum is written as the new attempt's base, read back, and only
 * then what went into it is removed. A kill in between leaves files that the next
 * attempt does not look at, because they are older than the newest base: so nothing is
 * counted twice. The ranks share the reading, in whatever number they are now. */

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "app.h"

struct lmd_store {
    lmd_session *session; /* borrowed */
    char *folder;         /* owned */
    char fingerprint[LMD_SHA256_HEX];
    int attempt; /* this one, from 1 */
    int64_t n_packs;
    int64_t *done;     /* owned (words): packs of earlier attempts, at every rank */
    int64_t *mine;     /* owned (words): packs of this rank in this attempt */
    bool has_base;     /* base.<attempt> is there */
    lmd_effort before; /* of earlier attempts */
    char *story;       /* owned: of earlier attempts; the root's */
    char *line;        /* owned: of this attempt */
};

/* ---- names ---- */

/* "state.<attempt>.<rank>" or "base.<attempt>" exactly as we write them; a base has rank
 * LMD_SNAPSHOT_BASE. */
typedef struct saved_name {
    int attempt, rank;
} saved_name;

static void format_name(const saved_name *name, lmd_text *out)
{
    if (name->rank == LMD_SNAPSHOT_BASE) {
        lmd_text_append_format(out, "base.%d", name->attempt);
    } else {
        lmd_text_append_format(out, "state.%d.%d", name->attempt, name->rank);
    }
}

static bool parse_name(const char *file, saved_name *name)
{
    lmd_text right = {0};
    name->rank = LMD_SNAPSHOT_BASE;
    if (sscanf(file, "state.%d.%d", &name->attempt, &name->rank) != 2 &&
        sscanf(file, "base.%d", &name->attempt) != 1) {
        return false;
    }
    format_name(name, &right);
    const bool is_right = name->attempt > 0 && strcmp(right.bytes, file) == 0;
    lmd_text_clear(&right);
    return is_right;
}

static char *path_of(const lmd_store *store, const saved_name *name)
{
    lmd_text file = {0};
    format_name(name, &file);
    char *const path = lmd_file_join(store->folder, file.bytes);
    lmd_text_clear(&file);
    return path;
}

/* Newest attempt first; of one attempt the base first, then ranks. */
static int compare_names(const void *a, const void *b)
{
    const saved_name *const x = a;
    const saved_name *const y = b;
    if (x->attempt != y->attempt) {
        return x->attempt > y->attempt ? -1 : 1;
    }
    return (x->rank > y->rank) - (x->rank < y->rank);
}

/* All snapshots of the folder. Caller frees. */
static saved_name *list_names(const char *folder, size_t *n)
{
    saved_name *names = NULL;
    size_t room = 0;
    DIR *const entries = opendir(folder);
    *n = 0;
    for (const struct dirent *entry; entries && (entry = readdir(entries));) {
        saved_name name;
        if (!parse_name(entry->d_name, &name)) {
            continue;
        }
        if (*n == room) {
            room = 2 * room + 16;
            names = lmd_memory_resize(names, room, sizeof *names);
        }
        names[(*n)++] = name;
    }
    if (entries) {
        (void)closedir(entries);
    }
    if (*n > 0) {
        qsort(names, *n, sizeof *names, compare_names);
    }
    return names;
}

bool lmd_store_has_snapshots(const char *folder)
{
    size_t n;
    lmd_memory_free(list_names(folder, &n));
    return n > 0;
}

/* A file that was being written when its program was killed: "<one of ours>.tmp.<...>",
 * or a lock that was never taken. */
static bool is_left_over(const char *name)
{
    static const char *const ours[] = {"state.", "base.", LMD_STORE_IDENTITY,
                                       LMD_STORE_LOCK};
    const char *const end = strrchr(name, '.');
    if (strncmp(name, LMD_STORE_LOCK ".", sizeof LMD_STORE_LOCK) == 0 &&
        end[1 + strspn(end + 1, "0123456789")] == '\0') {
        return true;
    }
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        if (strncmp(name, ours[i], strlen(ours[i])) == 0 && strstr(name, ".tmp.")) {
            return true;
        }
    }
    return false;
}

/* With the lock taken, what is being written is being written by nobody. */
static void remove_left_overs(const char *folder)
{
    DIR *const entries = opendir(folder);
    for (const struct dirent *entry; entries && (entry = readdir(entries));) {
        if (is_left_over(entry->d_name)) {
            (void)unlinkat(dirfd(entries), entry->d_name, 0);
        }
    }
    if (entries) {
        (void)closedir(entries);
    }
}

lmd_status lmd_store_clear(const char *folder)
{
    size_t n;
    saved_name *const names = list_names(folder, &n);
    const lmd_store store = {.folder = (char *)(uintptr_t)folder};
    lmd_status status = LMD_OK;
    for (size_t i = 0; i < n && status == LMD_OK; i++) {
        char *const path = path_of(&store, &names[i]);
        if (unlink(path) != 0 && errno != ENOENT) {
            status = lmd_status_set(LMD_RESOURCE, "%s: can't be removed: %s", path,
                                    strerror(errno));
        }
        lmd_memory_free(path);
    }
    lmd_memory_free(names);
    remove_left_overs(folder);
    char *const identity = lmd_file_join(folder, LMD_STORE_IDENTITY);
    (void)unlink(identity);
    lmd_memory_free(identity);
    return status;
}

/* ---- identity ---- */

enum { SHORT = 240 }; /* characters of a line in a message */

/* Length of the part of a line that counts: names of files stand behind a tab. */
static size_t length_of(const char *line)
{
    return strcspn(line, "\t\n");
}

static const char *next_line(const char *line)
{
    line += strcspn(line, "\n");
    return line + (*line == '\n');
}

/* A line for people; a file's name first. */
static void shorten(const char *line, char out[SHORT])
{
    const char *const name = line + length_of(line);
    const int n_line = (int)(length_of(line) < SHORT / 3 ? length_of(line) : SHORT / 3);
    const int n_name = *name == '\t' ? (int)strcspn(name + 1, "\n") : 0;
    if (n_name > 0) {
        (void)snprintf(out, SHORT, "%.*s: %.*s...",
                       n_name < SHORT / 2 ? n_name : SHORT / 2, name + 1, n_line, line);
    } else {
        (void)snprintf(out, SHORT, "%.*s", n_line, *line ? line : "nothing");
    }
}

lmd_status lmd_store_check_identity(const char *folder, const char *identity)
{
    char *const path = lmd_file_join(folder, LMD_STORE_IDENTITY);
    lmd_text old = {0};
    lmd_status status = LMD_OK;
    if (lmd_store_has_snapshots(folder) && lmd_file_exists(path)) {
        status = lmd_file_read_all(path, SIZE_MAX, &old);
    }
    const char *was = lmd_text_string(&old);
    const char *is = identity;
    bool differs = false;
    while (status == LMD_OK && old.size > 0 && (*was || *is) && !differs) {
        const size_t n = length_of(was);
        differs = n != length_of(is) || memcmp(was, is, n) != 0;
        if (!differs) {
            was = next_line(was);
            is = next_line(is);
        }
    }
    if (differs) {
        char before[SHORT], now[SHORT];
        shorten(was, before);
        shorten(is, now);
        status =
            lmd_status_set(LMD_USAGE,
                           "%s holds unfinished work of another job: it had '%s', "
                           "this one has '%s'; --fresh throws that work away, --work "
                           "works elsewhere",
                           folder, before, now);
    }
    lmd_text_clear(&old);
    lmd_memory_free(path);
    return status;
}

/* ---- for people ---- */

/* Takes one file into the view; false when it can't be read. */
static bool look_at(const lmd_store *store, const saved_name *name, lmd_store_view *view)
{
    char *const path = path_of(store, name);
    lmd_snapshot found;
    lmd_text story = {0};
    struct stat info;
    const bool is_good = lmd_snapshot_peek(path, &found, &story) == LMD_OK;
    if (is_good) {
        view->files++;
        view->packs += found.effort.packs;
        view->n_packs = found.n_packs;
        if (story.size > 0 &&
            (!view->story.bytes || !strstr(view->story.bytes, story.bytes))) {
            lmd_text_append_format(&view->story, "%s\n", story.bytes);
        }
    } else {
        view->damaged++;
    }
    if (is_good && stat(path, &info) == 0) {
        const double age = difftime(time(NULL), info.st_mtime);
        view->age = view->files == 1 || age < view->age ? age : view->age;
    }
    lmd_text_clear(&story);
    lmd_memory_free(path);
    return is_good;
}

/* As an attempt would: the newest base that can be read, and the states since. */
lmd_store_view lmd_store_look(const char *folder)
{
    size_t n;
    saved_name *const names = list_names(folder, &n);
    const lmd_store store = {.folder = (char *)(uintptr_t)folder};
    lmd_store_view view = {.attempt = n > 0 ? names[0].attempt : 0};
    int first = 0;
    for (size_t i = 0; i < n && first == 0; i++) {
        if (names[i].rank == LMD_SNAPSHOT_BASE && look_at(&store, &names[i], &view)) {
            first = names[i].attempt;
        }
    }
    for (size_t i = n; i-- > 0;) { // oldest attempt first
        if (names[i].rank != LMD_SNAPSHOT_BASE && names[i].attempt >= first) {
            (void)look_at(&store, &names[i], &view);
        }
    }
    lmd_memory_free(names);
    return view;
}

void lmd_store_view_clear(lmd_store_view *view)
{
    lmd_text_clear(&view->story);
}

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

/* What the ranks have read between them. */
typedef struct gathered {
    lmd_snapshot
        sum; /* this rank's share; its arrays are the store's and the counters' */
    lmd_effort effort; /* of the share */
    lmd_text stories;  /* "<attempt>\t<packs>\t<line>" of states; a base's as it is */
    lmd_text base_story;
    lmd_text taken; /* paths of the files in it, a zero behind each */
} gathered;

static int64_t count_bits(const int64_t *words, size_t n)
{
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += __builtin_popcountll((unsigned long long)words[i]);
    }
    return sum;
}

static void add_effort(lmd_effort *sum, const lmd_effort *more)
{
    sum->packs += more->packs;
    sum->tokens += more->tokens;
    sum->positions += more->positions;
    sum->flops += more->flops;
    sum->seconds += more->seconds;
}

/* Adds one file to this rank's share; false when it can't be used, which is said. */
static bool take_file(const lmd_store *store, const saved_name *name, gathered *share)
{
    char *const path = path_of(store, name);
    lmd_text story = {0};
    const lmd_status status = lmd_snapshot_add(path, &share->sum, &story);
    if (status == LMD_OK) {
        add_effort(&share->effort, &share->sum.effort);
        lmd_text_append(&share->taken, path, strlen(path) + 1);
        if (name->rank == LMD_SNAPSHOT_BASE) {
            lmd_text_append(&share->base_story, lmd_text_string(&story), story.size);
        } else {
            lmd_text_append_format(&share->stories, "%d\t%" PRId64 "\t%s\n",
                                   name->attempt, share->sum.effort.packs,
                                   lmd_text_string(&story));
        }
    } else {
        lmd_log_warn("%s: ignored, its packs are done again", lmd_status_message());
    }
    lmd_text_clear(&story);
    lmd_memory_free(path);
    return status == LMD_OK;
}

/* Collective. The newest base that can be read, by the root; returns the first attempt
 * whose states count. */
static int take_base(lmd_store *store, const saved_name *names, size_t n, gathered *share)
{
    int64_t first = 0;
    if (lmd_parallel_is_root(store->session)) {
        for (size_t i = 0; i < n && first == 0; i++) {
            if (names[i].rank == LMD_SNAPSHOT_BASE &&
                take_file(store, &names[i], share)) {
                first = names[i].attempt;
            }
        }
    }
    return (int)lmd_parallel_max_int64(store->session, first);
}

/* Every rank reads its share of the states. */
static void take_states(lmd_store *store, const saved_name *names, size_t n, int first,
                        gathered *share)
{
    const size_t ranks = (size_t)lmd_parallel_ranks(store->session);
    const size_t me = (size_t)lmd_parallel_rank(store->session);
    for (size_t i = 0; i < n; i++) {
        if (i % ranks == me && names[i].rank != LMD_SNAPSHOT_BASE &&
            names[i].attempt >= first) {
            (void)take_file(store, &names[i], share);
        }
    }
}

/* The states' stories, one line an attempt with its packs, behind that of the base. */
static void tell_stories(lmd_store *store, const gathered *share, lmd_text *texts)
{
    lmd_text story = {0};
    lmd_text_append(&story, lmd_text_string(&share->base_story), share->base_story.size);
    for (int attempt = 1; attempt < store->attempt; attempt++) {
        int64_t packs = 0;
        int files = 0;
        char *told = NULL;
        for (int r = 0; r < lmd_parallel_ranks(store->session); r++) {
            for (const char *at = lmd_text_string(&texts[r]); *at; at = next_line(at)) {
                int of = 0, n = 0;
                int64_t some = 0;
                if (sscanf(at, "%d\t%" SCNd64 "\t%n", &of, &some, &n) == 2 &&
                    of == attempt) {
                    packs += some;
                    files++;
                    lmd_memory_free(told);
                    told = lmd_memory_copy_bytes(at + n, strcspn(at + n, "\n"));
                }
            }
        }
        if (files > 0) {
            lmd_text_append_format(&story, "%s%s; interrupted, %" PRId64 " packs saved",
                                   story.size > 0 ? "\n" : "", told, packs);
        }
        lmd_memory_free(told);
    }
    store->story = lmd_memory_copy_text(lmd_text_string(&story));
    lmd_text_clear(&story);
}

/* Collective. Sums the shares: packs at every rank, counters and stories at the root. */
static lmd_status sum_shares(lmd_store *store, gathered *share)
{
    lmd_session *const session = store->session;
    const size_t n_words = lmd_snapshot_words(store->n_packs);
    int64_t bits = count_bits(store->done, n_words);
    lmd_parallel_sum_int64(session, &bits, 1);
    /* Words hold 32 packs, so a sum of disjoint ones is their union and cannot overflow;
     * every carry of others loses a bit. */
    lmd_parallel_sum_int64(session, store->done, n_words);
    if (count_bits(store->done, n_words) != bits) {
        return lmd_status_set(LMD_INPUT,
                              "%s: snapshots of different ranks hold the same packs; "
                              "--fresh starts over",
                              store->folder);
    }
    lmd_parallel_reduce_int64(session, share->sum.values, share->sum.n_values);
    int64_t counts[] = {share->effort.packs, share->effort.tokens,
                        share->effort.positions};
    lmd_parallel_sum_int64(session, counts, 3);
    store->before = (lmd_effort){counts[0], counts[1], counts[2],
                                 lmd_parallel_sum_real(session, share->effort.flops),
                                 lmd_parallel_sum_real(session, share->effort.seconds)};
    const size_t ranks = (size_t)lmd_parallel_ranks(session);
    lmd_text *const texts = lmd_memory_new(ranks, sizeof *texts);
    lmd_parallel_gather_texts(session, &share->stories, texts);
    tell_stories(store, share, texts);
    for (size_t r = 0; r < ranks; r++) {
        lmd_text_clear(&texts[r]);
    }
    lmd_memory_free(texts);
    return LMD_OK;
}

/* Root: writes the base and reads it back. `values` are the sums, and are zero
 * afterwards. */
static lmd_status write_base(lmd_store *store, int64_t *values, size_t n_values)
{
    const saved_name name = {store->attempt, LMD_SNAPSHOT_BASE};
    const size_t n_words = lmd_snapshot_words(store->n_packs);
    char *const path = path_of(store, &name);
    lmd_snapshot base = {.attempt = store->attempt,
                         .rank = LMD_SNAPSHOT_BASE,
                         .n_packs = store->n_packs,
                         .done = store->done,
                         .n_values = n_values,
                         .values = values,
                         .effort = store->before,
                         .story = store->story};
    memcpy(base.fingerprint, store->fingerprint, sizeof base.fingerprint);
    lmd_status status = lmd_snapshot_write(path, &base);
    memset(values, 0, n_values * sizeof *values);
    if (status == LMD_OK) {
        lmd_text story = {0};
        base.done = lmd_memory_new(n_words, sizeof *base.done);
        status = lmd_snapshot_add(path, &base, &story);
        memset(values, 0, n_values * sizeof *values);
        lmd_memory_free(base.done);
        lmd_text_clear(&story);
    }
    lmd_memory_free(path);
    return status;
}

/* What is in the base now. A file that stays is older than the base: nobody reads it. One
 * that could not be used is left for its owner to look at. */
static void remove_taken(const gathered *share)
{
    const char *path = lmd_text_string(&share->taken);
    for (const char *end = path + share->taken.size; path < end;
         path += strlen(path) + 1) {
        (void)unlink(path);
    }
}

/* Collective. */
static lmd_status resume(lmd_store *store, lmd_counters *counters,
                         const saved_name *names, size_t n)
{
    lmd_session *const session = store->session;
    gathered share = {.sum = {.n_packs = store->n_packs, .done = store->done}};
    memcpy(share.sum.fingerprint, store->fingerprint, sizeof share.sum.fingerprint);
    share.sum.values = lmd_counters_values(counters, &share.sum.n_values);
    const int first = take_base(store, names, n, &share);
    take_states(store, names, n, first, &share);
    lmd_counters_carry(counters); /* limbs, before they are summed over ranks */
    lmd_status status = sum_shares(store, &share);
    if (status == LMD_OK && lmd_parallel_is_root(session)) {
        lmd_counters_carry(counters);
        status = write_base(store, share.sum.values, share.sum.n_values);
    }
    memset(share.sum.values, 0, share.sum.n_values * sizeof *share.sum.values);
    status = lmd_parallel_agree(session, status);
    store->has_base = status == LMD_OK;
    if (status == LMD_OK) {
        remove_taken(&share);
    }
    lmd_text_clear(&share.stories);
    lmd_text_clear(&share.base_story);
    lmd_text_clear(&share.taken);
    return status;
}

/* Root: leaves what determines the job, for the next attempt. */
static lmd_status write_identity(const lmd_store *store, const char *identity)
{
    char *const path = lmd_file_join(store->folder, LMD_STORE_IDENTITY);
    const lmd_status status = lmd_file_write(path, identity, strlen(identity));
    lmd_memory_free(path);
    return status;
}

/* Collective. Root's list of files to all, so that all see the same. */
static saved_name *share_names(lmd_session *session, const char *folder, size_t *n)
{
    lmd_text bytes = {0};
    if (lmd_parallel_is_root(session)) {
        saved_name *const names = list_names(folder, n);
        lmd_text_append(&bytes, names ? (const void *)names : "", *n * sizeof *names);
        lmd_memory_free(names);
    }
    lmd_parallel_broadcast_text(session, &bytes);
    *n = bytes.size / sizeof(saved_name);
    saved_name *const names = lmd_memory_new(*n, sizeof *names);
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
    saved_name *const names = share_names(session, setup->folder, &n);
    store->attempt = n > 0 ? names[0].attempt + 1 : 1;
    store->line = describe_attempt(store, setup->threads, setup->command_line);
    lmd_status status = LMD_OK;
    if (lmd_parallel_is_root(session)) {
        remove_left_overs(setup->folder);
        status = write_identity(store, setup->identity);
    }
    status = lmd_parallel_agree(session, status);
    if (status == LMD_OK && n > 0) {
        status = resume(store, counters, names, n);
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
    const saved_name name = {store->attempt, lmd_parallel_rank(store->session)};
    char *const path = path_of(store, &name);
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
    const saved_name name = {store->attempt + 1, LMD_SNAPSHOT_BASE};
    char *const path = path_of(store, &name);
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
    add_effort(&all.effort, effort);
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
    const saved_name name = {store->attempt, LMD_SNAPSHOT_BASE};
    char *const path = path_of(store, &name);
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
