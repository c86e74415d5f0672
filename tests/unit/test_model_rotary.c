/* Angles of rotary positions, and what a config may say about them, against the formulas
 * in fp64. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <lmdepth/base/memory.h>
#include <math.h>
#include <string.h>
#include "../../src/model/rotary.h"

enum { POSITIONS = 9, R = 32, PAIRS = R / 2 };

static lmd_config config_of(lmd_rope_kind kind, double factor)
{
    return (lmd_config){.rotary_D = R,
                        .context = 4096,
                        .rope_base = 500,
                        .rope_kind = kind,
                        .rope_factor = factor};
}

static double plain(int i)
{
    return pow(500, -2.0 * i / R);
}

static void assert_close(float is, double should)
{
    if (!(fabs((double)is - should) <= 1e-6 * fabs(should))) {
        fail_msg("%.9g, not %.9g", (double)is, should);
    }
}

static void test_plain(void **state)
{
    (void)state;
    float frequencies[PAIRS], cosines[POSITIONS * PAIRS], sines[POSITIONS * PAIRS];
    static const lmd_rope_kind kinds[] = {LMD_ROPE_PLAIN, LMD_ROPE_DYNAMIC};
    for (size_t kind = 0; kind < 2; kind++) {
        const lmd_config config = config_of(kinds[kind], 4);
        lmd_model_rotary_frequencies(frequencies, &config, NULL);
        for (int i = 0; i < PAIRS; i++) {
            assert_close(frequencies[i], plain(i));
        }
    }
    lmd_model_fill_rotary(cosines, sines, POSITIONS, frequencies, PAIRS);
    for (int i = 0; i < POSITIONS * PAIRS; i++) {
        const double angle = i / PAIRS * plain(i % PAIRS);
        assert_true(fabs((double)cosines[i] - cos(angle)) < 2e-6);
        assert_true(fabs((double)sines[i] - sin(angle)) < 2e-6);
    }
}

static void test_linear_and_factors(void **state)
{
    (void)state;
    float frequencies[PAIRS], factors[PAIRS];
    const lmd_config config = config_of(LMD_ROPE_LINEAR, 2.5);
    for (int i = 0; i < PAIRS; i++) {
        factors[i] = (float)(1 + i);
    }
    lmd_model_rotary_frequencies(frequencies, &config, NULL);
    for (int i = 0; i < PAIRS; i++) {
        assert_close(frequencies[i], plain(i) / 2.5);
    }
    lmd_model_rotary_frequencies(frequencies, &config, factors);
    for (int i = 0; i < PAIRS; i++) {
        assert_close(frequencies[i], plain(i) / 2.5 / (1 + i));
    }
}

/* By the number of turns within the original context: few are stretched, many stay. */
static void test_llama3(void **state)
{
    (void)state;
    float frequencies[PAIRS];
    lmd_config config = config_of(LMD_ROPE_LLAMA3, 8);
    int kinds[3] = {0};
    config.rope_low = 1;
    config.rope_high = 4;
    config.rope_context = 256;
    lmd_model_rotary_frequencies(frequencies, &config, NULL);
    for (int i = 0; i < PAIRS; i++) {
        const double turns = 256 * plain(i) / (2 * acos(-1.0));
        const double share = fmin(1, fmax(0, (turns - 1) / 3));
        kinds[turns < 1 ? 0 : turns > 4 ? 1 : 2]++;
        assert_close(frequencies[i], (1 - share) * plain(i) / 8 + share * plain(i));
    }
    assert_true(kinds[0] > 0 && kinds[1] > 0 && kinds[2] > 0);
}

/* ---- config ---- */

static void assert_refused(lmd_config config, const char *says)
{
    assert_int_equal(lmd_model_complete_rotary(&config, "a/config.json"), LMD_INPUT);
    assert_non_null(strstr(lmd_status_message(), "a/config.json: "));
    if (!strstr(lmd_status_message(), says)) {
        fail_msg("'%s' is not in: %s", says, lmd_status_message());
    }
}

static void test_refused(void **state)
{
    (void)state;
    lmd_config config = config_of(LMD_ROPE_PLAIN, 0);
    config.rope_theta = 501;
    assert_refused(config, "'rope_theta' is 501, but");
    assert_refused(config_of(LMD_ROPE_PLAIN, 2), "'factor' of 2 but no kind");
    assert_refused(config_of(LMD_ROPE_LINEAR, 0), "needs a key 'factor'");
    assert_refused(config_of(LMD_ROPE_DYNAMIC, 0), "needs a key 'factor'");
    assert_refused(config_of(LMD_ROPE_LLAMA3, 8), "'low_freq_factor'");
    config = config_of(LMD_ROPE_LLAMA3, 8);
    config.rope_low = 4;
    config.rope_high = 4;
    assert_refused(config, "'high_freq_factor' is 4");
}

static void test_completed(void **state)
{
    (void)state;
    lmd_config config = config_of(LMD_ROPE_PLAIN, 1);
    config.rope_base = 0;
    assert_int_equal(lmd_model_complete_rotary(&config, ""), LMD_OK);
    assert_true(fabs(config.rope_base - 10000) < 1e-9);
    assert_int_equal(config.rope_pairs, PAIRS);
    config.rope_base = 0;
    config.rope_theta = 77;
    assert_int_equal(lmd_model_complete_rotary(&config, ""), LMD_OK);
    assert_true(fabs(config.rope_base - 77) < 1e-9);
    config = config_of(LMD_ROPE_DYNAMIC, 2);
    config.rope_context = 2048;
    assert_int_equal(lmd_model_complete_rotary(&config, ""), LMD_OK);
    assert_int_equal(config.context, 2048);
    config = config_of(LMD_ROPE_LLAMA3, 2);
    config.rope_low = 1;
    config.rope_high = 4;
    assert_int_equal(lmd_model_complete_rotary(&config, ""), LMD_OK);
    assert_int_equal(config.rope_context, 4096);
}

int main(void)
{
    const int64_t live = lmd_memory_live();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),     cmocka_unit_test(test_linear_and_factors),
        cmocka_unit_test(test_llama3),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_completed),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed != 0 || lmd_memory_live() != live;
}
