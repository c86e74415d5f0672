/* A result file in a screen, or as JSON.
 *
 * What it says is read from the file alone: attributes, sizes, a few sums. A file of
 * somebody else, without our variables, shows what it has. */
#include "netcdf_access.h"

#include <inttypes.h>            /* PRId64 */
#include <stdint.h>              /* int64_t */
#include <string.h>              /* strtok_r */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <lmdepth/output.h>

typedef struct view {
    const char *path; /* borrowed */
    int ncid;
    bool json;
    lmd_text *out; /* borrowed */
} view;

static lmd_status check(const view *v, int code, const char *what)
{
    return lmd_netcdf_check(code, LMD_INPUT, v->path, what);
}

/* ---- JSON ---- */

/* One code point of well-formed UTF-8, escaped where JSON wants it. */
static size_t append_escaped(lmd_text *out, const char *bytes)
{
    uint32_t code_point = 0;
    const size_t length = lmd_text_decode_utf8(bytes, &code_point);
    if (code_point == '"' || code_point == '\\') {
        lmd_text_append_format(out, "\\%c", (char)code_point);
    } else if (code_point == '\n') {
        lmd_text_append_string(out, "\\n");
    } else if (code_point < 0x20 || code_point == 0x7f) {
        lmd_text_append_format(out, "\\u%04x", (unsigned)code_point);
    } else {
        lmd_text_append(out, bytes, length);
    }
    return length;
}

/* A JSON string; each byte that is no UTF-8 becomes U+FFFD. */
static void append_string(lmd_text *out, const char *bytes, size_t n_bytes)
{
    lmd_text_append(out, "\"", 1);
    for (size_t i = 0; i < n_bytes;) {
        const size_t end = i + lmd_text_find_bad_utf8(bytes + i, n_bytes - i);
        while (i < end) {
            i += append_escaped(out, bytes + i);
        }
        if (i < n_bytes) {
            lmd_text_append_string(out, "\\ufffd");
            i++;
        }
    }
    lmd_text_append(out, "\"", 1);
}

/* Begins item number `index` of an object: comma, line break, key. */
static void append_key(const view *v, int index, int depth, const char *key)
{
    lmd_text_append_format(v->out, "%s\n%*s", index > 0 ? "," : "", 2 * depth, "");
    append_string(v->out, key, strlen(key));
    lmd_text_append_string(v->out, ": ");
}

/* ---- attributes ---- */

static lmd_status read_text(const view *v, int id, const char *name, lmd_text *value)
{
    bool found = false;
    LMD_TRY(lmd_netcdf_read_text(v->ncid, v->path, id, name, value, &found));
    if (!found) {
        lmd_text_append_string(value, "(not text)");
    }
    return LMD_OK;
}

/* What must stay on its line. Other control characters become '?' at the end. */
static void append_line(lmd_text *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\n' || *text == '\t') {
            lmd_text_append_string(out, *text == '\n' ? "\\n" : "\\t");
        } else {
            lmd_text_append(out, text, 1);
        }
    }
}

enum { SCREEN_LINES = 20, SCREEN_LABELS = 20, LARGEST_TABLE = 1 << 27 };

/* A text of several lines begins below its name, indented, and is cut: this is a screen.
 */
static void show_text(const view *v, const char *name, const lmd_text *value)
{
    const char *text = lmd_text_string(value);
    if (!strchr(text, '\n')) {
        lmd_text_append_format(v->out, "  %s: %s\n", name, text);
        return;
    }
    lmd_text_append_format(v->out, "  %s:\n", name);
    for (int line = 0; *text && line < SCREEN_LINES; line++) {
        const size_t length = strcspn(text, "\n");
        lmd_text_append_format(v->out, "    %.*s\n", (int)length, text);
        text += length + (text[length] == '\n');
    }
    lmd_text_append_string(v->out, *text ? "    ... (--json shows all)\n" : "");
}

static lmd_status show_attribute(const view *v, int index)
{
    char name[NC_MAX_NAME + 1];
    LMD_TRY(check(v, nc_inq_attname(v->ncid, NC_GLOBAL, index, name), "attributes"));
    lmd_text value = {0};
    const lmd_status status = read_text(v, NC_GLOBAL, name, &value);
    if (lmd_status_is_ok(status) && v->json) {
        append_key(v, index, 2, name);
        append_string(v->out, lmd_text_string(&value), value.size);
    } else if (lmd_status_is_ok(status) && strcmp(name, "title") != 0) {
        show_text(v, name, &value);
    }
    lmd_text_clear(&value);
    return status;
}

static lmd_status show_attributes(const view *v)
{
    int n_attributes = 0;
    LMD_TRY(check(v, nc_inq_natts(v->ncid, &n_attributes), "attributes"));
    lmd_text_append_string(v->out, v->json ? ",\n  \"attributes\": {" : "attributes\n");
    for (int i = 0; i < n_attributes; i++) {
        LMD_TRY(show_attribute(v, i));
    }
    lmd_text_append_string(v->out, v->json ? "}" : "");
    return LMD_OK;
}

static lmd_status show_title(const view *v)
{
    lmd_text title = {0};
    bool found = nc_inq_attid(v->ncid, NC_GLOBAL, "title", NULL) == NC_NOERR;
    const lmd_status status = found ? read_text(v, NC_GLOBAL, "title", &title) : LMD_OK;
    if (v->json) {
        lmd_text_append_string(v->out, "{\n  \"kind\": \"result\",\n  \"path\": ");
        append_string(v->out, v->path, strlen(v->path));
        lmd_text_append_string(v->out, ",\n  \"title\": ");
        append_string(v->out, lmd_text_string(&title), title.size);
    } else {
        lmd_text_append_format(v->out, "result      %s\n", v->path);
        lmd_text_append_string(v->out, "title       ");
        append_line(v->out, lmd_text_string(&title));
        lmd_text_append_string(v->out, "\n");
    }
    lmd_text_clear(&title);
    return status;
}

/* ---- counts ---- */

/* What is shown in full must not be larger than a screen or a program could want: a file
 * of a few bytes may claim dimensions of any length. */
static lmd_status refuse_large(const view *v, const char *name, size_t n_rows,
                               size_t row_length)
{
    if (row_length > LARGEST_TABLE || n_rows > LARGEST_TABLE / (row_length + 1)) {
        return lmd_status_set(LMD_INPUT, "%s: %s: %zu x %zu cells can't be shown",
                              v->path, name, n_rows, row_length);
    }
    return LMD_OK;
}

static lmd_status check_size(const view *v, const lmd_netcdf_variable *variable)
{
    size_t n_cells = 1;
    for (int d = 0; d < variable->n_dims; d++) {
        LMD_TRY(refuse_large(v, variable->name, variable->shape[d], n_cells));
        n_cells *= variable->shape[d];
    }
    return LMD_OK;
}

/* Sum of all cells of an integer variable; 0 when there is none of that name. */
static lmd_status sum_cells(const view *v, const char *name, long long *sum)
{
    int id = 0;
    *sum = 0;
    if (nc_inq_varid(v->ncid, name, &id) != NC_NOERR) {
        return LMD_OK;
    }
    lmd_netcdf_variable *variable = lmd_memory_new(1, sizeof *variable);
    long long *cells = lmd_memory_new(LMD_SLAB_CELLS, sizeof *cells);
    lmd_status status = lmd_netcdf_inquire(v->ncid, v->path, id, variable);
    if (lmd_status_is_ok(status)) {
        status = check_size(v, variable);
    }
    lmd_slabs slabs;
    lmd_slabs_begin(&slabs, lmd_status_is_ok(status) ? variable->n_dims : 0,
                    variable->shape, LMD_SLAB_CELLS);
    while (lmd_status_is_ok(status) && lmd_slabs_next(&slabs)) {
        status = check(
            v, nc_get_vara_longlong(v->ncid, id, slabs.start, slabs.count, cells), name);
        for (size_t i = 0; lmd_status_is_ok(status) && i < slabs.n_cells; i++) {
            *sum = (long long)((unsigned long long)*sum + (unsigned long long)cells[i]);
        }
    }
    lmd_memory_free(cells);
    lmd_memory_free(variable);
    return status;
}

static lmd_status show_positions(const view *v)
{
    long long observed = 0, gold = 0, unusable = 0;
    LMD_TRY(sum_cells(v, "position_count", &observed));
    LMD_TRY(sum_cells(v, "gold_position_count", &gold));
    LMD_TRY(sum_cells(v, "unusable_position_count", &unusable));
    lmd_text_append_format(v->out,
                           v->json
                               ? ",\n  \"positions\": {\"observed\": %lld, "
                                 "\"with_gold\": %lld, \"unusable\": %lld}"
                               : "positions   %lld observed, %lld of them with a gold "
                                 "token; %lld unusable\n",
                           observed, gold, unusable);
    return LMD_OK;
}

/* Cells of record_count (group, fate), summed over groups into counts (n_fates). */
static lmd_status sum_records(const view *v, int id, size_t n_groups, size_t n_fates,
                              long long *counts)
{
    long long *row = lmd_memory_new(n_fates, sizeof *row);
    lmd_status status = LMD_OK;
    for (size_t g = 0; lmd_status_is_ok(status) && g < n_groups; g++) {
        const size_t start[2] = {g, 0}, count[2] = {1, n_fates};
        status = check(v, nc_get_vara_longlong(v->ncid, id, start, count, row),
                       "record_count");
        for (size_t f = 0; lmd_status_is_ok(status) && f < n_fates; f++) {
            counts[f] =
                (long long)((unsigned long long)counts[f] + (unsigned long long)row[f]);
        }
    }
    lmd_memory_free(row);
    return status;
}

/* Names come from fate's flag_meanings; a fate without records is left out on a screen.
 */
static void print_records(const view *v, char *meanings, size_t n_fates,
                          const long long *counts)
{
    char *rest = NULL;
    int shown = 0;
    lmd_text_append_string(v->out, v->json ? ",\n  \"records\": {" : "records    ");
    const char *word = strtok_r(meanings, " ", &rest);
    for (size_t f = 0; f < n_fates && word; f++) {
        if (v->json) {
            append_key(v, shown++, 2, word);
            lmd_text_append_format(v->out, "%lld", counts[f]);
        } else if (counts[f] != 0) {
            lmd_text_append_format(v->out, "%s %lld %s", shown++ ? "," : "", counts[f],
                                   word);
        }
        word = strtok_r(NULL, " ", &rest);
    }
    lmd_text_append_string(v->out, v->json ? "}" : shown ? "\n" : " none\n");
}

static lmd_status show_records(const view *v)
{
    int id = 0, fate = 0, n_dims = 0, dims[NC_MAX_VAR_DIMS];
    size_t n_groups = 0, n_fates = 0;
    if (nc_inq_varid(v->ncid, "record_count", &id) != NC_NOERR ||
        nc_inq_varid(v->ncid, "fate", &fate) != NC_NOERR ||
        nc_inq_varndims(v->ncid, id, &n_dims) != NC_NOERR || n_dims != 2) {
        return LMD_OK;
    }
    LMD_TRY(check(v, nc_inq_vardimid(v->ncid, id, dims), "record_count"));
    LMD_TRY(check(v, nc_inq_dimlen(v->ncid, dims[0], &n_groups), "record_count"));
    LMD_TRY(check(v, nc_inq_dimlen(v->ncid, dims[1], &n_fates), "record_count"));
    LMD_TRY(refuse_large(v, "record_count", n_groups, n_fates));
    lmd_text meanings = {0};
    long long *counts = lmd_memory_new(n_fates, sizeof *counts);
    lmd_status status = read_text(v, fate, "flag_meanings", &meanings);
    if (lmd_status_is_ok(status)) {
        status = sum_records(v, id, n_groups, n_fates, counts);
    }
    if (lmd_status_is_ok(status) && meanings.bytes) {
        print_records(v, meanings.bytes, n_fates, counts);
    }
    lmd_memory_free(counts);
    lmd_text_clear(&meanings);
    return status;
}

/* ---- names, dimensions, variables ---- */

/* A char variable (n, strlen) as a list. */
static lmd_status show_labels(const view *v, const char *variable, const char *key)
{
    int id = 0, n_dims = 0, dims[NC_MAX_VAR_DIMS];
    size_t n = 0, width = 0;
    if (nc_inq_varid(v->ncid, variable, &id) != NC_NOERR ||
        nc_inq_varndims(v->ncid, id, &n_dims) != NC_NOERR || n_dims != 2) {
        return LMD_OK;
    }
    LMD_TRY(check(v, nc_inq_vardimid(v->ncid, id, dims), variable));
    LMD_TRY(check(v, nc_inq_dimlen(v->ncid, dims[0], &n), variable));
    LMD_TRY(check(v, nc_inq_dimlen(v->ncid, dims[1], &width), variable));
    LMD_TRY(refuse_large(v, variable, n, width));
    char *label = lmd_memory_new(width + 1, 1);
    lmd_status status = LMD_OK;
    lmd_text_append_format(v->out, v->json ? ",\n  \"%s\": [" : "%-12s", key);
    const size_t n_shown = v->json || n <= SCREEN_LABELS ? n : SCREEN_LABELS;
    for (size_t i = 0; lmd_status_is_ok(status) && i < n_shown; i++) {
        const size_t start[2] = {i, 0}, count[2] = {1, width};
        status = check(v, nc_get_vara_text(v->ncid, id, start, count, label), variable);
        lmd_text_append_string(v->out, i > 0 ? ", " : "");
        if (v->json) {
            append_string(v->out, label, strlen(label));
        } else {
            append_line(v->out, label);
        }
    }
    lmd_text_append_string(v->out, n_shown < n ? ", ..." : "");
    lmd_text_append_string(v->out, v->json ? "]" : "\n");
    lmd_memory_free(label);
    return status;
}

static lmd_status show_dims(const view *v)
{
    int n_dims = 0;
    LMD_TRY(check(v, nc_inq_ndims(v->ncid, &n_dims), "dimensions"));
    lmd_text_append_string(v->out, v->json ? ",\n  \"dimensions\": {" : "dimensions  ");
    for (int id = 0; id < n_dims; id++) {
        char name[NC_MAX_NAME + 1];
        size_t size = 0;
        LMD_TRY(check(v, nc_inq_dim(v->ncid, id, name, &size), "dimensions"));
        if (v->json) {
            append_key(v, id, 2, name);
            lmd_text_append_format(v->out, "%zu", size);
        } else {
            lmd_text_append_format(v->out, "%s%s %zu", id > 0 ? ", " : "", name, size);
        }
    }
    lmd_text_append_string(v->out, v->json ? "}" : "\n");
    return LMD_OK;
}

/* "(fold, group, lens)", nothing for a scalar, or the JSON list. */
static lmd_status show_variable_dims(const view *v, const lmd_netcdf_variable *variable)
{
    const bool is_scalar = variable->n_dims == 0;
    lmd_text_append_string(v->out, v->json ? "\"dimensions\": [" : is_scalar ? "" : "(");
    for (int d = 0; d < variable->n_dims; d++) {
        char name[NC_MAX_NAME + 1];
        LMD_TRY(
            check(v, nc_inq_dimname(v->ncid, variable->dims[d], name), variable->name));
        lmd_text_append_string(v->out, d > 0 ? ", " : "");
        if (v->json) {
            append_string(v->out, name, strlen(name));
        } else {
            lmd_text_append_string(v->out, name);
        }
    }
    lmd_text_append_string(v->out, v->json ? "]" : is_scalar ? "" : ")");
    return LMD_OK;
}

/* What a screen can do without: coordinates, their bounds and the limbs of sums. */
static bool is_minor(const view *v, const lmd_netcdf_variable *variable)
{
    char first[NC_MAX_NAME + 1] = "", last[NC_MAX_NAME + 1] = "";
    const int n = variable->n_dims;
    return n > 0 && nc_inq_dimname(v->ncid, variable->dims[0], first) == NC_NOERR &&
           nc_inq_dimname(v->ncid, variable->dims[n - 1], last) == NC_NOERR &&
           (strcmp(first, variable->name) == 0 || strcmp(last, "nv") == 0 ||
            strcmp(last, "limb") == 0 || strcmp(last, "strlen") == 0);
}

static lmd_status show_variable(const view *v, const lmd_netcdf_variable *variable)
{
    char type[NC_MAX_NAME + 1];
    LMD_TRY(check(v, nc_inq_type(v->ncid, variable->type, type, NULL), variable->name));
    lmd_text meaning = {0};
    lmd_status status = LMD_OK;
    if (nc_inq_attid(v->ncid, variable->id, "long_name", NULL) == NC_NOERR) {
        status = read_text(v, variable->id, "long_name", &meaning);
    }
    if (v->json) {
        append_key(v, variable->id, 2, variable->name);
        lmd_text_append_string(v->out, "{\"type\": ");
        append_string(v->out, type, strlen(type));
        lmd_text_append_string(v->out, ", \"long_name\": ");
        append_string(v->out, lmd_text_string(&meaning), meaning.size);
        lmd_text_append_string(v->out, ", ");
    } else {
        lmd_text_append_format(v->out, "  %s %s", type, variable->name);
    }
    if (lmd_status_is_ok(status)) {
        status = show_variable_dims(v, variable);
    }
    if (v->json) {
        lmd_text_append_string(v->out, "}");
    } else {
        lmd_text_append_format(v->out, ": %s\n", lmd_text_string(&meaning));
    }
    lmd_text_clear(&meaning);
    return status;
}

static lmd_status show_variables(const view *v)
{
    int n_variables = 0;
    LMD_TRY(check(v, nc_inq_nvars(v->ncid, &n_variables), "variables"));
    lmd_netcdf_variable *variable = lmd_memory_new(1, sizeof *variable);
    lmd_text_append_string(v->out, v->json
                                       ? ",\n  \"variables\": {"
                                       : "variables (without coordinates and limbs)\n");
    lmd_status status = LMD_OK;
    for (int id = 0; lmd_status_is_ok(status) && id < n_variables; id++) {
        status = lmd_netcdf_inquire(v->ncid, v->path, id, variable);
        if (lmd_status_is_ok(status) && (v->json || !is_minor(v, variable))) {
            status = show_variable(v, variable);
        }
    }
    lmd_text_append_string(v->out, v->json ? "}" : "");
    lmd_memory_free(variable);
    return status;
}

/* ---- all of it ---- */

static lmd_status show_all(const view *v)
{
    LMD_TRY(show_title(v));
    LMD_TRY(show_positions(v));
    LMD_TRY(show_records(v));
    LMD_TRY(show_labels(v, "group_name", "groups"));
    LMD_TRY(show_labels(v, "lens_name", "lenses"));
    LMD_TRY(show_dims(v));
    LMD_TRY(show_variables(v));
    LMD_TRY(show_attributes(v));
    lmd_text_append_string(v->out, v->json ? "\n}\n" : "");
    return LMD_OK;
}

lmd_status lmd_output_show(const char *path, bool json, lmd_text *out)
{
    view v = {.path = path, .json = json, .out = out};
    LMD_TRY(lmd_netcdf_open(path, &v.ncid));
    const lmd_status status = show_all(&v);
    lmd_netcdf_close(v.ncid);
    if (!json && out->size > 0) {
        lmd_text_make_printable(out->bytes);
    }
    return status;
}
