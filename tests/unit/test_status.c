/* Statuses, their messages, and what they must survive. */
#include <lmdepth/base/status.h>

#include <pthread.h> /* pthread_create */
#include <setjmp.h>  /* cmocka.h */
#include <stdarg.h>  /* cmocka.h */
#include <stddef.h>  /* cmocka.h */
#include <stdint.h>  /* cmocka.h */
#include <string.h>  /* memset */
#include <cmocka.h>

static void texts_and_codes_of_all(void **state)
{
    (void)state;
    assert_int_equal(LMD_OK, 0);
    assert_int_equal(LMD_FAILED, 1);
    assert_int_equal(LMD_USAGE, 2);
    assert_int_equal(LMD_INPUT, 3);
    assert_int_equal(LMD_RESOURCE, 4);
    assert_int_equal(LMD_STOPPED, 75);
    assert_true(lmd_status_is_ok(LMD_OK));
    assert_false(lmd_status_is_ok(LMD_STOPPED));
    assert_string_equal(lmd_status_text(LMD_OK), "complete");
    assert_string_equal(lmd_status_text(LMD_USAGE), "usage or job file");
    assert_string_equal(lmd_status_text((lmd_status)99), "unknown status");
}

static void message_may_be_its_own_argument(void **state)
{
    (void)state;
    assert_int_equal(lmd_status_set(LMD_INPUT, "%s: byte %d", "a.zst", 7), LMD_INPUT);
    assert_string_equal(lmd_status_message(), "a.zst: byte 7");
    lmd_status_set(LMD_INPUT, "[%s] again %s", lmd_status_message(), "b");
    assert_string_equal(lmd_status_message(), "[a.zst: byte 7] again b");
}

static void within_puts_the_prefix_before(void **state)
{
    (void)state;
    lmd_status_set(LMD_USAGE, "no such key");
    assert_int_equal(lmd_status_within(LMD_OK, "job.yaml"), LMD_OK);
    assert_string_equal(lmd_status_message(), "no such key");
    assert_int_equal(lmd_status_within(LMD_USAGE, "job.yaml:%d", 3), LMD_USAGE);
    assert_string_equal(lmd_status_message(), "job.yaml:3: no such key");
    lmd_status_within(LMD_USAGE, "%s", lmd_status_message());
    assert_string_equal(lmd_status_message(),
                        "job.yaml:3: no such key: job.yaml:3: no such key");
}

static void long_message_is_cut_between_characters(void **state)
{
    (void)state;
    char text[4096];
    for (size_t shift = 0; shift < 3; shift++) {
        memset(text, 'x', sizeof text);
        for (size_t i = shift; i + 3 < sizeof text; i += 3) {
            memcpy(text + i, "\xe2\x82\xac", 3);
        }
        text[sizeof text - 1] = 0;
        lmd_status_set(LMD_INPUT, "%s", text);
        const char *const message = lmd_status_message();
        const size_t length = strlen(message);
        assert_in_range(length, 2040, 2047);
        assert_string_equal(message + length - 3, "...");
        assert_int_equal((length - 3 - shift) % 3, 0);
        assert_memory_equal(message, text, length - 3);
    }
}

static void control_characters_are_replaced(void **state)
{
    (void)state;
    lmd_status_set(LMD_INPUT, "tensor %s", "a\nb\x1b[2J\x7f\xc3\xa9");
    assert_string_equal(lmd_status_message(), "tensor a?b?[2J?\xc3\xa9");
}

static void *set_another(void *out)
{
    *(int *)out = strcmp(lmd_status_message(), "") == 0;
    lmd_status_set(LMD_INPUT, "of the other thread");
    return NULL;
}

static void message_belongs_to_its_thread(void **state)
{
    (void)state;
    lmd_status_set(LMD_INPUT, "of this thread");
    pthread_t thread;
    int was_empty = 0;
    assert_int_equal(pthread_create(&thread, NULL, set_another, &was_empty), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(was_empty);
    assert_string_equal(lmd_status_message(), "of this thread");
}

static lmd_status forward(lmd_status status, int *n_after)
{
    LMD_TRY(status);
    (*n_after)++;
    return LMD_OK;
}

static void try_forwards_failures_only(void **state)
{
    (void)state;
    int n_after = 0;
    assert_int_equal(forward(LMD_INPUT, &n_after), LMD_INPUT);
    assert_int_equal(n_after, 0);
    assert_int_equal(forward(LMD_OK, &n_after), LMD_OK);
    assert_int_equal(n_after, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_and_codes_of_all),
        cmocka_unit_test(message_may_be_its_own_argument),
        cmocka_unit_test(within_puts_the_prefix_before),
        cmocka_unit_test(long_message_is_cut_between_characters),
        cmocka_unit_test(control_characters_are_replaced),
        cmocka_unit_test(message_belongs_to_its_thread),
        cmocka_unit_test(try_forwards_failures_only),
    };
    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
