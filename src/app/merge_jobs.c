/* Which jobs, and which parts of them, results hold.
 *
 * A result says so in four attributes, which after a merge have an entry for each job, in
 * the order of their fingerprints: lmdepth_job_fingerprint and lmdepth_part ("0,2/3")
 * a line each, lmdepth_job and lmdepth_inputs a text each, between them a line "---" (so
 * that the jobs are a stream of YAML documents). Parts of one job share its inputs and
 * must not overlap; different jobs must not share an input. */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "merge.h"

#define BETWEEN "---\n"

enum { HEX = LMD_SHA256_HEX - 1 };

/* ---- entries of an attribute ---- */

static const char *end_of_line(const char *line)
{
    line += strcspn(line, "\n");
    return line + (*line == '\n');
}

/* The next line, without its end. NULL when there is none; the caller frees. */
static char *next_line(const char **at)
{
    const char *line = *at;
    if (*line == '\0') {
        return NULL;
    }
    *at = end_of_line(line);
    return lmd_memory_copy_bytes(line, strcspn(line, "\n"));
}

/* The same for a text up to a line "---". */
static char *next_text(const char **at)
{
    const char *begin = *at;
    const char *end = begin;
    while (*end != '\0' && strncmp(end, BETWEEN, sizeof BETWEEN - 1) != 0) {
        end = end_of_line(end);
    }
    if (*begin == '\0') {
        return NULL;
    }
    *at = *end == '\0' ? end : end + sizeof BETWEEN - 1;
    return lmd_memory_copy_bytes(begin, (size_t)(end - begin));
}

static bool is_hash(const char *text)
{
    size_t n = 0;
    while (n < HEX && isxdigit((unsigned char)text[n])) {
        n++;
    }
    return n == HEX;
}

/* "0,2/3" to parts, all of `file`. */
static bool parse_parts(const char *text, int file, lmd_merged_job *job)
{
    const char *slash = strchr(text, '/');
    int64_t parts = 0;
    if (slash == NULL || !lmd_text_to_int64(slash + 1, &parts) || parts < 1 ||
        parts > INT32_MAX) {
        return false;
    }
    job->parts = (int)parts;
    job->held = lmd_memory_new(strlen(text), sizeof *job->held);
    for (const char *at = text; at < slash; at++) {
        const size_t length = strcspn(at, ",/");
        char *number = lmd_memory_copy_bytes(at, length);
        int64_t part = -1;
        const bool is_number = lmd_text_to_int64(number, &part);
        lmd_memory_free(number);
        if (!is_number || part < 0 || part >= parts) {
            return false;
        }
        job->held[job->n_held++] = (lmd_held_part){(int)part, file};
        at += length;
    }
    return job->n_held > 0;
}

/* ---- life ---- */

static void clear_job(lmd_merged_job *job)
{
    lmd_memory_free(job->fingerprint);
    lmd_memory_free(job->text);
    lmd_memory_free(job->inputs);
    lmd_memory_free(job->held);
    *job = (lmd_merged_job){0};
}

void lmd_merged_jobs_clear(lmd_merged_jobs *jobs)
{
    for (int i = 0; i < jobs->n; i++) {
        clear_job(&jobs->list[i]);
    }
    lmd_memory_free(jobs->list);
    jobs->list = NULL;
    jobs->n = 0;
}

/* ---- adding a file ---- */

static bool is_held_by(const lmd_merged_job *job, int file)
{
    for (int i = 0; i < job->n_held; i++) {
        if (job->held[i].file == file) {
            return true;
        }
    }
    return false;
}

/* Is a part of `job` in another file already? */
static lmd_status check_overlap(const lmd_merged_jobs *jobs, const lmd_merged_job *old,
                                const lmd_merged_job *job, int file)
{
    const lmd_held_part *first = &old->held[0];
    if (old->parts != job->parts && !is_held_by(old, file)) {
        return lmd_status_set(
            LMD_USAGE,
            "%s holds part %d/%d of a job of which %s holds part %d/%d: "
            "these may overlap; --force sums them all the same",
            jobs->paths[file], job->held[0].part, job->parts, jobs->paths[first->file],
            first->part, old->parts);
    }
    for (int i = 0; i < old->n_held && old->parts == job->parts; i++) {
        for (int k = 0; k < job->n_held; k++) {
            if (old->held[i].part == job->held[k].part && old->held[i].file != file) {
                return lmd_status_set(
                    LMD_USAGE,
                    "%s holds part %d/%d of the same job as %s: it would be counted "
                    "twice; --force does that",
                    jobs->paths[file], job->held[k].part, job->parts,
                    jobs->paths[old->held[i].file]);
            }
        }
    }
    return LMD_OK;
}

/* Takes the job over, or its parts when they are of one that is there. */
static lmd_status add_job(lmd_merged_jobs *jobs, lmd_merged_job *job, int file,
                          bool is_forced)
{
    lmd_merged_job *same = NULL;
    for (int i = 0; i < jobs->n; i++) {
        lmd_merged_job *old = &jobs->list[i];
        if (strcmp(old->fingerprint, job->fingerprint) != 0) {
            continue;
        }
        if (!is_forced) {
            LMD_TRY(check_overlap(jobs, old, job, file));
        }
        same = old->parts == job->parts ? old : same;
    }
    if (same == NULL) {
        jobs->list =
            lmd_memory_resize(jobs->list, (size_t)jobs->n + 1, sizeof *jobs->list);
        jobs->list[jobs->n++] = *job;
        *job = (lmd_merged_job){0};
        return LMD_OK;
    }
    same->held = lmd_memory_resize(same->held, (size_t)(same->n_held + job->n_held),
                                   sizeof *same->held);
    memcpy(same->held + same->n_held, job->held, (size_t)job->n_held * sizeof *job->held);
    same->n_held += job->n_held;
    return LMD_OK;
}

/* Where the four attributes of a file are read. */
typedef struct entries {
    const char *fingerprints, *parts, *texts, *inputs;
} entries;

/* The next job of the entries; is_good false when they do not fit together. */
static lmd_merged_job next_job(entries *at, int file, bool *is_good)
{
    lmd_merged_job job = {.fingerprint = next_line(&at->fingerprints),
                          .text = next_text(&at->texts),
                          .inputs = next_text(&at->inputs)};
    char *parts = next_line(&at->parts);
    *is_good = job.fingerprint != NULL && parts != NULL && job.text != NULL &&
               job.inputs != NULL && strlen(job.fingerprint) == HEX &&
               is_hash(job.fingerprint) && parse_parts(parts, file, &job);
    lmd_memory_free(parts);
    return job;
}

static const char *text_of(const lmd_stored *stored, const char *name)
{
    const char *value = lmd_stored_attribute(stored, name);
    return value != NULL ? value : "";
}

lmd_status lmd_merged_jobs_add(lmd_merged_jobs *jobs, const lmd_stored *stored, int file,
                               bool is_forced)
{
    entries at = {.fingerprints = text_of(stored, "lmdepth_job_fingerprint"),
                  .parts = text_of(stored, "lmdepth_part"),
                  .texts = text_of(stored, "lmdepth_job"),
                  .inputs = text_of(stored, "lmdepth_inputs")};
    do {
        bool is_good;
        lmd_merged_job job = next_job(&at, file, &is_good);
        const lmd_status status =
            is_good ? add_job(jobs, &job, file, is_forced)
                    : lmd_status_set(LMD_INPUT,
                                     "%s: lmdepth_job_fingerprint, lmdepth_part, "
                                     "lmdepth_job, lmdepth_inputs: damaged, or not of "
                                     "this version of lmdepth",
                                     stored->path);
        clear_job(&job);
        LMD_TRY(status);
    } while (*at.fingerprints != '\0' || *at.parts != '\0' || *at.texts != '\0' ||
             *at.inputs != '\0');
    return LMD_OK;
}

/* ---- inputs ---- */

typedef struct input_line {
    const char *hash, *name; /* borrowed; the name ends with the line */
    const lmd_merged_job *job;
} input_line;

/* Files that many jobs may share: what is no corpus. */
static bool is_shared(const char *name, size_t length)
{
    static const char *const kinds[] = {" (model)", " (tokenizer)", " (frequency)"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const size_t n = strlen(kinds[i]);
        if (length >= n && memcmp(name + length - n, kinds[i], n) == 0) {
            return true;
        }
    }
    return false;
}

/* Appends the lines of the job's corpus. A file that is empty counts for nothing. */
static void list_inputs(const lmd_merged_job *job, lmd_text *lines)
{
    char empty[LMD_SHA256_HEX];
    lmd_sha256_of("", 0, empty);
    for (const char *at = job->inputs; *at != '\0'; at = end_of_line(at)) {
        if (!is_hash(at) || strncmp(at + HEX, "  ", 2) != 0) {
            continue;
        }
        const input_line line = {.hash = at, .name = at + HEX + 2, .job = job};
        if (!is_shared(line.name, strcspn(line.name, "\n")) &&
            memcmp(at, empty, HEX) != 0) {
            lmd_text_append(lines, &line, sizeof line);
        }
    }
}

static int compare_lines(const void *a, const void *b)
{
    const input_line *x = a;
    const input_line *y = b;
    const int order = memcmp(x->hash, y->hash, HEX);
    return order != 0 ? order : (x->job > y->job) - (x->job < y->job);
}

/* Does a file hold both jobs? Then this was settled when that file was made. */
static bool are_together(const lmd_merged_job *a, const lmd_merged_job *b)
{
    for (int i = 0; i < a->n_held; i++) {
        if (is_held_by(b, a->held[i].file)) {
            return true;
        }
    }
    return false;
}

static int name_length(const input_line *line)
{
    const size_t length = strcspn(line->name, "\n");
    return length < 100 ? (int)length : 100;
}

static lmd_status check_pair(const lmd_merged_jobs *jobs, const input_line *a,
                             const input_line *b)
{
    if (strcmp(a->job->fingerprint, b->job->fingerprint) == 0 ||
        are_together(a->job, b->job)) {
        return LMD_OK;
    }
    return lmd_status_set(
        LMD_USAGE,
        "the input %.*s of %s is the input %.*s of %s (sha256 %.12s...), "
        "which another job has counted; --force counts it twice",
        name_length(b), b->name, jobs->paths[b->job->held[0].file], name_length(a),
        a->name, jobs->paths[a->job->held[0].file], b->hash);
}

lmd_status lmd_merged_jobs_check_inputs(const lmd_merged_jobs *jobs)
{
    lmd_text bytes = {0};
    for (int i = 0; i < jobs->n; i++) {
        list_inputs(&jobs->list[i], &bytes);
    }
    const size_t n = bytes.size / sizeof(input_line);
    input_line *lines = lmd_memory_new(n, sizeof *lines);
    memcpy(lines, lmd_text_string(&bytes), n * sizeof *lines);
    lmd_text_clear(&bytes);
    qsort(lines, n, sizeof *lines, compare_lines);
    lmd_status status = LMD_OK;
    for (size_t i = 0; i < n && status == LMD_OK; i++) {
        for (size_t k = i + 1;
             k < n && status == LMD_OK && memcmp(lines[i].hash, lines[k].hash, HEX) == 0;
             k++) {
            status = check_pair(jobs, &lines[i], &lines[k]);
        }
    }
    lmd_memory_free(lines);
    return status;
}

/* ---- the sum ---- */

static int compare_parts(const void *a, const void *b)
{
    const lmd_held_part *x = a;
    const lmd_held_part *y = b;
    return (x->part > y->part) - (x->part < y->part);
}

static int compare_jobs(const void *a, const void *b)
{
    const lmd_merged_job *x = a;
    const lmd_merged_job *y = b;
    const int order = strcmp(x->fingerprint, y->fingerprint);
    return order != 0 ? order : (x->parts > y->parts) - (x->parts < y->parts);
}

void lmd_merged_jobs_settle(lmd_merged_jobs *jobs)
{
    for (int i = 0; i < jobs->n; i++) {
        lmd_merged_job *job = &jobs->list[i];
        qsort(job->held, (size_t)job->n_held, sizeof *job->held, compare_parts);
        bool is_whole = job->n_held == job->parts;
        for (int k = 0; k < job->n_held && is_whole; k++) {
            is_whole = job->held[k].part == k;
        }
        if (is_whole) {
            job->parts = 1;
            job->n_held = 1;
        }
    }
    qsort(jobs->list, (size_t)jobs->n, sizeof *jobs->list, compare_jobs);
}

void lmd_merged_job_append_parts(const lmd_merged_job *job, lmd_text *out)
{
    for (int i = 0; i < job->n_held; i++) {
        lmd_text_append_format(out, "%s%d", i > 0 ? "," : "", job->held[i].part);
    }
    lmd_text_append_format(out, "/%d", job->parts);
}

char *lmd_merged_jobs_fingerprint(const lmd_merged_jobs *jobs)
{
    lmd_text text = {0};
    if (jobs->n == 1) {
        lmd_merged_job_append_parts(&jobs->list[0], &text);
        char *only = lmd_provenance_share(jobs->list[0].fingerprint, text.bytes);
        lmd_text_clear(&text);
        return only;
    }
    for (int i = 0; i < jobs->n; i++) {
        lmd_text_append_format(&text, "%s part ", jobs->list[i].fingerprint);
        lmd_merged_job_append_parts(&jobs->list[i], &text);
        lmd_text_append_string(&text, "\n");
    }
    char *fingerprint = lmd_provenance_fingerprint(lmd_text_string(&text));
    lmd_text_clear(&text);
    return fingerprint;
}

bool lmd_merged_jobs_append(const lmd_merged_jobs *jobs, const char *name, lmd_text *out)
{
    enum { FINGERPRINT, PART, JOB, INPUTS, KINDS };
    static const char *const names[KINDS] = {"lmdepth_job_fingerprint", "lmdepth_part",
                                             "lmdepth_job", "lmdepth_inputs"};
    int kind = 0;
    while (kind < KINDS && strcmp(name, names[kind]) != 0) {
        kind++;
    }
    for (int i = 0; i < jobs->n && kind < KINDS; i++) {
        const lmd_merged_job *job = &jobs->list[i];
        if (i > 0) {
            lmd_text_append_string(out, kind <= PART ? "\n" : BETWEEN);
        }
        if (kind == PART) {
            lmd_merged_job_append_parts(job, out);
        } else {
            lmd_text_append_string(out, kind == FINGERPRINT ? job->fingerprint
                                        : kind == JOB       ? job->text
                                                            : job->inputs);
        }
    }
    return kind < KINDS;
}
