/* Takes a spool away and nothing else: a work folder may be any folder that a user has
 * named, so only files that this room has written are removed, by their names. */
#include <ctype.h>  /* isdigit */
#include <dirent.h> /* opendir */
#include <errno.h>  /* errno */
#include <string.h> /* strncmp */
#include <unistd.h> /* unlink */
#include <lmdepth/base/file.h>
#include <lmdepth/base/memory.h>
#include <lmdepth/corpus.h>
#include "chunk.h"

static const char *skip_digits(const char *text)
{
    while (isdigit((unsigned char)*text)) {
        text++;
    }
    return text;
}

/* "chunk.<unit>.<stretch>" or the index; or what such a file is called until it is whole.
 */
static bool is_ours(const char *name)
{
    static const char chunk[] = "chunk.";
    const size_t length = lmd_file_length_of_final(name);
    if (length == sizeof LMD_SPOOL_INDEX - 1 &&
        strncmp(name, LMD_SPOOL_INDEX, length) == 0) {
        return true;
    }
    if (strncmp(name, chunk, sizeof chunk - 1) != 0) {
        return false;
    }
    const char *const unit_end = skip_digits(name + sizeof chunk - 1);
    return *unit_end == '.' && isdigit((unsigned char)unit_end[1]) &&
           skip_digits(unit_end + 1) == name + length;
}

/* Is it a chunk that was made with this key? */
static bool has_key(const char *folder, const char *name, uint64_t key)
{
    lmd_file *file = NULL;
    chunk_head head;
    char *const path = lmd_file_join(folder, name);
    const bool has = strncmp(name, "chunk.", 6) == 0 &&
                     name[lmd_file_length_of_final(name)] == 0 &&
                     lmd_file_open(&file, path) == LMD_OK &&
                     chunk_read_head(file, &head) == LMD_OK && head.key == key;
    lmd_file_close(file);
    lmd_memory_free(path);
    return has;
}

/* Removes our files, but for chunks of the key (0: none). */
static lmd_status remove_ours(const char *path, uint64_t key)
{
    DIR *const folder = opendir(path);
    if (!folder) {
        return errno == ENOENT ? LMD_OK
                               : lmd_status_set(LMD_RESOURCE, "%s: can't be read: %s",
                                                path, strerror(errno));
    }
    lmd_status status = LMD_OK;
    for (const struct dirent *entry; status == LMD_OK && (entry = readdir(folder));) {
        if (is_ours(entry->d_name) && !(key != 0 && has_key(path, entry->d_name, key)) &&
            unlinkat(dirfd(folder), entry->d_name, 0) != 0) {
            status = lmd_status_set(LMD_RESOURCE, "%s/%s: can't be removed: %s", path,
                                    entry->d_name, strerror(errno));
        }
    }
    (void)closedir(folder);
    return status;
}

lmd_status lmd_spool_clear(const char *path)
{
    const lmd_status status = remove_ours(path, 0);
    (void)rmdir(path); // stays when it holds anything of somebody else's
    return status;
}

lmd_status lmd_spool_sweep(const char *path, uint64_t key)
{
    return remove_ours(path, key);
}
