/* Digests that are remembered: used while the file is the same, and only from a folder
 * that nobody else can write to. */
#include <lmdepth/base/hash_cache.h>

#include <fcntl.h>    /* open */
#include <setjmp.h>   /* cmocka.h */
#include <stdarg.h>   /* cmocka.h */
#include <stddef.h>   /* cmocka.h */
#include <stdint.h>   /* cmocka.h */
#include <dirent.h>   /* readdir */
#include <stdio.h>    /* snprintf */
#include <stdlib.h>   /* mkdtemp, setenv */
#include <string.h>   /* strstr */
#include <sys/stat.h> /* chmod */
#include <time.h>     /* time */
#include <unistd.h>   /* truncate */
#include <cmocka.h>
#include <lmdepth/base/file.h>
#include <lmdepth/base/memory.h>

enum { LARGE = 16 << 20, LATER = 1000000 };

static char folder[] = "/tmp/lmdepth-digests-XXXXXX";
static char cache[64], entries[80], file[64];
static char truth[LMD_SHA256_HEX], other[LMD_SHA256_HEX];

/* The only file in the cache; NULL: none. Caller frees. */
static char *find_entry(void)
{
    char *found = NULL;
    DIR *const opened = opendir(entries);
    for (const struct dirent *entry; opened && (entry = readdir(opened)) != NULL;) {
        if (entry->d_name[0] != '.') {
            assert_null(found);
            found = lmd_file_join(entries, entry->d_name);
        }
    }
    if (opened) {
        (void)closedir(opened);
    }
    return found;
}

static void remember(const char *hex)
{
    lmd_hash_cache_put(file, time(NULL) + LATER, hex); // the file is old enough then
}

static void expect(const char *hex)
{
    char is[LMD_SHA256_HEX] = "";
    assert_int_equal(lmd_hash_cache_sha256(file, is), LMD_OK);
    assert_string_equal(is, hex);
}

static void what_is_known_is_not_read(void **state)
{
    (void)state;
    expect(truth);
    assert_null(find_entry()); // a file of this minute
    remember(other);
    expect(other);
    char *const entry = find_entry();
    assert_non_null(entry);
    struct stat info;
    assert_int_equal(stat(entries, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    // by another name
    char *const link = lmd_file_join(folder, "link");
    char is[LMD_SHA256_HEX];
    assert_int_equal(symlink(file, link), 0);
    assert_int_equal(lmd_hash_cache_sha256(link, is), LMD_OK);
    assert_string_equal(is, other);
    assert_int_equal(unlink(link), 0);
    lmd_memory_free(link);
    lmd_memory_free(entry);
}

static void a_changed_file_is_read(void **state)
{
    (void)state;
    const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    remember(other);
    expect(other);
    assert_int_equal(utimensat(AT_FDCWD, file, times, 0), 0);
    expect(truth);
    remember(other);
    expect(other);
    const int opened = open(file, O_WRONLY);
    assert_int_equal(pwrite(opened, "", 1, 5), 1); // the same byte
    assert_int_equal(close(opened), 0);
    assert_int_equal(utimensat(AT_FDCWD, file, times, 0), 0); // it looks as old
    expect(truth);
    remember(other);
    assert_int_equal(truncate(file, LARGE + 1), 0);
    char is[LMD_SHA256_HEX];
    assert_int_equal(lmd_hash_cache_sha256(file, is), LMD_OK);
    assert_string_not_equal(is, other);
    assert_int_equal(truncate(file, LARGE), 0);
}

static void a_folder_open_to_others_is_not_believed(void **state)
{
    (void)state;
    remember(other);
    expect(other);
    static const mode_t modes[] = {0701, 0710, 0777};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        assert_int_equal(chmod(entries, modes[i]), 0);
        expect(truth);
    }
    assert_int_equal(chmod(entries, 0700), 0);
    expect(other);
    char *const aside = lmd_file_join(folder, "aside");
    assert_int_equal(rename(entries, aside), 0);
    assert_int_equal(symlink(aside, entries), 0); // leads elsewhere
    expect(truth);
    remember(other);
    expect(truth);
    assert_int_equal(unlink(entries), 0);
    assert_int_equal(rename(aside, entries), 0);
    expect(other);
    lmd_memory_free(aside);
}

static void damaged_entries_are_not_believed(void **state)
{
    (void)state;
    lmd_text good = {0};
    remember(other);
    char *const entry = find_entry();
    assert_int_equal(lmd_file_read_all(entry, 10000, &good), LMD_OK);
    for (size_t i = 0; i < good.size; i++) {
        good.bytes[i] ^= 1;
        assert_int_equal(lmd_file_write(entry, good.bytes, i % 7 == 0 ? i : good.size),
                         LMD_OK);
        good.bytes[i] ^= 1;
        if (i % 16 == 0) { // each reads 16 MB
            expect(truth);
        }
    }
    assert_int_equal(lmd_file_write(entry, good.bytes, good.size), LMD_OK);
    expect(other);
    lmd_memory_free(entry);
    lmd_text_clear(&good);
}

static void small_and_missing_files_are_not_for_it(void **state)
{
    (void)state;
    char is[LMD_SHA256_HEX];
    char *const small = lmd_file_join(folder, "small");
    assert_int_equal(lmd_file_write(small, "y", 1), LMD_OK);
    lmd_hash_cache_put(small, time(NULL) + LATER, other);
    assert_int_equal(lmd_hash_cache_sha256(small, is), LMD_OK);
    assert_string_not_equal(is, other);
    assert_int_equal(unlink(small), 0);
    lmd_hash_cache_put(small, time(NULL) + LATER, other);
    assert_int_equal(lmd_hash_cache_sha256(small, is), LMD_USAGE);
    lmd_memory_free(small);
}

static void it_can_be_elsewhere_or_nowhere(void **state)
{
    (void)state;
    remember(other);
    assert_int_equal(setenv("LMDEPTH_CACHE", "off", 1), 0);
    expect(truth);
    remember(other);
    expect(truth);
    assert_int_equal(unsetenv("LMDEPTH_CACHE"), 0);
    char *const home = lmd_file_join(folder, "home");
    assert_int_equal(setenv("XDG_CACHE_HOME", home, 1), 0);
    remember(other);
    expect(other);
    char *const there = lmd_file_join(home, "lmdepth/sha256");
    assert_true(lmd_file_is_folder(there));
    assert_int_equal(setenv("XDG_CACHE_HOME", "relative", 1), 0);
    assert_int_equal(unsetenv("HOME"), 0);
    expect(truth);
    remember(other);
    expect(truth);
    lmd_memory_free(there);
    lmd_memory_free(home);
    assert_int_equal(setenv("LMDEPTH_CACHE", cache, 1), 0);
    expect(other);
}

/* Each test begins with a file and an empty cache. */
static int begin_test(void **state)
{
    (void)state;
    char *const entry = find_entry();
    if (entry) {
        (void)unlink(entry);
    }
    lmd_memory_free(entry);
    return setenv("LMDEPTH_CACHE", cache, 1);
}

static int begin(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) {
        return -1;
    }
    (void)snprintf(cache, sizeof cache, "%s/cache", folder);
    (void)snprintf(entries, sizeof entries, "%s/sha256", cache);
    (void)snprintf(file, sizeof file, "%s/large", folder);
    lmd_sha256_of("x", 1, other);
    const int made = open(file, O_WRONLY | O_CREAT, 0600);
    return ftruncate(made, LARGE) == 0 && close(made) == 0 &&
                   lmd_file_sha256(file, truth) == LMD_OK
               ? 0
               : -1;
}

/* The cache is two folders deep, so that the tree is removed in pieces. */
static int end(void **state)
{
    (void)state;
    char *const home = lmd_file_join(folder, "home/lmdepth");
    char *const parent = lmd_file_join(folder, "home");
    const bool is_gone =
        lmd_file_remove_tree(home) == LMD_OK && lmd_file_remove_tree(parent) == LMD_OK &&
        lmd_file_remove_tree(cache) == LMD_OK && lmd_file_remove_tree(folder) == LMD_OK;
    lmd_memory_free(home);
    lmd_memory_free(parent);
    return is_gone && lmd_memory_live() == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_known_is_not_read, begin_test),
        cmocka_unit_test_setup(a_changed_file_is_read, begin_test),
        cmocka_unit_test_setup(a_folder_open_to_others_is_not_believed, begin_test),
        cmocka_unit_test_setup(damaged_entries_are_not_believed, begin_test),
        cmocka_unit_test_setup(small_and_missing_files_are_not_for_it, begin_test),
        cmocka_unit_test_setup(it_can_be_elsewhere_or_nowhere, begin_test),
    };
    return cmocka_run_group_tests_name("digests", tests, begin, end);
}
