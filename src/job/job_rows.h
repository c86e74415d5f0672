/* The rows of keys.def and what a job remembers beside its values. */
#ifndef LMDEPTH_JOB_ROWS_H
#define LMDEPTH_JOB_ROWS_H

#include <stddef.h>      /* size_t */
#include <stdint.h>      /* int64_t */
#include <lmdepth/job.h> /* lmd_job */

typedef enum job_type {
    JOB_TEXT,
    JOB_CHOICE,
    JOB_INT,
    JOB_REAL,
    JOB_WORDS, /* a list, kept as "a,b" */
    JOB_POSITIONS,
    JOB_STATES,
    JOB_PATH,
    JOB_MODEL,
    JOB_GLOB,
    JOB_SOURCES,
    JOB_LENSES,
    JOB_TYPE_COUNT
} job_type;

typedef struct job_domain {
    const char *words; /* separated by spaces; NULL: any */
    int64_t low;
    int64_t high;
} job_domain;

typedef struct job_row {
    const char *name;
    job_type type;
    size_t member;        /* offset in lmd_job, lmd_job_source or lmd_job_lens */
    const char *fallback; /* NULL: required; job_optional: may be missing */
    job_domain domain;
    const char *help;
} job_row;

typedef struct job_table {
    const char *prefix; /* "corpus." */
    const job_row *rows;
    int n_rows;
} job_table;

extern const char job_optional[];
extern const job_table job_keys;
extern const job_table job_source_keys;
extern const job_table job_lens_keys;

/* Where a value came from and, for a path, how it was written. */
typedef struct job_entry {
    char *where;   /* owned; NULL: the default */
    char *written; /* owned; NULL but for paths */
} job_entry;

/* What an lmd_job really is. */
typedef struct job_record {
    lmd_job job;               /* first, so that a pointer to it is one to the record */
    job_entry *entries;        /* owned (job_keys.n_rows) */
    job_entry *source_entries; /* owned (n_sources, job_source_keys.n_rows) */
    job_entry *lens_entries;   /* owned (n_lenses, job_lens_keys.n_rows) */
} job_record;

static inline const job_record *job_record_of(const lmd_job *job)
{
    return (const job_record *)job;
}

/* Row number of a key's name, -1 when there is none. */
int job_table_find(const job_table *table, const char *name);

/* The key, or section of keys, nearest to an unknown name; false when none is near. */
typedef struct job_nearest {
    char text[64];
} job_nearest;

bool job_table_nearest(const job_table *table, const char *name, job_nearest *nearest);

#endif
