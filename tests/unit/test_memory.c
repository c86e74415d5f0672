/* Blocks: zeroed, aligned, counted, and an end with exit code 4 when there are none. */
#include <lmdepth/base/memory.h>

#include <setjmp.h>   /* cmocka.h */
#include <stdarg.h>   /* cmocka.h */
#include <stddef.h>   /* max_align_t */
#include <stdint.h>   /* uintptr_t */
#include <string.h>   /* memset */
#include <sys/wait.h> /* waitpid */
#include <unistd.h>   /* fork */
#include <cmocka.h>

static void blocks_are_zero_and_counted(void **state)
{
    (void)state;
    const int64_t before = lmd_memory_live();
    unsigned char *const plain = lmd_memory_new(1000, 3);
    unsigned char *const aligned = lmd_memory_new_aligned(1001, 1);
    assert_int_equal(lmd_memory_live(), before + 2);
    assert_int_equal((uintptr_t)plain % _Alignof(max_align_t), 0);
    assert_int_equal((uintptr_t)aligned % 64, 0);
    for (size_t i = 0; i < 3000; i++) {
        assert_int_equal(plain[i], 0);
    }
    for (size_t i = 0; i < 1001; i++) {
        assert_int_equal(aligned[i], 0);
    }
    lmd_memory_free(plain);
    lmd_memory_free(aligned);
    lmd_memory_free(NULL);
    assert_int_equal(lmd_memory_live(), before);
}

static void empty_blocks_are_blocks(void **state)
{
    (void)state;
    const int64_t before = lmd_memory_live();
    void *const none = lmd_memory_new(0, 8);
    void *const no_size = lmd_memory_new_aligned(8, 0);
    void *const shrunk = lmd_memory_resize(lmd_memory_new(8, 8), 0, 8);
    assert_non_null(none);
    assert_non_null(no_size);
    assert_non_null(shrunk);
    assert_int_equal(lmd_memory_live(), before + 3);
    lmd_memory_free(none);
    lmd_memory_free(no_size);
    lmd_memory_free(shrunk);
    assert_int_equal(lmd_memory_live(), before);
}

static void resize_keeps_what_was_there(void **state)
{
    (void)state;
    const int64_t before = lmd_memory_live();
    char *block = lmd_memory_resize(NULL, 10, 1);
    memset(block, 'a', 10);
    block = lmd_memory_resize(block, 1000, 1000);
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(block[i], 'a');
    }
    assert_int_equal(lmd_memory_live(), before + 1);
    lmd_memory_free(block);
    assert_int_equal(lmd_memory_live(), before);
}

static void copies_end_with_zero(void **state)
{
    (void)state;
    const int64_t before = lmd_memory_live();
    char *const text = lmd_memory_copy_text("abc");
    char *const bytes = lmd_memory_copy_bytes("a\0c!", 3);
    char *const empty = lmd_memory_copy_bytes(NULL, 0);
    assert_string_equal(text, "abc");
    assert_memory_equal(bytes, "a\0c", 4);
    assert_string_equal(empty, "");
    lmd_memory_free(text);
    lmd_memory_free(bytes);
    lmd_memory_free(empty);
    assert_int_equal(lmd_memory_live(), before);
}

/* Sanitizers, unless told, end the program themselves when there is no memory. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void ask_for_product_that_overflows(void)
{
    lmd_memory_free(lmd_memory_new(SIZE_MAX / 4, 8));
}

static void ask_for_too_much(void)
{
    lmd_memory_free(lmd_memory_new_aligned(SIZE_MAX / 2 - 8, 1));
}

static void resize_to_too_much(void)
{
    lmd_memory_free(lmd_memory_resize(NULL, SIZE_MAX, SIZE_MAX));
}

static int exit_code_of(void (*act)(void))
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(STDERR_FILENO);
        act();
        _exit(0);
    }
    int result = -1;
    assert_int_equal(waitpid(child, &result, 0), child);
    return WIFEXITED(result) ? WEXITSTATUS(result) : -1;
}

static void impossible_sizes_end_with_4(void **state)
{
    (void)state;
    assert_int_equal(exit_code_of(ask_for_product_that_overflows), 4);
    assert_int_equal(exit_code_of(ask_for_too_much), 4);
    assert_int_equal(exit_code_of(resize_to_too_much), 4);
}

static void peak_grows_with_use(void **state)
{
    (void)state;
    const size_t size = (size_t)64 << 20;
    const size_t before = lmd_memory_peak();
    char *const block = lmd_memory_new(size, 1);
    memset(block, 1, size);
    const size_t after = lmd_memory_peak();
    lmd_memory_free(block);
    assert_true(before > 0);
    assert_true(after >= size);
    assert_true(after > before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_zero_and_counted),
        cmocka_unit_test(empty_blocks_are_blocks),
        cmocka_unit_test(resize_keeps_what_was_there),
        cmocka_unit_test(copies_end_with_zero),
        cmocka_unit_test(impossible_sizes_end_with_4),
        cmocka_unit_test(peak_grows_with_use),
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
