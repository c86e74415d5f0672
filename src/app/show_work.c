/* A work folder in a screen: who works in it, what is prepared, what is counted. Parts of
 * a job that share the folder have their snapshots in folders of their own,
 * part.<k>.<n>. Nothing is changed, nothing locked. */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "app.h"
#include "json_text.h"

/* Snapshots and lock of a job, or of a part of it. */
typedef struct lmd_work_job {
    lmd_part part;
    char *folder; /* owned */
    lmd_store_view view;
    lmd_text holder; /* "": nobody */
    int64_t n_packs; /* of the part; -1: not known */
} lmd_work_job;

typedef struct lmd_work_view {
    const char *folder;
    lmd_spool *spool;   /* NULL: not complete */
    int chunks;         /* files of chunks */
    lmd_work_job *jobs; /* owned */
    int n;
} lmd_work_view;

/* ---- what is there ---- */

static bool has_file(const char *folder, const char *name)
{
    char *path = lmd_file_join(folder, name);
    const bool has = lmd_file_exists(path);
    lmd_memory_free(path);
    return has;
}

/* "part.<k>.<n>" exactly as `run` writes it. */
static bool parse_part(const char *name, lmd_part *part)
{
    char right[64];
    if (sscanf(name, "part.%d.%d", &part->part, &part->parts) != 2 || part->part < 0 ||
        part->part >= part->parts) {
        return false;
    }
    (void)snprintf(right, sizeof right, "part.%d.%d", part->part, part->parts);
    return strcmp(name, right) == 0;
}

static bool is_chunk(const char *name)
{
    int unit, end = 0;
    long long stretch;
    return sscanf(name, "chunk.%d.%lld%n", &unit, &stretch, &end) == 2 &&
           name[end] == '\0';
}

bool lmd_work_is_one(const char *folder)
{
    lmd_part part;
    if (has_file(folder, LMD_SPOOL_INDEX) || has_file(folder, LMD_STORE_IDENTITY) ||
        has_file(folder, LMD_STORE_LOCK) || lmd_store_has_snapshots(folder)) {
        return true;
    }
    DIR *entries = opendir(folder);
    bool is_one = false;
    for (const struct dirent *entry; entries != NULL && (entry = readdir(entries));) {
        is_one = is_one || is_chunk(entry->d_name) || parse_part(entry->d_name, &part);
    }
    if (entries != NULL) {
        (void)closedir(entries);
    }
    return is_one;
}

/* The spool's index in a folder; NULL when there is none that can be read. */
static lmd_spool *read_spool(const char *folder)
{
    char *path = lmd_file_join(folder, LMD_SPOOL_INDEX);
    lmd_text bytes = {0};
    lmd_text fingerprint = {0};
    lmd_spool *spool = NULL;
    if (lmd_file_exists(path) &&
        lmd_file_read_all(path, LMD_SPOOL_LARGEST_INDEX, &bytes) == LMD_OK &&
        lmd_spool_read_index(&spool, bytes.bytes, bytes.size, folder, &fingerprint) !=
            LMD_OK) {
        lmd_log_warn("%s: %s", path, lmd_status_message());
        spool = NULL;
    }
    lmd_text_clear(&fingerprint);
    lmd_text_clear(&bytes);
    lmd_memory_free(path);
    return spool;
}

static int64_t count_packs(const lmd_spool *spool, lmd_part part)
{
    int64_t n = 0;
    for (int64_t p = 0; p < lmd_spool_packs(spool); p++) {
        n += lmd_spool_pack_chunk(spool, p) % part.parts == part.part;
    }
    return n;
}

static void add_job(lmd_work_view *work, char *folder, lmd_part part)
{
    lmd_work_job job = {.part = part, .folder = folder, .n_packs = -1};
    char *lock = lmd_file_join(folder, LMD_STORE_LOCK);
    (void)lmd_lock_describe(lock, &job.holder);
    lmd_memory_free(lock);
    job.view = lmd_store_look(folder);
    if (work->spool != NULL) {
        job.n_packs = count_packs(work->spool, part);
    } else if (job.view.attempt > 0 && part.parts == 1) {
        job.n_packs = job.view.n_packs;
    }
    work->jobs = lmd_memory_resize(work->jobs, (size_t)work->n + 1, sizeof *work->jobs);
    work->jobs[work->n++] = job;
}

static int compare_jobs(const void *a, const void *b)
{
    const lmd_part *x = &((const lmd_work_job *)a)->part;
    const lmd_part *y = &((const lmd_work_job *)b)->part;
    return x->parts != y->parts ? (x->parts > y->parts) - (x->parts < y->parts)
                                : (x->part > y->part) - (x->part < y->part);
}

/* The folder may itself be that of a part: its spool is one up then. */
static void look(const char *folder, lmd_work_view *work)
{
    lmd_part part = {.part = 0, .parts = 1};
    *work = (lmd_work_view){.folder = folder};
    char *up = lmd_file_folder_of(folder);
    const bool is_part = parse_part(lmd_file_name_of(folder), &part);
    work->spool = read_spool(is_part ? up : folder);
    lmd_memory_free(up);
    add_job(work, lmd_memory_copy_text(folder),
            is_part ? part : (lmd_part){.part = 0, .parts = 1});
    DIR *entries = opendir(folder);
    for (const struct dirent *entry; entries != NULL && (entry = readdir(entries));) {
        work->chunks += is_chunk(entry->d_name);
        if (parse_part(entry->d_name, &part)) {
            add_job(work, lmd_file_join(folder, entry->d_name), part);
        }
    }
    if (entries != NULL) {
        (void)closedir(entries);
    }
    qsort(work->jobs, (size_t)work->n, sizeof *work->jobs, compare_jobs);
}

static void clear(lmd_work_view *work)
{
    for (int i = 0; i < work->n; i++) {
        lmd_memory_free(work->jobs[i].folder);
        lmd_store_view_clear(&work->jobs[i].view);
        lmd_text_clear(&work->jobs[i].holder);
    }
    lmd_memory_free(work->jobs);
    lmd_spool_close(work->spool);
}

/* ---- a screen ---- */

static void print_spool(const lmd_work_view *work, lmd_text *out)
{
    if (work->spool != NULL) {
        lmd_text_append_format(
            out, "spool       %lld tokens in %lld packs, %d chunk%s, %d group%s\n",
            (long long)lmd_spool_tokens(work->spool),
            (long long)lmd_spool_packs(work->spool), lmd_spool_chunks(work->spool),
            lmd_spool_chunks(work->spool) == 1 ? "" : "s", lmd_spool_groups(work->spool),
            lmd_spool_groups(work->spool) == 1 ? "" : "s");
    } else {
        lmd_text_append_format(out, "spool       not complete, %d chunk%s so far\n",
                               work->chunks, work->chunks == 1 ? "" : "s");
    }
}

static void print_age(double age, lmd_text *out)
{
    static const struct unit {
        double seconds;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    size_t u = 0;
    while (u < 3 && age < 2 * units[u].seconds) {
        u++;
    }
    lmd_text_append_format(out, "%.0f %s", age / units[u].seconds, units[u].name);
}

static void print_snapshots(const lmd_work_job *job, lmd_text *out)
{
    const lmd_store_view *view = &job->view;
    if (view->attempt == 0) {
        lmd_text_append_string(out, "snapshots   none\n");
        return;
    }
    lmd_text_append_format(out, "snapshots   attempt %d, %lld", view->attempt,
                           (long long)view->packs);
    if (job->n_packs >= 0) {
        lmd_text_append_format(out, " of %lld", (long long)job->n_packs);
    }
    lmd_text_append_format(out, " packs done, %d file%s", view->files,
                           view->files == 1 ? "" : "s");
    if (view->files > 0) {
        lmd_text_append_string(out, ", the newest ");
        print_age(view->age, out);
        lmd_text_append_string(out, " old");
    }
    if (view->damaged > 0) {
        lmd_text_append_format(out, "; %d damaged", view->damaged);
    }
    lmd_text_append_string(out, "\n");
    for (const char *line = lmd_text_string(&view->story); *line != '\0';) {
        const size_t length = strcspn(line, "\n");
        lmd_text_append_format(out, "            %.*s\n", (int)length, line);
        line += length + (line[length] == '\n');
    }
}

static void print_work(const lmd_work_view *work, lmd_text *out)
{
    lmd_text_append_format(out, "work folder %s\n", work->folder);
    print_spool(work, out);
    for (int i = 0; i < work->n; i++) {
        const lmd_work_job *job = &work->jobs[i];
        const bool is_idle = job->view.attempt == 0 && job->holder.size == 0;
        if (is_idle && job->part.parts == 1 && work->n > 1) {
            continue; // only the parts work here
        }
        if (job->part.parts > 1) {
            lmd_text_append_format(out, "part        %d/%d\n", job->part.part,
                                   job->part.parts);
        }
        lmd_text_append_format(out, "in use      %s%s\n",
                               job->holder.size > 0 ? "by " : "no",
                               lmd_text_string(&job->holder));
        print_snapshots(job, out);
    }
}

/* ---- JSON ---- */

static json_t *job_json(const lmd_work_job *job)
{
    const lmd_store_view *view = &job->view;
    json_t *object = json_pack(
        "{s:i, s:i, s:i, s:I, s:i, s:i, s:f, s:o}", "part", job->part.part, "parts",
        job->part.parts, "attempt", view->attempt, "packs_done", (json_int_t)view->packs,
        "files", view->files, "damaged", view->damaged, "age_seconds", view->age, "story",
        lmd_json_text(lmd_text_string(&view->story)));
    json_object_set_new(object, "packs",
                        job->n_packs >= 0 ? json_integer(job->n_packs) : json_null());
    json_object_set_new(object, "in_use_by",
                        lmd_json_text(job->holder.size > 0 ? job->holder.bytes : NULL));
    return object;
}

static void print_json(const lmd_work_view *work, lmd_text *out)
{
    json_t *jobs = json_array();
    for (int i = 0; i < work->n; i++) {
        json_array_append_new(jobs, job_json(&work->jobs[i]));
    }
    json_t *root =
        json_pack("{s:s, s:o, s:i, s:o}", "kind", "work", "path",
                  lmd_json_text(work->folder), "chunks", work->chunks, "jobs", jobs);
    if (work->spool != NULL) {
        json_object_set_new(root, "spool",
                            json_pack("{s:I, s:I, s:i}", "packs",
                                      (json_int_t)lmd_spool_packs(work->spool), "tokens",
                                      (json_int_t)lmd_spool_tokens(work->spool), "groups",
                                      lmd_spool_groups(work->spool)));
    } else {
        json_object_set_new(root, "spool", json_null());
    }
    char *text = json_dumps(root, JSON_INDENT(2));
    lmd_text_append_format(out, "%s\n", text != NULL ? text : "{}");
    free(text);
    json_decref(root);
}

lmd_status lmd_work_show(const char *folder, bool is_json, lmd_text *out)
{
    lmd_work_view work;
    char *copy = lmd_memory_copy_text(folder);
    for (size_t n = strlen(copy); n > 1 && copy[n - 1] == '/'; n--) {
        copy[n - 1] = '\0';
    }
    look(copy, &work);
    (is_json ? print_json : print_work)(&work, out);
    if (!is_json) {
        lmd_text_make_printable(out->bytes);
    }
    clear(&work);
    lmd_memory_free(copy);
    return LMD_OK;
}
