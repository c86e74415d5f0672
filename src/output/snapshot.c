/* A snapshot file:
 *
 *     lmdepth snapshot 1 <bytes of meta> <bytes of values> <sha256 of what follows>\n
 *     meta     a zstd frame: lines of text, an empty line, the packs (8 bytes a word)
 *     values   a zstd frame: 8 bytes each
 *
 * Integers are little-endian. The checksum is looked at first, so that a damaged file is
 * refused before anything in it is believed. The values are compressed from where they
 * are: a snapshot needs no second copy of the counters. */
#include <lmdepth/output.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <lmdepth/base/file.h>
#include <lmdepth/base/memory.h>
#include <lmdepth/base/stream.h>

enum {
    LEVEL = 1,         /* of zstd: counters are mostly zeros and small numbers */
    LARGEST_HEAD = 160 /* bytes of the first line */
};

#define HEAD_FORMAT "lmdepth snapshot 1 %zu %zu %s\n"
#define META_FORMAT                                                                      \
    "fingerprint %s\nattempt %d\nrank %d\npacks %" PRId64 "\nvalues %zu\n"               \
    "effort %" PRId64 " %" PRId64 " %" PRId64 " %a %a\n"
#define META_SCAN                                                                        \
    "fingerprint %64s attempt %d rank %d packs %" SCNd64 " values %zu "                  \
    "effort %" SCNd64 " %" SCNd64 " %" SCNd64 " %la %la%n"

size_t lmd_snapshot_words(int64_t n_packs)
{
    return (size_t)((n_packs + LMD_SNAPSHOT_WORD - 1) / LMD_SNAPSHOT_WORD);
}

/* ---- writing ---- */

static void append_meta(const lmd_snapshot *snapshot, lmd_text *out)
{
    const lmd_effort *const effort = &snapshot->effort;
    lmd_text meta = {0};
    lmd_text_append_format(&meta, META_FORMAT, snapshot->fingerprint, snapshot->attempt,
                           snapshot->rank, snapshot->n_packs, snapshot->n_values,
                           effort->packs, effort->tokens, effort->positions,
                           effort->flops, effort->seconds);
    lmd_text_append_string(&meta, snapshot->story ? snapshot->story : "");
    lmd_text_append_string(&meta, "\n\n");
    lmd_text_append(&meta, snapshot->done,
                    lmd_snapshot_words(snapshot->n_packs) * sizeof *snapshot->done);
    lmd_stream_compress(meta.bytes, meta.size, LEVEL, out);
    lmd_text_clear(&meta);
}

lmd_status lmd_snapshot_write(const char *path, const lmd_snapshot *snapshot)
{
    lmd_text body = {0};
    lmd_text file = {0};
    char hex[LMD_SHA256_HEX];
    append_meta(snapshot, &body);
    const size_t n_meta = body.size;
    lmd_stream_compress(snapshot->values, snapshot->n_values * sizeof *snapshot->values,
                        LEVEL, &body);
    lmd_sha256_of(body.bytes, body.size, hex);
    lmd_text_append_format(&file, HEAD_FORMAT, n_meta, body.size - n_meta, hex);
    lmd_text_append(&file, body.bytes, body.size);
    lmd_text_clear(&body);
    const lmd_status status = lmd_file_write(path, file.bytes, file.size);
    lmd_text_clear(&file);
    return status;
}

/* ---- reading ---- */

static lmd_status refuse(const char *path, const char *why)
{
    return lmd_status_set(LMD_INPUT, "%s: %s", path, why);
}

/* The two frames of a file whose checksum is right. */
static lmd_status find_frames(const char *path, const lmd_text *file, size_t *meta_at,
                              size_t *n_meta, size_t *n_values)
{
    char head[LARGEST_HEAD + 1] = "";
    char is[LMD_SHA256_HEX], should[LMD_SHA256_HEX];
    const char *const bytes = lmd_text_string(file);
    const size_t room = file->size < LARGEST_HEAD ? file->size : LARGEST_HEAD;
    memcpy(head, bytes, room);
    char *const end = strchr(head, '\n');
    if (!end ||
        sscanf(head, "lmdepth snapshot 1 %zu %zu %64s", n_meta, n_values, should) != 3) {
        return refuse(path, "is no snapshot of this version");
    }
    *meta_at = (size_t)(end - head) + 1;
    const size_t left = file->size - *meta_at;
    if (*n_meta > left || *n_values != left - *n_meta) {
        return refuse(path, "is damaged: its length is not what it says");
    }
    lmd_sha256_of(bytes + *meta_at, left, is);
    return strcmp(is, should) == 0 ? LMD_OK : refuse(path, "is damaged: wrong checksum");
}

/* Reads the lines; *done_at is where the packs begin. */
static lmd_status read_meta(const char *path, const lmd_text *meta, lmd_snapshot *found,
                            size_t *story_at, size_t *done_at)
{
    lmd_effort *const effort = &found->effort;
    const char *const text = lmd_text_string(meta);
    int n = 0;
    const int got =
        sscanf(text, META_SCAN, found->fingerprint, &found->attempt, &found->rank,
               &found->n_packs, &found->n_values, &effort->packs, &effort->tokens,
               &effort->positions, &effort->flops, &effort->seconds, &n);
    const char *const end = got == 10 ? strstr(text + n, "\n\n") : NULL;
    if (!end) {
        return refuse(path, "is damaged: its lines are not those of a snapshot");
    }
    *story_at = (size_t)n + (text[n] == '\n');
    *done_at = (size_t)(end - text) + 2;
    return LMD_OK;
}

static lmd_status check_fit(const char *path, const lmd_snapshot *found,
                            const lmd_snapshot *wanted, size_t n_done)
{
    if (strcmp(found->fingerprint, wanted->fingerprint) != 0) {
        return refuse(path, "belongs to another job");
    }
    if (found->n_packs != wanted->n_packs || found->n_values != wanted->n_values ||
        n_done != lmd_snapshot_words(wanted->n_packs) * sizeof *wanted->done) {
        return refuse(path, "has other packs or counters than this job");
    }
    return LMD_OK;
}

/* Adds what fits and overlaps nothing. */
static lmd_status add(const char *path, const char *done, const lmd_text *values,
                      lmd_snapshot *out)
{
    const size_t n_words = lmd_snapshot_words(out->n_packs);
    if (values->size != out->n_values * sizeof *out->values) {
        return refuse(path, "is damaged: not as many counters as it says");
    }
    int64_t word;
    for (size_t i = 0; i < n_words; i++) {
        memcpy(&word, done + i * sizeof word, sizeof word);
        if (word & out->done[i]) {
            return refuse(path, "holds packs that another snapshot holds too");
        }
    }
    for (size_t i = 0; i < n_words; i++) {
        memcpy(&word, done + i * sizeof word, sizeof word);
        out->done[i] |= word;
    }
    for (size_t i = 0; i < out->n_values; i++) {
        int64_t value;
        memcpy(&value, lmd_text_string(values) + i * sizeof value, sizeof value);
        out->values[i] = (int64_t)((uint64_t)out->values[i] + (uint64_t)value);
    }
    return LMD_OK;
}

/* Both frames, decompressed; none is larger than a snapshot of this job can be, stories
 * of a few thousand attempts included. */
static lmd_status decompress(const char *path, const lmd_text *file,
                             const lmd_snapshot *wanted, lmd_text *meta, lmd_text *values)
{
    size_t at = 0, n_meta = 0, n_values = 0;
    const size_t most_meta =
        lmd_snapshot_words(wanted->n_packs) * sizeof(int64_t) + (16U << 20);
    LMD_TRY(find_frames(path, file, &at, &n_meta, &n_values));
    const char *const bytes = lmd_text_string(file) + at;
    lmd_status status = lmd_stream_decompress(bytes, n_meta, most_meta, meta);
    if (status == LMD_OK) {
        status = lmd_stream_decompress(bytes + n_meta, n_values,
                                       wanted->n_values * sizeof(int64_t), values);
    }
    return status == LMD_OK ? LMD_OK : lmd_status_within(LMD_INPUT, "%s", path);
}

/* The meta frame, of at most MOST_META bytes, of a file that is read whole. */
static lmd_status peek(const char *path, const lmd_text *file, lmd_text *meta)
{
    enum { MOST_META = 1 << 28 };
    size_t at = 0, n_meta = 0, n_values = 0;
    LMD_TRY(find_frames(path, file, &at, &n_meta, &n_values));
    const lmd_status status =
        lmd_stream_decompress(lmd_text_string(file) + at, n_meta, MOST_META, meta);
    return status == LMD_OK ? LMD_OK : lmd_status_within(LMD_INPUT, "%s", path);
}

lmd_status lmd_snapshot_peek(const char *path, lmd_snapshot *snapshot, lmd_text *story)
{
    lmd_text file = {0};
    lmd_text meta = {0};
    size_t story_at = 0;
    size_t done_at = 0;
    *snapshot = (lmd_snapshot){0};
    lmd_status status = lmd_file_read_all(path, SIZE_MAX, &file);
    if (status == LMD_OK) {
        status = peek(path, &file, &meta);
    }
    if (status == LMD_OK) {
        status = read_meta(path, &meta, snapshot, &story_at, &done_at);
    }
    if (status == LMD_OK && done_at >= story_at + 2) {
        lmd_text_append(story, meta.bytes + story_at, done_at - 2 - story_at);
    }
    lmd_text_clear(&meta);
    lmd_text_clear(&file);
    return status;
}

lmd_status lmd_snapshot_add(const char *path, lmd_snapshot *snapshot, lmd_text *story)
{
    lmd_text file = {0};
    lmd_text meta = {0};
    lmd_text values = {0};
    lmd_snapshot found = {0};
    size_t story_at = 0;
    size_t done_at = 0;
    lmd_status status = lmd_file_read_all(path, SIZE_MAX, &file);
    if (status == LMD_OK) {
        status = decompress(path, &file, snapshot, &meta, &values);
    }
    lmd_text_clear(&file);
    if (status == LMD_OK) {
        status = read_meta(path, &meta, &found, &story_at, &done_at);
    }
    if (status == LMD_OK) {
        status = check_fit(path, &found, snapshot, meta.size - done_at);
    }
    if (status == LMD_OK) {
        status = add(path, meta.bytes + done_at, &values, snapshot);
    }
    if (status == LMD_OK) {
        snapshot->attempt = found.attempt;
        snapshot->rank = found.rank;
        snapshot->effort = found.effort;
        if (done_at >= story_at + 2) {
            lmd_text_append(story, meta.bytes + story_at, done_at - 2 - story_at);
        }
    }
    lmd_text_clear(&meta);
    lmd_text_clear(&values);
    return status;
}
