/* Which files there are, and how a unit is read: keys, sampling, the limit, stretches,
 * compressed and damaged files. */
#include "corpus_case.h"

/* ---- opening ---- */

static void assert_open(corpus_case *c, lmd_status status, const char *part)
{
    lmd_corpus *corpus;
    assert_int_equal(lmd_corpus_open(&corpus, c->sources, c->n_sources), status);
    if (status != LMD_OK) {
        assert_null(corpus);
        if (!strstr(lmd_status_message(), part)) {
            fail_msg("'%s' is not in: %s", part, lmd_status_message());
        }
        assert_non_null(strstr(lmd_status_message(), "demo.yaml:7"));
    }
    lmd_corpus_close(corpus);
    case_forget_sources(c);
}

static void test_open_refuses(void **state)
{
    (void)state;
    corpus_case c;
    case_begin(&c);
    case_write(&c, "a.txt", "a\n");
    case_write(&c, "a.jsonl", "{}\n");
    case_write(&c, "a.conllu", "\n");
    case_write(&c, "a.dat.zst", "\n");
    assert_int_equal(lmd_file_make_folders(case_path(&c, "sub/deep.txt")), LMD_OK);
    case_add(&c, "*.none", "auto");
    assert_open(&c, LMD_USAGE, "no file matches");
    case_add(&c, "missing.txt", "auto");
    assert_open(&c, LMD_USAGE, "missing.txt");
    case_add(&c, "a.dat.zst", "auto");
    assert_open(&c, LMD_USAGE, "jsonl, paragraphs, lines, document, ids");
    case_add(&c, "a.txt", "json");
    assert_open(&c, LMD_USAGE, "jsonl, paragraphs, lines, document, ids");
    case_add(&c, "a.conllu", "auto");
    assert_open(&c, LMD_USAGE, "not yet");
    case_add(&c, "a.txt", "conllu");
    assert_open(&c, LMD_USAGE, "not yet");
    case_add(&c, "a.txt", "auto")->group_field = "x";
    assert_open(&c, LMD_USAGE, "group_field");
    case_add(&c, "a.txt", "auto")->field = "body";
    assert_open(&c, LMD_USAGE, "corpus.field");
    lmd_source *const both = case_add(&c, "a.jsonl", "auto");
    both->group = "x";
    both->group_field = "y";
    assert_open(&c, LMD_USAGE, "both");
    case_add(&c, "sub", "lines");
    assert_open(&c, LMD_INPUT, "sub");
    case_add(&c, "s*", "lines");
    assert_open(&c, LMD_INPUT, "sub");
    assert_int_equal(rmdir(case_path(&c, "sub/deep.txt")), 0);
    case_end(&c);
}

static void test_files_in_byte_order(void **state)
{
    (void)state;
    static const char *const names[] = {"B.txt",   "a.txt.gz",         "a1.txt",
                                        "a10.txt", "\xc3\xa4.txt.zst", "x [1]*.jsonl"};
    enum { N = sizeof names / sizeof *names };
    corpus_case c;
    lmd_corpus *corpus;
    case_begin(&c);
    for (int i = N; i-- > 0;) {
        case_write(&c, names[i], "12345");
    }
    case_add(&c, "*.txt*", "auto");
    case_add(&c, "x [1]*.jsonl", "auto");
    assert_int_equal(lmd_corpus_open(&corpus, c.sources, 2), LMD_OK);
    assert_int_equal(lmd_corpus_files(corpus), N);
    for (int i = 0; i < N; i++) {
        assert_string_equal(lmd_file_name_of(lmd_corpus_file(corpus, i)), names[i]);
        assert_int_equal(lmd_corpus_file_bytes(corpus, i), 5);
    }
    assert_string_equal(lmd_corpus_file_format(corpus, 0), "paragraphs");
    assert_string_equal(lmd_corpus_file_format(corpus, N - 1), "jsonl");
    assert_int_equal(lmd_corpus_units(corpus), 1);
    assert_int_equal(lmd_corpus_unit_bytes(corpus, 0), 5 * N);
    lmd_corpus_close(corpus);
    case_end(&c);
}

/* A file of `size` bytes: the text, then line feeds. */
static void write_padded(corpus_case *c, const char *name, const char *text, size_t size)
{
    lmd_text padded = {0};
    lmd_text_append_string(&padded, text);
    char *const rest = lmd_text_reserve(&padded, size - padded.size);
    memset(rest, '\n', size - padded.size);
    case_write_bytes(c, name, padded.bytes, size);
    lmd_text_clear(&padded);
}

static void test_units(void **state)
{
    (void)state;
    enum { MIB = 1 << 20 };
    static const size_t sizes[] = {3 * MIB, MIB, 1, 5 * MIB, 0, 4 * MIB, 4 * MIB};
    static const uint64_t units[] = {4 * MIB, 1, 5 * MIB, 4 * MIB, 4 * MIB};
    corpus_case c;
    lmd_corpus *corpus;
    case_begin(&c);
    for (int i = 0; i < 7; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "%d.in", i);
        write_padded(&c, name, "", sizes[i]);
    }
    case_add(&c, "*.in", "lines");
    assert_int_equal(lmd_corpus_open(&corpus, c.sources, 1), LMD_OK);
    assert_int_equal(lmd_corpus_units(corpus), 5);
    for (int u = 0; u < 5; u++) {
        assert_int_equal(lmd_corpus_unit_bytes(corpus, u), units[u]);
    }
    lmd_corpus_close(corpus);
    case_end(&c);
}

/* ---- keys ---- */

static uint64_t key_of(int file, uint64_t offset)
{
    return lmd_hash_mix(lmd_hash_mix((uint64_t)file) ^ offset);
}

/* Keys of all prompts, in order, of an already open spool. */
static int read_keys(const lmd_spool *spool, uint64_t *keys, int room_for)
{
    lmd_pack_room *const room = lmd_pack_new_room();
    int n = 0;
    for (int64_t i = 0; i < lmd_spool_packs(spool); i++) {
        const lmd_pack *pack;
        assert_int_equal(lmd_spool_read_pack(spool, i, room, &pack), LMD_OK);
        for (int p = 0; p < pack->n_prompts; p++) {
            assert_true(n < room_for);
            keys[n++] = pack->prompts[p].key;
        }
    }
    lmd_pack_free_room(room);
    return n;
}

/* The offset is that of the record's first byte: behind a byte order mark and behind
 * blank lines; windows of one record share its key. */
static void test_keys(void **state)
{
    (void)state;
    corpus_case c;
    uint64_t keys[16];
    case_begin(&c);
    c.policy.length = 4;
    case_write(&c, "a.in",
               "\xef\xbb\xbf"
               "a\n\n  b\nc\n\n \nabcdef");
    case_write(&c, "b.in", "\n");
    case_write(&c, "c.in", "a\n\nb");
    case_write(&c, "d.bin", "\xef\xbb\xbf");
    case_add(&c, "*.in", "paragraphs");
    case_add(&c, "*.bin", "document");
    lmd_spool *const spool = case_run(&c);
    const uint64_t expected[] = {key_of(0, 3),  key_of(0, 6), key_of(0, 6), key_of(0, 15),
                                 key_of(0, 15), key_of(2, 0), key_of(2, 3), key_of(3, 0)};
    assert_int_equal(read_keys(spool, keys, 16), 8);
    assert_memory_equal(keys, expected, sizeof expected);
    lmd_spool_close(spool);
    case_end(&c);
}

/* ---- sampling and limit ---- */

enum { N_LINES = 400 };

/* Lines of 7 bytes: line i begins at 7 i. */
static void write_numbered(corpus_case *c, const char *name)
{
    lmd_text text = {0};
    for (int i = 0; i < N_LINES; i++) {
        lmd_text_append_format(&text, "%06d\n", i);
    }
    case_write_bytes(c, name, text.bytes, text.size);
    lmd_text_clear(&text);
}

static bool is_sampled(uint64_t seed, double share, uint64_t key)
{
    const uint64_t h = lmd_hash_mix(lmd_hash_mix(seed + 1) ^ key);
    return (double)h < share * 0x1p64;
}

static void test_sample(void **state)
{
    (void)state;
    corpus_case c;
    uint64_t keys[N_LINES];
    int64_t counts[LMD_FATE_COUNT];
    case_begin(&c);
    c.policy.sample = 0.3;
    c.policy.seed = 11;
    write_numbered(&c, "a.in");
    case_add(&c, "a.in", "lines");
    lmd_spool *const spool = case_run(&c);
    int n = 0;
    const int n_keys = read_keys(spool, keys, N_LINES);
    for (int i = 0; i < N_LINES; i++) {
        if (is_sampled(11, 0.3, key_of(0, 7 * (uint64_t)i))) {
            assert_true(n < n_keys && keys[n] == key_of(0, 7 * (uint64_t)i));
            n++;
        }
    }
    assert_int_equal(n, n_keys);
    assert_in_range(n, 80, 160);
    lmd_spool_records(spool, 0, 1, counts);
    assert_int_equal(counts[LMD_FATE_USED], n);
    assert_int_equal(counts[LMD_FATE_UNSAMPLED], N_LINES - n);
    lmd_spool_close(spool);
    case_end(&c);
}

/* With any cut into stretches, the records up to the limit-th sampled one are counted and
 * no other. */
static void expect_limited(corpus_case *c, int64_t limit, int64_t chunk_bytes,
                           int64_t n_used, int64_t n_unsampled)
{
    int64_t counts[LMD_FATE_COUNT];
    c->policy.limit = limit;
    c->policy.chunk_bytes = chunk_bytes;
    lmd_spool *spool = case_run(c);
    for (int again = 0; again < 2; again++) {
        lmd_spool_records(spool, 0, 1, counts);
        assert_int_equal(counts[LMD_FATE_USED], n_used);
        assert_int_equal(counts[LMD_FATE_UNSAMPLED], n_unsampled);
        lmd_spool_close(spool);
        assert_int_equal(case_run_into(c, &spool, true), LMD_OK);
    }
    lmd_spool_close(spool);
}

static void test_limit(void **state)
{
    (void)state;
    corpus_case c;
    case_begin(&c);
    c.policy.sample = 0.5;
    write_numbered(&c, "a.in");
    case_add(&c, "a.in", "lines");
    int64_t n_sampled = 0;
    for (int i = 0; i < N_LINES; i++) {
        const bool is_in = is_sampled(0, 0.5, key_of(0, 7 * (uint64_t)i));
        n_sampled += is_in;
        if (is_in && (n_sampled < 4 || n_sampled % 40 == 0)) {
            expect_limited(&c, n_sampled, 0, n_sampled, i + 1 - n_sampled);
            expect_limited(&c, n_sampled, 70, n_sampled, i + 1 - n_sampled);
        }
    }
    expect_limited(&c, n_sampled + 1, 70, n_sampled, N_LINES - n_sampled);
    expect_limited(&c, 0, 70, n_sampled, N_LINES - n_sampled);
    case_end(&c);
}

/* Skipped records use up the limit. */
static void test_limit_counts_every_fate(void **state)
{
    (void)state;
    corpus_case c;
    case_begin(&c);
    c.policy.limit = 5;
    c.policy.length = 2;
    c.policy.when_long = LMD_LONG_SKIP;
    case_write(&c, "a.in",
               "{\n{}\n\n{\"text\": \"\"}\n{\"text\": \"abc\"}\n{\"text\": \"a\"}\n"
               "{\"text\": \"b\"}\n{\n");
    case_add(&c, "a.in", "jsonl");
    case_expect(&c, "all: used=1 empty=1 long=1 json=1 field=1\nspecials=0\n"
                    "T=1: [>a< all 0 -]\n");
    case_end(&c);
}

/* Three units; the limit may end in any of them, or between them. */
static void test_limit_across_units(void **state)
{
    (void)state;
    enum { SIZE = (2 << 20) + 1 };
    static const char *const expected[] = {
        "T=1: [>a< all 0 -]\n",
        "T=2: [>a< all 0 -] [>b< all 0 -]\n",
        "T=2: [>a< all 0 -] [>b< all 0 -]\nT=1: [>c< all 0 -]\n",
        "T=2: [>a< all 0 -] [>b< all 0 -]\nT=2: [>c< all 0 -] [>d< all 0 -]\n",
        ("T=2: [>a< all 0 -] [>b< all 0 -]\nT=2: [>c< all 0 -] [>d< all 0 -]\n"
         "T=1: [>e< all 0 -]\n"),
    };
    corpus_case c;
    case_begin(&c);
    write_padded(&c, "1.in", "a\n\n\nb\n", SIZE);
    write_padded(&c, "2.in", "c\nd\n", SIZE);
    write_padded(&c, "3.in", "e\nf\n", SIZE);
    case_add(&c, "*.in", "lines");
    for (int limit = 1; limit <= 5; limit++) {
        lmd_text text = {0};
        c.policy.limit = limit;
        lmd_text_append_format(&text, "all: used=%d\nspecials=0\n%s", limit,
                               expected[limit - 1]);
        case_expect(&c, text.bytes);
        assert_int_equal(lmd_corpus_units(c.corpus), 3);
        lmd_text_clear(&text);
    }
    case_end(&c);
}

/* ---- stretches ---- */

/* Records by the stretch in which they start; stretches without one give no chunk; a
 * chunk's last pack is not filled up from the next. */
static void test_stretches(void **state)
{
    (void)state;
    corpus_case c;
    case_begin(&c);
    c.policy.length = 64;
    c.policy.pack_tokens = 64;
    c.policy.chunk_bytes = 8;
    case_write(&c, "a.in", "abc\ndef\nghijklmnopqrstuvwxyz\nA\n\n\n\n\n\n\n\n\n\n\n\nB");
    case_write(&c, "b.in", "C\nD\nE\nF\n");
    case_add(&c, "*.in", "lines");
    case_expect(&c, "all: used=9\nspecials=0\n"
                    "T=6: [>abc< all 0 -] [>def< all 0 -]\n"
                    "T=20: [>ghijklmnopqrstuvwxyz< all 0 -]\n"
                    "T=1: [>A< all 0 -]\n"
                    "T=4: [>B< all 0 -] [>C< all 0 -] [>D< all 0 -] [>E< all 0 -]\n"
                    "T=1: [>F< all 0 -]\n");
    lmd_spool *const spool = case_run(&c);
    assert_int_equal(lmd_spool_chunks(spool), 5);
    assert_int_equal(lmd_spool_pack_chunk(spool, 0), 0);
    assert_int_equal(lmd_spool_pack_chunk(spool, 4), 4);
    int64_t parts[3][LMD_FATE_COUNT];
    for (int part = 0; part < 3; part++) {
        lmd_spool_records(spool, part, 3, parts[part]);
    }
    assert_int_equal(parts[0][LMD_FATE_USED], 2 + 4);
    assert_int_equal(parts[1][LMD_FATE_USED], 1 + 1);
    assert_int_equal(parts[2][LMD_FATE_USED], 1);
    lmd_spool_close(spool);
    case_end(&c);
}

/* What is read does not depend on stretches, blocks or what lies between records: a file
 * of several blocks (1 MiB) with records and blanks around every border. */
static void test_long_records(void **state)
{
    (void)state;
    corpus_case c;
    uint64_t keys[64];
    lmd_text text = {0};
    uint64_t offsets[8];
    static const size_t sizes[] = {1, (1 << 20) - 3, 5, 3 << 20, 1 << 20, 2, 100, 7};
    case_begin(&c);
    c.policy.length = 4;
    c.policy.when_long = LMD_LONG_TAIL;
    for (int i = 0; i < 8; i++) {
        const size_t n_blank = i % 2 ? 2 : (3 << 20) + 1;
        memset(lmd_text_reserve(&text, n_blank), '\n', n_blank);
        text.size += n_blank;
        offsets[i] = text.size;
        memset(lmd_text_reserve(&text, sizes[i]), 'a' + i, sizes[i]);
        text.size += sizes[i];
    }
    case_write_bytes(&c, "a.in", text.bytes, text.size);
    lmd_text_clear(&text);
    case_add(&c, "a.in", "paragraphs");
    for (int64_t bytes = 1000; bytes <= 100000000; bytes *= 100) {
        c.policy.chunk_bytes = bytes;
        lmd_spool *const spool = case_run(&c);
        assert_int_equal(read_keys(spool, keys, 64), 8);
        for (int i = 0; i < 8; i++) {
            assert_true(keys[i] == key_of(0, offsets[i]));
        }
        lmd_spool_close(spool);
    }
    case_end(&c);
}

/* ---- compressed and damaged ---- */

static void test_compressed(void **state)
{
    (void)state;
    static const unsigned char gzip[] = {0x1f, 0x8b, 8,    0,    0, 0, 0, 0,
                                         0,    3,    0x4b, 0xe4, 2, 0, 7, 0xa1,
                                         0xea, 0xdd, 2,    0,    0, 0}; // "a\n"
    corpus_case c;
    lmd_text frames = {0};
    case_begin(&c);
    lmd_stream_compress("b\n\nc", 4, 3, &frames);
    lmd_stream_compress("d\n", 2, 3, &frames);
    case_write_bytes(&c, "a.txt.gz", gzip, sizeof gzip);
    case_write_bytes(&c, "b.txt.zst", frames.bytes, frames.size);
    case_add(&c, "*.txt.*", "auto");
    case_expect(&c, "all: used=3\nspecials=0\n"
                    "T=4: [>a< all 0 -] [>b< all 0 -] [>cd< all 0 -]\n");
    lmd_spool *spool;
    case_write_bytes(&c, "b.txt.zst", frames.bytes, frames.size - 1);
    assert_int_equal(case_run_into(&c, &spool, false), LMD_INPUT);
    assert_non_null(strstr(lmd_status_message(), "b.txt.zst"));
    case_write_bytes(&c, "b.txt.zst", frames.bytes, frames.size);
    case_write_bytes(&c, "a.txt.gz", gzip, sizeof gzip - 1);
    assert_int_equal(case_run_into(&c, &spool, false), LMD_INPUT);
    assert_non_null(strstr(lmd_status_message(), "a.txt.gz"));
    lmd_text_clear(&frames);
    case_end(&c);
}

/* Hashes of all files of the unit, also of those that a limit leaves unread. */
static void test_hashes(void **state)
{
    (void)state;
    corpus_case c;
    case_begin(&c);
    case_write(&c, "a.in", "abc");
    case_write(&c, "b.in", "");
    case_add(&c, "*.in", "lines");
    for (int64_t limit = 0; limit < 2; limit++) {
        lmd_reader *reader;
        lmd_text piece = {0};
        lmd_text hashes = {0};
        bool more;
        c.policy.limit = limit;
        assert_int_equal(lmd_corpus_open(&c.corpus, c.sources, 1), LMD_OK);
        assert_int_equal(lmd_reader_open(&reader, c.corpus, 0, &c.policy), LMD_OK);
        assert_int_equal(lmd_reader_next(reader, &piece, &more), LMD_OK);
        assert_true(more);
        lmd_text_clear(&piece);
        assert_int_equal(lmd_reader_next(reader, &piece, &more), LMD_OK);
        assert_false(more);
        assert_int_equal(lmd_reader_hashes(reader, &hashes), LMD_OK);
        assert_string_equal(
            hashes.bytes,
            "0 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n"
            "1 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n");
        lmd_text_clear(&hashes);
        lmd_reader_close(reader);
        lmd_corpus_close(c.corpus);
        c.corpus = NULL;
    }
    case_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_refuses),
        cmocka_unit_test(test_files_in_byte_order),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_sample),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_limit_counts_every_fate),
        cmocka_unit_test(test_limit_across_units),
        cmocka_unit_test(test_stretches),
        cmocka_unit_test(test_long_records),
        cmocka_unit_test(test_compressed),
        cmocka_unit_test(test_hashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
