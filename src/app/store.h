/* What the parts of the store share (app.h tells what it is for): store_files.c knows its
 * files, store_identity.c refuses another job's, store_view.c tells people of them,
 * store_resume.c begins an attempt with them, and snapshots.c is the attempt. */
#ifndef LMDEPTH_APP_STORE_H
#define LMDEPTH_APP_STORE_H

#include "app.h"

struct lmd_store {
    lmd_session *session; /* borrowed */
    char *folder;         /* owned */
    char fingerprint[LMD_SHA256_HEX];
    int attempt; /* this one, from 1 */
    int64_t n_packs;
    int64_t *done;     /* owned (words): packs of earlier attempts, at every rank */
    int64_t *mine;     /* owned (words): packs of this rank in this attempt */
    bool has_base;     /* base.<attempt> is there */
    lmd_effort before; /* of earlier attempts */
    char *story;       /* owned: of earlier attempts; the root's */
    char *line;        /* owned: of this attempt */
};

/* ---- store_files.c ---- */

/* A snapshot's file: "state.<attempt>.<rank>", or "base.<attempt>", whose rank is
 * LMD_SNAPSHOT_BASE. */
typedef struct lmd_saved_name {
    int attempt, rank;
} lmd_saved_name;

/* Caller frees. */
char *lmd_store_path(const char *folder, const lmd_saved_name *name);

/* All snapshots of the folder, newest attempt first; of one attempt the base first, then
 * ranks. Caller frees; NULL when there are none. */
lmd_saved_name *lmd_store_list(const char *folder, size_t *n);

/* With the lock held: removes what a process that was killed while it wrote has left of
 * one of our files. */
void lmd_store_sweep(const char *folder);

/* ---- store_identity.c ---- */

/* Leaves what determines the job, for the next attempt. */
lmd_status lmd_store_write_identity(const char *folder, const char *identity);

/* ---- store_resume.c ---- */

/* Collective. Sums the files of earlier attempts, writes the sum as this one's base and
 * removes what went into it. The counters are scratch, and zero afterwards. */
lmd_status lmd_store_resume(lmd_store *store, lmd_counters *counters,
                            const lmd_saved_name *names, size_t n);

void lmd_store_add_effort(lmd_effort *sum, const lmd_effort *more);

#endif
