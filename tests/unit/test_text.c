/* Growing strings, UTF-8 against the rules of the Unicode Standard, numbers. */
#include <lmdepth/base/text.h>

#include <lmdepth/base/memory.h> /* lmd_memory_live */
#include <setjmp.h>              /* cmocka.h */
#include <stdarg.h>              /* cmocka.h */
#include <stddef.h>              /* cmocka.h */
#include <stdint.h>              /* INT64_MIN */
#include <string.h>              /* strlen, memcpy */
#include <cmocka.h>

static void appends_grow_and_end_with_zero(void **state)
{
    (void)state;
    const int64_t before = lmd_memory_live();
    lmd_text text = {0};
    assert_string_equal(lmd_text_string(&text), "");
    lmd_text_append(&text, "", 0);
    assert_string_equal(text.bytes, "");
    for (int i = 0; i < 1000; i++) {
        lmd_text_append_string(&text, "ab");
        lmd_text_append(&text, "c\0d", 3);
        lmd_text_append_format(&text, "%03d", i);
        assert_int_equal(text.bytes[text.size], 0);
    }
    assert_int_equal(text.size, 8000);
    assert_memory_equal(text.bytes + 8 * 517, "abc\0d517", 8);
    assert_string_equal(lmd_text_string(&text), "abc");
    lmd_text_clear(&text);
    assert_null(text.bytes);
    assert_int_equal(text.size, 0);
    assert_int_equal(lmd_memory_live(), before);
}

static void reserve_leaves_the_text_alone(void **state)
{
    (void)state;
    lmd_text text = {0};
    lmd_text_append_string(&text, "head");
    char *const end = lmd_text_reserve(&text, 100000);
    assert_ptr_equal(end, text.bytes + 4);
    assert_string_equal(text.bytes, "head");
    memset(end, 'x', 100000);
    text.size += 100000;
    assert_int_equal(text.bytes[text.size], 0);
    lmd_text_clear(&text);
}

/* Every code point there is, encoded, checked and decoded. */
static void all_code_points_round_trip(void **state)
{
    (void)state;
    for (uint32_t code_point = 0; code_point <= 0x10ffff; code_point++) {
        char bytes[4] = {0};
        const size_t length = lmd_text_encode_utf8(code_point, bytes);
        const int is_surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
        const size_t bad = lmd_text_find_bad_utf8(bytes, length);
        if (bad != (is_surrogate ? 0 : length)) {
            fail_msg("U+%04X: bad at %zu", code_point, bad);
        }
        uint32_t decoded = 0;
        if (lmd_text_decode_utf8(bytes, &decoded) != length || decoded != code_point) {
            fail_msg("U+%04X: decoded as U+%04X", code_point, decoded);
        }
    }
}

static void bad_sequences_are_found_where_they_start(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t bad;
    } cases[] = {
        {"", 0},
        {"plain ascii, longer than a word", 31},
        {"gr\xc3\xbc\xc3\x9f"
         "e \xe2\x82\xac \xf0\x9f\x98\x80",
         16},
        {"12345678\x80", 8},     /* continuation alone */
        {"1234567\xc3", 7},      /* cut short */
        {"a\xe2\x82", 1},        /* cut short */
        {"a\xe2\x82zz", 1},      /* broken off */
        {"a\xf0\x9f\x98", 1},    /* cut short */
        {"\xc0\x80", 0},         /* overlong */
        {"\xc1\xbf", 0},         /* overlong */
        {"\xe0\x9f\xbf", 0},     /* overlong */
        {"\xf0\x8f\xbf\xbf", 0}, /* overlong */
        {"x\xed\xa0\x80", 1},    /* surrogate */
        {"\xed\x9f\xbf", 3},     /* the last before the surrogates */
        {"\xee\x80\x80", 3},     /* the first after them */
        {"\xf4\x8f\xbf\xbf", 4}, /* U+10FFFF */
        {"\xf4\x90\x80\x80", 0}, /* beyond */
        {"\xf5\x80\x80\x80", 0}, /* never a first byte */
        {"12345678abc\xff"
         "d",
         11} /* never in UTF-8 */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const size_t size = strlen(cases[i].bytes);
        assert_int_equal(lmd_text_find_bad_utf8(cases[i].bytes, size), cases[i].bad);
    }
}

/* All sequences of three bytes against a decoder that only knows arithmetic. */
static size_t naive_length(const unsigned char *b, size_t n)
{
    const uint32_t first = b[0];
    const size_t length = first < 0x80             ? 1
                          : (first & 0xe0) == 0xc0 ? 2
                          : (first & 0xf0) == 0xe0 ? 3
                                                   : 0;
    if (length == 0 || length > n) {
        return 0;
    }
    uint32_t value = length == 1 ? first : first & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        if (b[i] >> 6 != 2) {
            return 0;
        }
        value = value << 6 | (b[i] & 0x3fU);
    }
    const uint32_t least = length == 1 ? 0 : length == 2 ? 0x80 : 0x800;
    return value < least || (value >= 0xd800 && value < 0xe000) ? 0 : length;
}

static void three_bytes_agree_with_arithmetic(void **state)
{
    (void)state;
    for (uint32_t all = 0; all < 1U << 24; all++) {
        const unsigned char b[3] = {(unsigned char)all, (unsigned char)(all >> 8),
                                    (unsigned char)(all >> 16)};
        size_t at = 0;
        size_t length = 1;
        while (at < 3 && (length = naive_length(b + at, 3 - at)) > 0) {
            at += length;
        }
        char bytes[3];
        memcpy(bytes, b, 3);
        if (lmd_text_find_bad_utf8(bytes, 3) != at) {
            fail_msg("%02x %02x %02x", b[0], b[1], b[2]);
        }
    }
}

static void white_space_is_six_bytes(void **state)
{
    (void)state;
    int n_white = 0;
    for (int byte = -128; byte < 128; byte++) {
        n_white += lmd_text_is_white((char)byte);
    }
    assert_int_equal(n_white, 6);
    assert_true(lmd_text_is_blank(" \t\n\v\f\r", 6));
    assert_true(lmd_text_is_blank(NULL, 0));
    assert_false(lmd_text_is_blank(" \0", 2));
    assert_false(lmd_text_is_blank("\xc2\xa0", 2));
}

static void integers_are_whole_strings(void **state)
{
    (void)state;
    int64_t value = 5;
    assert_true(lmd_text_to_int64("-9223372036854775808", &value));
    assert_int_equal(value, INT64_MIN);
    assert_true(lmd_text_to_int64("9223372036854775807", &value));
    assert_int_equal(value, INT64_MAX);
    assert_true(lmd_text_to_int64("+007", &value));
    assert_int_equal(value, 7);
    static const char *const bad[] = {"",
                                      " 1",
                                      "1 ",
                                      "-",
                                      "+-1",
                                      "1.0",
                                      "0x10",
                                      "1e3",
                                      "one",
                                      "--1",
                                      "1\n",
                                      "9223372036854775808",
                                      "-9223372036854775809"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(lmd_text_to_int64(bad[i], &value));
    }
    assert_int_equal(value, 7);
}

static void reals_are_whole_strings(void **state)
{
    (void)state;
    double value = 5;
    assert_true(lmd_text_to_double("0.1", &value));
    assert_true(value == 0.1);
    assert_true(lmd_text_to_double("-1.5E+3", &value));
    assert_true(value == -1500);
    assert_true(lmd_text_to_double("1e-5", &value));
    assert_true(value == 1e-5);
    assert_true(lmd_text_to_double(".5", &value));
    assert_true(value == 0.5);
    assert_true(lmd_text_to_double("1e-400", &value));
    assert_true(value == 0);
    assert_true(lmd_text_to_double("12", &value));
    static const char *const bad[] = {"",    " 1",   "1 ",    "1,5", "inf",  "nan",
                                      "0x1", "1e",   "e5",    "-",   "1..2", "1e999",
                                      ".",   "1e5 ", "1.5.2", "one"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(lmd_text_to_double(bad[i], &value));
    }
    assert_true(value == 12);
}

static void sizes_have_a_unit(void **state)
{
    (void)state;
    lmd_text text = {0};
    lmd_text_append_size(&text, 57);
    lmd_text_append_string(&text, ", ");
    lmd_text_append_size(&text, 999400);
    lmd_text_append_string(&text, ", ");
    lmd_text_append_size(&text, 340.2e6);
    lmd_text_append_string(&text, ", ");
    lmd_text_append_size(&text, 1.204e9);
    assert_string_equal(lmd_text_string(&text), "57 bytes, 999 kB, 340 MB, 1.20 GB");
    lmd_text_clear(&text);
}

static void times_are_as_people_and_slurm_write_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double seconds;
    } good[] = {{"45s", 45},         {"90m", 5400},        {"12h", 43200},
                {"2d", 172800},      {"45", 45},           {"1.5h", 5400},
                {"0.25", 0.25},      {"10:00", 600},       {"03:50:00", 13800},
                {"0:01", 1},         {"90:00:00", 324000}, {"2-12:00:00", 216000},
                {"2-12:30", 217800}, {"2-12", 216000},     {"0-00:00:01", 1},
                {"001", 1}};
    static const char *const bad[] = {
        "",      "0",   "0s",    "00:00",      "-5",        "5x",
        "m",     "5 m", " 5",    "5m ",        "1:2:3:4",   "1-",
        "-1:00", ":",   "1::2",  "1:",         ":1",        "1-2-3",
        "1e3",   ".",   "1.2.3", "9999999999", "1-2:3:4:5", "12d3",
        "inf",   "5M",  "1:5.5", "9999999:00", "1,5h",      "999999:00:00"};
    const int64_t live = lmd_memory_live();
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        double seconds = -1;
        if (!lmd_text_to_seconds(good[i].text, &seconds) || seconds != good[i].seconds) {
            fail_msg("'%s' gives %g", good[i].text, seconds);
        }
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        double seconds = -1;
        if (lmd_text_to_seconds(bad[i], &seconds)) {
            fail_msg("'%s' gives %g", bad[i], seconds);
        }
    }
    assert_int_equal(lmd_memory_live(), live);
}

static void control_characters_do_not_reach_a_terminal(void **state)
{
    (void)state;
    char text[] = "a\tb\nc\x1b[31m\x07\x7f\r \xc3\xa4\xc2\x9b\xc2\xa0\xe2\x82\xac\xc2";
    lmd_text_make_printable(text);
    assert_string_equal(text, "a\tb\nc?[31m??? \xc3\xa4??\xc2\xa0\xe2\x82\xac\xc2");
    char empty[] = "";
    lmd_text_make_printable(empty);
    assert_string_equal(empty, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_grow_and_end_with_zero),
        cmocka_unit_test(reserve_leaves_the_text_alone),
        cmocka_unit_test(all_code_points_round_trip),
        cmocka_unit_test(bad_sequences_are_found_where_they_start),
        cmocka_unit_test(three_bytes_agree_with_arithmetic),
        cmocka_unit_test(white_space_is_six_bytes),
        cmocka_unit_test(integers_are_whole_strings),
        cmocka_unit_test(reals_are_whole_strings),
        cmocka_unit_test(sizes_have_a_unit),
        cmocka_unit_test(times_are_as_people_and_slurm_write_them),
        cmocka_unit_test(control_characters_do_not_reach_a_terminal),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
