/* Snapshots: written, added up again, and refused for every damage that there is. */
#include <lmdepth/output.h>

#include <inttypes.h> /* PRId64 */
#include <setjmp.h>   /* cmocka.h */
#include <stdarg.h>   /* cmocka.h */
#include <stddef.h>   /* cmocka.h */
#include <stdint.h>   /* cmocka.h */
#include <stdio.h>    /* snprintf */
#include <stdlib.h>   /* mkdtemp */
#include <string.h>   /* strstr */
#include <unistd.h>   /* truncate */
#include <cmocka.h>
#include <lmdepth/base/file.h>
#include <lmdepth/base/memory.h>
#include <lmdepth/base/stream.h>

enum { PACKS = 70, WORDS = 3, VALUES = 5 };

#define FINGERPRINT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char folder[] = "/tmp/lmdepth-snapshot-XXXXXX";
static char path[64];

/* A snapshot with arrays of its own. */
typedef struct held {
    lmd_snapshot snapshot;
    int64_t done[WORDS], values[VALUES];
} held;

static void begin(held *it)
{
    *it = (held){
        .snapshot = {.fingerprint = FINGERPRINT, .n_packs = PACKS, .n_values = VALUES}};
    it->snapshot.done = it->done;
    it->snapshot.values = it->values;
}

/* What a rank might have saved. */
static void fill(held *it)
{
    begin(it);
    it->snapshot.attempt = 3;
    it->snapshot.rank = 1;
    it->snapshot.effort = (lmd_effort){3, 6000, 5900, 1.5e12, 0.1};
    it->snapshot.story = "first line\nsecond line";
    it->done[0] = 1 | INT64_C(1) << 31;
    it->done[2] = 1 << 5; // pack 69, the last
    for (int i = 0; i < VALUES; i++) {
        it->values[i] = INT64_C(1000000007) * i - 3;
    }
}

static void expect_message(const char *part)
{
    if (!strstr(lmd_status_message(), part) || !strstr(lmd_status_message(), path)) {
        fail_msg("'%s' is not in '%s'", part, lmd_status_message());
    }
}

/* Adds the file to what `it` holds. */
static lmd_status add(held *it, lmd_text *story)
{
    return lmd_snapshot_add(path, &it->snapshot, story);
}

/* Nothing is added by a file that is refused. */
static void expect_refused(const char *part)
{
    held it;
    lmd_text story = {0};
    begin(&it);
    it.values[1] = 42;
    assert_int_equal(add(&it, &story), LMD_INPUT);
    expect_message(part);
    const int64_t values[VALUES] = {0, 42}, done[WORDS] = {0};
    assert_memory_equal(it.values, values, sizeof values);
    assert_memory_equal(it.done, done, sizeof done);
    assert_int_equal(story.size, 0);
    lmd_text_clear(&story);
}

static void what_is_written_is_added(void **state)
{
    (void)state;
    held saved, it;
    lmd_text story = {0};
    fill(&saved);
    assert_int_equal(lmd_snapshot_write(path, &saved.snapshot), LMD_OK);
    begin(&it);
    it.done[1] = 7;
    it.values[4] = 5;
    assert_int_equal(add(&it, &story), LMD_OK);
    assert_int_equal(it.snapshot.attempt, 3);
    assert_int_equal(it.snapshot.rank, 1);
    assert_memory_equal(&it.snapshot.effort, &saved.snapshot.effort, sizeof(lmd_effort));
    assert_string_equal(lmd_text_string(&story), saved.snapshot.story);
    const int64_t done[WORDS] = {saved.done[0], 7, saved.done[2]};
    assert_memory_equal(it.done, done, sizeof done);
    saved.values[4] += 5;
    assert_memory_equal(it.values, saved.values, sizeof it.values);
    lmd_text_clear(&story);
}

/* No packs, no values, no story: a rank that was stopped before its first pack. */
static void an_empty_one_is_one(void **state)
{
    (void)state;
    held saved;
    lmd_text story = {0};
    begin(&saved);
    saved.snapshot.attempt = 1;
    saved.snapshot.rank = LMD_SNAPSHOT_BASE;
    saved.snapshot.n_packs = 0;
    saved.snapshot.n_values = 0;
    assert_int_equal(lmd_snapshot_write(path, &saved.snapshot), LMD_OK);
    assert_int_equal(add(&saved, &story), LMD_OK);
    assert_int_equal(saved.snapshot.rank, LMD_SNAPSHOT_BASE);
    assert_int_equal(story.size, 0);
    lmd_text_clear(&story);
}

static void sums_wrap_and_do_not_end_the_program(void **state)
{
    (void)state;
    held saved, it;
    lmd_text story = {0};
    fill(&saved);
    saved.values[0] = INT64_MAX;
    assert_int_equal(lmd_snapshot_write(path, &saved.snapshot), LMD_OK);
    begin(&it);
    it.values[0] = 1;
    assert_int_equal(add(&it, &story), LMD_OK);
    assert_true(it.values[0] == INT64_MIN);
    lmd_text_clear(&story);
}

static void truncated_anywhere(void **state)
{
    (void)state;
    held saved;
    lmd_text bytes = {0};
    fill(&saved);
    assert_int_equal(lmd_snapshot_write(path, &saved.snapshot), LMD_OK);
    assert_int_equal(lmd_file_read_all(path, 4096, &bytes), LMD_OK);
    for (size_t n = 0; n < bytes.size; n++) {
        assert_int_equal(lmd_file_write(path, bytes.bytes, n), LMD_OK);
        expect_refused(n < 100 ? "" : "its length is not what it says");
    }
    lmd_text_append(&bytes, "x", 1);
    assert_int_equal(lmd_file_write(path, bytes.bytes, bytes.size), LMD_OK);
    expect_refused("its length is not what it says");
    lmd_text_clear(&bytes);
}

static void every_flipped_bit(void **state)
{
    (void)state;
    held saved;
    lmd_text bytes = {0};
    fill(&saved);
    assert_int_equal(lmd_snapshot_write(path, &saved.snapshot), LMD_OK);
    assert_int_equal(lmd_file_read_all(path, 4096, &bytes), LMD_OK);
    for (size_t bit = 0; bit < 8 * bytes.size; bit++) {
        bytes.bytes[bit / 8] = (char)(bytes.bytes[bit / 8] ^ (1 << bit % 8));
        assert_int_equal(lmd_file_write(path, bytes.bytes, bytes.size), LMD_OK);
        expect_refused("");
        bytes.bytes[bit / 8] = (char)(bytes.bytes[bit / 8] ^ (1 << bit % 8));
    }
    lmd_text_clear(&bytes);
}

static void of_another_job_or_size(void **state)
{
    (void)state;
    held saved, it;
    lmd_text story = {0};
    fill(&saved);
    saved.snapshot.fingerprint[7] = 'X';
    assert_int_equal(lmd_snapshot_write(path, &saved.snapshot), LMD_OK);
    expect_refused("belongs to another job");
    fill(&saved);
    saved.snapshot.n_values = VALUES - 1;
    assert_int_equal(lmd_snapshot_write(path, &saved.snapshot), LMD_OK);
    expect_refused("other packs or counters");
    fill(&saved);
    saved.snapshot.n_packs = 96; // as many words
    assert_int_equal(lmd_snapshot_write(path, &saved.snapshot), LMD_OK);
    expect_refused("other packs or counters");

    fill(&saved); // overlap
    assert_int_equal(lmd_snapshot_write(path, &saved.snapshot), LMD_OK);
    begin(&it);
    it.done[0] = INT64_C(1) << 31;
    assert_int_equal(add(&it, &story), LMD_INPUT);
    expect_message("another snapshot holds too");
    assert_true(it.done[0] == INT64_C(1) << 31 && it.values[1] == 0);
    lmd_text_clear(&story);
}

/* The checksum of a file is easily made right: what is in it is not believed either. */
static void impossible_numbers(void **state)
{
    (void)state;
    held saved;
    for (int i = 0; i < 10; i++) {
        fill(&saved);
        lmd_effort *const effort = &saved.snapshot.effort;
        const char *why = "impossible numbers";
        switch (i) {
        case 0:
            saved.snapshot.attempt = 0;
            break;
        case 1:
            saved.snapshot.rank = -2;
            break;
        case 2:
            effort->packs = PACKS + 1;
            break;
        case 3:
            effort->tokens = INT64_MAX;
            break;
        case 4:
            effort->positions = -1;
            break;
        case 5:
            effort->flops = -1;
            break;
        case 6:
            effort->seconds = 1e300 * 1e300;
            break;
        case 7:
            saved.done[2] |= 1 << 6; // pack 70
            why = "packs that there are not";
            break;
        case 8:
            saved.done[0] |= INT64_C(1) << 32; // bits that no word uses
            why = "packs that there are not";
            break;
        default:
            saved.done[1] = INT64_MIN;
            why = "packs that there are not";
        }
        assert_int_equal(lmd_snapshot_write(path, &saved.snapshot), LMD_OK);
        expect_refused(why);
    }
}

/* A file with right head and checksum round these frames. */
static void write_frames(const lmd_text *meta, const lmd_text *values)
{
    lmd_text body = {0}, file = {0};
    char hex[LMD_SHA256_HEX];
    lmd_stream_compress(lmd_text_string(meta), meta->size, 1, &body);
    const size_t n_meta = body.size;
    lmd_stream_compress(lmd_text_string(values), values->size, 1, &body);
    lmd_sha256_of(body.bytes, body.size, hex);
    lmd_text_append_format(&file, "lmdepth snapshot 1 %zu %zu %s\n", n_meta,
                           body.size - n_meta, hex);
    lmd_text_append(&file, body.bytes, body.size);
    assert_int_equal(lmd_file_write(path, file.bytes, file.size), LMD_OK);
    lmd_text_clear(&file);
    lmd_text_clear(&body);
}

static void forged_frames(void **state)
{
    (void)state;
    static const char lines[] = "fingerprint " FINGERPRINT "\nattempt 1\nrank 0\n"
                                "packs 70\nvalues 5\neffort 1 1 1 0x1p+0 0x1p+0\n";
    const int64_t done[WORDS] = {0};
    lmd_text meta = {0}, values = {0};
    memset(lmd_text_reserve(&values, VALUES * 8), 0, VALUES * 8);
    values.size = VALUES * 8;

    lmd_text_append_string(&meta, lines); // no end of the lines
    write_frames(&meta, &values);
    expect_refused("not those of a snapshot");
    lmd_text_append_string(&meta, "\n\n"); // no packs
    write_frames(&meta, &values);
    expect_refused("other packs or counters");
    lmd_text_append(&meta, done, sizeof done);
    write_frames(&meta, &values);
    held it;
    lmd_text story = {0};
    begin(&it);
    assert_int_equal(add(&it, &story), LMD_OK); // it is the frames that were wrong
    values.size -= 8;
    write_frames(&meta, &values);
    expect_refused("not as many counters");
    values.size = 0;
    write_frames(&meta, &values);
    expect_refused("not as many counters");
    memset(lmd_text_reserve(&values, 1 << 20), 0, 1 << 20); // a small frame, much inside
    values.size = 1 << 20;
    write_frames(&meta, &values);
    expect_refused("more than 40 bytes");
    meta.size = 0;
    write_frames(&meta, &values);
    expect_refused("");
    lmd_text_clear(&story);
    lmd_text_clear(&values);
    lmd_text_clear(&meta);
}

/* A file that is large, even if only because of holes, is not read into memory. */
static void large_files_are_not_read(void **state)
{
    (void)state;
    held saved;
    fill(&saved);
    assert_int_equal(lmd_snapshot_write(path, &saved.snapshot), LMD_OK);
    assert_int_equal(truncate(path, (off_t)1 << 40), 0);
    expect_refused("more than the");
}

static void where_it_can_not_be_written(void **state)
{
    (void)state;
    held saved;
    fill(&saved);
    assert_int_equal(lmd_snapshot_write("/nowhere/state.1.0", &saved.snapshot),
                     LMD_RESOURCE);
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) {
        return -1;
    }
    (void)snprintf(path, sizeof path, "%s/state.3.1", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder) == 0 && lmd_memory_live() == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_added),
        cmocka_unit_test(an_empty_one_is_one),
        cmocka_unit_test(sums_wrap_and_do_not_end_the_program),
        cmocka_unit_test(truncated_anywhere),
        cmocka_unit_test(every_flipped_bit),
        cmocka_unit_test(of_another_job_or_size),
        cmocka_unit_test(impossible_numbers),
        cmocka_unit_test(forged_frames),
        cmocka_unit_test(large_files_are_not_read),
        cmocka_unit_test(where_it_can_not_be_written),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
