/* From a record's ids to prompts and packs: windows, gold tokens across their ends, where
 * positions are numbered from, what counts in the frequencies. */
#include "corpus_case.h"

/* One text file of lines under a policy. */
static void expect(const char *lines, int bos, int length, lmd_long when_long,
                   int pack_tokens, const char *expected)
{
    corpus_case c;
    case_begin(&c);
    c.policy.bos = bos;
    c.policy.length = length;
    c.policy.when_long = when_long;
    c.policy.pack_tokens = pack_tokens;
    case_write(&c, "a.in", lines);
    case_add(&c, "a.in", "lines");
    case_expect(&c, expected);
    case_end(&c);
}

static void test_split(void **state)
{
    (void)state;
    expect("abcdefgh\nabcd\nabc\n", -1, 4, LMD_LONG_SPLIT, 64,
           "all: used=2 split=1\nspecials=0\n"
           "T=15: [>abcd all 0 e] [efgh< all 4 -] [>abcd< all 0 -] [>abc< all 0 -]\n");
    expect("abcdefghi\n", -1, 4, LMD_LONG_SPLIT, 64,
           "all: split=1\nspecials=0\n"
           "T=9: [>abcd all 0 e] [efgh all 4 i] [i< all 8 -]\n");
}

/* A BOS takes one place of each window; that of a later window has the number of the
 * token before it. */
static void test_split_with_bos(void **state)
{
    (void)state;
    expect("abcdefg\nabc\nabcd\n", CASE_BOS, 4, LMD_LONG_SPLIT, 64,
           "all: used=1 split=2\nspecials=0\n"
           "T=20: [>^abc all 0 d] [^def all 3 g] [^g< all 6 -] [>^abc< all 0 -]"
           " [>^abc all 0 d] [^d< all 3 -]\n");
}

static void test_head(void **state)
{
    (void)state;
    expect("abcdefg\nabc\n", -1, 3, LMD_LONG_HEAD, 64,
           "all: used=1 cut=1\nspecials=0\nT=6: [>abc< all 0 d] [>abc< all 0 -]\n");
    expect("abcdefg\n", CASE_BOS, 3, LMD_LONG_HEAD, 64,
           "all: cut=1\nspecials=0\nT=3: [>^ab< all 0 c]\n");
}

static void test_tail(void **state)
{
    (void)state;
    expect("abcdefg\nabc\n", -1, 3, LMD_LONG_TAIL, 64,
           "all: used=1 cut=1\nspecials=0\nT=6: [>efg< all 4 -] [>abc< all 0 -]\n");
    expect("abcdefg\n", CASE_BOS, 3, LMD_LONG_TAIL, 64,
           "all: cut=1\nspecials=0\nT=3: [>^fg< all 5 -]\n");
}

static void test_skip(void **state)
{
    (void)state;
    expect("abcdefg<s>\nabc\n", -1, 3, LMD_LONG_SKIP, 64,
           "all: used=1 long=1\nspecials=0\nT=3: [>abc< all 0 -]\n");
}

/* Special strings count in records used, split or cut, the parts cut off included. */
static void test_specials(void **state)
{
    (void)state;
    expect("abcd<s>\n<s>\nabc<s>d\n", -1, 4, LMD_LONG_HEAD, 64,
           "all: used=1 cut=2\nspecials=3\n"
           "T=9: [>abcd< all 0 *] [>*< all 0 -] [>abc*< all 0 d]\n");
}

static void test_window_of_one(void **state)
{
    (void)state;
    expect("ab\n", -1, 1, LMD_LONG_SPLIT, 1,
           "all: split=1\nspecials=0\nT=1: [>a all 0 b]\nT=1: [b< all 1 -]\n");
    expect("ab\n", CASE_BOS, 2, LMD_LONG_SPLIT, 3,
           "all: split=1\nspecials=0\nT=2: [>^a all 0 b]\nT=2: [^b< all 1 -]\n");
}

/* Whole prompts, in order, as many as fit: no look-ahead for one that fits better. */
static void test_packs(void **state)
{
    (void)state;
    expect("abc\nde\nfghi\nj\nklmno\n", -1, 5, LMD_LONG_SPLIT, 5,
           "all: used=5\nspecials=0\n"
           "T=5: [>abc< all 0 -] [>de< all 0 -]\nT=5: [>fghi< all 0 -] [>j< all 0 -]\n"
           "T=5: [>klmno< all 0 -]\n");
    expect("abc\ndefg\nh\n", -1, 5, LMD_LONG_SPLIT, 5,
           "all: used=3\nspecials=0\nT=3: [>abc< all 0 -]\n"
           "T=5: [>defg< all 0 -] [>h< all 0 -]\n");
}

/* ids are used as they are: no BOS, a window is `length` ids. */
static void test_ids_take_no_bos(void **state)
{
    (void)state;
    corpus_case c;
    case_begin(&c);
    c.policy.bos = CASE_BOS;
    c.policy.length = 3;
    case_write(&c, "a.in", "97 98 99\n97 98 99 100\n");
    case_write(&c, "b.in", "xyz\n");
    case_add(&c, "a.in", "ids");
    case_add(&c, "b.in", "lines");
    case_expect(&c, "all: used=1 split=2\nspecials=0\n"
                    "T=12: [>abc< all 0 -] [>abc all 0 d] [d< all 3 -] [>^xy all 0 z]"
                    " [^z< all 2 -]\n");
    case_end(&c);
}

static void expect_counts(lmd_long when_long, const int64_t *expected)
{
    corpus_case c;
    case_begin(&c);
    c.policy.bos = CASE_BOS;
    c.policy.length = 3;
    c.policy.when_long = when_long;
    case_write(&c, "a.in", "{\"text\": \"aab\"}\n{\"text\": \"ab\"}\n{\"text\": 5}\n");
    case_add(&c, "a.in", "jsonl");
    lmd_spool *const spool = case_run(&c);
    const int64_t *const counts = lmd_spool_token_counts(spool);
    for (int id = 0; id < CASE_V; id++) {
        assert_int_equal(counts[id], id == 'a'   ? expected[0]
                                     : id == 'b' ? expected[1]
                                                 : 0);
    }
    lmd_spool_close(spool);
    case_end(&c);
}

/* Tokens of records used, split or cut, what was cut off too; no BOS; not of long ones.
 */
static void test_token_counts(void **state)
{
    (void)state;
    expect_counts(LMD_LONG_SPLIT, (const int64_t[]){3, 2});
    expect_counts(LMD_LONG_HEAD, (const int64_t[]){3, 2});
    expect_counts(LMD_LONG_TAIL, (const int64_t[]){3, 2});
    expect_counts(LMD_LONG_SKIP, (const int64_t[]){1, 1});
}

/* An id that the model has no row for. */
static void test_text_outside_vocabulary(void **state)
{
    (void)state;
    corpus_case c;
    case_begin(&c);
    c.policy.V = 100;
    case_write(&c, "a.in", "abc\nabcd\n");
    case_add(&c, "a.in", "lines");
    case_expect(&c, "all: used=1 id=1\nspecials=0\nT=3: [>abc< all 0 -]\n");
    case_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_split_with_bos),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_tail),
        cmocka_unit_test(test_skip),
        cmocka_unit_test(test_specials),
        cmocka_unit_test(test_window_of_one),
        cmocka_unit_test(test_packs),
        cmocka_unit_test(test_ids_take_no_bos),
        cmocka_unit_test(test_token_counts),
        cmocka_unit_test(test_text_outside_vocabulary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
