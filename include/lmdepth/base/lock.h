/* A lock file: one program at a time works in a folder, also across hosts, kills and
 * restarts. It says who holds it (host, process, Slurm job) and when it last gave a sign
 * of life; a thread of its own renews that each minute. */
#ifndef LMDEPTH_BASE_LOCK_H
#define LMDEPTH_BASE_LOCK_H

#include <stdbool.h>             /* bool */
#include <lmdepth/base/status.h> /* lmd_status */
#include <lmdepth/base/text.h>   /* lmd_text */

typedef struct lmd_lock lmd_lock;

/* Takes the lock `path`, whose folder must exist. A lock that is there counts as held
 * unless its holder is gone: on this host, when the process is; from another host, when
 * it has given no sign of life for five minutes, or names the Slurm job that we are (a
 * requeued job starts again on other nodes). LMD_USAGE, with the holder, when it is held;
 * LMD_RESOURCE when the file can't be written. */
lmd_status lmd_lock_take(lmd_lock **out, const char *path);

/* Who holds the lock `path`, for people, appended: "process 12 on n017, Slurm job 77
 * (last sign of life 5 s ago)". False when there is none, or its holder is gone. */
bool lmd_lock_describe(const char *path, lmd_text *who);

/* Gives it back and removes the file, if it is still ours. Accepts NULL. */
void lmd_lock_release(lmd_lock *lock);

/* Has somebody else taken it over, because this process stood still for too long? */
bool lmd_lock_is_lost(const lmd_lock *lock);

#endif
