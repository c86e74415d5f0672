/* The parts of `lmdepth merge`: cmd_merge.c drives, merge_results.c sums results,
 * merge_kind.c tells whether they may be summed, merge_jobs.c what they hold, and
 * merge_counts.c sums frequency files. */
#ifndef LMDEPTH_APP_MERGE_H
#define LMDEPTH_APP_MERGE_H

#include "app.h"

typedef struct lmd_merge {
    char **paths; /* (n) borrowed */
    int n;
    const char *output;
    bool is_forced; /* the same input twice */
    bool is_fresh;  /* replaces what is there */
    const char *command_line;
} lmd_merge;

lmd_status lmd_merge_results(const lmd_merge *merge);
lmd_status lmd_merge_counts(const lmd_merge *merge);

/* ---- merge_kind.c ---- */

/* Is it a result that this program can sum? Sets its metrics, which are appended to
 * `metrics`. LMD_INPUT. */
lmd_status lmd_merge_check_result(lmd_stored *stored, lmd_text *metrics);

/* Do both count the same things of the same model? LMD_USAGE with the first difference.
 */
lmd_status lmd_merge_check_kind(const lmd_stored *first, const lmd_stored *other);

/* ---- merge_jobs.c ---- */

/* A part of a job and the file that brings it. */
typedef struct lmd_held_part {
    int part, file;
} lmd_held_part;

/* What is known of one job. The same part can be there twice (--force). */
typedef struct lmd_merged_job {
    char *fingerprint;   /* owned: of the whole job */
    char *text;          /* owned: the job file */
    char *inputs;        /* owned: lines of lmdepth_inputs */
    int parts;           /* 1: the whole job */
    lmd_held_part *held; /* owned (n_held), ascending once settled */
    int n_held;
} lmd_merged_job;

typedef struct lmd_merged_jobs {
    char *const *paths;   /* borrowed: names of the files */
    lmd_merged_job *list; /* owned */
    int n;
} lmd_merged_jobs;

/* Adds what file number `file` holds. LMD_INPUT: its attributes are damaged. LMD_USAGE,
 * unless forced: a part that another file holds too. */
lmd_status lmd_merged_jobs_add(lmd_merged_jobs *jobs, const lmd_stored *stored, int file,
                               bool is_forced);

/* LMD_USAGE when two jobs of different files have read the same input. */
lmd_status lmd_merged_jobs_check_inputs(const lmd_merged_jobs *jobs);

/* Jobs whose parts are all there become whole; the order no longer depends on that of the
 * files. */
void lmd_merged_jobs_settle(lmd_merged_jobs *jobs);
void lmd_merged_jobs_clear(lmd_merged_jobs *jobs);

/* "0/1", "0,2/3". */
void lmd_merged_job_append_parts(const lmd_merged_job *job, lmd_text *out);

/* Fingerprint of the sum. Caller frees. */
char *lmd_merged_jobs_fingerprint(const lmd_merged_jobs *jobs);

/* Appends the value of an attribute that has an entry for each job; false when `name` is
 * none of these. */
bool lmd_merged_jobs_append(const lmd_merged_jobs *jobs, const char *name, lmd_text *out);

#endif
