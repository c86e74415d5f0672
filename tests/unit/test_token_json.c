/* tokenizer.json and tokenizer_config.json: what is refused and how it is named, which
 * BOS there is, what ids stand for, and texts of odd shape. */
#include "token_case.h"

#include "json_fields.h"

#define MODEL                                                                            \
    "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"\xC4\xA0\":5},"   \
    "\"merges\":[\"a b\"]}"
#define ADDED                                                                            \
    "\"added_tokens\":[{\"id\":6,\"content\":\"<s>\",\"special\":true},"                 \
    "{\"id\":7,\"content\":\"\xC4\xA0x\"}]"
#define BYTES "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false}"
#define FRONT                                                                            \
    "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":" \
    "{\"id\":\"<s>\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],"      \
    "\"special_tokens\":{\"<s>\":{\"id\":\"<s>\",\"ids\":[4],\"tokens\":[\"<s>\"]}}}"

static const char *write_tokenizer(char path[CASE_PATH], const char *text)
{
    write_case("tokenizer.json", text);
    return case_path(path, "tokenizer.json");
}

/* ---- refusals ---- */

static void test_unknown_parts_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *part;
    } cases[] = {
        {"", "line"},
        {"[]", "no object"},
        {"{" MODEL, "line 1"},
        {"{" MODEL ",\"version\":\"2.0\"}", "version 2.0"},
        {"{\"added_tokens\":[]}", "model"},
        {"{\"model\":{\"type\":\"WordPiece\"}}", "WordPiece"},
        {"{" MODEL ",\"normalizer\":{\"type\":\"BertNormalizer\"}}", "BertNormalizer"},
        {"{" MODEL ",\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":"
         "\"Nmt\"}]}}",
         "Nmt"},
        {"{" MODEL ",\"pre_tokenizer\":{\"type\":\"UnicodeScripts\"}}", "UnicodeScripts"},
        {"{" MODEL ",\"pre_tokenizer\":{}}", "pre-tokenizer"},
        {"{" MODEL ",\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"new\":1}}", "new"},
        {"{" MODEL ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},"
         "\"behavior\":\"Odd\"}}",
         "Odd"},
        {"{" MODEL
         ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(a\"},"
         "\"behavior\":\"Isolated\"}}",
         "(a"},
        {"{" MODEL ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":"
         "\"(a)\\\\1\"},\"behavior\":\"Isolated\"}}",
         "\\1"},
        {"{" MODEL ",\"post_processor\":{\"type\":\"RobertaProcessing\"}}",
         "RobertaProcessing"},
        {"{" MODEL ",\"added_tokens\":[{\"id\":1}]}", "number 1"},
        {"{" MODEL ",\"added_tokens\":[{\"content\":\"x\",\"special\":1}]}", "special"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a c\"]}}", "c"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a a\"]}}", "aa"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a\"]}}", "pair"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}}", "-1"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":99999999},\"merges\":[]}}",
         "99999999"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":\"0\"},\"merges\":[]}}", "\"a\""},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{},\"merges\":[]}}", "empty"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[],\"dropout\":0.1}"
         "}",
         "dropout"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[],"
         "\"end_of_word_suffix\":\"</w>\"}}",
         "end_of_word_suffix"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[],"
         "\"continuing_subword_prefix\":\"##\"}}",
         "continuing_subword_prefix"},
        {"{\"model\":{\"type\":\"WordLevel\"}}", "WordLevel"},
        {"{" MODEL ",\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}}",
         "BertPreTokenizer"},
        {"{" MODEL ",\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{"
         "\"type\":\"CharDelimiterSplit\",\"delimiter\":\"a\"}]}}",
         "CharDelimiterSplit"},
        {"{" MODEL ",\"normalizer\":{\"type\":\"ByteLevel\"}}", "ByteLevel"},
        {"{" MODEL ",\"post_processor\":{\"type\":\"BertProcessing\"}}",
         "BertProcessing"},
        {"{" MODEL ",\"normalizer\":{\"type\":\"Strip\",\"strip_left\":true},"
         "\"added_tokens\":[{\"content\":\" \",\"normalized\":true}]}",
         "is empty when it is normalized"},
    };
    char path[CASE_PATH];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_tokenizer(path, cases[i].text);
        expect_refusal(path, LMD_INPUT, path, cases[i].part);
    }
}

static void test_settings_that_do_nothing_are_taken(void **state)
{
    (void)state;
    char path[CASE_PATH];
    write_tokenizer(path,
                    "{\"version\":\"1.0\",\"truncation\":null,\"padding\":{\"strategy\":"
                    "\"BatchLongest\"},\"normalizer\":null,\"decoder\":null,"
                    "\"model\":{\"dropout\":null,\"unk_token\":null,"
                    "\"continuing_subword_prefix\":\"\",\"end_of_word_suffix\":null,"
                    "\"fuse_unk\":false,\"byte_fallback\":false,\"ignore_merges\":false,"
                    "\"vocab\":{\"a\":3},\"merges\":[]}}");
    lmd_tokenizer *const tokenizer = open_tokenizer(path);
    assert_int_equal(lmd_token_vocab(tokenizer), 4);
    assert_int_equal(lmd_token_bos(tokenizer), -1);
    assert_false(lmd_token_adds_bos(tokenizer));
    lmd_token_close(tokenizer);
}

static void test_places_without_a_tokenizer(void **state)
{
    (void)state;
    char path[CASE_PATH];
    expect_refusal(case_path(path, "none"), LMD_USAGE, path, "no such");
    expect_refusal(case_folder, LMD_INPUT, case_folder, "tokenizer.json");
    write_case("tokenizer.bin", "x");
    expect_refusal(case_path(path, "tokenizer.bin"), LMD_INPUT, path, "not supported");
    write_case("tokenizer.model", "x");
    expect_refusal(case_path(path, "tokenizer.model"), LMD_INPUT, path, "truncated");
}

/* ---- BOS ---- */

static void expect_bos(const char *tokenizer_text, const char *config, int bos, bool adds)
{
    write_case("tokenizer.json", tokenizer_text);
    write_case("tokenizer_config.json", config);
    lmd_tokenizer *const tokenizer = open_tokenizer(case_folder);
    assert_int_equal(lmd_token_bos(tokenizer), bos);
    assert_int_equal(lmd_token_adds_bos(tokenizer), adds);
    lmd_token_close(tokenizer);
}

static void test_bos_rules(void **state)
{
    (void)state;
    static const char plain[] = "{" MODEL "," ADDED "}";
    static const char front[] = "{" MODEL "," ADDED "," FRONT "}";
    expect_bos(plain, "{}", -1, false);
    expect_bos(front, "{}", 4, true);
    expect_bos(front, "{\"add_bos_token\":false}", 4, false);
    expect_bos(front, "{\"add_bos_token\":null}", 4, true);
    expect_bos(plain, "{\"add_bos_token\":true,\"bos_token\":\"<s>\"}", 4, true);
    expect_bos(plain, "{\"bos_token\":{\"content\":\"ab\",\"special\":true}}", 2, false);
    expect_bos(plain, "{\"add_bos_token\":false,\"bos_token\":null}", -1, false);
    expect_bos(plain, "{\"add_bos_token\":false,\"bos_token\":\"<nowhere>\"}", -1, false);
    // That one is to be added and not which: the post-processor's, else config.json's.
    expect_bos(front, "{\"add_bos_token\":true}", 4, true);
    expect_bos(plain, "{\"add_bos_token\":true}", -1, true);
    write_case("config.json", "{\"bos_token_id\":1}");
    expect_bos(plain, "{\"add_bos_token\":true}", 1, true);
    expect_bos(plain, "{\"add_bos_token\":true,\"bos_token\":\"<s>\"}", 4, true);
    expect_bos(front, "{}", 4, true);
    expect_bos(plain, "{}", 1, false);
    write_case("config.json", "{\"bos_token_id\":6}"); // there is no such id
    expect_bos(plain, "{}", -1, false);
    write_case("config.json", "{\"bos_token_id\":[1,2]}");
    expect_bos(plain, "{}", -1, false);
    char path[CASE_PATH];
    write_tokenizer(path, plain);
    write_case("tokenizer_config.json", "{\"add_bos_token\":1}");
    expect_refusal(path, LMD_INPUT, "tokenizer_config.json", "add_bos_token");
    write_case("tokenizer_config.json", "{\"bos_token\":");
    expect_refusal(path, LMD_INPUT, "tokenizer_config.json", "line");
}

/* ---- ids ---- */

static void expect_piece(const lmd_tokenizer *tokenizer, int id, const char *expected)
{
    size_t size = 0;
    const char *const piece = lmd_token_piece(tokenizer, id, &size);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(piece, expected, size);
}

/* Ids of added tokens are not those of the file but the next free ones behind the number
 * of pieces, as Hugging Face gives them on loading. */
static void test_pieces_and_specials(void **state)
{
    (void)state;
    char path[CASE_PATH];
    write_tokenizer(path, "{" MODEL "," ADDED "," BYTES "}");
    lmd_tokenizer *const tokenizer = open_tokenizer(path);
    assert_int_equal(lmd_token_vocab(tokenizer), 6);
    expect_piece(tokenizer, 2, "ab");
    expect_piece(tokenizer, 3, "");
    expect_piece(tokenizer, 4, "<s>");
    expect_piece(tokenizer, 5, "\xC4\xA0x");
    expect_piece(tokenizer, -1, "");
    expect_piece(tokenizer, 6, "");
    assert_true(lmd_token_is_special(tokenizer, 4));
    assert_false(lmd_token_is_special(tokenizer, 5));
    assert_false(lmd_token_is_special(tokenizer, 0));
    char hex[LMD_SHA256_HEX];
    assert_int_equal(lmd_file_sha256(path, hex), LMD_OK);
    assert_string_equal(lmd_token_sha256(tokenizer), hex);
    assert_string_equal(lmd_token_path(tokenizer), path);
    lmd_token_close(tokenizer);
}

static void test_special_strings_are_counted(void **state)
{
    (void)state;
    char path[CASE_PATH];
    write_tokenizer(path, "{" MODEL "," ADDED "," BYTES "}");
    lmd_tokenizer *const tokenizer = open_tokenizer(path);
    lmd_encoder *const encoder = lmd_token_new_encoder(tokenizer);
    lmd_ids ids = {0};
    int64_t n_specials = 2;
    static const char text[] = "ab<s>a<s><s>\xC4\xA0x";
    assert_int_equal(lmd_token_encode(encoder, text, strlen(text), &ids, &n_specials),
                     LMD_OK);
    const uint32_t expected[] = {2, 4, 0, 4, 4, 5};
    assert_int_equal(ids.count, 6);
    assert_memory_equal(ids.ids, expected, sizeof expected);
    assert_int_equal(n_specials, 5);
    lmd_ids_clear(&ids);
    lmd_token_free_encoder(encoder);
    lmd_token_close(tokenizer);
}

static void test_ill_formed_text_is_refused(void **state)
{
    (void)state;
    char path[CASE_PATH];
    write_tokenizer(path, "{" MODEL "," BYTES "}");
    lmd_tokenizer *const tokenizer = open_tokenizer(path);
    lmd_encoder *const encoder = lmd_token_new_encoder(tokenizer);
    lmd_ids ids = {0};
    assert_int_equal(lmd_token_encode(encoder, "ab\xFF", 3, &ids, NULL), LMD_INPUT);
    assert_non_null(strstr(lmd_status_message(), "byte 2"));
    assert_int_equal(lmd_token_encode(encoder, "", 0, &ids, NULL), LMD_OK);
    assert_int_equal(ids.count, 0);
    lmd_ids_clear(&ids);
    lmd_token_free_encoder(encoder);
    lmd_token_close(tokenizer);
}

/* What tokenizers 0.23 writes again when it has read a score. */
static void test_numbers_as_tokenizers_reads_them(void **state)
{
    (void)state;
    static const double rows[][2] = {
        {-54.363929748535156, -0x1.b2e953fffffffp+5},
        {-1.6324440240859985, -0x1.a1e7d9fffffffp+0},
        {-14.197694778442383, -0x1.c653840000001p+3},
        {-9.428070068359375, -0x1.2db2c00000001p+3},
        {-20.0, -20.0},
        {0.0, 0.0},
        {-5.5, -5.5},
        {-0.1, -0.1},
        {-13.94831, -13.94831},
        {123456789012345.6, 123456789012345.6},
        {-2.5e-5, -2.5e-5},
        {3e300, 3e300},
        {1.7976931348623157e308, 1.7976931348623157e308},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const double found = lmd_json_rust_number(rows[i][0]);
        assert_memory_equal(&found, &rows[i][1], sizeof found);
    }
}

/* A word of a million characters; quadratic merging would take hours. */
static void test_long_word(void **state)
{
    (void)state;
    enum { N = 1000000 };
    char path[CASE_PATH];
    write_tokenizer(path, "{" MODEL "," BYTES "}");
    lmd_tokenizer *const tokenizer = open_tokenizer(path);
    lmd_encoder *const encoder = lmd_token_new_encoder(tokenizer);
    char *const word = lmd_memory_new(N, 1);
    for (size_t i = 0; i < N; i++) {
        word[i] = i % 2 == 0 ? 'a' : 'b';
    }
    lmd_ids ids = {0};
    assert_int_equal(lmd_token_encode(encoder, word, N, &ids, NULL), LMD_OK);
    assert_int_equal(ids.count, N / 2);
    for (size_t i = 0; i < ids.count; i++) {
        assert_int_equal(ids.ids[i], 2);
    }
    lmd_memory_free(word);
    lmd_ids_clear(&ids);
    lmd_token_free_encoder(encoder);
    lmd_token_close(tokenizer);
}

/* Thirty normalizers, each of which doubles the text. */
static void test_exploding_normalizer(void **state)
{
    (void)state;
    static const char twice[] =
        "{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},\"content\":\"aa\"}";
    char path[CASE_PATH];
    lmd_text json = {0};
    lmd_text_append_string(&json, "{" MODEL ",\"normalizer\":{\"type\":\"Sequence\","
                                  "\"normalizers\":[");
    for (int i = 0; i < 30; i++) {
        lmd_text_append_format(&json, "%s%s", i > 0 ? "," : "", twice);
    }
    lmd_text_append_string(&json, "]}}");
    write_tokenizer(path, json.bytes);
    lmd_tokenizer *const tokenizer = open_tokenizer(path);
    lmd_encoder *const encoder = lmd_token_new_encoder(tokenizer);
    lmd_ids ids = {0};
    assert_int_equal(lmd_token_encode(encoder, "bb", 2, &ids, NULL), LMD_OK);
    assert_int_equal(lmd_token_encode(encoder, "a", 1, &ids, NULL), LMD_INPUT);
    assert_non_null(strstr(lmd_status_message(), "bytes of 1"));
    lmd_ids_clear(&ids);
    lmd_text_clear(&json);
    lmd_token_free_encoder(encoder);
    lmd_token_close(tokenizer);
}

/* A character map with one content of 3 * n + 1 letters (in base64, three of them are
 * "YWFh"). */
static lmd_status open_with_map(int n)
{
    char path[CASE_PATH];
    lmd_text json = {0};
    lmd_tokenizer *tokenizer = NULL;
    lmd_text_append_string(&json, "{" MODEL ",\"normalizer\":{\"type\":\"Precompiled\","
                                  "\"precompiled_charsmap\":\"BAAAAAAAAABh");
    for (int i = 0; i < n; i++) {
        lmd_text_append_string(&json, "YWFh");
    }
    lmd_text_append_string(&json, "\"}}");
    const lmd_status status =
        lmd_token_open(&tokenizer, write_tokenizer(path, json.bytes));
    lmd_token_close(tokenizer);
    lmd_text_clear(&json);
    return status;
}

static void test_exploding_character(void **state)
{
    (void)state;
    assert_int_equal(open_with_map(300), LMD_OK);
    assert_int_equal(open_with_map(400), LMD_INPUT);
    assert_non_null(strstr(lmd_status_message(), "makes a text of a character"));
}

/* A regular expression that would try 2^60 ways to divide a word gives up soon. */
static void test_exploding_regex(void **state)
{
    (void)state;
    char path[CASE_PATH];
    write_tokenizer(path, "{" MODEL ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":"
                          "{\"Regex\":\"(a+)+$\"},\"behavior\":\"Isolated\"}}");
    lmd_tokenizer *const tokenizer = open_tokenizer(path);
    lmd_encoder *const encoder = lmd_token_new_encoder(tokenizer);
    char word[61];
    memset(word, 'a', sizeof word);
    lmd_ids ids = {0};
    assert_int_equal(lmd_token_encode(encoder, word, sizeof word, &ids, NULL), LMD_OK);
    word[60] = 'b';
    assert_int_equal(lmd_token_encode(encoder, word, sizeof word, &ids, NULL),
                     LMD_RESOURCE);
    assert_non_null(strstr(lmd_status_message(), "gives up"));
    lmd_ids_clear(&ids);
    lmd_token_free_encoder(encoder);
    lmd_token_close(tokenizer);
}

int main(void)
{
#define IN_FOLDER(test)                                                                  \
    cmocka_unit_test_setup_teardown(test, make_case_folder, remove_case_folder)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_unknown_parts_are_refused_by_name),
        IN_FOLDER(test_settings_that_do_nothing_are_taken),
        IN_FOLDER(test_places_without_a_tokenizer),
        IN_FOLDER(test_bos_rules),
        IN_FOLDER(test_pieces_and_specials),
        IN_FOLDER(test_special_strings_are_counted),
        IN_FOLDER(test_ill_formed_text_is_refused),
        cmocka_unit_test(test_numbers_as_tokenizers_reads_them),
        IN_FOLDER(test_long_word),
        IN_FOLDER(test_exploding_normalizer),
        IN_FOLDER(test_exploding_character),
        IN_FOLDER(test_exploding_regex),
    };
#undef IN_FOLDER
    return cmocka_run_group_tests(tests, NULL, NULL);
}
