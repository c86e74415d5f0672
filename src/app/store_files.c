/* The files of a job's unfinished work (design 2), in the work folder:
 *     identity              what determines the job's result, a line each: for refusing
 *                           another job by what differs
 *     state.<attempt>.<rank>   counters and packs of one rank since the attempt began,
 *                           written over and over
 *     base.<attempt>        everything that was known when the attempt began
 *     lock                  who works here (base/lock.h)
 *
 * The folder may hold other people's files: only names that are exactly ours, or the
 * temporary names of these, are ever read or removed. */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store.h"

enum { MOST_ATTEMPTS = 1000000 };

static void format_name(const lmd_saved_name *name, lmd_text *out)
{
    if (name->rank == LMD_SNAPSHOT_BASE) {
        lmd_text_append_format(out, "base.%d", name->attempt);
    } else {
        lmd_text_append_format(out, "state.%d.%d", name->attempt, name->rank);
    }
}

static bool parse_name(const char *file, lmd_saved_name *name)
{
    lmd_text right = {0};
    name->rank = LMD_SNAPSHOT_BASE;
    if (sscanf(file, "state.%d.%d", &name->attempt, &name->rank) != 2 &&
        sscanf(file, "base.%d", &name->attempt) != 1) {
        return false;
    }
    format_name(name, &right);
    const bool is_right = strcmp(right.bytes, file) == 0;
    lmd_text_clear(&right);
    return is_right && name->attempt > 0 && name->attempt <= MOST_ATTEMPTS &&
           name->rank >= LMD_SNAPSHOT_BASE;
}

char *lmd_store_path(const char *folder, const lmd_saved_name *name)
{
    lmd_text file = {0};
    format_name(name, &file);
    char *const path = lmd_file_join(folder, file.bytes);
    lmd_text_clear(&file);
    return path;
}

/* Newest attempt first; of one attempt the base first, then ranks. */
static int compare_names(const void *a, const void *b)
{
    const lmd_saved_name *const x = a;
    const lmd_saved_name *const y = b;
    if (x->attempt != y->attempt) {
        return x->attempt > y->attempt ? -1 : 1;
    }
    return (x->rank > y->rank) - (x->rank < y->rank);
}

lmd_saved_name *lmd_store_list(const char *folder, size_t *n)
{
    lmd_saved_name *names = NULL;
    size_t room = 0;
    DIR *const entries = opendir(folder);
    *n = 0;
    for (const struct dirent *entry; entries && (entry = readdir(entries));) {
        lmd_saved_name name;
        if (!parse_name(entry->d_name, &name)) {
            continue;
        }
        if (*n == room) {
            room = 2 * room + 16;
            names = lmd_memory_resize(names, room, sizeof *names);
        }
        names[(*n)++] = name;
    }
    if (entries) {
        (void)closedir(entries);
    }
    if (*n > 0) {
        qsort(names, *n, sizeof *names, compare_names);
    }
    return names;
}

void lmd_store_sweep(const char *folder)
{
    DIR *const entries = opendir(folder);
    for (const struct dirent *entry; entries && (entry = readdir(entries));) {
        lmd_saved_name name;
        const size_t length = lmd_file_length_of_final(entry->d_name);
        char *const file = lmd_memory_copy_bytes(entry->d_name, length);
        if (entry->d_name[length] != '\0' &&
            (parse_name(file, &name) || strcmp(file, LMD_STORE_IDENTITY) == 0)) {
            (void)unlinkat(dirfd(entries), entry->d_name, 0);
        }
        lmd_memory_free(file);
    }
    if (entries) {
        (void)closedir(entries);
    }
}

bool lmd_store_has_snapshots(const char *folder)
{
    size_t n;
    lmd_memory_free(lmd_store_list(folder, &n));
    return n > 0;
}

lmd_status lmd_store_clear(const char *folder)
{
    size_t n;
    lmd_saved_name *const names = lmd_store_list(folder, &n);
    lmd_status status = LMD_OK;
    for (size_t i = 0; i < n && status == LMD_OK; i++) {
        char *const path = lmd_store_path(folder, &names[i]);
        if (unlink(path) != 0 && errno != ENOENT) {
            status = lmd_status_set(LMD_RESOURCE, "%s: can't be removed: %s", path,
                                    strerror(errno));
        }
        lmd_memory_free(path);
    }
    lmd_memory_free(names);
    char *const identity = lmd_file_join(folder, LMD_STORE_IDENTITY);
    (void)unlink(identity);
    lmd_memory_free(identity);
    lmd_store_sweep(folder);
    return status;
}
