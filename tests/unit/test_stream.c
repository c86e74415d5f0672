/* Streams: what was compressed comes back whole; every cut and every changed byte of a
 * small file is noticed or without effect. */
#include <lmdepth/base/stream.h>

#include <lmdepth/base/file.h>   /* lmd_file_write */
#include <lmdepth/base/memory.h> /* lmd_memory_live */
#include <setjmp.h>              /* cmocka.h */
#include <stdarg.h>              /* cmocka.h */
#include <stddef.h>              /* cmocka.h */
#include <stdint.h>              /* cmocka.h */
#include <stdio.h>               /* snprintf */
#include <stdlib.h>              /* mkdtemp */
#include <string.h>              /* strstr */
#include <unistd.h>              /* unlink */
#include <zlib.h>                /* deflate */
#include <cmocka.h>

enum { PATH_SIZE = 512, N_LARGE = 5000000 };

static char folder[] = "/tmp/lmdepth-stream-XXXXXX";
static int64_t live_at_start;

/* Words of a small vocabulary: compresses, but not to nothing. */
static void append_prose(lmd_text *text, size_t n_bytes)
{
    const size_t end = text->size + n_bytes;
    for (uint64_t i = 0; text->size < end; i++) {
        const unsigned int word = (unsigned int)(lmd_hash_mix(i + 1) % 5000);
        lmd_text_append_format(text, "%x ", word);
    }
    text->size = end;
    text->bytes[end] = 0;
}

static void append_gzip_member(lmd_text *out, const char *bytes, size_t n_bytes)
{
    z_stream zlib = {0};
    assert_int_equal(deflateInit2(&zlib, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, 0), Z_OK);
    const size_t bound = deflateBound(&zlib, n_bytes);
    char *const copy = lmd_memory_copy_bytes(bytes, n_bytes);
    zlib.next_in = (unsigned char *)copy;
    zlib.avail_in = (unsigned int)n_bytes;
    zlib.next_out = (unsigned char *)lmd_text_reserve(out, bound);
    zlib.avail_out = (unsigned int)bound;
    assert_int_equal(deflate(&zlib, Z_FINISH), Z_STREAM_END);
    out->size += bound - zlib.avail_out;
    out->bytes[out->size] = 0;
    assert_int_equal(deflateEnd(&zlib), Z_OK);
    lmd_memory_free(copy);
}

/* Writes `stored` as a file of that name and reads it in pieces; appends to `text`. */
static lmd_status read_back(const char *name, const lmd_text *stored, size_t piece,
                            lmd_text *text)
{
    char path[PATH_SIZE];
    char hex[LMD_SHA256_HEX];
    char expected[LMD_SHA256_HEX];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(lmd_file_write(path, stored->bytes, stored->size), LMD_OK);
    lmd_stream *stream = NULL;
    assert_int_equal(lmd_stream_open(&stream, path), LMD_OK);
    lmd_status status = LMD_OK;
    size_t got = piece;
    while (status == LMD_OK && got == piece) {
        status = lmd_stream_read(stream, lmd_text_reserve(text, piece), piece, &got);
        text->size += got;
    }
    if (status == LMD_OK) {
        assert_int_equal(lmd_stream_read(stream, path, 1, &got), LMD_OK);
        assert_int_equal(got, 0);
        lmd_stream_sha256(stream, hex);
        lmd_sha256_of(stored->bytes, stored->size, expected);
        assert_string_equal(hex, expected);
    } else {
        assert_non_null(strstr(lmd_status_message(), path));
        assert_non_null(strstr(lmd_status_message(), "byte "));
    }
    lmd_stream_close(stream);
    assert_int_equal(unlink(path), 0);
    return status;
}

static void expect_same(const char *name, const lmd_text *stored, const lmd_text *text)
{
    static const size_t pieces[] = {4096, 1000003, 1 << 24};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        lmd_text got = {0};
        assert_int_equal(read_back(name, stored, pieces[i], &got), LMD_OK);
        assert_int_equal(got.size, text->size);
        assert_memory_equal(got.bytes, text->bytes, text->size);
        lmd_text_clear(&got);
    }
}

static void expect_input_error(const char *name, const lmd_text *stored, const char *part)
{
    lmd_text got = {0};
    assert_int_equal(read_back(name, stored, 1000, &got), LMD_INPUT);
    if (!strstr(lmd_status_message(), part)) {
        fail_msg("'%s' is not in '%s'", part, lmd_status_message());
    }
    lmd_text_clear(&got);
}

static void plain_files_come_as_they_are(void **state)
{
    (void)state;
    lmd_text text = {0};
    append_prose(&text, N_LARGE);
    expect_same("a.jsonl", &text, &text);
    lmd_text_clear(&text);
    lmd_text_append_string(&text, "x");
    text.size = 0;
    expect_same("empty.txt", &text, &text);
    lmd_text_clear(&text);
}

static void frames_of_zstd_are_joined(void **state)
{
    (void)state;
    lmd_text text = {0};
    lmd_text stored = {0};
    append_prose(&text, N_LARGE);
    lmd_stream_compress(text.bytes, 4000000, 3, &stored);
    expect_same("a.zst", &stored, &(lmd_text){text.bytes, 4000000, 0});
    lmd_stream_compress("", 0, 1, &stored);
    lmd_text_append(&stored, "\x50\x2a\x4d\x18\x03\0\0\0abc", 11); // skippable
    lmd_stream_compress(text.bytes + 4000000, N_LARGE - 4000000, 19, &stored);
    expect_same("a.txt.zst", &stored, &text);
    lmd_text_clear(&stored);
    lmd_text_clear(&text);
}

/* A frame by hand (RFC 8878, 3.1): window of 2 GiB, no size, no checksum, one raw block.
 */
static void largest_window_of_zstd_is_opened(void **state)
{
    (void)state;
    lmd_text text = {0};
    lmd_text stored = {0};
    lmd_text_append_string(&text, "abc");
    lmd_text_append(&stored,
                    "\x28\xb5\x2f\xfd\x00\xa8\x19\0\0"
                    "abc",
                    12);
    expect_same("long.zst", &stored, &text);
    lmd_text_clear(&stored);
    lmd_text_clear(&text);
}

static void members_of_gzip_are_joined(void **state)
{
    (void)state;
    lmd_text text = {0};
    lmd_text stored = {0};
    append_prose(&text, N_LARGE);
    append_gzip_member(&stored, text.bytes, 4000000);
    expect_same("a.gz", &stored, &(lmd_text){text.bytes, 4000000, 0});
    append_gzip_member(&stored, "", 0);
    append_gzip_member(&stored, text.bytes + 4000000, N_LARGE - 4000000);
    expect_same("a.txt.gz", &stored, &text);
    lmd_text_clear(&stored);
    lmd_text_clear(&text);
}

static void zeros_after_gzip_are_padding(void **state)
{
    (void)state;
    lmd_text stored = {0};
    lmd_text text = {0};
    append_prose(&text, 100000);
    append_gzip_member(&stored, text.bytes, text.size);
    memset(lmd_text_reserve(&stored, 3 << 20), 0, 3 << 20);
    const size_t member_size = stored.size;
    stored.size += 1;
    expect_same("one.gz", &stored, &text);
    stored.size = member_size + (3 << 20);
    expect_same("many.gz", &stored, &text);
    lmd_text_append_string(&stored, "x");
    expect_input_error("rest.gz", &stored, "damaged gzip");
    lmd_text_clear(&stored);
    lmd_text_clear(&text);
}

static void rubbish_after_the_end_is_damage(void **state)
{
    (void)state;
    lmd_text stored = {0};
    append_gzip_member(&stored, "abc", 3);
    lmd_text_append_string(&stored, "rubbish");
    expect_input_error("a.gz", &stored, "damaged gzip");
    lmd_text_clear(&stored);
    lmd_stream_compress("abc", 3, 3, &stored);
    lmd_text_append_string(&stored, "rubbish");
    expect_input_error("a.zst", &stored, "damaged zstd");
    lmd_text_clear(&stored);
    lmd_text_append_string(&stored, "plain text");
    expect_input_error("b.gz", &stored, "damaged gzip");
    expect_input_error("b.zst", &stored, "damaged zstd");
    stored.size = 0;
    expect_input_error("c.gz", &stored, "truncated");
    expect_input_error("c.zst", &stored, "truncated");
    lmd_text_clear(&stored);
}

/* Two frames or members in `stored`, the first of `border` bytes. */
static void expect_all_cuts_noticed(const char *name, const lmd_text *stored,
                                    size_t border)
{
    for (size_t size = 0; size <= stored->size; size++) {
        const lmd_text cut = {stored->bytes, size, 0};
        lmd_text got = {0};
        const lmd_status status = read_back(name, &cut, 100, &got);
        const int is_whole = size == border || size == stored->size;
        if (status != (is_whole ? LMD_OK : LMD_INPUT)) {
            fail_msg("%s cut to %zu bytes gives %d", name, size, (int)status);
        }
        if (!is_whole) {
            char byte[64];
            (void)snprintf(byte, sizeof byte, "byte %zu", size);
            assert_non_null(strstr(lmd_status_message(), "truncated"));
            assert_non_null(strstr(lmd_status_message(), byte));
        }
        lmd_text_clear(&got);
    }
}

/* Whatever byte is changed: an error, or the text as it was. */
static void expect_no_silent_change(const char *name, const lmd_text *stored,
                                    const lmd_text *text)
{
    for (size_t i = 0; i < 2 * stored->size; i++) {
        const char change = i % 2 ? (char)0x01 : (char)0x90;
        lmd_text got = {0};
        stored->bytes[i / 2] = (char)(stored->bytes[i / 2] ^ change);
        const lmd_status status = read_back(name, stored, 1000, &got);
        stored->bytes[i / 2] = (char)(stored->bytes[i / 2] ^ change);
        if (status == LMD_OK) {
            assert_int_equal(got.size, text->size);
            assert_memory_equal(got.bytes, text->bytes, text->size);
        } else {
            assert_int_equal(status, LMD_INPUT);
        }
        lmd_text_clear(&got);
    }
}

static void damage_to_zstd_is_noticed(void **state)
{
    (void)state;
    lmd_text text = {0};
    lmd_text stored = {0};
    append_prose(&text, 300);
    lmd_stream_compress(text.bytes, 150, 3, &stored);
    const size_t border = stored.size;
    lmd_stream_compress(text.bytes + 150, 150, 3, &stored);
    expect_all_cuts_noticed("cut.zst", &stored, border);
    expect_no_silent_change("changed.zst", &stored, &text);
    lmd_text_clear(&stored);
    lmd_text_clear(&text);
}

static void damage_to_gzip_is_noticed(void **state)
{
    (void)state;
    lmd_text text = {0};
    lmd_text stored = {0};
    append_prose(&text, 300);
    append_gzip_member(&stored, text.bytes, 150);
    const size_t border = stored.size;
    append_gzip_member(&stored, text.bytes + 150, 150);
    expect_all_cuts_noticed("cut.gz", &stored, border);
    expect_no_silent_change("changed.gz", &stored, &text);
    lmd_text_clear(&stored);
    lmd_text_clear(&text);
}

static void large_files_cut_short_name_the_byte(void **state)
{
    (void)state;
    lmd_text text = {0};
    lmd_text stored = {0};
    append_prose(&text, N_LARGE);
    lmd_stream_compress(text.bytes, text.size, 1, &stored);
    stored.size = 1 << 20;
    expect_input_error("a.zst", &stored, "byte 1048576");
    lmd_text_clear(&stored);
    append_gzip_member(&stored, text.bytes, text.size);
    stored.size = (1 << 20) + 5;
    expect_input_error("a.gz", &stored, "byte 1048581");
    lmd_text_clear(&stored);
    lmd_text_clear(&text);
}

static void missing_is_usage_and_folders_are_input(void **state)
{
    (void)state;
    lmd_stream *stream = NULL;
    assert_int_equal(lmd_stream_open(&stream, "/nowhere/a.zst"), LMD_USAGE);
    assert_null(stream);
    assert_int_equal(lmd_stream_open(&stream, folder), LMD_INPUT);
    assert_null(stream);
    lmd_stream_close(NULL);
}

static void buffers_round_trip(void **state)
{
    (void)state;
    lmd_text text = {0};
    lmd_text stored = {0};
    lmd_text got = {0};
    append_prose(&text, N_LARGE);
    lmd_text_append_string(&stored, "head");
    lmd_stream_compress(text.bytes, text.size, 3, &stored);
    const char *const bytes = stored.bytes + 4;
    const size_t size = stored.size - 4;
    lmd_text_append_string(&got, "kept");
    assert_int_equal(lmd_stream_decompress(bytes, size, N_LARGE - 1, &got), LMD_INPUT);
    assert_string_equal(got.bytes, "kept");
    assert_int_equal(lmd_stream_decompress(bytes, size - 1, N_LARGE, &got), LMD_INPUT);
    assert_int_equal(lmd_stream_decompress(bytes + 1, size - 1, N_LARGE, &got),
                     LMD_INPUT);
    assert_int_equal(lmd_stream_decompress(bytes, 0, N_LARGE, &got), LMD_INPUT);
    assert_int_equal(got.size, 4);
    assert_int_equal(lmd_stream_decompress(bytes, size, N_LARGE, &got), LMD_OK);
    assert_int_equal(got.size, 4 + N_LARGE);
    assert_memory_equal(got.bytes + 4, text.bytes, N_LARGE + 1);
    lmd_text_clear(&got);
    lmd_text_clear(&stored);
    lmd_stream_compress("", 0, 3, &stored);
    assert_int_equal(lmd_stream_decompress(stored.bytes, stored.size, 0, &got), LMD_OK);
    assert_int_equal(got.size, 0);
    lmd_text_clear(&got);
    lmd_text_clear(&stored);
    lmd_text_clear(&text);
}

static int begin(void **state)
{
    (void)state;
    live_at_start = lmd_memory_live();
    return mkdtemp(folder) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    return lmd_memory_live() == live_at_start && rmdir(folder) == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_files_come_as_they_are),
        cmocka_unit_test(frames_of_zstd_are_joined),
        cmocka_unit_test(largest_window_of_zstd_is_opened),
        cmocka_unit_test(members_of_gzip_are_joined),
        cmocka_unit_test(zeros_after_gzip_are_padding),
        cmocka_unit_test(rubbish_after_the_end_is_damage),
        cmocka_unit_test(damage_to_zstd_is_noticed),
        cmocka_unit_test(damage_to_gzip_is_noticed),
        cmocka_unit_test(large_files_cut_short_name_the_byte),
        cmocka_unit_test(missing_is_usage_and_folders_are_input),
        cmocka_unit_test(buffers_round_trip),
    };
    return cmocka_run_group_tests_name("stream", tests, begin, end);
}
