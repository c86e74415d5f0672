/* Results to one result.
 *
 * All files are looked at before anything is summed: each for itself, then against the
 * first. Then each is opened again and added to the counters of the union of their
 * groups, so that memory holds the sum and nothing else. The sums are integers: the order
 * of the files decides nothing but that of lines in `history` and titles. */

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "merge.h"

typedef struct lmd_summing {
    const lmd_merge *merge;
    lmd_stored **files; /* owned (merge->n) */
    lmd_text *metrics;  /* owned (merge->n) */
    lmd_merged_jobs jobs;
    char *fingerprint;   /* owned */
    const char **groups; /* owned (n_groups), borrowed names, in byte order */
    int n_groups;
    int64_t *token_count; /* owned (V) */
    int32_t *token_rank;  /* owned (V) */
    lmd_counters *counters;
    int64_t *record_count; /* owned (n_groups, fate) */
    int64_t special_string_count;
} lmd_summing;

/* ---- what the files are ---- */

static lmd_status open_files(lmd_summing *s)
{
    const size_t n = (size_t)s->merge->n;
    s->files = lmd_memory_new(n, sizeof(lmd_stored *));
    s->metrics = lmd_memory_new(n, sizeof *s->metrics);
    s->jobs.paths = s->merge->paths;
    for (int i = 0; i < s->merge->n; i++) {
        LMD_TRY(lmd_stored_open(&s->files[i], s->merge->paths[i]));
        LMD_TRY(lmd_merge_check_result(s->files[i], &s->metrics[i]));
        if (i > 0) {
            LMD_TRY(lmd_merge_check_kind(s->files[0], s->files[i]));
        }
        LMD_TRY(lmd_merged_jobs_add(&s->jobs, s->files[i], i, s->merge->is_forced));
    }
    return s->merge->is_forced ? LMD_OK : lmd_merged_jobs_check_inputs(&s->jobs);
}

/* The first id at which the ranks differ, else the counts; -1: none. */
static int64_t find_difference(const lmd_summing *s, const int64_t *counts,
                               const int32_t *ranks)
{
    for (int64_t id = 0; id < s->files[0]->setup.V; id++) {
        if (ranks[id] != s->token_rank[id]) {
            return id;
        }
    }
    for (int64_t id = 0; id < s->files[0]->setup.V; id++) {
        if (counts[id] != s->token_count[id]) {
            return id;
        }
    }
    return -1;
}

static lmd_status refuse_table(const lmd_summing *s, int file, int64_t id,
                               const int64_t *counts, const int32_t *ranks)
{
    const bool is_rank = ranks[id] != s->token_rank[id];
    return lmd_status_set(
        LMD_USAGE,
        "%s can't be merged with %s: %s: at token %lld it has %lld, the first file %lld; "
        "bands are of one frequency table, which `lmdepth count` makes for all "
        "(frequency.from)",
        s->merge->paths[file], s->merge->paths[0], is_rank ? "token_rank" : "token_count",
        (long long)id, is_rank ? (long long)ranks[id] : (long long)counts[id],
        is_rank ? (long long)s->token_rank[id] : (long long)s->token_count[id]);
}

/* The frequency table, which must be the same in all files. */
static lmd_status read_tables(lmd_summing *s)
{
    const size_t V = (size_t)s->files[0]->setup.V;
    s->token_count = lmd_memory_new(V, sizeof *s->token_count);
    s->token_rank = lmd_memory_new(V, sizeof *s->token_rank);
    LMD_TRY(lmd_stored_read_tokens(s->files[0], s->token_count, s->token_rank));
    int64_t *counts = lmd_memory_new(V, sizeof *counts);
    int32_t *ranks = lmd_memory_new(V, sizeof *ranks);
    lmd_status status = LMD_OK;
    for (int i = 1; i < s->merge->n && status == LMD_OK; i++) {
        status = lmd_stored_read_tokens(s->files[i], counts, ranks);
        const int64_t id = status == LMD_OK ? find_difference(s, counts, ranks) : -1;
        if (id >= 0) {
            status = refuse_table(s, i, id, counts, ranks);
        }
    }
    lmd_memory_free(counts);
    lmd_memory_free(ranks);
    return status;
}

/* ---- groups ---- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void unite_groups(lmd_summing *s)
{
    size_t n = 0;
    for (int i = 0; i < s->merge->n; i++) {
        n += (size_t)s->files[i]->setup.groups;
    }
    s->groups = lmd_memory_new(n, sizeof *s->groups);
    n = 0;
    for (int i = 0; i < s->merge->n; i++) {
        for (int g = 0; g < s->files[i]->setup.groups; g++) {
            s->groups[n++] = s->files[i]->groups[g];
        }
    }
    qsort(s->groups, n, sizeof *s->groups, compare_names);
    for (size_t g = 0; g < n; g++) {
        if (g == 0 || strcmp(s->groups[g], s->groups[s->n_groups - 1]) != 0) {
            s->groups[s->n_groups++] = s->groups[g];
        }
    }
}

static lmd_status add_file(lmd_summing *s, const lmd_stored *file)
{
    int *places = lmd_memory_new((size_t)file->setup.groups, sizeof *places);
    for (int g = 0; g < file->setup.groups; g++) {
        const char *name = file->groups[g];
        const char **found = bsearch(&name, s->groups, (size_t)s->n_groups,
                                     sizeof *s->groups, compare_names);
        places[g] = (int)(found - s->groups); // the union holds every name
    }
    const lmd_status status = lmd_stored_add(file, places, s->counters, s->record_count,
                                             &s->special_string_count);
    lmd_memory_free(places);
    return status;
}

static lmd_status sum_files(lmd_summing *s)
{
    unite_groups(s);
    lmd_metric_setup setup = s->files[0]->setup;
    setup.groups = s->n_groups;
    LMD_TRY(lmd_counters_new(&s->counters, &setup));
    s->record_count =
        lmd_memory_new((size_t)s->n_groups * LMD_FATE_COUNT, sizeof *s->record_count);
    for (int i = 0; i < s->merge->n; i++) {
        LMD_TRY(add_file(s, s->files[i]));
    }
    return LMD_OK;
}

/* ---- attributes ---- */

static void put(lmd_attribute *out, int *n, const char *name, lmd_text *value)
{
    out[(*n)++] = (lmd_attribute){.name = name,
                                  .value = lmd_memory_copy_text(lmd_text_string(value))};
    lmd_text_clear(value);
}

static int64_t count_positions(lmd_counters *counters)
{
    uint64_t sum = 0;
    size_t n_values = 0;
    const int64_t *values = lmd_counters_values(counters, &n_values);
    for (int v = 0; v < lmd_counters_variables(counters); v++) {
        size_t offset, n_cells;
        const char *name = lmd_counters_variable(counters, v, &offset, &n_cells)->name;
        const bool is_sought = strcmp(name, "position_count") == 0 ||
                               strcmp(name, "unusable_position_count") == 0;
        for (size_t i = 0; i < n_cells && is_sought; i++) {
            sum += (uint64_t)values[offset + i];
        }
    }
    return (int64_t)sum;
}

/* Values of all files that differ, "; " between them. */
static void append_distinct(const lmd_summing *s, const char *name, lmd_text *out)
{
    for (int i = 0; i < s->merge->n; i++) {
        const char *value = lmd_stored_attribute(s->files[i], name);
        bool is_new = value != NULL;
        for (int k = 0; k < i && is_new; k++) {
            const char *old = lmd_stored_attribute(s->files[k], name);
            is_new = old == NULL || strcmp(old, value) != 0;
        }
        if (is_new) {
            lmd_text_append_format(out, "%s%s", out->size > 0 ? "; " : "", value);
        }
    }
}

/* This command, and below it what each file had. */
static void append_history(const lmd_summing *s, const char *date, lmd_text *out)
{
    lmd_text_append_format(out, "%s: %s", date, s->merge->command_line);
    for (int i = 0; i < s->merge->n; i++) {
        const char *history = lmd_stored_attribute(s->files[i], "history");
        if (history != NULL && history[0] != '\0') {
            lmd_text_append_format(out, "\n%s", history);
        }
    }
}

/* Is it the same in all files? What nobody of us wrote is kept then. */
static bool is_common(const lmd_summing *s, const char *name)
{
    const char *value = lmd_stored_attribute(s->files[0], name);
    for (int i = 1; i < s->merge->n; i++) {
        const char *other = lmd_stored_attribute(s->files[i], name);
        if (other == NULL || strcmp(other, value) != 0) {
            return false;
        }
    }
    return true;
}

/* The value in the sum of an attribute of the first file; false when it has none there.
 */
static bool append_value(const lmd_summing *s, const lmd_attribute *first,
                         const char *date, lmd_text *out)
{
    static const char *const joined[] = {"title", "source", "lmdepth_version"};
    const char *name = first->name;
    if (strncmp(name, "lmdepth_run_", 12) == 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof joined / sizeof joined[0]; i++) {
        if (strcmp(name, joined[i]) == 0) {
            append_distinct(s, name, out);
            return true;
        }
    }
    if (lmd_merged_jobs_append(&s->jobs, name, out)) {
        return true;
    }
    if (strcmp(name, "history") == 0) {
        append_history(s, date, out);
    } else if (strcmp(name, "date_created") == 0) {
        lmd_text_append_string(out, date);
    } else if (strcmp(name, "lmdepth_fingerprint") == 0) {
        lmd_text_append_string(out, s->fingerprint);
    } else if (strcmp(name, "summary") == 0) {
        char *summary = lmd_provenance_resum(first->value, count_positions(s->counters));
        lmd_text_append_string(out, summary);
        lmd_memory_free(summary);
    } else if (strcmp(name, "lmdepth_model") == 0 || is_common(s, name)) {
        lmd_text_append_string(out, first->value); // the model's name is the first file's
    } else {
        lmd_log_warn("attribute %s differs between the files and is left out", name);
        return false;
    }
    return true;
}

static lmd_attribute *make_attributes(const lmd_summing *s, int *n)
{
    const lmd_stored *first = s->files[0];
    lmd_attribute *out = lmd_memory_new((size_t)first->n_attributes + 2, sizeof *out);
    char date[32];
    lmd_text value = {0};
    lmd_provenance_date(date);
    *n = 0;
    for (int i = 0; i < first->n_attributes; i++) {
        if (append_value(s, &first->attributes[i], date, &value)) {
            put(out, n, first->attributes[i].name, &value);
        }
    }
    lmd_text_append_string(&value, s->merge->command_line);
    put(out, n, "lmdepth_run_command", &value);
    lmd_text_append_format(&value, "%d files, by lmdepth %s (%s)", s->merge->n,
                           lmd_version, lmd_revision);
    put(out, n, "lmdepth_run_merged", &value);
    return out;
}

static lmd_status write_sum(lmd_summing *s)
{
    int n = 0;
    lmd_attribute *attributes = make_attributes(s, &n);
    const lmd_result result = {
        .counters = s->counters,
        .groups = s->groups,
        .lenses = (const char *const *)s->files[0]->lenses,
        .fates = lmd_fate_names,
        .n_fates = LMD_FATE_COUNT,
        .record_count = s->record_count,
        .special_string_count = s->special_string_count,
        .token_count = s->token_count,
        .token_rank = s->token_rank,
        .attributes = attributes,
        .n_attributes = n,
    };
    const lmd_status status = lmd_output_write(s->merge->output, &result);
    for (int i = 0; i < n; i++) {
        lmd_memory_free((char *)(uintptr_t)attributes[i].value);
    }
    lmd_memory_free(attributes);
    return status;
}

/* ---- all of it ---- */

/* What the sum holds, and what it lacks. */
static void say_jobs(const lmd_summing *s)
{
    for (int i = 0; i < s->jobs.n; i++) {
        const lmd_merged_job *job = &s->jobs.list[i];
        if (job->parts > 1) {
            lmd_text parts = {0};
            lmd_merged_job_append_parts(job, &parts);
            lmd_log_say("job %.12s: parts %s; the others can be merged later",
                        job->fingerprint, parts.bytes);
            lmd_text_clear(&parts);
        }
    }
    lmd_log_say("%s: %d file%s, %d job%s, %d group%s, %lld positions", s->merge->output,
                s->merge->n, s->merge->n == 1 ? "" : "s", s->jobs.n,
                s->jobs.n == 1 ? "" : "s", s->n_groups, s->n_groups == 1 ? "" : "s",
                (long long)count_positions(s->counters));
}

static lmd_status merge_results(lmd_summing *s)
{
    bool is_complete = false;
    LMD_TRY(open_files(s));
    LMD_TRY(read_tables(s));
    lmd_merged_jobs_settle(&s->jobs);
    s->fingerprint = lmd_merged_jobs_fingerprint(&s->jobs);
    if (lmd_file_exists(s->merge->output) && !s->merge->is_fresh) {
        LMD_TRY(lmd_place_judge(s->merge->output, s->fingerprint, &is_complete));
        return LMD_OK;
    }
    LMD_TRY(sum_files(s));
    LMD_TRY(write_sum(s));
    say_jobs(s);
    return LMD_OK;
}

lmd_status lmd_merge_results(const lmd_merge *merge)
{
    lmd_summing s = {.merge = merge};
    const lmd_status status = merge_results(&s);
    for (int i = 0; i < merge->n; i++) {
        lmd_stored_close(s.files[i]);
        lmd_text_clear(&s.metrics[i]);
    }
    lmd_memory_free(s.files);
    lmd_memory_free(s.metrics);
    lmd_merged_jobs_clear(&s.jobs);
    lmd_memory_free(s.fingerprint);
    lmd_memory_free(s.groups);
    lmd_memory_free(s.token_count);
    lmd_memory_free(s.token_rank);
    lmd_memory_free(s.record_count);
    lmd_counters_free(s.counters);
    return status;
}
