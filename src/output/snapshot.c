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
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <lmdepth/base/file.h>
#include <lmdepth/base/memory.h>
#include <lmdepth/base/stream.h>

enum {
    LEVEL = 1,               /* of zstd: counters are mostly zeros and small numbers */
    LARGEST_HEAD = 160,      /* bytes of the first line */
    LARGEST_STORY = 16 << 20 /* of a few thousand attempts */
};

/* More of anything than a cluster can do, and sums of thousands of files fit an int64. */
#define LARGEST_COUNT (INT64_C(1) << 50)

/* A file of another job is read whole for its checksum. */
#define LARGEST_PEEK ((size_t)4 << 30)

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

/* Is the line, exactly, what we would write? scanf is satisfied with less. */
static bool is_head(const char *line, size_t n_meta, size_t n_values, const char *hex)
{
    char right[LARGEST_HEAD + 1];
    const int n = snprintf(right, sizeof right, HEAD_FORMAT, n_meta, n_values, hex);
    return n > 0 && (size_t)n < sizeof right && strncmp(line, right, (size_t)n) == 0;
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
        sscanf(head, "lmdepth snapshot 1 %zu %zu %64s", n_meta, n_values, should) != 3 ||
        !is_head(head, *n_meta, *n_values, should)) {
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
    const bool has_lines = got == 10 && text[n] == '\n';
    const char *const end = has_lines ? strstr(text + n + 1, "\n\n") : NULL;
    if (!end) {
        return refuse(path, "is damaged: its lines are not those of a snapshot");
    }
    *story_at = (size_t)n + 1;
    *done_at = (size_t)(end - text) + 2;
    return LMD_OK;
}

static bool is_possible(const lmd_snapshot *found)
{
    const lmd_effort *const effort = &found->effort;
    const int64_t counts[] = {effort->packs, effort->tokens, effort->positions};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        if (counts[i] < 0 || counts[i] > LARGEST_COUNT) {
            return false;
        }
    }
    return found->attempt > 0 && found->rank >= LMD_SNAPSHOT_BASE &&
           effort->packs <= found->n_packs && effort->flops >= 0 &&
           isfinite(effort->flops) && effort->seconds >= 0 && isfinite(effort->seconds);
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
    return is_possible(found) ? LMD_OK : refuse(path, "is damaged: impossible numbers");
}

/* Which bits of a word of `done` may be set. */
static int64_t mask_of(int64_t n_packs, size_t word)
{
    const int64_t left = n_packs - (int64_t)word * LMD_SNAPSHOT_WORD;
    return (INT64_C(1) << (left < LMD_SNAPSHOT_WORD ? left : LMD_SNAPSHOT_WORD)) - 1;
}

/* Only packs that there are, and none that `out` holds. */
static lmd_status check_done(const char *path, const char *done, const lmd_snapshot *out)
{
    const size_t n_words = lmd_snapshot_words(out->n_packs);
    for (size_t i = 0; i < n_words; i++) {
        int64_t word;
        memcpy(&word, done + i * sizeof word, sizeof word);
        if (word & ~mask_of(out->n_packs, i)) {
            return refuse(path, "is damaged: it holds packs that there are not");
        }
        if (word & out->done[i]) {
            return refuse(path, "holds packs that another snapshot holds too");
        }
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
    LMD_TRY(check_done(path, done, out));
    for (size_t i = 0; i < n_words; i++) {
        int64_t word;
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

/* Bytes of the frames of a snapshot of this job, decompressed. */
static size_t most_meta(const lmd_snapshot *wanted)
{
    return lmd_snapshot_words(wanted->n_packs) * sizeof *wanted->done + LARGEST_STORY;
}

static size_t most_values(const lmd_snapshot *wanted)
{
    return wanted->n_values * sizeof *wanted->values;
}

/* What does not compress grows by less than a part in a hundred. */
static lmd_status read_file(const char *path, const lmd_snapshot *wanted, lmd_text *file)
{
    const size_t most = most_meta(wanted) + most_values(wanted);
    return lmd_file_read_all(path, most + most / 100 + LARGEST_HEAD, file);
}

/* Both frames, decompressed; none is larger than that of a snapshot of this job can be.
 */
static lmd_status decompress(const char *path, const lmd_text *file,
                             const lmd_snapshot *wanted, lmd_text *meta, lmd_text *values)
{
    size_t at = 0, n_meta = 0, n_values = 0;
    LMD_TRY(find_frames(path, file, &at, &n_meta, &n_values));
    const char *const bytes = lmd_text_string(file) + at;
    lmd_status status = lmd_stream_decompress(bytes, n_meta, most_meta(wanted), meta);
    if (status == LMD_OK) {
        status =
            lmd_stream_decompress(bytes + n_meta, n_values, most_values(wanted), values);
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
    lmd_status status = lmd_file_read_all(path, LARGEST_PEEK, &file);
    if (status == LMD_OK) {
        status = peek(path, &file, &meta);
    }
    if (status == LMD_OK) {
        status = read_meta(path, &meta, snapshot, &story_at, &done_at);
    }
    if (status == LMD_OK && !is_possible(snapshot)) {
        status = refuse(path, "is damaged: impossible numbers");
    }
    if (status == LMD_OK) {
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
    lmd_status status = read_file(path, snapshot, &file);
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
        lmd_text_append(story, meta.bytes + story_at, done_at - 2 - story_at);
    }
    lmd_text_clear(&meta);
    lmd_text_clear(&values);
    return status;
}
