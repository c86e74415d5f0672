/* Names of files until they are whole: "<path>.tmp.<host>.<process>". The name tells who
 * writes, so that what a killed process has left can be told from what is being written.
 */
#include <lmdepth/base/file.h>

#include <dirent.h> /* readdir */
#include <errno.h>  /* errno */
#include <limits.h> /* HOST_NAME_MAX */
#include <signal.h> /* kill */
#include <stdio.h>  /* snprintf */
#include <stdlib.h> /* strtol */
#include <string.h> /* strstr */
#include <unistd.h> /* gethostname, unlinkat */
#include <lmdepth/base/memory.h>

enum { HOST_SIZE = 48 };

static const char temporary_mark[] = ".tmp.";
static const char host_letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "0123456789-_";
static const char digits[] = "0123456789";

/* Up to the first dot; without what a name should not hold. */
static void name_host(char host[HOST_SIZE])
{
    char name[HOST_NAME_MAX + 1] = "";
    (void)gethostname(name, sizeof name - 1);
    name[strcspn(name, ".")] = 0;
    (void)snprintf(host, HOST_SIZE, "%.*s", HOST_SIZE - 1, *name ? name : "_");
    for (char *c = host; *c; c++) {
        *c = strchr(host_letters, *c) ? *c : '_';
    }
}

char *lmd_file_temporary(const char *path)
{
    char host[HOST_SIZE];
    lmd_text name = {0};
    name_host(host);
    lmd_text_append_format(&name, "%s%s%s.%ld", path, temporary_mark, host,
                           (long)getpid());
    return name.bytes;
}

size_t lmd_file_length_of_final(const char *name)
{
    const char *mark = NULL;
    for (const char *at = name; (at = strstr(at, temporary_mark)) != NULL; at++) {
        mark = at;
    }
    if (mark) {
        const char *const host = mark + sizeof temporary_mark - 1;
        const size_t n_host = strspn(host, host_letters);
        const size_t n_digits =
            host[n_host] == '.' ? strspn(host + n_host + 1, digits) : 0;
        if (n_host > 0 && n_digits > 0 && host[n_host + 1 + n_digits] == 0) {
            return (size_t)(mark - name);
        }
    }
    return strlen(name);
}

/* The end of a temporary name: of this host, and of a process that is gone? */
static bool is_left_here(const char *end)
{
    char host[HOST_SIZE];
    name_host(host);
    const char *const of = end + sizeof temporary_mark - 1;
    const size_t n_host = strlen(host);
    if (strncmp(of, host, n_host) != 0 || of[n_host] != '.') {
        return false;
    }
    errno = 0;
    const long process = strtol(of + n_host + 1, NULL, 10);
    return errno == 0 && process > 0 && process <= INT_MAX &&
           kill((pid_t)process, 0) != 0 && errno == ESRCH;
}

int lmd_file_sweep(const char *path)
{
    char *const folder = lmd_file_folder_of(path);
    const char *const name = lmd_file_name_of(path);
    const size_t length = strlen(name);
    DIR *const entries = opendir(folder);
    int n_left = 0;
    for (const struct dirent *entry; entries && (entry = readdir(entries)) != NULL;) {
        const char *const found = entry->d_name;
        if (lmd_file_length_of_final(found) != length || found[length] == 0 ||
            strncmp(found, name, length) != 0) {
            continue;
        }
        const bool is_removed =
            is_left_here(found + length) && unlinkat(dirfd(entries), found, 0) == 0;
        n_left += !is_removed;
    }
    if (entries) {
        (void)closedir(entries);
    }
    lmd_memory_free(folder);
    return n_left;
}
