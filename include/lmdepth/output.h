/* Room output: the result file (NetCDF-4, interface 2) from the metrics' schemas.
 *
 * Written by the root rank: to a temporary name, closed, synced, renamed. int64 counts
 * have no _FillValue; derived means are NaN without members; text attributes are plain
 * text.
 */
#ifndef LMDEPTH_OUTPUT_H
#define LMDEPTH_OUTPUT_H

#include <stdbool.h>             /* bool */
#include <stdint.h>              /* int64_t */
#include <stdio.h>               /* FILE */
#include <lmdepth/base/hash.h>   /* LMD_SHA256_HEX */
#include <lmdepth/base/status.h> /* lmd_status */
#include <lmdepth/base/text.h>   /* lmd_text */
#include <lmdepth/metric.h>      /* lmd_counters */

/* A global text attribute. */
typedef struct lmd_attribute {
    const char *name;
    const char *value;
} lmd_attribute;

/* Everything a result file holds; all borrowed. */
typedef struct lmd_result {
    lmd_counters *counters;    /* reduced; carried by the writer */
    const char *const *groups; /* names in byte order, counters' `groups` many */
    const char *const *lenses;
    const char *const *fates; /* flag_meanings of dimension fate */
    int n_fates;
    const int64_t *record_count; /* (group, fate) */
    int64_t special_string_count;
    const int64_t *token_count;      /* (V) */
    const int32_t *token_rank;       /* (V), 0: unranked */
    const lmd_attribute *attributes; /* in the order in which they are written */
    int n_attributes;
} lmd_result;

/* LMD_RESOURCE when the file can't be written; nothing is left then, an older file at
 * `path` is untouched. The folder must exist and have room for the result uncompressed.
 */
lmd_status lmd_output_write(const char *path, const lmd_result *result);

/* One global text attribute of a file. *found false when it has none by that name.
 * LMD_USAGE: no such file. LMD_INPUT: not a NetCDF file. */
lmd_status lmd_output_read_attribute(const char *path, const char *name, lmd_text *value,
                                     bool *found);

/* Holds two result files against each other: dimensions, variables, their attributes and
 * values, global attributes but history, date_* and lmdepth_run_*. rtol 0: equal bits,
 * NaN equals NaN; above: |a - b| <= rtol max(|a|, |b|) for floating-point variables and
 * counts alike, the limbs of an exact sum taken as the one number they stand for. Appends
 * a line for the first difference of each variable or attribute to `differences`; *equal
 * when there is none. */
lmd_status lmd_output_compare(const char *a, const char *b, double rtol, bool *equal,
                              lmd_text *differences);

/* ---- results read back, to be summed ---- */

/* What a result file holds, but for its counts: what must fit before they are added. */
typedef struct lmd_stored {
    char *path;              /* owned */
    lmd_metric_setup setup;  /* its arrays are the members below; `bands` is NULL, and
                                `metrics` for the caller to set */
    char **groups;           /* owned (setup.groups), in byte order */
    char **lenses;           /* owned (setup.lenses) */
    int32_t *states, *edges; /* owned */
    char *fates;             /* owned: flag_meanings of dimension fate */
    int n_fates;
    lmd_attribute *attributes; /* owned, names and values as well: the texts */
    int n_attributes;
    size_t most_bytes; /* more than such a file can hold when it is unpacked */
} lmd_stored;

/* LMD_USAGE: no such file. LMD_INPUT, with file and variable: damaged, or no result. */
lmd_status lmd_stored_open(lmd_stored **out, const char *path);
void lmd_stored_close(lmd_stored *stored); /* accepts NULL */

/* The value of an attribute; NULL when there is none. */
const char *lmd_stored_attribute(const lmd_stored *stored, const char *name);

/* With setup.metrics set: can the file hold counters of these dimensions? LMD_INPUT for a
 * metric that there is not, too. */
lmd_status lmd_stored_check(const lmd_stored *stored);

/* The frequency table (setup.V). */
lmd_status lmd_stored_read_tokens(const lmd_stored *stored, int64_t *counts,
                                  int32_t *ranks);

/* Adds all counts of the file. `counters` has the file's setup but for the groups, of
 * which the file's number g is number places[g]; record_count is (its groups, fates). The
 * counters stay carried. LMD_INPUT, with file and variable, for one that is missing,
 * damaged, of other dimensions or unknown, and for a sum that overflows; the sum is of no
 * use then. */
lmd_status lmd_stored_add(const lmd_stored *stored, const int *places,
                          lmd_counters *counters, int64_t *record_count,
                          int64_t *special_string_count);

/* A screen (or JSON) on a result file for `lmdepth show`: title, model, corpus, records
 * by fate, dimensions, positions, variables, provenance. */
lmd_status lmd_output_show(const char *path, bool json, lmd_text *out);

/* ---- snapshots: what is counted so far ---- */

enum { LMD_SNAPSHOT_WORD = 32, LMD_SNAPSHOT_BASE = -1 };

/* Work that went into counters. */
typedef struct lmd_effort {
    int64_t packs, tokens, positions;
    double flops, seconds; /* seconds of ranks */
} lmd_effort;

/* Counters and the packs that are in them. */
typedef struct lmd_snapshot {
    char fingerprint[LMD_SHA256_HEX]; /* of the job */
    int attempt;
    int rank;        /* who has counted; LMD_SNAPSHOT_BASE: all up to the attempt */
    int64_t n_packs; /* of the spool */
    int64_t *done; /* (lmd_snapshot_words) 32 packs a word, lowest bit first: borrowed */
    size_t n_values;
    int64_t *values; /* (n_values) the flat counters: borrowed */
    lmd_effort effort;
    const char *story; /* lines on the attempts, for people: borrowed */
} lmd_snapshot;

size_t lmd_snapshot_words(int64_t n_packs);

/* Writes it whole, compressed, with a checksum (file.h: temporary name, fsync, rename).
 * LMD_RESOURCE when it can't; an older file of that name is untouched then. */
lmd_status lmd_snapshot_write(const char *path, const lmd_snapshot *snapshot);

/* Adds the file's values and packs to those of `snapshot`, whose fingerprint, n_packs,
 * n_values and arrays are the caller's and must fit; sets attempt, rank and effort, and
 * appends its story to `story`. LMD_INPUT, with the path, for what is damaged, of another
 * job, or holds a pack that is in `done` already; nothing is added then. */
lmd_status lmd_snapshot_add(const char *path, lmd_snapshot *snapshot, lmd_text *story);

/* What a file says of itself, its checksum held: all but done and values, which are NULL.
 * LMD_INPUT, with the path, for what is damaged. */
lmd_status lmd_snapshot_peek(const char *path, lmd_snapshot *snapshot, lmd_text *story);

/* Is it a file that `show` should hand here (HDF5 or NetCDF magic)? */
bool lmd_output_is_result(const char *path);

#endif
