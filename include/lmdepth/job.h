/* Room job: the job file (YAML), checked against one table of keys.
 *
 * The table (src/job/keys.def: name, type, default, one line of help) serves the parser,
 * --set, `check`, `run --help-job` and the man page. A job is immutable once read.
 */
#ifndef LMDEPTH_JOB_H
#define LMDEPTH_JOB_H

#include <stdbool.h>             /* bool */
#include <stddef.h>              /* size_t */
#include <stdint.h>              /* int64_t */
#include <lmdepth/base/status.h> /* lmd_status */
#include <lmdepth/base/text.h>   /* lmd_text */

typedef struct lmd_job_source {
    char *path; /* glob, relative to the current folder (resolved) */
    char *format;
    char *field;
    char *group;       /* NULL: not given */
    char *group_field; /* NULL: not given */
    char *where;       /* "demo.yaml:7" */
} lmd_job_source;

typedef struct lmd_job_lens {
    char *kind;
    char *path;  /* NULL: not given; resolved */
    char *index; /* trained paper; NULL: not given */
    char *name;  /* NULL: not given */
    char *where;
} lmd_job_lens;

/* Effective values, defaults filled in. Owned by the job. Relative paths were resolved
 * against the job file's folder (or the current folder when they came from --set or -o).
 */
typedef struct lmd_job {
    char *path; /* of the job file */
    char *title;
    char *model_path; /* as given if it is org/name[@revision] and no such file exists */
    char *precision;  /* "f32" or "bf16" */
    char *tokenizer;  /* "auto" or a resolved path */
    lmd_job_source *sources;
    int n_sources;
    char *bos;       /* auto always never */
    int64_t length;  /* 0: default */
    char *when_long; /* split head tail skip */
    double sample;
    int64_t limit;
    char *positions; /* "all", "last", "every 8", "sample 0.1" */
    int64_t skip;
    char *states; /* "all" or a list of indices and ranges */
    lmd_job_lens *lenses;
    int n_lenses;
    char *metrics; /* comma-separated, as given */
    int64_t folds;
    char *frequency_from; /* "corpus" or a resolved path */
    char *specials;       /* drop keep */
    int64_t pack_tokens;
    int64_t seed;
    char *output; /* resolved */
} lmd_job;

/* An override: "observe.metrics=bucket,onset" (--set) or the output of -o. */
typedef struct lmd_job_override {
    const char *key;
    const char *value;
    const char *where; /* "--set", "-o" */
} lmd_job_override;

/* Reads and checks a job file. LMD_USAGE with file, line, key and what would be right,
 * for whatever is wrong with it, a missing file included; LMD_INPUT when it exists and
 * can't be read (a folder). */
lmd_status lmd_job_read(lmd_job **out, const char *path,
                        const lmd_job_override *overrides, int n_overrides);

/* The same for a job that is in memory; `path` is its name in messages and gives the
 * folder that its relative paths are relative to. */
lmd_status lmd_job_parse(lmd_job **out, const char *path, const char *bytes,
                         size_t n_bytes, const lmd_job_override *overrides,
                         int n_overrides);
void lmd_job_free(lmd_job *job); /* accepts NULL */

/* "file:line" of a key ("prompts.length") for later complaints; the file alone when the
 * key has its default. Borrowed from the job. */
const char *lmd_job_where(const lmd_job *job, const char *key);

/* The effective job without `output`, as YAML that reads back to the same job (paths as
 * they were written in the file, so that a result does not depend on where it was made),
 * appended. */
void lmd_job_write(const lmd_job *job, lmd_text *out);

/* The table of keys for people, with defaults, appended. */
void lmd_job_help(lmd_text *out);

/* ---- values that are small languages; pure ---- */

typedef enum lmd_positions_kind {
    LMD_POSITIONS_ALL,
    LMD_POSITIONS_LAST,
    LMD_POSITIONS_EVERY,
    LMD_POSITIONS_SAMPLE
} lmd_positions_kind;

typedef struct lmd_positions {
    lmd_positions_kind kind;
    int64_t every;
    double share;
} lmd_positions;

/* LMD_USAGE with what would be right. */
lmd_status lmd_job_parse_positions(const char *text, lmd_positions *out);

/* States "all" or "0-30, -1" of a model with N blocks: ascending indices into states
 * (N + 1), *L of them, the last always N. LMD_USAGE out of range. */
lmd_status lmd_job_parse_states(const char *text, int N, int32_t *states, int *L);

#endif
