/* Frequency tables: ranks, bands, and the files that counts come from. */
#include "token_case.h"

static void test_ranks_and_bands(void **state)
{
    (void)state;
    enum { V = 12 };
    const int64_t counts[V] = {5, 0, 9, 5, 1, 2, 3, 4, 6, 7, 8, 10};
    const int64_t live = lmd_memory_live();
    lmd_frequency *const table = lmd_frequency_new(V, counts, NULL, false);
    const int32_t ranks[V] = {6, 0, 2, 7, 11, 10, 9, 8, 5, 4, 3, 1};
    assert_memory_equal(table->ranks, ranks, sizeof ranks);
    const int32_t edges[] = {0, 1, 2, 4, 8, 11, V + 1};
    assert_int_equal(table->n_bands, 6);
    assert_memory_equal(table->edges, edges, sizeof edges);
    const int32_t bands[V] = {3, 0, 2, 3, 5, 4, 4, 4, 3, 3, 2, 1};
    assert_memory_equal(table->bands, bands, sizeof bands);
    lmd_frequency_free(table);
    assert_int_equal(lmd_memory_live(), live);
}

/* The last edge at or below V is in, the next is not. */
static void test_edges(void **state)
{
    (void)state;
    static const struct {
        int V;
        int n_bands;
        int32_t last;
    } cases[] = {{1, 2, 1},      {2, 2, 1},          {3, 3, 2},           {10, 5, 8},
                 {11, 5, 8},     {12, 6, 11},        {64, 8, 32},         {100, 9, 64},
                 {102, 10, 101}, {49152, 21, 32768}, {100002, 23, 100001}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int V = cases[i].V;
        int64_t *const counts = lmd_memory_new((size_t)V, sizeof *counts);
        lmd_frequency *const table = lmd_frequency_new(V, counts, NULL, true);
        assert_int_equal(table->n_bands, cases[i].n_bands);
        assert_int_equal(lmd_frequency_count_bands(V), cases[i].n_bands);
        assert_int_equal(table->edges[table->n_bands - 1], cases[i].last);
        assert_int_equal(table->edges[table->n_bands], V + 1);
        assert_int_equal(table->bands[0], 0);
        lmd_frequency_free(table);
        lmd_memory_free(counts);
    }
}

static void test_specials_are_dropped_or_kept(void **state)
{
    (void)state;
    write_case("tokenizer.json",
               "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1},\"merges\":[]},"
               "\"added_tokens\":[{\"content\":\"<s>\",\"special\":true},"
               "{\"content\":\"<t>\",\"special\":false}]}");
    lmd_tokenizer *const tokenizer = open_tokenizer(case_folder);
    const int64_t counts[5] = {1, 2, 9, 8, 7};
    lmd_frequency *table = lmd_frequency_new(5, counts, tokenizer, false);
    const int32_t dropped[5] = {4, 3, 0, 1, 2};
    assert_memory_equal(table->ranks, dropped, sizeof dropped);
    lmd_frequency_free(table);
    table = lmd_frequency_new(5, counts, tokenizer, true);
    const int32_t kept[5] = {5, 4, 1, 2, 3};
    assert_memory_equal(table->ranks, kept, sizeof kept);
    lmd_frequency_free(table);
    lmd_token_close(tokenizer);
}

/* ---- files ---- */

static void expect_counts(const char *name, const int64_t expected[4])
{
    char path[CASE_PATH];
    char sha256[LMD_SHA256_HEX] = "";
    char file_sha256[LMD_SHA256_HEX] = "";
    int64_t counts[4] = {-1, -1, -1, -1};
    if (lmd_frequency_read(case_path(path, name), 4, counts, sha256) != LMD_OK) {
        fail_msg("%s", lmd_status_message());
    }
    assert_memory_equal(counts, expected, sizeof counts);
    assert_int_equal(lmd_file_sha256(path, file_sha256), LMD_OK);
    assert_string_equal(sha256, file_sha256);
}

static void test_files_are_read(void **state)
{
    (void)state;
    const int64_t expected[4] = {7, 0, 0, 123456789012};
    write_case("a.tsv", "# id\tcount\n3\t123456789012\n\n0\t7");
    expect_counts("a.tsv", expected);
    write_case("b.tsv", "\xEF\xBB\xBF"
                        "0\t7\r\n3\t123456789012\r\n");
    expect_counts("b.tsv", expected);
    write_case("c.json",
               " {\"3\": {\"token\": \"x\", \"count\": 123456789012, \"ratio\": 0.5},"
               "\"0\": {\"count\": 7}}\n");
    expect_counts("c.json", expected);
    write_case("d.tsv", "# vocabulary 4\n# tokens 0\n");
    const int64_t none[4] = {0, 0, 0, 0};
    expect_counts("d.tsv", none);
}

static void expect_error(const char *text, lmd_status status, const char *part)
{
    char path[CASE_PATH];
    char sha256[LMD_SHA256_HEX];
    int64_t counts[4];
    write_case("bad", text);
    assert_int_equal(lmd_frequency_read(case_path(path, "bad"), 4, counts, sha256),
                     status);
    if (strstr(lmd_status_message(), part) == NULL ||
        strstr(lmd_status_message(), path) == NULL) {
        fail_msg("'%s' names neither file nor '%s'", lmd_status_message(), part);
    }
}

static void test_bad_files_are_refused_by_place(void **state)
{
    (void)state;
    expect_error("", LMD_INPUT, "no frequency file");
    expect_error("\n# a comment\n", LMD_INPUT, "no frequency file");
    expect_error("{}", LMD_INPUT, "no frequency file");
    expect_error("0\t1\n4\t1\n", LMD_INPUT, "line 2");
    expect_error("0\t1\n#\n0\t2\n", LMD_INPUT, "line 3");
    expect_error("-1\t1\n", LMD_INPUT, "-1");
    expect_error("1\t-1\n", LMD_INPUT, "negative");
    expect_error("1 1\n", LMD_INPUT, "line 1");
    expect_error("1\t1\t1\n", LMD_INPUT, "line 1");
    expect_error("1\t1x\n", LMD_INPUT, "line 1");
    expect_error("{\"4\": {\"count\": 1}}", LMD_INPUT, "\"4\"");
    expect_error("{\"x\": {\"count\": 1}}", LMD_INPUT, "\"x\"");
    expect_error("{\"1\": {\"count\": 1.5}}", LMD_INPUT, "\"1\"");
    expect_error("{\"1\": 3}", LMD_INPUT, "\"1\"");
    expect_error("{\"1\": {\"count\": 1},\n\"1\": {\"count\": 2}}", LMD_INPUT, "line 2");
    expect_error("{\"1\": {\"count\": 1},\n\"01\": {\"count\": 2}}", LMD_INPUT, "twice");
    expect_error("{\"1\": {\"count\": 1},\n", LMD_INPUT, "line");
    char path[CASE_PATH];
    char sha256[LMD_SHA256_HEX];
    int64_t counts[4];
    assert_int_equal(lmd_frequency_read(case_path(path, "none"), 4, counts, sha256),
                     LMD_USAGE);
}

/* ---- tables that are summed ---- */

#define HASH_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HASH_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static lmd_status load(const char *text, lmd_frequency_table *table)
{
    char path[CASE_PATH];
    write_case("table.tsv", text);
    return lmd_frequency_load(case_path(path, "table.tsv"), table);
}

static void expect_bytes(const lmd_frequency_table *table, const char *expected)
{
    lmd_text bytes = {0};
    lmd_frequency_write(table, &bytes);
    assert_string_equal(lmd_text_string(&bytes), expected);
    lmd_text_clear(&bytes);
}

static void test_tables_come_back_and_add_up(void **state)
{
    (void)state;
    static const char first[] = "# by a\n# vocabulary 9\n# tokenizer " HASH_A
                                "\n# tokens 5\n# input " HASH_A "  a b.txt\n"
                                "0\t2\n7\t3\n";
    const int64_t live = lmd_memory_live();
    lmd_frequency_table sum, more;
    assert_int_equal(load(first, &sum), LMD_OK);
    assert_int_equal(sum.vocabulary, 9);
    assert_int_equal(sum.n, 8);
    expect_bytes(&sum, first);
    // Other comments are kept once; a sum that a comment claims is not believed.
    assert_int_equal(load("# by a\n# by b\n# tokens 99\n# input " HASH_B
                          "  c\n# input x\n8\t1\n7\t1\n",
                          &more),
                     LMD_OK);
    assert_int_equal(lmd_frequency_add(&sum, &more), LMD_OK);
    expect_bytes(&sum, "# by a\n# by b\n# input x\n# vocabulary 9\n# tokenizer " HASH_A
                       "\n# tokens 7\n# input " HASH_A "  a b.txt\n# input " HASH_B
                       "  c\n0\t2\n7\t4\n8\t1\n");
    lmd_frequency_clear(&more);
    // The paper's JSON as well, and a file that says nothing.
    assert_int_equal(load("{\"3\": {\"count\": 4}}", &more), LMD_OK);
    expect_bytes(&more, "# tokens 4\n3\t4\n");
    assert_int_equal(lmd_frequency_add(&more, &sum), LMD_OK);
    assert_int_equal(more.vocabulary, 9);
    assert_int_equal(more.counts[3], 4);
    lmd_frequency_clear(&more);
    lmd_frequency_clear(&sum);
    assert_int_equal(lmd_memory_live(), live);
}

static void expect_no_sum(const char *a, const char *b, lmd_status status,
                          const char *part)
{
    lmd_frequency_table sum, more;
    assert_int_equal(load(a, &sum), LMD_OK);
    assert_int_equal(load(b, &more), LMD_OK);
    assert_int_equal(lmd_frequency_add(&sum, &more), status);
    assert_non_null(strstr(lmd_status_message(), part));
    lmd_frequency_clear(&sum);
    lmd_frequency_clear(&more);
}

static void test_tables_that_do_not_fit(void **state)
{
    (void)state;
    lmd_frequency_table table;
    expect_no_sum("# vocabulary 5\n", "# vocabulary 6\n", LMD_USAGE, "6");
    expect_no_sum("# tokenizer none\n1\t1\n", "# tokenizer " HASH_A "\n1\t1\n", LMD_USAGE,
                  "none");
    expect_no_sum("5\t1\n", "# vocabulary 5\n", LMD_USAGE, "the id 5");
    expect_no_sum("# vocabulary 5\n", "6\t1\n", LMD_USAGE, "the id 6");
    expect_no_sum("1\t9223372036854775807\n", "1\t1\n", LMD_INPUT, "overflows");
    assert_int_equal(load("# vocabulary 5\n5\t1\n", &table), LMD_INPUT);
    lmd_frequency_clear(&table);
    // No id makes us ask for the memory that it would need.
    assert_int_equal(load("16777216\t1\n", &table), LMD_INPUT);
    assert_non_null(strstr(lmd_status_message(), "line 1"));
    lmd_frequency_clear(&table);
    assert_int_equal(load("16777215\t1\n2\t1\n2\t1\n", &table), LMD_INPUT);
    assert_non_null(strstr(lmd_status_message(), "twice"));
    lmd_frequency_clear(&table);
}

/* The one table that the depth paper's authors released; values of method.md 2.1. */
static void test_released_table(void **state)
{
    (void)state;
    enum { V = 32000 };
    char path[CASE_PATH];
    char sha256[LMD_SHA256_HEX];
    find_shared(path, "frequency/Llama-2-7b-hf.json.zst");
    int64_t *const counts = lmd_memory_new(V, sizeof *counts);
    assert_int_equal(lmd_frequency_read(path, V, counts, sha256), LMD_OK);
    lmd_frequency *const table = lmd_frequency_new(V, counts, NULL, true);
    const int first[] = {278, 29892, 29889, 310, 29871, 322, 29896, 297, 304, 29900};
    const struct {
        int rank;
        int64_t count;
    } checks[] = {{10, 2440843}, {11, 2421896}, {100, 165535},
                  {101, 165517}, {1000, 22627}, {1001, 22626}};
    int64_t total = 0;
    int n_zero = 0;
    for (int id = 0; id < V; id++) {
        total += counts[id];
        n_zero += counts[id] == 0;
        for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
            assert_true(table->ranks[id] != checks[i].rank ||
                        counts[id] == checks[i].count);
        }
    }
    for (int i = 0; i < 10; i++) {
        assert_int_equal(table->ranks[first[i]], i + 1);
    }
    assert_int_equal(total, 201583677);
    assert_int_equal(n_zero, 2861);
    lmd_frequency_free(table);
    lmd_memory_free(counts);
}

int main(void)
{
#define IN_FOLDER(test)                                                                  \
    cmocka_unit_test_setup_teardown(test, make_case_folder, remove_case_folder)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranks_and_bands),
        cmocka_unit_test(test_edges),
        IN_FOLDER(test_specials_are_dropped_or_kept),
        IN_FOLDER(test_files_are_read),
        IN_FOLDER(test_bad_files_are_refused_by_place),
        IN_FOLDER(test_tables_come_back_and_add_up),
        IN_FOLDER(test_tables_that_do_not_fit),
        cmocka_unit_test(test_released_table),
    };
#undef IN_FOLDER
    return cmocka_run_group_tests(tests, NULL, NULL);
}
