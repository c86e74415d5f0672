/* Checked files: what a bad path gives, whole writes, and nothing left after a failure.
 */
#include <lmdepth/base/file.h>

#include <dirent.h>              /* readdir */
#include <fcntl.h>               /* open */
#include <lmdepth/base/memory.h> /* lmd_memory_live */
#include <setjmp.h>              /* cmocka.h */
#include <signal.h>              /* SIGXFSZ */
#include <stdarg.h>              /* cmocka.h */
#include <stddef.h>              /* cmocka.h */
#include <stdint.h>              /* cmocka.h */
#include <stdio.h>               /* snprintf */
#include <stdlib.h>              /* mkdtemp */
#include <string.h>              /* strstr */
#include <sys/resource.h>        /* setrlimit */
#include <sys/stat.h>            /* mkfifo, truncate */
#include <sys/wait.h>            /* waitpid */
#include <unistd.h>              /* symlink, chdir */
#include <cmocka.h>

enum { PATH_SIZE = 512 };

static char folder[] = "/tmp/lmdepth-file-XXXXXX";
static int64_t live_at_start;

static const char *in_folder(char path[PATH_SIZE], const char *name)
{
    (void)snprintf(path, PATH_SIZE, "%s/%s", folder, name);
    return path;
}

static void expect_message(const char *part)
{
    if (!strstr(lmd_status_message(), part)) {
        fail_msg("'%s' is not in '%s'", part, lmd_status_message());
    }
}

static int count_entries(const char *path)
{
    DIR *const opened = opendir(path);
    assert_non_null(opened);
    int n = 0;
    while (readdir(opened)) {
        n++;
    }
    (void)closedir(opened);
    return n - 2;
}

static void written_files_are_read_back(void **state)
{
    (void)state;
    char path[PATH_SIZE];
    in_folder(path, "data");
    assert_int_equal(lmd_file_write(path, "old", 3), LMD_OK);
    assert_int_equal(lmd_file_write(path,
                                    "0123\0"
                                    "5678\n",
                                    10),
                     LMD_OK);
    lmd_file *file = NULL;
    assert_int_equal(lmd_file_open(&file, path), LMD_OK);
    assert_string_equal(lmd_file_path(file), path);
    assert_int_equal(lmd_file_size(file), 10);
    char bytes[11] = "..........";
    assert_int_equal(lmd_file_read(file, 3, bytes, 4), LMD_OK);
    assert_memory_equal(bytes,
                        "3\0"
                        "56....",
                        8);
    assert_int_equal(lmd_file_read(file, 10, bytes, 0), LMD_OK);
    lmd_file_close(file);
    lmd_file_close(NULL);
    lmd_text text = {0};
    lmd_text_append_string(&text, "head ");
    assert_int_equal(lmd_file_read_all(path, 10, &text), LMD_OK);
    assert_int_equal(text.size, 15);
    assert_memory_equal(text.bytes,
                        "head 0123\0"
                        "5678\n",
                        16);
    lmd_text_clear(&text);
    assert_int_equal(count_entries(folder), 1);
    assert_int_equal(unlink(path), 0);
}

static void ranges_are_held_against_the_size(void **state)
{
    (void)state;
    char path[PATH_SIZE];
    assert_int_equal(lmd_file_write(in_folder(path, "ten"), "0123456789", 10), LMD_OK);
    lmd_file *file = NULL;
    assert_int_equal(lmd_file_open(&file, path), LMD_OK);
    char bytes[16];
    assert_int_equal(lmd_file_read(file, 5, bytes, 6), LMD_INPUT);
    expect_message(path);
    expect_message("byte 10");
    assert_int_equal(lmd_file_read(file, 11, bytes, 0), LMD_INPUT);
    assert_int_equal(lmd_file_read(file, UINT64_MAX, bytes, 2), LMD_INPUT);
    assert_int_equal(lmd_file_read(file, 2, bytes, SIZE_MAX), LMD_INPUT);
    assert_int_equal(truncate(path, 4), 0);
    assert_int_equal(lmd_file_read(file, 0, bytes, 10), LMD_INPUT);
    expect_message("byte 4");
    lmd_file_close(file);
    lmd_text text = {0};
    assert_int_equal(lmd_file_read_all(path, 3, &text), LMD_INPUT);
    expect_message("more than the 3 allowed");
    lmd_text_clear(&text);
    assert_int_equal(unlink(path), 0);
}

static void missing_is_usage_and_unreadable_is_input(void **state)
{
    (void)state;
    char path[PATH_SIZE];
    char hex[LMD_SHA256_HEX];
    lmd_file *file = NULL;
    lmd_text text = {0};
    assert_int_equal(lmd_file_open(&file, in_folder(path, "none")), LMD_USAGE);
    expect_message(path);
    assert_null(file);
    assert_int_equal(lmd_file_open(&file, ""), LMD_USAGE);
    assert_int_equal(lmd_file_open(&file, "/dev/null/below"), LMD_USAGE);
    assert_int_equal(lmd_file_open(&file, folder), LMD_INPUT);
    expect_message("folder");
    assert_int_equal(lmd_file_open(&file, "/dev/null"), LMD_INPUT);
    assert_int_equal(lmd_file_read_all(path, 100, &text), LMD_USAGE);
    assert_int_equal(lmd_file_sha256(folder, hex), LMD_INPUT);
    assert_int_equal(lmd_file_sha256(path, hex), LMD_USAGE);
    assert_int_equal(mkfifo(in_folder(path, "pipe"), 0600), 0);
    assert_int_equal(lmd_file_open(&file, path), LMD_INPUT);
    assert_int_equal(unlink(path), 0);
    assert_null(text.bytes);
}

static void digest_is_of_all_bytes(void **state)
{
    (void)state;
    char path[PATH_SIZE];
    char hex[LMD_SHA256_HEX];
    char expected[LMD_SHA256_HEX];
    in_folder(path, "large");
    static const size_t sizes[] = {0, 1, 1 << 20, (1 << 20) + 1, 3000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *const bytes = lmd_memory_new(sizes[i], 1);
        for (size_t j = 0; j < sizes[i]; j++) {
            bytes[j] = (char)lmd_hash_mix(j);
        }
        assert_int_equal(lmd_file_write(path, bytes, sizes[i]), LMD_OK);
        assert_int_equal(lmd_file_sha256(path, hex), LMD_OK);
        lmd_sha256_of(bytes, sizes[i], expected);
        assert_string_equal(hex, expected);
        lmd_memory_free(bytes);
    }
    assert_int_equal(unlink(path), 0);
}

static void folders_are_made_with_parents(void **state)
{
    (void)state;
    char path[PATH_SIZE];
    assert_int_equal(lmd_file_make_folders(in_folder(path, "a//b/c/")), LMD_OK);
    assert_int_equal(lmd_file_make_folders(path), LMD_OK);
    assert_true(lmd_file_is_folder(in_folder(path, "a/b/c")));
    assert_int_equal(lmd_file_make_folders("/"), LMD_OK);
    assert_int_equal(lmd_file_make_folders("."), LMD_OK);
    assert_int_equal(lmd_file_write(in_folder(path, "a/file"), "", 0), LMD_OK);
    assert_true(lmd_file_exists(path));
    assert_false(lmd_file_is_folder(path));
    assert_int_equal(lmd_file_make_folders(path), LMD_USAGE);
    assert_int_equal(lmd_file_make_folders(in_folder(path, "a/file/b")), LMD_USAGE);
    expect_message("a/file");
    assert_int_equal(rmdir(in_folder(path, "a/b/c")), 0);
    assert_int_equal(lmd_file_remove_tree(in_folder(path, "a")), LMD_OK);
    assert_false(lmd_file_exists(path));
}

static void trees_are_removed_but_not_what_links_point_to(void **state)
{
    (void)state;
    char path[PATH_SIZE];
    char link[PATH_SIZE];
    assert_int_equal(lmd_file_remove_tree(in_folder(path, "none")), LMD_OK);
    assert_int_equal(lmd_file_make_folders(in_folder(path, "kept")), LMD_OK);
    assert_int_equal(lmd_file_write(in_folder(path, "kept/file"), "x", 1), LMD_OK);
    assert_int_equal(lmd_file_make_folders(in_folder(path, "tree/sub")), LMD_OK);
    assert_int_equal(lmd_file_write(in_folder(path, "tree/sub/1"), "x", 1), LMD_OK);
    assert_int_equal(lmd_file_write(in_folder(path, "tree/.2"), "x", 1), LMD_OK);
    assert_int_equal(symlink(in_folder(path, "kept"), in_folder(link, "tree/link")), 0);
    assert_int_equal(symlink("/nowhere", in_folder(link, "tree/dangling")), 0);
    assert_true(lmd_file_exists(link));
    char *const target = lmd_file_dead_link(link);
    assert_string_equal(target, "/nowhere");
    lmd_memory_free(target);
    assert_null(lmd_file_dead_link(in_folder(path, "tree/link")));
    assert_null(lmd_file_dead_link(in_folder(path, "tree/.2")));
    assert_null(lmd_file_dead_link(in_folder(path, "tree/none")));
    lmd_file *file = NULL;
    assert_int_equal(lmd_file_open(&file, link), LMD_INPUT);
    expect_message("tree/dangling: a link to /nowhere");
    assert_int_equal(lmd_file_remove_tree(in_folder(path, "tree")), LMD_OK);
    assert_false(lmd_file_exists(path));
    assert_true(lmd_file_exists(in_folder(path, "kept/file")));
    assert_int_equal(lmd_file_make_folders(in_folder(path, "kept/1/2")), LMD_OK);
    assert_int_equal(lmd_file_remove_tree(in_folder(path, "kept")), LMD_RESOURCE);
    expect_message("kept/1/2");
    assert_int_equal(rmdir(in_folder(path, "kept/1/2")), 0);
    assert_int_equal(lmd_file_remove_tree(in_folder(path, "kept")), LMD_OK);
    assert_int_equal(lmd_file_write(in_folder(path, "file"), "x", 1), LMD_OK);
    assert_int_equal(lmd_file_remove_tree(path), LMD_RESOURCE);
    assert_int_equal(unlink(path), 0);
}

/* A limit on file sizes stands for a disk that fills up while we write. */
static int write_beyond_limit(const char *path)
{
    const struct rlimit limit = {100000, 100000};
    static const char bytes[300000];
    (void)signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) {
        return 100;
    }
    return (int)lmd_file_write(path, bytes, sizeof bytes);
}

static void failed_writes_leave_nothing(void **state)
{
    (void)state;
    char path[PATH_SIZE];
    assert_int_equal(lmd_file_write(in_folder(path, "no/file"), "x", 1), LMD_RESOURCE);
    expect_message(path);
    assert_int_equal(lmd_file_write(in_folder(path, "full"), "old", 3), LMD_OK);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(write_beyond_limit(path));
    }
    int result = -1;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), LMD_RESOURCE);
    assert_int_equal(count_entries(folder), 1);
    lmd_text text = {0};
    assert_int_equal(lmd_file_read_all(path, 100, &text), LMD_OK);
    assert_string_equal(text.bytes, "old");
    lmd_text_clear(&text);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(lmd_file_make_folders(in_folder(path, "is-folder")), LMD_OK);
    assert_int_equal(lmd_file_write(path, "x", 1), LMD_RESOURCE);
    assert_int_equal(count_entries(folder), 1);
    assert_int_equal(rmdir(path), 0);
}

static void publish_renames_or_removes(void **state)
{
    (void)state;
    char temporary[PATH_SIZE];
    char path[PATH_SIZE];
    in_folder(temporary, "result.nc.tmp");
    assert_int_equal(lmd_file_write(temporary, "x", 1), LMD_OK);
    assert_int_equal(lmd_file_publish(temporary, in_folder(path, "result.nc")), LMD_OK);
    assert_false(lmd_file_exists(temporary));
    assert_true(lmd_file_exists(path));
    assert_int_equal(lmd_file_publish(temporary, path), LMD_RESOURCE);
    assert_true(lmd_file_exists(path));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(lmd_file_write(temporary, "x", 1), LMD_OK);
    assert_int_equal(lmd_file_publish(temporary, in_folder(path, "no/r")), LMD_RESOURCE);
    expect_message(path);
    assert_int_equal(count_entries(folder), 0);
}

/* A path without a folder: the temporary name and the synced folder are the current. */
static void plain_names_are_written_here(void **state)
{
    (void)state;
    const int here = open(".", O_RDONLY | O_DIRECTORY);
    assert_true(here >= 0);
    assert_int_equal(chdir(folder), 0);
    const lmd_status status = lmd_file_write("plain", "x", 1);
    assert_int_equal(fchdir(here), 0);
    (void)close(here);
    assert_int_equal(status, LMD_OK);
    char path[PATH_SIZE];
    assert_int_equal(unlink(in_folder(path, "plain")), 0);
}

static void expect_owned(char *got, const char *expected)
{
    assert_string_equal(got, expected);
    lmd_memory_free(got);
}

static void paths_are_joined_and_taken_apart(void **state)
{
    (void)state;
    expect_owned(lmd_file_join("a", "b"), "a/b");
    expect_owned(lmd_file_join("a/", "b/c"), "a/b/c");
    expect_owned(lmd_file_join("", "b"), "b");
    expect_owned(lmd_file_join(NULL, "b"), "b");
    expect_owned(lmd_file_join("a", "/b"), "/b");
    expect_owned(lmd_file_folder_of("a"), ".");
    expect_owned(lmd_file_folder_of(""), ".");
    expect_owned(lmd_file_folder_of("a/b"), "a");
    expect_owned(lmd_file_folder_of("a//b"), "a");
    expect_owned(lmd_file_folder_of("/a"), "/");
    expect_owned(lmd_file_folder_of("/a/b.c"), "/a");
    assert_string_equal(lmd_file_name_of("/a/b.c"), "b.c");
    assert_string_equal(lmd_file_name_of("b.c"), "b.c");
    assert_string_equal(lmd_file_name_of("a/"), "");
    assert_true(lmd_file_ends_with("a.jsonl.zst", ".zst"));
    assert_true(lmd_file_ends_with("a", ""));
    assert_false(lmd_file_ends_with("zst", ".zst"));
    assert_false(lmd_file_ends_with("a.zst.b", ".zst"));
}

static int begin(void **state)
{
    (void)state;
    live_at_start = lmd_memory_live();
    return mkdtemp(folder) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    return lmd_memory_live() == live_at_start && rmdir(folder) == 0 ? 0 : -1;
}

/* A file, or a link, that is where the temporary one should be. */
static void what_is_in_the_way_is_not_written_to(void **state)
{
    (void)state;
    char path[PATH_SIZE], victim[PATH_SIZE];
    lmd_text text = {0};
    char *const temporary = lmd_file_temporary(in_folder(path, "data"));
    in_folder(victim, "victim");
    assert_int_equal(lmd_file_write(victim, "v", 1), LMD_OK);
    assert_int_equal(symlink(victim, temporary), 0);
    assert_int_equal(lmd_file_write(path, "new", 3), LMD_OK);
    assert_int_equal(lmd_file_read_all(victim, 10, &text), LMD_OK);
    assert_string_equal(text.bytes, "v");

    const int other = open(temporary, O_RDWR | O_CREAT, 0666); // somebody keeps it open
    assert_int_equal(lmd_file_write(path, "newer", 5), LMD_OK);
    assert_int_equal(lseek(other, 0, SEEK_END), 0);
    assert_int_equal(close(other), 0);

    assert_int_equal(mkdir(temporary, 0777), 0); // can't be removed
    assert_int_equal(lmd_file_write(path, "newest", 6), LMD_RESOURCE);
    expect_message("is in the way");
    assert_int_equal(rmdir(temporary), 0);
    text.size = 0;
    assert_int_equal(lmd_file_read_all(path, 10, &text), LMD_OK);
    assert_string_equal(text.bytes, "newer");
    (void)unlink(path);
    (void)unlink(victim);
    lmd_memory_free(temporary);
    lmd_text_clear(&text);
}

static void temporary_names_are_known_again(void **state)
{
    (void)state;
    char *const temporary = lmd_file_temporary("folder/chunk.000000.000001");
    assert_int_equal(strncmp(temporary, "folder/chunk.000000.000001.tmp.", 31), 0);
    assert_int_equal(lmd_file_length_of_final(temporary), 26);
    lmd_memory_free(temporary);
    static const struct {
        const char *name;
        size_t length;
    } names[] = {{"index.tmp.n017.4711", 5},
                 {"a.tmp.b.tmp.n_1-x.1", 7},
                 {"index", 5},
                 {"", 0},
                 {"index.tmp.", 10},
                 {"index.tmp.4711", 14},
                 {"index.tmp.n017.", 15},
                 {"index.tmp..4711", 15},
                 {"index.tmp.n.4711x", 17},
                 {"index.tmp.n.a.1", 15},
                 {".tmp.host.1", 0},
                 {"x.tmp.h.1.tmp.", 14}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(lmd_file_length_of_final(names[i].name), names[i].length);
    }
}

/* The number of a process that was, and of one that is. */
static long dead_process(void)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(0);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    return (long)child;
}

static void what_killed_processes_left_is_removed(void **state)
{
    (void)state;
    char path[PATH_SIZE], file[PATH_SIZE];
    char *const own = lmd_file_temporary("data");
    const int n_host = (int)(strrchr(own, '.') - own); /* "data.tmp.<host>" */
    const struct {
        const char *format;
        long process;
        bool goes;
    } files[] = {
        {"%.*s.%ld", dead_process(), true},         {"%.*s.%ld", (long)getpid(), false},
        {"%.*s.%ld", (long)getppid(), false},       {"%.*s-2.%ld", dead_process(), false},
        {"%.*s.%ldx", dead_process(), false},       {"x%.*s.%ld", dead_process(), false},
        {"%.*s.%ld99999999999999999999", 1, false}, {"%.*s.%ld", 0, false}};
    enum { FILES = sizeof files / sizeof files[0] };
    lmd_text names[FILES] = {0};
    for (int i = 0; i < FILES; i++) {
        lmd_text_append_format(&names[i], files[i].format, n_host, own, files[i].process);
        assert_int_equal(lmd_file_write(in_folder(file, names[i].bytes), "x", 1), LMD_OK);
    }
    assert_int_equal(lmd_file_sweep(in_folder(path, "data")), 5);
    for (int i = 0; i < FILES; i++) {
        in_folder(file, names[i].bytes);
        assert_int_equal(lmd_file_exists(file), !files[i].goes);
        (void)unlink(file);
        lmd_text_clear(&names[i]);
    }
    assert_int_equal(lmd_file_sweep("/nowhere/data"), 0);
    lmd_memory_free(own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_files_are_read_back),
        cmocka_unit_test(ranges_are_held_against_the_size),
        cmocka_unit_test(missing_is_usage_and_unreadable_is_input),
        cmocka_unit_test(digest_is_of_all_bytes),
        cmocka_unit_test(folders_are_made_with_parents),
        cmocka_unit_test(trees_are_removed_but_not_what_links_point_to),
        cmocka_unit_test(failed_writes_leave_nothing),
        cmocka_unit_test(publish_renames_or_removes),
        cmocka_unit_test(plain_names_are_written_here),
        cmocka_unit_test(paths_are_joined_and_taken_apart),
        cmocka_unit_test(what_is_in_the_way_is_not_written_to),
        cmocka_unit_test(temporary_names_are_known_again),
        cmocka_unit_test(what_killed_processes_left_is_removed),
    };
    return cmocka_run_group_tests_name("file", tests, begin, end);
}
