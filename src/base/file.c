/* Files by POSIX calls: pread needs no position, so threads can share one descriptor, and
 * fsync is to be had. Rename within a folder is atomic, so a reader sees the old file or
 * the whole new one; without the fsync of the folder the new name may be lost again. */
#include <lmdepth/base/file.h>

#include <dirent.h>              /* readdir */
#include <errno.h>               /* errno */
#include <fcntl.h>               /* open, posix_fadvise */
#include <limits.h>              /* PATH_MAX */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <stdio.h>               /* rename, snprintf */
#include <stdlib.h>              /* getenv */
#include <string.h>              /* strerror, strrchr */
#include <sys/stat.h>            /* fstat, mkdir */
#include <unistd.h>              /* pread, fsync */

enum { REQUEST_SIZE = 1 << 20 };

struct lmd_file {
    char *path; /* owned */
    int descriptor;
    uint64_t size;
};

/* What a caller gets when the system refuses to write. */
static lmd_status refuse(const char *path, const char *what)
{
    return lmd_status_set(LMD_RESOURCE, "%s: %s: %s", path, what, strerror(errno));
}

char *lmd_file_dead_link(const char *path)
{
    char target[PATH_MAX] = "";
    struct stat info;
    const bool is_dead = stat(path, &info) != 0 && (errno == ENOENT || errno == ENOTDIR);
    const ssize_t n = is_dead ? readlink(path, target, sizeof target) : -1;
    return n > 0 ? lmd_memory_copy_bytes(target, (size_t)n) : NULL;
}

static lmd_status refuse_to_open(const char *path)
{
    const int reason = errno;
    const bool is_missing = reason == ENOENT || reason == ENOTDIR;
    char *const target = is_missing ? lmd_file_dead_link(path) : NULL;
    const lmd_status status =
        target == NULL ? lmd_status_set(is_missing ? LMD_USAGE : LMD_INPUT, "%s: %s",
                                        path, strerror(reason))
                       : lmd_status_set(LMD_INPUT,
                                        "%s: a link to %s, which is not there (a "
                                        "download that did not end?)",
                                        path, target);
    lmd_memory_free(target);
    return status;
}

/* Opens to read. Without O_NONBLOCK a pipe that nobody writes to would hold us here. */
static lmd_status open_regular(const char *path, int *descriptor, uint64_t *size)
{
    const int opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (opened < 0) {
        return refuse_to_open(path);
    }
    struct stat info;
    lmd_status status = LMD_OK;
    if (fstat(opened, &info) != 0) {
        status = lmd_status_set(LMD_INPUT, "%s: %s", path, strerror(errno));
    } else if (!S_ISREG(info.st_mode)) {
        status = lmd_status_set(LMD_INPUT, "%s: %s, not a regular file", path,
                                S_ISDIR(info.st_mode) ? "a folder" : "a device or pipe");
    }
    if (status != LMD_OK) {
        (void)close(opened);
        return status;
    }
    *descriptor = opened;
    *size = (uint64_t)info.st_size;
    return LMD_OK;
}

lmd_status lmd_file_open(lmd_file **out, const char *path)
{
    int descriptor = -1;
    uint64_t size = 0;
    *out = NULL;
    LMD_TRY(open_regular(path, &descriptor, &size));
    lmd_file *const file = lmd_memory_new(1, sizeof *file);
    file->path = lmd_memory_copy_text(path);
    file->descriptor = descriptor;
    file->size = size;
    *out = file;
    return LMD_OK;
}

void lmd_file_close(lmd_file *file)
{
    if (file) {
        (void)close(file->descriptor);
        lmd_memory_free(file->path);
        lmd_memory_free(file);
    }
}

const char *lmd_file_path(const lmd_file *file)
{
    return file->path;
}

uint64_t lmd_file_size(const lmd_file *file)
{
    return file->size;
}

void lmd_file_expect(const lmd_file *file, uint64_t offset, uint64_t n_bytes)
{
    if (offset < file->size) {
        const uint64_t left = file->size - offset;
        (void)posix_fadvise(file->descriptor, (off_t)offset,
                            (off_t)(n_bytes < left ? n_bytes : left),
                            POSIX_FADV_WILLNEED);
    }
}

void lmd_file_expect_sequential(const lmd_file *file)
{
    (void)posix_fadvise(file->descriptor, 0, 0, POSIX_FADV_SEQUENTIAL);
}

lmd_status lmd_file_read(const lmd_file *file, uint64_t offset, void *out, size_t n_bytes)
{
    if (offset > file->size || n_bytes > file->size - offset) {
        return lmd_status_set(LMD_INPUT,
                              "%s: ends at byte %llu, but %zu bytes at %llu are needed",
                              file->path, (unsigned long long)file->size, n_bytes,
                              (unsigned long long)offset);
    }
    size_t done = 0;
    while (done < n_bytes) {
        const uint64_t at = offset + done;
        const ssize_t got =
            pread(file->descriptor, (char *)out + done, n_bytes - done, (off_t)at);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return lmd_status_set(LMD_INPUT, "%s: can't read at byte %llu: %s",
                                  file->path, (unsigned long long)at,
                                  got < 0 ? strerror(errno) : "the file became shorter");
        }
        done += (size_t)got;
    }
    return LMD_OK;
}

lmd_status lmd_file_read_all(const char *path, size_t limit, lmd_text *out)
{
    lmd_file *file;
    LMD_TRY(lmd_file_open(&file, path));
    lmd_status status;
    if (file->size > limit) {
        status = lmd_status_set(LMD_INPUT, "%s: %llu bytes, more than the %zu allowed",
                                path, (unsigned long long)file->size, limit);
    } else {
        const size_t size = (size_t)file->size;
        status = lmd_file_read(file, 0, lmd_text_reserve(out, size), size);
        if (status == LMD_OK) {
            out->size += size;
        } else {
            out->bytes[out->size] = 0;
        }
    }
    lmd_file_close(file);
    return status;
}

static lmd_status add_all(const lmd_file *file, lmd_sha256 *sha)
{
    char *const buffer = lmd_memory_new(REQUEST_SIZE, 1);
    lmd_status status = LMD_OK;
    uint64_t at = 0;
    while (status == LMD_OK && at < file->size) {
        const uint64_t left = file->size - at;
        const size_t n_bytes = left < REQUEST_SIZE ? (size_t)left : REQUEST_SIZE;
        status = lmd_file_read(file, at, buffer, n_bytes);
        if (status == LMD_OK) {
            lmd_sha256_add(sha, buffer, n_bytes);
        }
        at += n_bytes;
    }
    lmd_memory_free(buffer);
    return status;
}

lmd_status lmd_file_sha256(const char *path, char hex[LMD_SHA256_HEX])
{
    lmd_file *file;
    LMD_TRY(lmd_file_open(&file, path));
    lmd_file_expect_sequential(file);
    lmd_sha256 *const sha = lmd_sha256_new();
    const lmd_status status = add_all(file, sha);
    if (status == LMD_OK) {
        lmd_sha256_finish(sha, hex);
    }
    lmd_sha256_free(sha);
    lmd_file_close(file);
    return status;
}

bool lmd_file_exists(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

bool lmd_file_is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* Other ranks may make the same folder at the same time: that it exists is all we want.
 * Some file systems say "read-only" or "no rights" before "exists". */
static lmd_status make_folder(const char *path)
{
    if (mkdir(path, 0777) == 0) {
        return LMD_OK;
    }
    const int why = errno;
    if (lmd_file_is_folder(path)) {
        return LMD_OK;
    }
    if (why == EEXIST) {
        return lmd_status_set(LMD_USAGE, "%s: is there and is no folder", path);
    }
    errno = why; // of mkdir
    return refuse(path, "can't make this folder");
}

lmd_status lmd_file_make_folders(const char *path)
{
    char *const prefix = lmd_memory_copy_text(path);
    lmd_status status = LMD_OK;
    for (char *at = prefix; status == LMD_OK && *at; at++) {
        if (*at == '/' && at > prefix && at[-1] != '/') {
            *at = 0;
            status = make_folder(prefix);
            *at = '/';
        }
    }
    if (status == LMD_OK) {
        status = make_folder(prefix);
    }
    lmd_memory_free(prefix);
    return status;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static lmd_status remove_folder(const char *path, int levels_below);

/* `name` in the open folder: a link is removed, never followed. */
static lmd_status remove_entry(DIR *folder, const char *folder_path, const char *name,
                               int levels_below)
{
    char *const path = lmd_file_join(folder_path, name);
    struct stat info;
    lmd_status status = LMD_OK;
    if (fstatat(dirfd(folder), name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
        status = errno == ENOENT ? LMD_OK : refuse(path, "can't remove");
    } else if (!S_ISDIR(info.st_mode)) {
        if (unlinkat(dirfd(folder), name, 0) != 0 && errno != ENOENT) {
            status = refuse(path, "can't remove");
        }
    } else if (levels_below > 0) {
        status = remove_folder(path, levels_below - 1);
    } else {
        status = lmd_status_set(LMD_RESOURCE, "%s: can't remove: a folder nobody expects",
                                path);
    }
    lmd_memory_free(path);
    return status;
}

static lmd_status remove_folder(const char *path, int levels_below)
{
    DIR *const folder = opendir(path);
    if (!folder) {
        return errno == ENOENT ? LMD_OK : refuse(path, "can't remove this folder");
    }
    lmd_status status = LMD_OK;
    const struct dirent *entry;
    while (status == LMD_OK && (entry = readdir(folder)) != NULL) {
        if (!is_dots(entry->d_name)) {
            status = remove_entry(folder, path, entry->d_name, levels_below);
        }
    }
    (void)closedir(folder);
    if (status == LMD_OK && rmdir(path) != 0 && errno != ENOENT) {
        status = refuse(path, "can't remove this folder");
    }
    return status;
}

lmd_status lmd_file_remove_tree(const char *path)
{
    return remove_folder(path, 1);
}

/* A folder that we may write but not read can't be opened, and some file systems can't
 * sync one; neither makes the file worse than without the call. */
static lmd_status sync_folder_of(const char *path)
{
    char *const folder = lmd_file_folder_of(path);
    lmd_status status = LMD_OK;
    const int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0) {
        if (fsync(descriptor) != 0 && (errno == EIO || errno == ENOSPC)) {
            status = refuse(folder, "can't sync this folder");
        }
        (void)close(descriptor);
    }
    lmd_memory_free(folder);
    return status;
}

/* Syncs and closes the temporary file, then gives it its name. */
static lmd_status publish(int descriptor, const char *temporary, const char *path)
{
    const bool is_synced = fsync(descriptor) == 0;
    const int sync_error = errno;
    const bool is_closed = close(descriptor) == 0;
    if (!is_synced || !is_closed) {
        errno = is_synced ? errno : sync_error;
        return refuse(path, "can't write");
    }
    if (rename(temporary, path) != 0) {
        return refuse(path, "can't give the file its name");
    }
    return sync_folder_of(path);
}

/* How many of n_bytes the disk takes: all, but for tests that set LMDEPTH_DISK_BYTES to
 * what this process may write before the disk is "full". */
static size_t take_room(size_t n_bytes)
{
    static const char *setting;
    static int64_t left = -1;
    if (!setting) {
        setting = getenv("LMDEPTH_DISK_BYTES");
        setting = setting ? setting : "";
        (void)lmd_text_to_int64(setting, &left);
    }
    if (left < 0) {
        return n_bytes;
    }
    const size_t taken = n_bytes < (size_t)left ? n_bytes : (size_t)left;
    left -= (int64_t)taken;
    return taken;
}

static bool write_bytes(int descriptor, const char *bytes, size_t n_bytes)
{
    while (n_bytes > 0) {
        const size_t room = take_room(n_bytes);
        errno = ENOSPC;
        const ssize_t written = room > 0 ? write(descriptor, bytes, room) : -1;
        if (written < 0 && errno != EINTR) {
            return false;
        }
        if (written > 0) {
            bytes += written;
            n_bytes -= (size_t)written;
        }
    }
    return true;
}

/* In a folder where others may write, the name may be there already: as a link that leads
 * elsewhere, or as a file that its owner could change after us. */
lmd_status lmd_file_create(const char *temporary, const char *path, int *descriptor)
{
    for (int attempt = 0; attempt < 3; attempt++) {
        *descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (*descriptor >= 0) {
            return LMD_OK;
        }
        if (errno != EEXIST) {
            return refuse(path, "can't write");
        }
        if (unlink(temporary) != 0 && errno != ENOENT) {
            return refuse(temporary, "is in the way and can't be removed");
        }
    }
    errno = EEXIST;
    return refuse(path, "can't write");
}

static lmd_status write_temporary(const char *temporary, const char *path,
                                  const void *bytes, size_t n_bytes)
{
    int descriptor;
    LMD_TRY(lmd_file_create(temporary, path, &descriptor));
    if (!write_bytes(descriptor, bytes, n_bytes)) {
        const lmd_status status = refuse(path, "can't write");
        (void)close(descriptor);
        return status;
    }
    return publish(descriptor, temporary, path);
}

lmd_status lmd_file_write(const char *path, const void *bytes, size_t n_bytes)
{
    char *const temporary = lmd_file_temporary(path);
    const lmd_status status = write_temporary(temporary, path, bytes, n_bytes);
    if (status != LMD_OK) {
        (void)unlink(temporary); // after a rename there is nothing to unlink
    }
    lmd_memory_free(temporary);
    return status;
}

lmd_status lmd_file_publish(const char *temporary, const char *path)
{
    const int descriptor = open(temporary, O_RDONLY | O_CLOEXEC);
    const lmd_status status = descriptor < 0 ? refuse(temporary, "can't open")
                                             : publish(descriptor, temporary, path);
    if (status != LMD_OK) {
        (void)unlink(temporary);
    }
    return status;
}

char *lmd_file_join(const char *folder, const char *path)
{
    if (!folder || *folder == 0 || *path == '/') {
        return lmd_memory_copy_text(path);
    }
    lmd_text joined = {0};
    const bool has_slash = folder[strlen(folder) - 1] == '/';
    lmd_text_append_format(&joined, "%s%s%s", folder, has_slash ? "" : "/", path);
    return joined.bytes;
}

char *lmd_file_folder_of(const char *path)
{
    const char *end = strrchr(path, '/');
    if (!end) {
        return lmd_memory_copy_text(".");
    }
    while (end > path && end[-1] == '/') {
        end--;
    }
    return lmd_memory_copy_bytes(path, end > path ? (size_t)(end - path) : 1);
}

const char *lmd_file_name_of(const char *path)
{
    const char *const slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool lmd_file_ends_with(const char *path, const char *suffix)
{
    const size_t length = strlen(path);
    const size_t wanted = strlen(suffix);
    return length >= wanted && strcmp(path + length - wanted, suffix) == 0;
}
