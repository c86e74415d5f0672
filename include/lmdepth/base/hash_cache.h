/* Digests of large files, remembered from run to run, so that a model or corpus is not
 * read once more at every start only to say what it is.
 *
 * They lie in $LMDEPTH_CACHE ("off": nowhere), else $XDG_CACHE_HOME/lmdepth, else
 * ~/.cache/lmdepth, a small file each. One counts while path, inode, size, and the times
 * of the last change of contents and of inode (which no program can set) are the same.
 * The folder must be ours and closed to others. Where anything is wrong with it, files
 * are simply read. */
#ifndef LMDEPTH_BASE_HASH_CACHE_H
#define LMDEPTH_BASE_HASH_CACHE_H

#include <time.h>                /* time_t */
#include <lmdepth/base/hash.h>   /* LMD_SHA256_HEX */
#include <lmdepth/base/status.h> /* lmd_status */

/* As lmd_file_sha256, which is called for what is not known. */
lmd_status lmd_hash_cache_sha256(const char *path, char hex[LMD_SHA256_HEX]);

/* Remembers a digest of bytes that were read since then, if the file has been as it is
 * for a while before. */
void lmd_hash_cache_put(const char *path, time_t since, const char hex[LMD_SHA256_HEX]);

#endif
