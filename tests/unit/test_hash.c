/* SHA-256 against the examples of FIPS 180-4, SplitMix64 against its published stream. */
#include <lmdepth/base/hash.h>

#include <lmdepth/base/memory.h> /* lmd_memory_live */
#include <math.h>                /* NAN */
#include <setjmp.h>              /* cmocka.h */
#include <stdarg.h>              /* cmocka.h */
#include <stddef.h>              /* cmocka.h */
#include <stdint.h>              /* UINT64_MAX */
#include <string.h>              /* memset */
#include <cmocka.h>

static void digests_of_the_standard(void **state)
{
    (void)state;
    const int64_t before = lmd_memory_live();
    char hex[LMD_SHA256_HEX];
    lmd_sha256_of("abc", 3, hex);
    assert_string_equal(
        hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    lmd_sha256_of(NULL, 0, hex);
    assert_string_equal(
        hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    lmd_sha256 *const sha = lmd_sha256_new();
    char block[1000];
    memset(block, 'a', sizeof block);
    for (int i = 0; i < 1000; i++) {
        lmd_sha256_add(sha, block, sizeof block);
    }
    lmd_sha256_finish(sha, hex);
    lmd_sha256_free(sha);
    lmd_sha256_free(NULL);
    assert_string_equal(
        hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    assert_int_equal(lmd_memory_live(), before);
}

/* The generator seeded with 1234567 adds the golden gamma before each finaliser. */
static void mix_is_the_finaliser_of_splitmix64(void **state)
{
    (void)state;
    static const uint64_t expected[] = {
        UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
        UINT64_C(9817491932198370423), UINT64_C(4593380528125082431)};
    uint64_t seed = 1234567;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        seed += UINT64_C(0x9E3779B97F4A7C15);
        assert_true(lmd_hash_mix(seed) == expected[i]);
    }
    assert_true(lmd_hash_mix(0) == 0);
}

static void share_is_compared_exactly(void **state)
{
    (void)state;
    assert_false(lmd_hash_is_below(0, 0));
    assert_false(lmd_hash_is_below(0, -1));
    assert_false(lmd_hash_is_below(0, (double)NAN));
    assert_true(lmd_hash_is_below(UINT64_MAX, 1));
    assert_true(lmd_hash_is_below((UINT64_C(1) << 63) - 1, 0.5));
    assert_false(lmd_hash_is_below(UINT64_C(1) << 63, 0.5));
    assert_true(lmd_hash_is_below(0, 0x1p-70));
    assert_false(lmd_hash_is_below(1, 0x1p-70));
    assert_true(lmd_hash_is_below(1, 0x1.8p-64));
    assert_false(lmd_hash_is_below(2, 0x1.8p-64));
    assert_true(lmd_hash_is_below(UINT64_MAX - 2048, 1 - 0x1p-53));
    assert_false(lmd_hash_is_below(UINT64_MAX - 2047, 1 - 0x1p-53));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_of_the_standard),
        cmocka_unit_test(mix_is_the_finaliser_of_splitmix64),
        cmocka_unit_test(share_is_compared_exactly),
    };
    return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
