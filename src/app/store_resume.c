/* How an attempt begins (design 2): with the newest base that can be read, and the states
 * of that base's attempt and later. Their sum is written as the new attempt's base, read
 * back, and only then what went into it is removed. A kill in between leaves files that
 * the next attempt does not look at, because they are older than the newest base: so
 * nothing is counted twice. The ranks share the reading, in whatever number they are now.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store.h"

typedef struct gathered {
    lmd_snapshot
        sum; /* this rank's share; its arrays are the store's and the counters' */
    lmd_effort effort; /* of the share */
    lmd_text stories;  /* "<attempt>\t<packs>\t<line>" of states; a base's as it is */
    lmd_text base_story;
    lmd_text taken; /* paths of the files in it, a zero behind each */
} gathered;

static const char *next_line(const char *line)
{
    line += strcspn(line, "\n");
    return line + (*line == '\n');
}

static int64_t count_bits(const int64_t *words, size_t n)
{
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += __builtin_popcountll((unsigned long long)words[i]);
    }
    return sum;
}

void lmd_store_add_effort(lmd_effort *sum, const lmd_effort *more)
{
    sum->packs += more->packs;
    sum->tokens += more->tokens;
    sum->positions += more->positions;
    sum->flops += more->flops;
    sum->seconds += more->seconds;
}

/* Adds one file to this rank's share; false when it can't be used, which is said. */
static bool take_file(const lmd_store *store, const lmd_saved_name *name, gathered *share)
{
    char *const path = lmd_store_path(store->folder, name);
    lmd_text story = {0};
    const lmd_status status = lmd_snapshot_add(path, &share->sum, &story);
    if (status == LMD_OK) {
        lmd_store_add_effort(&share->effort, &share->sum.effort);
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
static int take_base(lmd_store *store, const lmd_saved_name *names, size_t n,
                     gathered *share)
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
static void take_states(lmd_store *store, const lmd_saved_name *names, size_t n,
                        int first, gathered *share)
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
    const lmd_saved_name name = {store->attempt, LMD_SNAPSHOT_BASE};
    const size_t n_words = lmd_snapshot_words(store->n_packs);
    char *const path = lmd_store_path(store->folder, &name);
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

lmd_status lmd_store_resume(lmd_store *store, lmd_counters *counters,
                            const lmd_saved_name *names, size_t n)
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
