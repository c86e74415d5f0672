/* The disk that is full for tests: LMDEPTH_DISK_BYTES is looked at once in a process, so
 * every case is a process of its own. */
#include <lmdepth/base/file.h>

#include <dirent.h>   /* readdir */
#include <setjmp.h>   /* cmocka.h */
#include <stdarg.h>   /* cmocka.h */
#include <stddef.h>   /* cmocka.h */
#include <stdint.h>   /* cmocka.h */
#include <stdio.h>    /* snprintf */
#include <stdlib.h>   /* mkdtemp, setenv */
#include <string.h>   /* strstr */
#include <sys/wait.h> /* waitpid */
#include <unistd.h>   /* fork */
#include <cmocka.h>
#include <lmdepth/base/memory.h>

enum { OLD_BYTES = 3, NEW_BYTES = 10 };

static char folder[] = "/tmp/lmdepth-disk-XXXXXX";
static char path[64];

/* A child with so much room writes twice; its code: 1 for each that failed as it should,
 * 100 when something is wrong. */
static int write_twice(const char *room)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int code = setenv("LMDEPTH_DISK_BYTES", room, 1) == 0 ? 0 : 100;
        for (int i = 0; i < 2; i++) {
            const lmd_status status = lmd_file_write(path, "0123456789", NEW_BYTES);
            code += status == LMD_OK ? 0 : status == LMD_RESOURCE ? 1 : 100;
            if (status == LMD_RESOURCE &&
                (!strstr(lmd_status_message(), path) ||
                 !strstr(lmd_status_message(), "No space left"))) {
                code += 100;
            }
        }
        _exit(code);
    }
    int code = -1;
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_true(WIFEXITED(code));
    return WEXITSTATUS(code);
}

static size_t size_of_file(void)
{
    lmd_text text = {0};
    assert_int_equal(lmd_file_read_all(path, 100, &text), LMD_OK);
    const size_t size = text.size;
    lmd_text_clear(&text);
    return size;
}

static int count_entries(void)
{
    DIR *const opened = opendir(folder);
    assert_non_null(opened);
    int n = 0;
    while (readdir(opened)) {
        n++;
    }
    (void)closedir(opened);
    return n - 2;
}

static void put_old(void)
{
    FILE *const file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite("old", 1, OLD_BYTES, file), OLD_BYTES);
    assert_int_equal(fclose(file), 0);
}

/* The old file stays, whatever the byte at which there was no more room. */
static void a_full_disk_leaves_the_old_file(void **state)
{
    (void)state;
    for (int room = 0; room < 2 * NEW_BYTES; room++) {
        char text[8];
        (void)snprintf(text, sizeof text, "%d", room);
        put_old();
        assert_int_equal(write_twice(text), room < NEW_BYTES ? 2 : 1);
        assert_int_equal(size_of_file(), room < NEW_BYTES ? OLD_BYTES : NEW_BYTES);
        assert_int_equal(count_entries(), 1);
    }
    put_old();
    assert_int_equal(write_twice("20"), 0);
    assert_int_equal(size_of_file(), NEW_BYTES);
}

static void without_a_number_there_is_room(void **state)
{
    (void)state;
    static const char *const rooms[] = {"", "-1", "much", "1e3", "99999999999999999999"};
    for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++) {
        assert_int_equal(write_twice(rooms[i]), 0);
    }
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) {
        return -1;
    }
    (void)snprintf(path, sizeof path, "%s/data", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder) == 0 && lmd_memory_live() == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_leaves_the_old_file),
        cmocka_unit_test(without_a_number_there_is_room),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
