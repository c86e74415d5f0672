/* A digest lies in <folder>/sha256/<32 letters of the sha256 of the file's real path>:
 *
 *     lmdepth digest 1
 *     file <size> <inode> <seconds>.<nanoseconds>, twice: contents and inode changed
 *     path <real path>
 *     sha256 <digest>
 *     check <sha256 of the above>
 *
 * All but the digest is written anew from what stat says and compared as it is. A file
 * that was changed within a minute before it was read is not remembered: clocks of file
 * servers differ, and their ticks may be too coarse to tell two writes apart. */
#include <lmdepth/base/hash_cache.h>

#include <ctype.h>  /* isxdigit */
#include <fcntl.h>  /* open */
#include <stdlib.h> /* getenv, realpath */
#include <string.h> /* memcmp */
#include <sys/stat.h>
#include <unistd.h>
#include <lmdepth/base/file.h>
#include <lmdepth/base/memory.h>
#include <lmdepth/base/text.h>

enum {
    SMALL = 16 << 20, /* bytes that are read as fast as an entry is found */
    QUIET_SECONDS = 60,
    NAME_LETTERS = 32,
    LARGEST = 16 << 10, /* bytes of an entry: a path has 4096 */
    HEX = LMD_SHA256_HEX - 1
};

/* ---- where ---- */

/* NULL: nowhere. Caller frees. */
static char *name_folder(void)
{
    const char *const own = getenv("LMDEPTH_CACHE");
    const char *const cache = getenv("XDG_CACHE_HOME");
    const char *const home = getenv("HOME");
    if (own && *own) {
        return *own == '/' ? lmd_file_join(own, "sha256") : NULL;
    }
    if (cache && *cache == '/') {
        return lmd_file_join(cache, "lmdepth/sha256");
    }
    return home && *home == '/' ? lmd_file_join(home, ".cache/lmdepth/sha256") : NULL;
}

/* Makes it where it is missing. */
static bool is_private(const char *folder, bool makes)
{
    struct stat info;
    if (makes) {
        char *const up = lmd_file_folder_of(folder);
        if (lmd_file_make_folders(up) == LMD_OK) {
            (void)mkdir(folder, 0700);
        }
        lmd_memory_free(up);
    }
    return lstat(folder, &info) == 0 && S_ISDIR(info.st_mode) &&
           info.st_uid == geteuid() && (info.st_mode & 077) == 0;
}

/* ---- an entry ---- */

typedef struct cache_entry {
    char *path;    /* owned: of the entry */
    lmd_text head; /* owned: all before the digest */
    struct stat info;
} cache_entry;

static void clear(cache_entry *entry)
{
    lmd_memory_free(entry->path);
    lmd_text_clear(&entry->head);
}

/* False when the file is not one to remember. */
static bool describe(const char *path, const char *folder, cache_entry *entry)
{
    char hex[LMD_SHA256_HEX];
    char name[NAME_LETTERS + 1] = "";
    char *const real = realpath(path, NULL);
    *entry = (cache_entry){0};
    if (!real || stat(real, &entry->info) != 0 || !S_ISREG(entry->info.st_mode) ||
        entry->info.st_size < SMALL) {
        free(real);
        return false;
    }
    const struct stat *const info = &entry->info;
    lmd_text_append_format(
        &entry->head,
        "lmdepth digest 1\nfile %lld %llu %lld.%09ld %lld.%09ld\npath %s\nsha256 ",
        (long long)info->st_size, (unsigned long long)info->st_ino,
        (long long)info->st_mtim.tv_sec, info->st_mtim.tv_nsec,
        (long long)info->st_ctim.tv_sec, info->st_ctim.tv_nsec, real);
    lmd_sha256_of(real, strlen(real), hex);
    memcpy(name, hex, NAME_LETTERS);
    entry->path = lmd_file_join(folder, name);
    free(real);
    return true;
}

/* The lines behind the head. */
static void append_digest(const cache_entry *entry, const char *hex, lmd_text *out)
{
    char check[LMD_SHA256_HEX];
    lmd_text_append(out, entry->head.bytes, entry->head.size);
    lmd_text_append_format(out, "%.*s\n", HEX, hex);
    lmd_sha256_of(out->bytes, out->size, check);
    lmd_text_append_format(out, "check %s\n", check);
}

static bool is_digest(const char *hex)
{
    int n = 0;
    while (n < HEX && isxdigit((unsigned char)hex[n])) {
        n++;
    }
    return n == HEX;
}

/* Is the digest known, and of the file as it is? */
static bool find(const cache_entry *entry, char hex[LMD_SHA256_HEX])
{
    lmd_text is = {0};
    lmd_text should = {0};
    const size_t at = entry->head.size;
    bool is_known = lmd_file_exists(entry->path) &&
                    lmd_file_read_all(entry->path, LARGEST, &is) == LMD_OK &&
                    is.size > at + HEX && is_digest(is.bytes + at);
    if (is_known) {
        append_digest(entry, is.bytes + at, &should);
        is_known = is.size == should.size && memcmp(is.bytes, should.bytes, is.size) == 0;
    }
    if (is_known) {
        memcpy(hex, is.bytes + at, HEX);
        hex[HEX] = 0;
    }
    lmd_text_clear(&is);
    lmd_text_clear(&should);
    return is_known;
}

static bool is_quiet(const struct stat *info, time_t since)
{
    const time_t latest = info->st_mtim.tv_sec > info->st_ctim.tv_sec
                              ? info->st_mtim.tv_sec
                              : info->st_ctim.tv_sec;
    return difftime(since, latest) > QUIET_SECONDS;
}

void lmd_hash_cache_put(const char *path, time_t since, const char hex[LMD_SHA256_HEX])
{
    cache_entry entry = {0};
    char *const folder = name_folder();
    if (folder && describe(path, folder, &entry) && is_quiet(&entry.info, since) &&
        is_private(folder, true)) {
        lmd_text text = {0};
        append_digest(&entry, hex, &text);
        (void)lmd_file_write(entry.path, text.bytes, text.size);
        lmd_text_clear(&text);
    }
    clear(&entry);
    lmd_memory_free(folder);
}

lmd_status lmd_hash_cache_sha256(const char *path, char hex[LMD_SHA256_HEX])
{
    cache_entry entry = {0};
    char *const folder = name_folder();
    const bool is_known = folder && is_private(folder, false) &&
                          describe(path, folder, &entry) && find(&entry, hex);
    clear(&entry);
    lmd_memory_free(folder);
    if (is_known) {
        return LMD_OK;
    }
    const time_t since = time(NULL);
    LMD_TRY(lmd_file_sha256(path, hex));
    lmd_hash_cache_put(path, since, hex);
    return LMD_OK;
}
