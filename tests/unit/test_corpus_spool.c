/* Chunks and their index: the same for any team, damaged ones refused by name. */
#include "corpus_bytes.h"
#include "corpus_case.h"

/* Lines of jsonl of many lengths and labels, some of them bad, made by a fixed rule. */
static void write_corpus(corpus_case *c, const char *name, int n_lines)
{
    lmd_text text = {0};
    for (int i = 0; i < n_lines; i++) {
        const uint64_t h = lmd_hash_mix((uint64_t)i + 1);
        const int n_words = (int)(h % 97 == 0 ? 9000 : h % 23);
        lmd_text_append_format(&text, "{\"set\": \"%c\", \"%s\": \"", 'a' + (int)(h % 7),
                               h % 31 == 0 ? "other" : "text");
        for (int w = 0; w < n_words; w++) {
            lmd_text_append_format(&text, "w%d <s>", w);
        }
        lmd_text_append_string(&text, h % 29 == 0 ? "\xff\"}\n" : "\"}\n");
    }
    case_write_bytes(c, name, text.bytes, text.size);
    lmd_text_clear(&text);
}

static void append_file(corpus_case *c, const char *name, lmd_text *out)
{
    lmd_text path = {0};
    lmd_text_append_format(&path, "spool/%s", name);
    assert_int_equal(lmd_file_read_all(case_path(c, path.bytes), SIZE_MAX / 8, out),
                     LMD_OK);
    lmd_text_clear(&path);
}

static void test_team_sizes(void **state)
{
    (void)state;
    static const int sizes[] = {1, 2, 5};
    corpus_case c;
    lmd_text first = {0};
    case_begin(&c);
    c.policy.bos = CASE_BOS;
    c.policy.chunk_bytes = 3 << 20;
    c.policy.sample = 0.9;
    write_corpus(&c, "a.jsonl", 6000);
    write_corpus(&c, "b.jsonl", 500);
    case_add(&c, "*.jsonl", "auto")->group_field = "set";
    for (int i = 0; i < 3; i++) {
        lmd_text text = {0};
        c.n_threads = sizes[i];
        lmd_spool *const spool = case_run(&c);
        assert_true(lmd_spool_chunks(spool) >= 2);
        lmd_spool_write_index(spool, "print", &text);
        append_file(&c, "chunk.000000.000000", &text);
        append_file(&c, "chunk.000000.000001", &text);
        lmd_spool_close(spool);
        if (i == 0) {
            first = text;
        } else {
            assert_int_equal(text.size, first.size);
            assert_memory_equal(text.bytes, first.bytes, first.size);
            lmd_text_clear(&text);
        }
    }
    lmd_text_clear(&first);
    case_end(&c);
}

/* More labels than a small table holds. */
static void test_many_groups(void **state)
{
    (void)state;
    enum { N = 1000 };
    corpus_case c;
    lmd_text text = {0};
    case_begin(&c);
    c.policy.chunk_bytes = 5000;
    for (int i = 0; i < N; i++) {
        lmd_text_append_format(&text, "{\"text\":\"a\",\"set\":\"%d\"}\n",
                               (i * 7919) % (N / 2));
    }
    case_write_bytes(&c, "a.jsonl", text.bytes, text.size);
    lmd_text_clear(&text);
    case_add(&c, "a.jsonl", "auto")->group_field = "set";
    lmd_spool *const spool = case_run(&c);
    assert_int_equal(lmd_spool_groups(spool), N / 2);
    int64_t *const counts = lmd_memory_new(N / 2 * LMD_FATE_COUNT, sizeof *counts);
    lmd_spool_records(spool, 0, 1, counts);
    for (int g = 0; g < N / 2; g++) {
        assert_int_equal(counts[g * LMD_FATE_COUNT + LMD_FATE_USED], 2);
        assert_true(g == 0 ||
                    strcmp(lmd_spool_group(spool, g - 1), lmd_spool_group(spool, g)) < 0);
    }
    lmd_memory_free(counts);
    lmd_spool_close(spool);
    case_end(&c);
}

/* A small corpus of several chunks, two groups and every table filled. */
static void begin_small(corpus_case *c)
{
    case_begin(c);
    c->policy.chunk_bytes = 20;
    case_write(c, "a.jsonl",
               "{\"text\":\"abcdefghijk<s>\",\"set\":\"x\"}\n"
               "{\"text\":\"lmn\"}\n{\"text\":5,\"set\":\"y\"}\n"
               "{\"text\":\"opqrstuvwxyz\",\"set\":\"y\"}\n");
    case_add(c, "a.jsonl", "auto")->group_field = "set";
}

static void test_index_reads_back(void **state)
{
    (void)state;
    corpus_case c;
    begin_small(&c);
    lmd_text index = {0};
    lmd_text again = {0};
    lmd_text fingerprint = {0};
    lmd_text text = {0};
    lmd_text text_again = {0};
    lmd_spool *spool = case_run(&c);
    char *const folder = lmd_file_join(c.folder, "spool");
    case_print(spool, &text);
    lmd_spool_write_index(spool, "job 1", &index);
    lmd_spool_close(spool);
    assert_int_equal(
        lmd_spool_read_index(&spool, index.bytes, index.size, folder, &fingerprint),
        LMD_OK);
    assert_string_equal(fingerprint.bytes, "job 1");
    case_print(spool, &text_again);
    assert_string_equal(text.bytes, text_again.bytes);
    lmd_spool_write_index(spool, "job 1", &again);
    assert_int_equal(again.size, index.size);
    assert_memory_equal(again.bytes, index.bytes, index.size);
    lmd_spool_close(spool);
    lmd_memory_free(folder);
    lmd_text_clear(&index);
    lmd_text_clear(&again);
    lmd_text_clear(&fingerprint);
    lmd_text_clear(&text);
    lmd_text_clear(&text_again);
    case_end(&c);
}

/* Any byte changed, any end cut off. */
static void test_index_damaged(void **state)
{
    (void)state;
    corpus_case c;
    begin_small(&c);
    lmd_text index = {0};
    lmd_text fingerprint = {0};
    lmd_spool *spool = case_run(&c);
    lmd_spool_write_index(spool, "job 1", &index);
    lmd_spool_close(spool);
    for (size_t i = 0; i < index.size; i += 1 + i / 200) {
        index.bytes[i] ^= 1;
        assert_int_equal(
            lmd_spool_read_index(&spool, index.bytes, index.size, "x", &fingerprint),
            LMD_INPUT);
        assert_null(spool);
        index.bytes[i] ^= 1;
        assert_int_equal(lmd_spool_read_index(&spool, index.bytes, i, "x", &fingerprint),
                         LMD_INPUT);
    }
    assert_int_equal(fingerprint.size, 0);
    lmd_text_clear(&index);
    case_end(&c);
}

/* Sets eight bytes and what comes after them: the checksum at the end. */
static lmd_status read_forged(const lmd_text *index, size_t at, uint64_t value)
{
    lmd_text forged = {0};
    lmd_text fingerprint = {0};
    lmd_spool *spool;
    const size_t n_checked = index->size - sizeof value;
    lmd_text_append(&forged, index->bytes, index->size);
    corpus_store64(forged.bytes + at, value);
    corpus_store64(forged.bytes + n_checked, corpus_checksum(forged.bytes, n_checked));
    const lmd_status status =
        lmd_spool_read_index(&spool, forged.bytes, forged.size, "x", &fingerprint);
    lmd_spool_close(spool);
    lmd_text_clear(&fingerprint);
    lmd_text_clear(&forged);
    return status;
}

/* Right checksums over numbers that no run writes: two counts, each a number, whose sum
 * is none. Found by fuzzing. */
static void test_index_forged(void **state)
{
    (void)state;
    corpus_case c;
    begin_small(&c);
    lmd_text index = {0};
    lmd_spool *spool = case_run(&c);
    lmd_spool_write_index(spool, "", &index);
    lmd_spool_close(spool);
    const size_t last = index.size - 2 * sizeof(uint64_t); // occurrences of the last id
    assert_int_equal(read_forged(&index, last, 5), LMD_OK);
    assert_int_equal(read_forged(&index, last, INT64_MAX), LMD_INPUT);
    assert_int_equal(read_forged(&index, last, UINT64_MAX), LMD_INPUT);
    lmd_text_clear(&index);
    case_end(&c);
}

/* What the engine has no room for is refused before it is read. */
static void test_other_policy(void **state)
{
    (void)state;
    corpus_case c;
    begin_small(&c);
    lmd_spool *const spool = case_run(&c);
    lmd_policy policy = c.policy;
    assert_int_equal(lmd_spool_check(spool, &policy), LMD_OK);
    int largest = 0;
    for (int64_t i = 0; i < lmd_spool_packs(spool); i++) {
        const int T = lmd_spool_pack_tokens(spool, i);
        largest = T > largest ? T : largest;
    }
    policy.pack_tokens = largest;
    assert_int_equal(lmd_spool_check(spool, &policy), LMD_OK);
    policy.pack_tokens = largest - 1;
    assert_int_equal(lmd_spool_check(spool, &policy), LMD_INPUT);
    policy.pack_tokens = largest;
    policy.V++;
    assert_int_equal(lmd_spool_check(spool, &policy), LMD_INPUT);
    lmd_spool_close(spool);
    case_end(&c);
}

/* Reads every pack; LMD_OK only when all are right. */
static lmd_status read_all(const lmd_spool *spool)
{
    lmd_pack_room *const room = lmd_pack_new_room();
    lmd_status status = LMD_OK;
    for (int64_t i = 0; status == LMD_OK && i < lmd_spool_packs(spool); i++) {
        const lmd_pack *pack;
        status = lmd_spool_read_pack(spool, i, room, &pack);
    }
    lmd_pack_free_room(room);
    return status;
}

static const char chunk_file[] = "spool/chunk.000000.000000";

/* A damaged chunk is noticed by name: its tables when it is collected, its packs when
 * they are read. */
static void test_chunk_damaged(void **state)
{
    (void)state;
    corpus_case c;
    begin_small(&c);
    lmd_text chunk = {0};
    lmd_spool *const good = case_run(&c);
    assert_int_equal(read_all(good), LMD_OK);
    assert_int_equal(lmd_file_read_all(case_path(&c, chunk_file), 1 << 20, &chunk),
                     LMD_OK);
    for (size_t i = 0; i < chunk.size; i += 3) {
        lmd_spool *spool;
        chunk.bytes[i] ^= 1;
        case_write_bytes(&c, chunk_file, chunk.bytes, chunk.size);
        lmd_status status = case_run_into(&c, &spool, true);
        if (status == LMD_OK) {
            status = read_all(spool);
        }
        assert_int_equal(status, LMD_INPUT);
        assert_non_null(strstr(lmd_status_message(), "chunk.000000.000000"));
        lmd_spool_close(spool);
        chunk.bytes[i] ^= 1;
        case_write_bytes(&c, chunk_file, chunk.bytes, i);
        assert_int_equal(case_run_into(&c, &spool, true), LMD_INPUT);
        assert_int_equal(read_all(good), LMD_INPUT);
        assert_int_equal(lmd_spool_check_chunks(good), LMD_INPUT);
    }
    case_write_bytes(&c, chunk_file, chunk.bytes, chunk.size);
    assert_int_equal(read_all(good), LMD_OK);
    assert_int_equal(lmd_spool_check_chunks(good), LMD_OK);
    lmd_spool_close(good);
    lmd_text_clear(&chunk);
    case_end(&c);
}

/* Writes the chunk with eight bytes of its tables set and both checksums right, and
 * collects it. */
static lmd_status collect_forged(corpus_case *c, const lmd_text *chunk, size_t at,
                                 uint64_t value)
{
    enum { TABLES_AT = 80, TABLES_SUM = 88, STAMP = 112 };
    lmd_text forged = {0};
    lmd_spool *spool;
    lmd_text_append(&forged, chunk->bytes, chunk->size);
    const size_t tables = (size_t)corpus_load64(chunk->bytes + TABLES_AT);
    corpus_store64(forged.bytes + tables + at, value);
    const uint64_t sum = corpus_checksum(forged.bytes + tables, forged.size - tables);
    corpus_store64(forged.bytes + TABLES_SUM, sum);
    corpus_store64(forged.bytes + STAMP, corpus_checksum(forged.bytes, STAMP));
    case_write_bytes(c, chunk_file, forged.bytes, forged.size);
    const lmd_status status = case_run_into(c, &spool, true);
    lmd_spool_close(spool);
    lmd_text_clear(&forged);
    return status;
}

/* Right checksums again: a group's name with a zero byte, counts without a sum. */
static void test_chunk_forged(void **state)
{
    enum { RECORDS = LMD_FATE_COUNT * sizeof(int64_t), NAME = RECORDS + 4 };
    (void)state;
    corpus_case c;
    begin_small(&c);
    lmd_text chunk = {0};
    lmd_spool_close(case_run(&c));
    assert_int_equal(lmd_file_read_all(case_path(&c, chunk_file), 1 << 20, &chunk),
                     LMD_OK);
    const size_t tables = (size_t)corpus_load64(chunk.bytes + 80);
    const uint64_t name = corpus_load64(chunk.bytes + tables + NAME);
    assert_int_equal(collect_forged(&c, &chunk, NAME, name), LMD_OK);
    assert_int_equal(collect_forged(&c, &chunk, NAME, name & ~UINT64_C(0xff)), LMD_INPUT);
    assert_int_equal(collect_forged(&c, &chunk, 0, INT64_MAX), LMD_INPUT);
    const size_t count = NAME + strlen("x") + 4; // of the first id
    assert_int_equal(collect_forged(&c, &chunk, count, UINT64_MAX), LMD_INPUT);
    lmd_text_clear(&chunk);
    case_end(&c);
}

static void test_chunk_missing(void **state)
{
    (void)state;
    corpus_case c;
    begin_small(&c);
    lmd_spool *spool = case_run(&c);
    const int n_chunks = lmd_spool_chunks(spool);
    assert_true(n_chunks >= 3);
    lmd_spool_close(spool);
    for (int k = 0; k < n_chunks; k++) {
        char name[64];
        lmd_text bytes = {0};
        (void)snprintf(name, sizeof name, "spool/chunk.000000.%06d", k);
        if (!lmd_file_exists(case_path(&c, name))) {
            continue;
        }
        assert_int_equal(lmd_file_read_all(c.path.bytes, 1 << 20, &bytes), LMD_OK);
        assert_int_equal(unlink(c.path.bytes), 0);
        assert_int_equal(case_run_into(&c, &spool, true), LMD_INPUT);
        assert_non_null(strstr(lmd_status_message(), "missing"));
        case_write_bytes(&c, name, bytes.bytes, bytes.size);
        lmd_text_clear(&bytes);
    }
    assert_int_equal(case_run_into(&c, &spool, true), LMD_OK);
    lmd_spool_close(spool);
    case_end(&c);
}

/* A unit without a record has a chunk too, which the spool does not show. */
static void test_empty_unit(void **state)
{
    (void)state;
    corpus_case c;
    lmd_text blank = {0};
    case_begin(&c);
    memset(lmd_text_reserve(&blank, 5 << 20), ' ', 5 << 20);
    blank.size = 5 << 20;
    case_write_bytes(&c, "a.in", blank.bytes, blank.size);
    lmd_text_clear(&blank);
    case_write(&c, "b.in", "a\n");
    case_add(&c, "*.in", "lines");
    case_expect(&c, "all: used=1\nspecials=0\nT=1: [>a< all 0 -]\n");
    assert_int_equal(lmd_corpus_units(c.corpus), 2);
    lmd_spool *spool = case_run(&c);
    assert_int_equal(lmd_spool_chunks(spool), 1);
    lmd_spool_close(spool);
    assert_int_equal(unlink(case_path(&c, chunk_file)), 0);
    assert_int_equal(case_run_into(&c, &spool, true), LMD_INPUT);
    case_end(&c);
}

/* Chunks of another job are not taken for this one's. */
static void test_other_vocabulary(void **state)
{
    (void)state;
    corpus_case c;
    begin_small(&c);
    lmd_spool *spool = case_run(&c);
    lmd_spool_close(spool);
    c.policy.V = 300;
    assert_int_equal(case_run_into(&c, &spool, true), LMD_INPUT);
    assert_non_null(strstr(lmd_status_message(), "vocabulary"));
    case_end(&c);
}

static void test_piece_damaged(void **state)
{
    (void)state;
    corpus_case c;
    lmd_text piece = {0};
    case_begin(&c);
    case_write(&c, "a.in", "97\n");
    case_add(&c, "a.in", "ids");
    assert_int_equal(lmd_corpus_open(&c.corpus, c.sources, 1), LMD_OK);
    lmd_team *const team = lmd_team_new(1);
    lmd_preparer *const preparer = lmd_preparer_new(c.corpus, NULL, &c.policy, team);
    lmd_text_append_string(&piece, "nonsense");
    assert_int_equal(lmd_preparer_work(preparer, &piece, 0, c.folder), LMD_FAILED);
    for (int i = 0; i < 10; i++) {
        lmd_text_append_string(&piece, "nonsense");
    }
    assert_int_equal(lmd_preparer_work(preparer, &piece, 0, c.folder), LMD_FAILED);
    lmd_text_clear(&piece);
    lmd_preparer_free(preparer);
    lmd_team_free(team);
    case_end(&c);
}

/* A work folder that is not there. */
static void test_no_folder(void **state)
{
    (void)state;
    corpus_case c;
    lmd_spool *spool;
    begin_small(&c);
    assert_int_equal(case_run_into(&c, &spool, true), LMD_INPUT);
    assert_non_null(strstr(lmd_status_message(), "spool"));
    case_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_team_sizes),       cmocka_unit_test(test_many_groups),
        cmocka_unit_test(test_index_reads_back), cmocka_unit_test(test_index_damaged),
        cmocka_unit_test(test_chunk_damaged),    cmocka_unit_test(test_chunk_missing),
        cmocka_unit_test(test_empty_unit),       cmocka_unit_test(test_other_vocabulary),
        cmocka_unit_test(test_index_forged),     cmocka_unit_test(test_chunk_forged),
        cmocka_unit_test(test_piece_damaged),    cmocka_unit_test(test_no_folder),
        cmocka_unit_test(test_other_policy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
