/* Which files a corpus is. A path that exists as it is written is meant itself, whatever
 * letters it has; else it is a glob. */
#include "corpus_files.h"

#include <glob.h>                /* glob */
#include <stdlib.h>              /* qsort */
#include <string.h>              /* strcmp */
#include <lmdepth/base/file.h>   /* lmd_file_open */
#include <lmdepth/base/memory.h> /* lmd_memory_new */

enum { UNIT_BYTES = 4 << 20 }; /* of files that are read together, as stored */

static const char default_field[] = "text"; /* as in the table of job keys */

#define LMD_FATE_NAME(name, label) label,
const char *const lmd_fate_names[LMD_FATE_COUNT] = {LMD_FATE_LIST(LMD_FATE_NAME)};
#undef LMD_FATE_NAME

/* ---- formats ---- */

static lmd_status refuse_format(const corpus_source *source, const char *name,
                                const char *what)
{
    lmd_text names = {0};
    lmd_text extensions = {0};
    corpus_format_list(&names);
    corpus_format_list_extensions(&extensions);
    const lmd_status status =
        lmd_status_set(LMD_USAGE,
                       "%s: corpus.format: %s%s; formats are %s, or auto for the "
                       "extensions %s (also with "
                       ".zst or .gz)",
                       source->where, name, what, names.bytes, extensions.bytes);
    lmd_text_clear(&names);
    lmd_text_clear(&extensions);
    return status;
}

static lmd_status find_format(const corpus_source *source, const char *name,
                              corpus_file *file)
{
    bool is_later;
    const bool is_auto = strcmp(name, "auto") == 0;
    file->format = is_auto ? corpus_format_by_extension(file->path, &is_later)
                           : corpus_format_by_name(name, &is_later);
    if (is_later) {
        return refuse_format(source, is_auto ? file->path : name,
                             ": conllu is not yet supported");
    }
    if (!file->format) {
        return refuse_format(source, is_auto ? file->path : name,
                             is_auto ? ": the extension tells no format"
                                     : " is no format");
    }
    // The default does no harm, and stands in the effective job of every result.
    const bool has_field = strcmp(source->field, default_field) != 0;
    if ((source->group_field || has_field) && !file->format->has_fields) {
        return lmd_status_set(
            LMD_USAGE, "%s: corpus.%s: %s is read as %s, which has no fields",
            source->where, source->group_field ? "group_field" : "field", file->path,
            file->format->name);
    }
    return LMD_OK;
}

/* ---- files ---- */

static lmd_status add_file(lmd_corpus *corpus, const char *path, const char *format)
{
    lmd_file *opened;
    const int i = corpus->n_files;
    const corpus_source *const source = &corpus->sources[corpus->n_sources - 1];
    lmd_status status = lmd_file_open(&opened, path);
    if (status != LMD_OK) {
        return lmd_status_within(status, "%s: corpus.path", source->where);
    }
    corpus->files = lmd_memory_resize(corpus->files, (size_t)i + 1, sizeof(corpus_file));
    corpus->files[i] = (corpus_file){.path = lmd_memory_copy_text(path),
                                     .n_bytes = lmd_file_size(opened),
                                     .source = corpus->n_sources - 1};
    corpus->n_files++;
    lmd_file_close(opened);
    return find_format(source, format, &corpus->files[i]);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static lmd_status add_matches(lmd_corpus *corpus, glob_t *matches, const char *format)
{
    qsort(matches->gl_pathv, matches->gl_pathc, sizeof *matches->gl_pathv, compare_names);
    for (size_t i = 0; i < matches->gl_pathc; i++) {
        LMD_TRY(add_file(corpus, matches->gl_pathv[i], format));
    }
    return LMD_OK;
}

static lmd_status expand_glob(lmd_corpus *corpus, const char *format)
{
    const corpus_source *const source = &corpus->sources[corpus->n_sources - 1];
    glob_t matches;
    const int result = glob(source->path, GLOB_ERR | GLOB_NOSORT, NULL, &matches);
    if (result == GLOB_NOMATCH) {
        return lmd_status_set(LMD_USAGE, "%s: corpus.path: no file matches %s",
                              source->where, source->path);
    }
    if (result != 0) {
        return lmd_status_set(LMD_INPUT, "%s: corpus.path: a folder of %s can't be read",
                              source->where, source->path);
    }
    const lmd_status status = add_matches(corpus, &matches, format);
    globfree(&matches);
    return status;
}

static char *copy_or(const char *text, const char *otherwise)
{
    return lmd_memory_copy_text(text ? text : otherwise);
}

static lmd_status add_source(lmd_corpus *corpus, const lmd_source *source)
{
    const char *const format = source->format ? source->format : "auto";
    const char *const field = source->group_field;
    corpus_source *const copy = &corpus->sources[corpus->n_sources++];
    copy->path = copy_or(source->path, "");
    copy->field = copy_or(source->field, default_field);
    copy->group = copy_or(source->group, "all");
    copy->group_field = field ? lmd_memory_copy_text(field) : NULL;
    copy->where = copy_or(source->where, "corpus");
    if (source->group && source->group_field) {
        return lmd_status_set(
            LMD_USAGE,
            "%s: both corpus.group and corpus.group_field; a source has "
            "one label or each record its own",
            copy->where);
    }
    return lmd_file_exists(copy->path) ? add_file(corpus, copy->path, format)
                                       : expand_glob(corpus, format);
}

/* ---- units ---- */

/* As many files a unit as are small together, at least one. */
static void plan_units(lmd_corpus *corpus)
{
    uint64_t sum = 0;
    corpus->units = lmd_memory_new((size_t)corpus->n_files + 1, sizeof *corpus->units);
    for (int i = 0; i < corpus->n_files; i++) {
        const uint64_t n_bytes = corpus->files[i].n_bytes;
        if (i == 0 || sum + n_bytes > UNIT_BYTES) {
            corpus->units[corpus->n_units++] = i;
            sum = 0;
        }
        sum += n_bytes;
    }
    corpus->units[corpus->n_units] = corpus->n_files;
}

/* ---- life ---- */

lmd_status lmd_corpus_open(lmd_corpus **out, const lmd_source *sources, int n_sources)
{
    lmd_corpus *const corpus = lmd_memory_new(1, sizeof *corpus);
    corpus->sources = lmd_memory_new((size_t)n_sources, sizeof *corpus->sources);
    lmd_status status = LMD_OK;
    for (int i = 0; status == LMD_OK && i < n_sources; i++) {
        status = add_source(corpus, &sources[i]);
    }
    *out = status == LMD_OK ? corpus : NULL;
    if (status != LMD_OK) {
        lmd_corpus_close(corpus);
        return status;
    }
    plan_units(corpus);
    return LMD_OK;
}

void lmd_corpus_close(lmd_corpus *corpus)
{
    if (!corpus) {
        return;
    }
    for (int i = 0; i < corpus->n_files; i++) {
        lmd_memory_free(corpus->files[i].path);
    }
    for (int i = 0; i < corpus->n_sources; i++) {
        lmd_memory_free(corpus->sources[i].path);
        lmd_memory_free(corpus->sources[i].field);
        lmd_memory_free(corpus->sources[i].group);
        lmd_memory_free(corpus->sources[i].group_field);
        lmd_memory_free(corpus->sources[i].where);
    }
    lmd_memory_free(corpus->files);
    lmd_memory_free(corpus->sources);
    lmd_memory_free(corpus->units);
    lmd_memory_free(corpus);
}

int lmd_corpus_files(const lmd_corpus *corpus)
{
    return corpus->n_files;
}

const char *lmd_corpus_file(const lmd_corpus *corpus, int file)
{
    return corpus->files[file].path;
}

const char *lmd_corpus_file_format(const lmd_corpus *corpus, int file)
{
    return corpus->files[file].format->name;
}

int lmd_corpus_file_source(const lmd_corpus *corpus, int file)
{
    return corpus->files[file].source;
}

uint64_t lmd_corpus_file_bytes(const lmd_corpus *corpus, int file)
{
    return corpus->files[file].n_bytes;
}

int lmd_corpus_units(const lmd_corpus *corpus)
{
    return corpus->n_units;
}

uint64_t lmd_corpus_unit_bytes(const lmd_corpus *corpus, int unit)
{
    uint64_t sum = 0;
    for (int i = corpus->units[unit]; i < corpus->units[unit + 1]; i++) {
        sum += corpus->files[i].n_bytes;
    }
    return sum;
}
