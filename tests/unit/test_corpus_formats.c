/* What is a record in each format, what is its text, and which fate it has. */
#include "corpus_case.h"

#define FILE_GIVES(format, bytes, expected)                                              \
    case_expect_file(format, bytes, sizeof bytes - 1, expected)

static void test_lines(void **state)
{
    (void)state;
    FILE_GIVES("lines", "ab\n\n \t\r\nc d\r\n\v\f\nlast",
               "all: used=3\nspecials=0\n"
               "T=9: [>ab< all 0 -] [>c\\32d< all 0 -] [>last< all 0 -]\n");
    FILE_GIVES(
        "lines",
        "\xef\xbb\xbf"
        "a\n\xef\xbb\xbf"
        "b\n",
        "all: used=2\nspecials=0\nT=5: [>a< all 0 -] [>\\239\\187\\191b< all 0 -]\n");
    FILE_GIVES("lines", "a\r\r\nb\r",
               "all: used=2\nspecials=0\nT=3: [>a\\13< all 0 -] [>b< all 0 -]\n");
    FILE_GIVES("lines", "ok\nbad\xff\n\xed\xa0\x80\n",
               "all: used=1 encoding=2\nspecials=0\nT=2: [>ok< all 0 -]\n");
    FILE_GIVES("lines", "a\0b\n", "all: used=1\nspecials=0\nT=3: [>a\\0b< all 0 -]\n");
}

static void test_special_strings(void **state)
{
    (void)state;
    FILE_GIVES("lines", "a<s>b<s>\nc<s>\n",
               "all: used=2\nspecials=3\nT=6: [>a*b*< all 0 -] [>c*< all 0 -]\n");
}

static void test_paragraphs(void **state)
{
    (void)state;
    FILE_GIVES("paragraphs", "\n\na\r\n b \nc\n \t \n\nd\n",
               "all: used=2\nspecials=0\n"
               "T=8: [>a\\10\\32b\\32\\10c< all 0 -] [>d< all 0 -]\n");
    FILE_GIVES("paragraphs", "a\nb",
               "all: used=1\nspecials=0\nT=3: [>a\\10b< all 0 -]\n");
    FILE_GIVES("paragraphs", "\xef\xbb\xbf\r\na\r",
               "all: used=1\nspecials=0\nT=1: [>a< all 0 -]\n");
    FILE_GIVES("paragraphs", "\xc2\xa0\n\na",
               "all: used=2\nspecials=0\nT=3: [>\\194\\160< all 0 -] [>a< all 0 -]\n");
    FILE_GIVES("paragraphs", "a\n\xff\n\nb\n",
               "all: used=1 encoding=1\nspecials=0\nT=1: [>b< all 0 -]\n");
}

static void test_document(void **state)
{
    (void)state;
    FILE_GIVES("document",
               "\xef\xbb\xbf"
               "a\r\n\n",
               "all: used=1\nspecials=0\n"
               "T=7: [>\\239\\187\\191a\\13\\10\\10< all 0 -]\n");
}

/* Documents of no text beside one that has some. */
static void test_documents_without_text(void **state)
{
    (void)state;
    corpus_case c;
    case_begin(&c);
    case_write(&c, "a.in", "");
    case_write(&c, "b.in", "x");
    case_write(&c, "c.in", " \n");
    case_write(&c, "d.in", "");
    case_write(&c, "e.in", "\xff");
    case_add(&c, "*.in", "document");
    case_expect(&c, "all: used=1 empty=3 encoding=1\nspecials=0\nT=1: [>x< all 0 -]\n");
    case_end(&c);
}

static void test_ids(void **state)
{
    (void)state;
    FILE_GIVES("ids", "97 98\t 99 \r\n\n007\n98 256\n0\n",
               "all: used=4\nspecials=0\n"
               "T=7: [>abc< all 0 -] [>\\7< all 0 -] [>b*< all 0 -] [>\\0< all 0 -]\n");
    FILE_GIVES("ids",
               "97\n257\n-1\n1.5\nx\n97 98x\n+5\n99999999999999999999\n97,98\n\xff\n",
               "all: used=1 id=9\nspecials=0\nT=1: [>a< all 0 -]\n");
}

static void test_jsonl(void **state)
{
    (void)state;
    FILE_GIVES("jsonl", "{\"text\": \"ab\"}\r\n\n  \n {\"text\":\"c\\u0000\\n\"} \n",
               "all: used=2\nspecials=0\nT=5: [>ab< all 0 -] [>c\\0\\10< all 0 -]\n");
    FILE_GIVES(
        "jsonl",
        "{\"text\": \"a\"}\n{\"text\": 5}\n{\"other\": \"a\"}\n[1]\n5\n\"text\"\nnull\n",
        "all: used=1 field=6\nspecials=0\nT=1: [>a< all 0 -]\n");
    FILE_GIVES(
        "jsonl",
        "{\"text\": \"a\"}\n{\"text\": \"\\ud800\"}\n{\"text\": \"a\n\n{\"text\": 'a'}\n"
        "{\"text\": \"a\"} x\n{\"text\": \"\\udc00\"}\n{\"text\": \"a\", \"b\": 01}\n"
        "{\"text\": \"a\", \"b\": \"\\ud800 \"}\n{\"text\": \"a\tb\"}\nx\n",
        "all: used=1 json=9\nspecials=0\nT=1: [>a< all 0 -]\n");
    FILE_GIVES("jsonl", "{\"text\": \"a\"}\n{\"text\": \"\xff\"}\n\xff\n",
               "all: used=1 encoding=2\nspecials=0\nT=1: [>a< all 0 -]\n");
    FILE_GIVES("jsonl",
               "{\"text\": \"a\"}\n{\"text\": \"\"}\n{\"text\": \" \\t\\n\\u000b\"}\n",
               "all: used=1 empty=2\nspecials=0\nT=1: [>a< all 0 -]\n");
    FILE_GIVES("jsonl",
               "{\"text\": \"a\", \"text\": \"b\"}\n{\"text\": \"\\ud83d\\ude00\"}\n",
               "all: used=2\nspecials=0\n"
               "T=5: [>b< all 0 -] [>\\240\\159\\152\\128< all 0 -]\n");
}

/* Numbers that no int64 or double can hold are right JSON. */
static void test_jsonl_numbers(void **state)
{
    (void)state;
    FILE_GIVES(
        "jsonl",
        "{\"id\": 123456789012345678901234567890, \"text\": \"a12345678901234567890\"}\n"
        "{\"x\": [-1.5e99999, 1e-99999, 0.10e0], \"text\": \"b\"}\n"
        "{\"x\": 1234567890123456789012, \"y\": 00, \"text\": \"c\"}\n"
        "{\"x\": 1234567890123456789012, \"text\": 5}\n",
        "all: used=2 json=1 field=1\nspecials=0\n"
        "T=22: [>a12345678901234567890< all 0 -] [>b< all 0 -]\n");
}

/* A zero byte in a key is a character like others. */
static void test_jsonl_zero_in_key(void **state)
{
    (void)state;
    FILE_GIVES("jsonl",
               "{\"k\\u0000\" : \"\\u0000\", \"text\": \"a\\u0000\\\\u0000\"}\n"
               "{\"k\\u0000\": 1, \"text\": \"b\", \"n\": 9e999}\n"
               "{\"k\\u0000\": 01, \"text\": \"b\"}\n{\"k\\u0000\": \"\n",
               "all: used=2 json=2\nspecials=0\n"
               "T=9: [>a\\0\\u0000< all 0 -] [>b< all 0 -]\n");
}

static void test_jsonl_depth(void **state)
{
    (void)state;
    enum { DEPTH = 100000 };
    lmd_text text = {0};
    for (int i = 0; i < DEPTH; i++) {
        lmd_text_append_string(&text, "[");
    }
    lmd_text_append_string(&text, "\n{\"text\": \"a\"}\n");
    case_expect_file("jsonl", text.bytes, text.size,
                     "all: used=1 json=1\nspecials=0\nT=1: [>a< all 0 -]\n");
    lmd_text_clear(&text);
}

static void test_json_paths(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *field;
        lmd_fate fate;
        const char *text;
    } cases[] = {
        {"{\"a\": {\"b\": \"x\"}}", "a.b", LMD_FATE_USED, "x"},
        {"{\"a\": {\"b\": {\"c\": \"x\"}}}", "a.b.c", LMD_FATE_USED, "x"},
        {"{\"a\": {\"b\": \"x\"}}", "a", LMD_FATE_FIELD, ""},
        {"{\"a\": \"x\"}", "a.b", LMD_FATE_FIELD, ""},
        {"{\"a\": [\"x\"]}", "a.0", LMD_FATE_FIELD, ""},
        {"{\"a\": null}", "a.b", LMD_FATE_FIELD, ""},
        {"{\"a.b\": \"x\"}", "a.b", LMD_FATE_FIELD, ""},
        {"{\"\": \"x\"}", "", LMD_FATE_USED, "x"},
        {"{\"\xc3\xa4\": \"x\"}", "\xc3\xa4", LMD_FATE_USED, "x"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lmd_text text = {0};
        lmd_text label = {0};
        assert_int_equal(lmd_corpus_parse_json(cases[i].line, strlen(cases[i].line),
                                               cases[i].field, NULL, &text, &label),
                         cases[i].fate);
        assert_string_equal(lmd_text_string(&text), cases[i].text);
        assert_int_equal(label.size, 0);
        lmd_text_clear(&text);
        lmd_text_clear(&label);
    }
}

static void test_groups(void **state)
{
    (void)state;
    corpus_case c;
    case_begin(&c);
    case_write(&c, "a.jsonl",
               "{\"text\": \"a\", \"meta\": {\"set\": \"z\"}}\n"
               "{\"text\": \"b\", \"meta\": {\"set\": 5}}\n"
               "{\"text\": \"c\"}\n"
               "{\"text\": 5, \"meta\": {\"set\": \"B\"}}\n"
               "{\"text\n"
               "\xff\n"
               "{\"text\": \"d\", \"meta\": {\"set\": \"z\\u0000\"}}\n"
               "{\"text\": \"\", \"meta\": {\"set\": \"\xc3\xa4\"}}\n");
    case_write(&c, "b.jsonl", "{\"text\": \"e\"}\n");
    case_write(&c, "c.txt", "f\n");
    case_add(&c, "a.jsonl", "auto")->group_field = "meta.set";
    case_add(&c, "b.jsonl", "auto")->group = "wiki";
    case_add(&c, "c.txt", "auto");
    case_expect(&c, "(none): used=3 encoding=1 json=1\nB: field=1\nall: used=1\n"
                    "wiki: used=1\nz: used=1\n\xc3\xa4: empty=1\nspecials=0\n"
                    "T=6: [>a< z 0 -] [>b< (none) 0 -] [>c< (none) 0 -] [>d< (none) 0 -]"
                    " [>e< wiki 0 -] [>f< all 0 -]\n");
    c.policy.sample = 0;
    case_expect(&c,
                "(none): unsampled=5\nB: unsampled=1\nall: unsampled=1\n"
                "wiki: unsampled=1\nz: unsampled=1\n\xc3\xa4: unsampled=1\nspecials=0\n");
    case_end(&c);
}

static void test_no_usable_record(void **state)
{
    (void)state;
    corpus_case c;
    lmd_spool *spool;
    case_begin(&c);
    case_write(&c, "a.in", "{\n5\n5\n");
    case_add(&c, "a.in", "jsonl");
    assert_int_equal(case_run_into(&c, &spool, false), LMD_INPUT);
    assert_null(spool);
    assert_non_null(strstr(lmd_status_message(), "a.in: no usable record"));
    assert_non_null(strstr(lmd_status_message(), "1 json, 2 field"));
    case_write(&c, "a.in", "\n \n");
    assert_int_equal(case_run_into(&c, &spool, false), LMD_INPUT);
    assert_non_null(strstr(lmd_status_message(), "no usable record"));
    c.policy.when_long = LMD_LONG_SKIP;
    case_write(&c, "a.in", "{\"text\": \"123456789\"}");
    case_expect(&c, "all: long=1\nspecials=0\n");
    case_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_special_strings),
        cmocka_unit_test(test_paragraphs),
        cmocka_unit_test(test_document),
        cmocka_unit_test(test_documents_without_text),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_jsonl),
        cmocka_unit_test(test_jsonl_numbers),
        cmocka_unit_test(test_jsonl_zero_in_key),
        cmocka_unit_test(test_jsonl_depth),
        cmocka_unit_test(test_json_paths),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_no_usable_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
