/* The tree of a job file, with the overrides set in it, held against the table of keys.
 *
 * Every value, default or given, goes the same way: `readers` has one for each type.
 * Overrides are put into the tree first, so they are checked like the file's own values
 * and differ only in where they say they stand. */
#include <lmdepth/job.h>

#include <assert.h>              /* assert */
#include <lmdepth/base/file.h>   /* lmd_file_read_all */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <string.h>              /* strcmp */
#include "job_paths.h"
#include "job_rows.h"
#include "job_tree.h"
#include "job_values.h"

enum { LARGEST_JOB = 1 << 20 };

/* A value on its way: the row, the node it stands in and where it goes. */
typedef struct job_value {
    const job_table *table;
    const job_row *row;
    job_node *node;
    job_record *record;
    void *member;
    job_entry *entry;
} job_value;

typedef lmd_status read_value(const job_value *value);

static read_value *const readers[JOB_TYPE_COUNT];

static lmd_status refuse(const job_value *value, const char *what)
{
    return lmd_status_set(LMD_USAGE, "%s: %s%s: %s", value->node->where,
                          value->table->prefix, value->row->name, what);
}

/* Puts place and key before a callee's message. */
static lmd_status within(const job_value *value, lmd_status status)
{
    return lmd_status_within(status, "%s: %s%s", value->node->where, value->table->prefix,
                             value->row->name);
}

static lmd_status need_scalar(const job_value *value)
{
    if (value->node->kind != JOB_SCALAR) {
        return refuse(value, "expected a single value");
    }
    return value->node->is_void ? refuse(value, "has no value") : LMD_OK;
}

static void set_text(const job_value *value, const char *text)
{
    *(char **)value->member = lmd_memory_copy_text(text);
}

/* ---- readers ---- */

static lmd_status read_text(const job_value *value)
{
    LMD_TRY(need_scalar(value));
    set_text(value, value->node->text);
    return LMD_OK;
}

/* Is `text` one of the words of a domain? */
static bool is_among(const char *text, const char *words)
{
    const size_t n = strlen(text);
    for (const char *at = words; at && *at; at += strspn(at, " ")) {
        const size_t n_word = strcspn(at, " ");
        if (n_word == n && strncmp(at, text, n) == 0) {
            return true;
        }
        at += n_word;
    }
    return false;
}

static lmd_status read_choice(const job_value *value)
{
    LMD_TRY(need_scalar(value));
    const char *const words = value->row->domain.words;
    if (!is_among(value->node->text, words)) {
        lmd_status_set(LMD_USAGE, "expected one of: %s; not '%s'", words,
                       value->node->text);
        return within(value, LMD_USAGE);
    }
    set_text(value, value->node->text);
    return LMD_OK;
}

static lmd_status read_int(const job_value *value)
{
    LMD_TRY(need_scalar(value));
    const job_domain *const domain = &value->row->domain;
    int64_t number;
    if (!lmd_text_to_int64(value->node->text, &number) || number < domain->low ||
        number > domain->high) {
        lmd_status_set(LMD_USAGE, "expected a whole number from %lld to %lld, not '%s'",
                       (long long)domain->low, (long long)domain->high,
                       value->node->text);
        return within(value, LMD_USAGE);
    }
    *(int64_t *)value->member = number;
    return LMD_OK;
}

static lmd_status read_real(const job_value *value)
{
    LMD_TRY(need_scalar(value));
    const job_domain *const domain = &value->row->domain;
    double number;
    if (!lmd_text_to_double(value->node->text, &number) ||
        !(number >= (double)domain->low) || !(number <= (double)domain->high)) {
        lmd_status_set(LMD_USAGE, "expected a number from %lld to %lld, not '%s'",
                       (long long)domain->low, (long long)domain->high,
                       value->node->text);
        return within(value, LMD_USAGE);
    }
    *(double *)value->member = number;
    return LMD_OK;
}

/* A list, or a string of words between commas, as "a,b". */
static lmd_status read_words(const job_value *value)
{
    job_tree_make_list(value->node);
    if (value->node->kind != JOB_LIST || value->node->n_items == 0) {
        return refuse(value, "expected a list of words");
    }
    lmd_text words = {0};
    for (size_t i = 0; i < value->node->n_items; i++) {
        const job_node *const item = value->node->items[i];
        if (item->kind != JOB_SCALAR || !*item->text) {
            lmd_text_clear(&words);
            return refuse(value, "expected a list of words, none of them empty");
        }
        lmd_text_append_format(&words, "%s%s", i > 0 ? "," : "", item->text);
    }
    set_text(value, lmd_text_string(&words));
    lmd_text_clear(&words);
    return LMD_OK;
}

static lmd_status read_positions(const job_value *value)
{
    lmd_positions positions;
    LMD_TRY(need_scalar(value));
    LMD_TRY(within(value, lmd_job_parse_positions(value->node->text, &positions)));
    set_text(value, value->node->text);
    return LMD_OK;
}

static lmd_status read_states(const job_value *value)
{
    LMD_TRY(read_words(value));
    return within(value, job_values_check_states(*(char **)value->member));
}

typedef lmd_status resolve_path(const char *written, const char *folder, char **out);

static lmd_status read_resolved(const job_value *value, resolve_path *resolve)
{
    const job_node *const node = value->node;
    LMD_TRY(need_scalar(value));
    value->entry->written = lmd_memory_copy_text(node->text);
    if (is_among(node->text, value->row->domain.words)) {
        set_text(value, node->text);
        return LMD_OK;
    }
    return within(value, resolve(node->text, node->folder, (char **)value->member));
}

static lmd_status read_path(const job_value *value)
{
    return read_resolved(value, job_paths_resolve);
}

static lmd_status read_model(const job_value *value)
{
    return read_resolved(value, job_paths_resolve_model);
}

static lmd_status read_glob(const job_value *value)
{
    return read_resolved(value, job_paths_resolve_glob);
}

/* ---- mappings ---- */

static lmd_status refuse_key(const job_table *table, const char *name, const char *where)
{
    job_nearest nearest;
    const bool is_near = job_table_nearest(table, name, &nearest);
    lmd_text others = {0};
    for (int i = 0; i < table->n_rows; i++) {
        lmd_text_append_format(&others, "%s%s", i > 0 ? ", " : "", table->rows[i].name);
    }
    const lmd_status status =
        is_near ? lmd_status_set(LMD_USAGE, "%s: unknown key %s%s; did you mean %s%s?",
                                 where, table->prefix, name, table->prefix, nearest.text)
                : lmd_status_set(LMD_USAGE, "%s: unknown key %s%s; the keys are: %s",
                                 where, table->prefix, name, lmd_text_string(&others));
    lmd_text_clear(&others);
    return status;
}

/* Reads a row from its node, or from its default, into `object`. */
static lmd_status read_row(const job_table *table, int i, job_node *node,
                           job_record *record, void *object, job_entry *entries)
{
    const job_row *const row = &table->rows[i];
    const char *const where = record->job.path;
    if (!node && row->fallback == job_optional) {
        return LMD_OK;
    }
    if (!node && !row->fallback) {
        return lmd_status_set(LMD_USAGE, "%s: %s%s is missing (%s)", where, table->prefix,
                              row->name, row->help);
    }
    job_value value = {.table = table,
                       .row = row,
                       .node = node,
                       .record = record,
                       .member = (char *)object + row->member,
                       .entry = &entries[i]};
    if (node) {
        entries[i].where = lmd_memory_copy_text(node->where);
        return readers[row->type](&value);
    }
    value.node = job_tree_new_scalar(row->fallback, where);
    const lmd_status status = readers[row->type](&value);
    job_tree_free(value.node);
    return status;
}

/* One item of `corpus` or `observe.lenses`. */
static lmd_status read_object(const job_table *table, const job_node *node,
                              job_record *record, void *object, job_entry *entries)
{
    if (node->kind != JOB_MAPPING) {
        return lmd_status_set(LMD_USAGE, "%s: %s%s: expected a value", node->where,
                              table->prefix, table->rows[0].name);
    }
    for (size_t i = 0; i < node->n_items; i++) {
        const job_node *const item = node->items[i];
        if (job_table_find(table, item->key) < 0) {
            return refuse_key(table, item->key, item->where);
        }
    }
    for (int i = 0; i < table->n_rows; i++) {
        job_node *const item = job_tree_find(node, table->rows[i].name);
        LMD_TRY(read_row(table, i, item, record, object, entries));
    }
    return LMD_OK;
}

/* Makes the node a list of mappings, of which there must be one. */
static lmd_status need_objects(const job_value *value, const char *short_key)
{
    job_node *const node = value->node;
    job_tree_make_list(node);
    if (node->is_void || (node->kind == JOB_LIST && node->n_items == 0)) {
        return refuse(value, "expected at least one");
    }
    for (size_t i = 0; node->kind == JOB_LIST && i < node->n_items; i++) {
        job_tree_make_mapping(node->items[i], short_key);
    }
    return LMD_OK;
}

static int count_objects(const job_node *node)
{
    return node->kind == JOB_LIST ? (int)node->n_items : 1;
}

static const job_node *get_object(const job_node *node, int i)
{
    return node->kind == JOB_LIST ? node->items[i] : node;
}

static lmd_status read_sources(const job_value *value)
{
    LMD_TRY(need_objects(value, job_source_keys.rows[0].name));
    job_record *const record = value->record;
    const int n = count_objects(value->node);
    const size_t n_rows = (size_t)job_source_keys.n_rows;
    record->job.n_sources = n;
    record->job.sources = lmd_memory_new((size_t)n, sizeof *record->job.sources);
    record->source_entries = lmd_memory_new((size_t)n * n_rows, sizeof(job_entry));
    for (int i = 0; i < n; i++) {
        const job_node *const node = get_object(value->node, i);
        lmd_job_source *const source = &record->job.sources[i];
        source->where = lmd_memory_copy_text(node->where);
        LMD_TRY(read_object(&job_source_keys, node, record, source,
                            record->source_entries + (size_t)i * n_rows));
    }
    return LMD_OK;
}

static lmd_status read_lenses(const job_value *value)
{
    LMD_TRY(need_objects(value, job_lens_keys.rows[0].name));
    job_record *const record = value->record;
    const int n = count_objects(value->node);
    const size_t n_rows = (size_t)job_lens_keys.n_rows;
    record->job.n_lenses = n;
    record->job.lenses = lmd_memory_new((size_t)n, sizeof *record->job.lenses);
    record->lens_entries = lmd_memory_new((size_t)n * n_rows, sizeof(job_entry));
    for (int i = 0; i < n; i++) {
        const job_node *const node = get_object(value->node, i);
        lmd_job_lens *const lens = &record->job.lenses[i];
        lens->where = lmd_memory_copy_text(node->where);
        LMD_TRY(read_object(&job_lens_keys, node, record, lens,
                            record->lens_entries + (size_t)i * n_rows));
    }
    return LMD_OK;
}

static read_value *const readers[JOB_TYPE_COUNT] = {
    [JOB_TEXT] = read_text,       [JOB_CHOICE] = read_choice,
    [JOB_INT] = read_int,         [JOB_REAL] = read_real,
    [JOB_WORDS] = read_words,     [JOB_POSITIONS] = read_positions,
    [JOB_STATES] = read_states,   [JOB_PATH] = read_path,
    [JOB_MODEL] = read_model,     [JOB_GLOB] = read_glob,
    [JOB_SOURCES] = read_sources, [JOB_LENSES] = read_lenses,
};

/* ---- the whole job ---- */

/* Does a key begin with "<name>."? */
static bool is_section(const char *name)
{
    const size_t n = strlen(name);
    for (int i = 0; i < job_keys.n_rows; i++) {
        const char *const key = job_keys.rows[i].name;
        if (strncmp(key, name, n) == 0 && key[n] == '.') {
            return true;
        }
    }
    return false;
}

static lmd_status check_section(const job_node *section)
{
    if (section->kind != JOB_MAPPING && !section->is_void) {
        return lmd_status_set(LMD_USAGE, "%s: %s: expected keys below it (%s: ...)",
                              section->where, section->key, section->key);
    }
    for (size_t i = 0; i < section->n_items; i++) {
        lmd_text name = {0};
        const job_node *const item = section->items[i];
        lmd_text_append_format(&name, "%s.%s", section->key, item->key);
        const lmd_status status = job_table_find(&job_keys, name.bytes) >= 0
                                      ? LMD_OK
                                      : refuse_key(&job_keys, name.bytes, item->where);
        lmd_text_clear(&name);
        LMD_TRY(status);
    }
    return LMD_OK;
}

static lmd_status check_keys(const job_node *root)
{
    for (size_t i = 0; i < root->n_items; i++) {
        const job_node *const item = root->items[i];
        const bool has_dot = strchr(item->key, '.') != NULL;
        const int row = job_table_find(&job_keys, item->key);
        if (is_section(item->key)) {
            LMD_TRY(check_section(item));
        } else if (row >= 0 && has_dot) {
            return lmd_status_set(LMD_USAGE,
                                  "%s: %s: names with a dot are for --set; in a file "
                                  "the second word stands below the first",
                                  item->where, item->key);
        } else if (row < 0) {
            return refuse_key(&job_keys, item->key, item->where);
        }
    }
    return LMD_OK;
}

/* The node of "title" or "prompts.length", NULL when it is not given. */
static job_node *find_node(const job_node *root, const char *name)
{
    const char *const dot = strchr(name, '.');
    if (!dot) {
        return job_tree_find(root, name);
    }
    char *const section_name = lmd_memory_copy_bytes(name, (size_t)(dot - name));
    const job_node *const section = job_tree_find(root, section_name);
    lmd_memory_free(section_name);
    return section ? job_tree_find(section, dot + 1) : NULL;
}

static lmd_status read_root(const job_node *root, job_record *record)
{
    LMD_TRY(check_keys(root));
    for (int i = 0; i < job_keys.n_rows; i++) {
        job_node *const node = find_node(root, job_keys.rows[i].name);
        LMD_TRY(read_row(&job_keys, i, node, record, &record->job, record->entries));
    }
    return LMD_OK;
}

static lmd_status apply_overrides(job_node *root, const lmd_job_override *overrides,
                                  int n_overrides)
{
    for (int i = 0; i < n_overrides; i++) {
        const lmd_job_override *const override = &overrides[i];
        const size_t n = strlen(override->value);
        if (lmd_text_find_bad_utf8(override->value, n) < n) {
            return lmd_status_set(LMD_USAGE, "%s: %s: not UTF-8", override->where,
                                  override->key);
        }
        LMD_TRY(job_tree_set(root, override->key, override->value, override->where));
    }
    return LMD_OK;
}

lmd_status lmd_job_parse(lmd_job **out, const char *path, const char *bytes,
                         size_t n_bytes, const lmd_job_override *overrides,
                         int n_overrides)
{
    job_node *root = NULL;
    char *const folder = lmd_file_folder_of(path);
    job_record *const record = lmd_memory_new(1, sizeof *record);
    record->job.path = lmd_memory_copy_text(path);
    record->entries = lmd_memory_new((size_t)job_keys.n_rows, sizeof(job_entry));
    lmd_status status = job_tree_read(&root, path, folder, bytes, n_bytes);
    if (status == LMD_OK) {
        status = apply_overrides(root, overrides, n_overrides);
    }
    if (status == LMD_OK) {
        status = read_root(root, record);
    }
    job_tree_free(root);
    lmd_memory_free(folder);
    *out = &record->job;
    if (status != LMD_OK) {
        lmd_job_free(*out);
        *out = NULL;
    }
    return status;
}

lmd_status lmd_job_read(lmd_job **out, const char *path,
                        const lmd_job_override *overrides, int n_overrides)
{
    lmd_text text = {0};
    *out = NULL;
    lmd_status status = lmd_file_read_all(path, LARGEST_JOB, &text);
    if (status == LMD_OK) {
        status = lmd_job_parse(out, path, lmd_text_string(&text), text.size, overrides,
                               n_overrides);
    }
    lmd_text_clear(&text);
    return status == LMD_INPUT ? LMD_USAGE : status; // a job file that is none
}

/* ---- the end ---- */

static bool is_number(job_type type)
{
    return type == JOB_INT || type == JOB_REAL;
}

static void free_entries(job_entry *entries, size_t n)
{
    for (size_t i = 0; entries && i < n; i++) {
        lmd_memory_free(entries[i].where);
        lmd_memory_free(entries[i].written);
    }
    lmd_memory_free(entries);
}

/* The strings that rows have put into an object. */
static void free_members(const job_table *table, void *object)
{
    for (int i = 0; i < table->n_rows; i++) {
        const job_row *const row = &table->rows[i];
        if (!is_number(row->type) && row->type != JOB_SOURCES &&
            row->type != JOB_LENSES) {
            lmd_memory_free(*(char **)((char *)object + row->member));
        }
    }
}

void lmd_job_free(lmd_job *job)
{
    if (!job) {
        return;
    }
    job_record *const record = (job_record *)job;
    for (int i = 0; i < job->n_sources; i++) {
        free_members(&job_source_keys, &job->sources[i]);
        lmd_memory_free(job->sources[i].where);
    }
    for (int i = 0; i < job->n_lenses; i++) {
        free_members(&job_lens_keys, &job->lenses[i]);
        lmd_memory_free(job->lenses[i].where);
    }
    free_entries(record->source_entries,
                 (size_t)job->n_sources * (size_t)job_source_keys.n_rows);
    free_entries(record->lens_entries,
                 (size_t)job->n_lenses * (size_t)job_lens_keys.n_rows);
    free_entries(record->entries, (size_t)job_keys.n_rows);
    free_members(&job_keys, job);
    lmd_memory_free(job->sources);
    lmd_memory_free(job->lenses);
    lmd_memory_free(job->path);
    lmd_memory_free(record);
}

const char *lmd_job_where(const lmd_job *job, const char *key)
{
    const int i = job_table_find(&job_keys, key);
    const char *const where = i < 0 ? NULL : job_record_of(job)->entries[i].where;
    return where ? where : job->path;
}
