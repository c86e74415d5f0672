/* Files that are checked: read-only input with every range held against the size, and
 * output that appears whole or not at all. Messages name the path. */
#ifndef LMDEPTH_BASE_FILE_H
#define LMDEPTH_BASE_FILE_H

#include <stdbool.h>             /* bool */
#include <stddef.h>              /* size_t */
#include <stdint.h>              /* uint64_t */
#include <lmdepth/base/hash.h>   /* LMD_SHA256_HEX */
#include <lmdepth/base/status.h> /* lmd_status */
#include <lmdepth/base/text.h>   /* lmd_text */

typedef struct lmd_file lmd_file;

/* Opens a regular file to read. LMD_USAGE when it does not exist (the job named what is
 * not there), LMD_INPUT when it can't be read or is a folder. */
lmd_status lmd_file_open(lmd_file **out, const char *path);
void lmd_file_close(lmd_file *file); /* accepts NULL */
const char *lmd_file_path(const lmd_file *file);
uint64_t lmd_file_size(const lmd_file *file);

/* Exactly n_bytes from `offset`; LMD_INPUT with path and byte when the file is shorter.
 * Safe from several threads. */
lmd_status lmd_file_read(const lmd_file *file, uint64_t offset, void *out,
                         size_t n_bytes);

/* Tells the system that these bytes will be read soon, so that the disk works while the
 * caller does. They need not exist. */
void lmd_file_expect(const lmd_file *file, uint64_t offset, uint64_t n_bytes);

/* Tells the system that the file will be read once from front to end. */
void lmd_file_expect_sequential(const lmd_file *file);

/* A whole file of at most `limit` bytes, appended to `out`. Statuses as open; larger:
 * LMD_INPUT. */
lmd_status lmd_file_read_all(const char *path, size_t limit, lmd_text *out);

/* Digest of a whole file, read once in large sequential requests. */
lmd_status lmd_file_sha256(const char *path, char hex[LMD_SHA256_HEX]);

/* Has anything this name, be it a link that leads nowhere? Who then reads gets a message
 * that says so. */
bool lmd_file_exists(const char *path);

/* Where a link leads that leads nowhere, the caller's; NULL for all else. */
char *lmd_file_dead_link(const char *path);
bool lmd_file_is_folder(const char *path);

/* Makes a folder and its parents. LMD_USAGE when a file is in the way, LMD_RESOURCE when
 * it can't. */
lmd_status lmd_file_make_folders(const char *path);

/* Removes a folder of plain files (no subfolders deeper than one level of plain files);
 * what is not there is no error. */
lmd_status lmd_file_remove_tree(const char *path);

/* Writes a file whole: temporary name in the same folder, fsync, rename, fsync of the
 * folder. LMD_RESOURCE when disk or rights do not allow; nothing is left then. */
lmd_status lmd_file_write(const char *path, const void *bytes, size_t n_bytes);

/* The name under which `path` is written until it is whole: of this host and process, so
 * that two that share the folder never meet. The caller's. */
char *lmd_file_temporary(const char *path);

/* How long the name of a file is without the end that lmd_file_temporary gives; all of it
 * when that is no temporary name. For those who clear up what killed processes left. */
size_t lmd_file_length_of_final(const char *name);

/* Removes what processes of this host that are gone have left of writes of `path`, and
 * returns how many such files stay: those of other hosts, where nobody here can tell, and
 * of processes that live. */
int lmd_file_sweep(const char *path);

/* Makes that file, empty and new: what had its name before is removed, and where that is
 * another's, or a link, it is neither followed nor written to. LMD_RESOURCE, in the words
 * of `path`, when that can't be. */
lmd_status lmd_file_create(const char *temporary, const char *path, int *descriptor);

/* The end of such a write for a file somebody else (NetCDF) has written to `temporary`:
 * fsync, rename, fsync of the folder. */
lmd_status lmd_file_publish(const char *temporary, const char *path);

/* Path helpers; results are owned by the caller. join: `path` alone when it is absolute
 * or `folder` is "" or NULL. folder_of: "." when there is none. */
char *lmd_file_join(const char *folder, const char *path);
char *lmd_file_folder_of(const char *path);
const char *lmd_file_name_of(const char *path); /* points into `path` */
bool lmd_file_ends_with(const char *path, const char *suffix);

#endif
