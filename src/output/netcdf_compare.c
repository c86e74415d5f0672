/* Two NetCDF files held against each other, whatever they hold.
 *
 * Values are read piece by piece; a piece with equal bytes needs no closer look. With a
 * tolerance, the limbs of an exact sum are compared as the one number they stand for:
 * a tiny difference of sums changes the lower limbs altogether. */
#include "netcdf_access.h"

#include <ctype.h>               /* isprint */
#include <inttypes.h>            /* PRId64 */
#include <math.h>                /* fabs, isnan */
#include <stdint.h>              /* int64_t */
#include <string.h>              /* memcmp, strcmp */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <lmdepth/output.h>

enum { A, B, FILES };

typedef struct comparison {
    const char *paths[FILES]; /* borrowed */
    int ncids[FILES];
    double rtol;
    bool is_equal;
    lmd_text *differences; /* borrowed */
} comparison;

static lmd_status check(const comparison *c, int file, int code, const char *what)
{
    return lmd_netcdf_check(code, LMD_INPUT, c->paths[file], what);
}

__attribute__((format(printf, 2, 3))) static void note(comparison *c, const char *format,
                                                       ...)
{
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    lmd_text_append_format(c->differences, "%s\n", line);
    c->is_equal = false;
}

/* ---- numbers ---- */

static double number_at(const void *values, nc_type type, size_t i)
{
    switch (type) {
    case NC_BYTE:
        return ((const signed char *)values)[i];
    case NC_CHAR:
    case NC_UBYTE:
        return ((const unsigned char *)values)[i];
    case NC_SHORT:
        return ((const int16_t *)values)[i];
    case NC_USHORT:
        return ((const uint16_t *)values)[i];
    case NC_INT:
        return ((const int32_t *)values)[i];
    case NC_UINT:
        return ((const uint32_t *)values)[i];
    case NC_INT64:
        return (double)((const int64_t *)values)[i];
    case NC_UINT64:
        return (double)((const uint64_t *)values)[i];
    case NC_FLOAT:
        return (double)((const float *)values)[i];
    default:
        return ((const double *)values)[i];
    }
}

/* A missing string is an empty one. */
static const char *string_at(const void *values, size_t i)
{
    const char *string = ((const char *const *)values)[i];
    return string ? string : "";
}

static bool is_close(double x, double y, double rtol)
{
    return (isnan(x) && isnan(y)) || x == y ||
           fabs(x - y) <= rtol * fmax(fabs(x), fabs(y));
}

static double relative_difference(double x, double y)
{
    return x == y ? 0 : fabs(x - y) / fmax(fabs(x), fabs(y));
}

static void print_value(const void *values, nc_type type, size_t i, char text[40])
{
    if (type == NC_INT64) {
        (void)snprintf(text, 40, "%" PRId64, ((const int64_t *)values)[i]);
    } else if (type == NC_UINT64) {
        (void)snprintf(text, 40, "%" PRIu64, ((const uint64_t *)values)[i]);
    } else if (type == NC_FLOAT || type == NC_DOUBLE) {
        (void)snprintf(text, 40, "%.17g", number_at(values, type, i));
    } else if (type == NC_CHAR && isprint(((const unsigned char *)values)[i])) {
        (void)snprintf(text, 40, "'%c'", ((const char *)values)[i]);
    } else {
        (void)snprintf(text, 40, "%.0f", number_at(values, type, i));
    }
}

/* ---- values of a variable ---- */

/* Differences of a variable so far. */
typedef struct tally {
    const comparison *files; /* borrowed */
    const lmd_netcdf_variable *variable;
    size_t size;   /* bytes of a value */
    bool is_limbs; /* compared three by three */
    size_t n_cells, n_different;
    double largest; /* relative difference */
    lmd_text first; /* owned: where and what; the second file's place is the same */
} tally;

/* Appends where value number i of a piece stands. */
static void append_place(const tally *t, const lmd_slabs *slabs, size_t i, lmd_text *out)
{
    size_t indices[NC_MAX_VAR_DIMS];
    size_t inner = slabs->n_cells;
    for (int d = 0; d < slabs->n_dims; d++) {
        inner /= slabs->count[d];
        indices[d] = slabs->start[d] + i / inner;
        i %= inner;
    }
    lmd_netcdf_append_place(t->files->ncids[A], t->files->paths[A], t->variable, indices,
                            out);
}

static void count_difference(tally *t, const lmd_slabs *slabs, size_t i,
                             const void *const values[FILES], double difference)
{
    if (t->n_different++ == 0) {
        char x[40], y[40];
        print_value(values[A], t->variable->type, i, x);
        print_value(values[B], t->variable->type, i, y);
        if (slabs->n_dims > 0) {
            lmd_text_append_string(&t->first, "first difference at ");
            append_place(t, slabs, i, &t->first);
            lmd_text_append_string(&t->first, ": ");
        }
        lmd_text_append_format(&t->first, "%s and %s", x, y);
    }
    if (difference > t->largest || isnan(difference)) {
        t->largest = difference;
    }
}

static void compare_exactly(tally *t, const lmd_slabs *slabs,
                            const void *const values[FILES])
{
    const nc_type type = t->variable->type;
    const bool has_nan = type == NC_FLOAT || type == NC_DOUBLE;
    for (size_t i = 0; i < slabs->n_cells; i++) {
        const char *a = (const char *)values[A] + i * t->size;
        const char *b = (const char *)values[B] + i * t->size;
        if (memcmp(a, b, t->size) == 0) {
            continue;
        }
        const double x = number_at(values[A], type, i);
        const double y = number_at(values[B], type, i);
        if (!(has_nan && isnan(x) && isnan(y))) {
            count_difference(t, slabs, i, values, relative_difference(x, y));
        }
    }
}

/* The number that three limbs from i on stand for, near enough to compare. */
static double sum_at(const void *values, size_t i)
{
    const int64_t *limb = (const int64_t *)values + i;
    return (double)limb[0] * 0x1p-64 + (double)limb[1] * 0x1p-32 + (double)limb[2];
}

static void compare_closely(tally *t, const lmd_slabs *slabs,
                            const void *const values[FILES], double rtol)
{
    const nc_type type = t->variable->type;
    const size_t step = t->is_limbs ? 3 : 1;
    for (size_t i = 0; i < slabs->n_cells; i += step) {
        const double x =
            t->is_limbs ? sum_at(values[A], i) : number_at(values[A], type, i);
        const double y =
            t->is_limbs ? sum_at(values[B], i) : number_at(values[B], type, i);
        if (!is_close(x, y, rtol)) {
            count_difference(t, slabs, i, values, relative_difference(x, y));
        }
    }
}

static void compare_piece(const comparison *c, tally *t, const lmd_slabs *slabs,
                          const void *const values[FILES])
{
    const nc_type type = t->variable->type;
    if (memcmp(values[A], values[B], slabs->n_cells * t->size) == 0) {
        return;
    } else if (c->rtol > 0 && type != NC_CHAR) {
        compare_closely(t, slabs, values, c->rtol);
    } else {
        compare_exactly(t, slabs, values);
    }
}

static lmd_status read_piece(const comparison *c, const int ids[FILES], const tally *t,
                             const lmd_slabs *slabs, void *const values[FILES])
{
    for (int f = 0; f < FILES; f++) {
        const int code =
            nc_get_vara(c->ncids[f], ids[f], slabs->start, slabs->count, values[f]);
        LMD_TRY(check(c, f, code, t->variable->name));
    }
    return LMD_OK;
}

static lmd_status compare_pieces(comparison *c, const int ids[FILES], tally *t,
                                 void *const values[FILES])
{
    lmd_slabs slabs;
    lmd_slabs_begin(&slabs, t->variable->n_dims, t->variable->shape, LMD_SLAB_CELLS);
    while (lmd_slabs_next(&slabs)) {
        const void *const both[FILES] = {values[A], values[B]};
        LMD_TRY(read_piece(c, ids, t, &slabs, values));
        t->n_cells += slabs.n_cells;
        compare_piece(c, t, &slabs, both);
    }
    return LMD_OK;
}

static void note_values(comparison *c, const tally *t)
{
    if (t->n_different == 0) {
        return;
    }
    const char *first = lmd_text_string(&t->first);
    if (t->n_cells == 1) {
        note(c, "%s: %s", t->variable->name, first);
        return;
    }
    char extent[60] = "";
    if (t->variable->type != NC_CHAR) {
        (void)snprintf(extent, sizeof extent, ", by up to %.2g of their size",
                       t->largest);
    }
    note(c, "%s: %s (%zu of %zu values differ%s)", t->variable->name, first,
         t->n_different, t->is_limbs ? t->n_cells / 3 : t->n_cells, extent);
}

static bool is_limbs(const comparison *c, const lmd_netcdf_variable *variable)
{
    char name[NC_MAX_NAME + 1] = "";
    const int last = variable->n_dims - 1;
    return variable->type == NC_INT64 && last >= 0 && variable->shape[last] == 3 &&
           nc_inq_dimname(c->ncids[A], variable->dims[last], name) == NC_NOERR &&
           strcmp(name, "limb") == 0;
}

static lmd_status compare_values(comparison *c, const lmd_netcdf_variable *a, int id_b)
{
    tally t = {.files = c, .variable = a, .is_limbs = c->rtol > 0 && is_limbs(c, a)};
    if (a->type >= NC_STRING) {
        return lmd_status_set(LMD_INPUT, "%s: %s: values of this type can't be compared",
                              c->paths[A], a->name);
    }
    LMD_TRY(check(c, A, nc_inq_type(c->ncids[A], a->type, NULL, &t.size), a->name));
    const int ids[FILES] = {a->id, id_b};
    void *values[FILES] = {lmd_memory_new(LMD_SLAB_CELLS, t.size),
                           lmd_memory_new(LMD_SLAB_CELLS, t.size)};
    const lmd_status status = compare_pieces(c, ids, &t, values);
    lmd_memory_free(values[A]);
    lmd_memory_free(values[B]);
    note_values(c, &t);
    lmd_text_clear(&t.first);
    return status;
}

/* ---- attributes ---- */

/* What may differ between two runs of one job. */
static bool is_skipped(int id, const char *name)
{
    return id == NC_GLOBAL &&
           (strcmp(name, "history") == 0 || strncmp(name, "date_", 5) == 0 ||
            strncmp(name, "lmdepth_run_", 12) == 0 || strcmp(name, "_NCProperties") == 0);
}

/* The line in which two texts first differ, from both, cut to what a screen holds. */
static void note_texts(comparison *c, const char *label, const char *a, const char *b)
{
    size_t start = 0;
    for (size_t i = 0; a[i] && a[i] == b[i]; i++) {
        start = a[i] == '\n' ? i + 1 : start;
    }
    note(c, "%s: \"%.*s\" against \"%.*s\"", label,
         (int)(strcspn(a + start, "\n") < 100 ? strcspn(a + start, "\n") : 100),
         a + start,
         (int)(strcspn(b + start, "\n") < 100 ? strcspn(b + start, "\n") : 100),
         b + start);
}

/* An attribute's bytes, and a zero behind them. Strings become one text of lines. */
typedef struct attribute {
    nc_type type;
    size_t length, size; /* values, bytes of one */
    char *bytes;         /* owned */
} attribute;

static lmd_status read_strings(const comparison *c, int file, int id, const char *name,
                               attribute *out)
{
    const size_t n = out->length;
    char **strings = lmd_memory_new(n, sizeof *strings);
    const int code = nc_get_att_string(c->ncids[file], id, name, strings);
    lmd_text lines = {0};
    lmd_text_append(&lines, "", 0);
    for (size_t i = 0; code == NC_NOERR && i < n; i++) {
        lmd_text_append_format(&lines, "%s%s", i > 0 ? "\n" : "", string_at(strings, i));
    }
    if (code == NC_NOERR) {
        (void)nc_free_string(n, strings);
    }
    lmd_memory_free(strings);
    *out = (attribute){NC_STRING, lines.size, 1, lines.bytes};
    return check(c, file, code, name);
}

static lmd_status read_attribute(const comparison *c, int file, int id, const char *name,
                                 attribute *out)
{
    const int ncid = c->ncids[file];
    LMD_TRY(
        lmd_netcdf_attribute(ncid, c->paths[file], id, name, &out->type, &out->length));
    if (out->type > NC_STRING) {
        return lmd_status_set(LMD_INPUT, "%s: attribute %s: this type can't be compared",
                              c->paths[file], name);
    }
    if (out->length > lmd_netcdf_file_size(c->paths[file])) {
        return lmd_status_set(LMD_INPUT,
                              "%s: damaged: attribute %s is longer than the file",
                              c->paths[file], name);
    }
    if (out->type == NC_STRING) {
        return read_strings(c, file, id, name, out);
    }
    LMD_TRY(check(c, file, nc_inq_type(ncid, out->type, NULL, &out->size), name));
    out->bytes = lmd_memory_new(out->length + 1, out->size);
    return check(c, file, nc_get_att(ncid, id, name, out->bytes), name);
}

static bool are_same(const attribute *a, const attribute *b)
{
    if (a->type != b->type || a->length != b->length) {
        return false;
    }
    if (a->type != NC_FLOAT && a->type != NC_DOUBLE) {
        return memcmp(a->bytes, b->bytes, a->length * a->size) == 0;
    }
    for (size_t i = 0; i < a->length; i++) {
        if (!is_close(number_at(a->bytes, a->type, i), number_at(b->bytes, b->type, i),
                      0)) {
            return false;
        }
    }
    return true;
}

static void compare_attribute_values(comparison *c, const char *label, const attribute *a,
                                     const attribute *b)
{
    if (are_same(a, b)) {
        return;
    }
    if (a->type == b->type && (a->type == NC_CHAR || a->type == NC_STRING)) {
        note_texts(c, label, a->bytes, b->bytes);
    } else {
        note(c, "%s: values differ", label);
    }
}

/* `owner`: "name:" of the variable, or "" for global ones. */
static lmd_status compare_attribute(comparison *c, const int ids[FILES],
                                    const char *owner, const char *name)
{
    char label[2 * NC_MAX_NAME + 8];
    (void)snprintf(label, sizeof label, "attribute %s%s", owner, name);
    if (nc_inq_attid(c->ncids[B], ids[B], name, NULL) != NC_NOERR) {
        note(c, "%s: only in %s", label, c->paths[A]);
        return LMD_OK;
    }
    attribute a = {0}, b = {0};
    lmd_status status = read_attribute(c, A, ids[A], name, &a);
    if (lmd_status_is_ok(status)) {
        status = read_attribute(c, B, ids[B], name, &b);
    }
    if (lmd_status_is_ok(status)) {
        compare_attribute_values(c, label, &a, &b);
    }
    lmd_memory_free(a.bytes);
    lmd_memory_free(b.bytes);
    return status;
}

static lmd_status compare_attributes(comparison *c, const int ids[FILES],
                                     const char *owner)
{
    for (int f = 0; f < FILES; f++) {
        int n_attributes = 0;
        LMD_TRY(check(c, f, nc_inq_varnatts(c->ncids[f], ids[f], &n_attributes),
                      "attributes"));
        for (int i = 0; i < n_attributes; i++) {
            char name[NC_MAX_NAME + 1];
            LMD_TRY(
                check(c, f, nc_inq_attname(c->ncids[f], ids[f], i, name), "attributes"));
            if (is_skipped(ids[f], name)) {
                continue;
            }
            if (f == A) {
                LMD_TRY(compare_attribute(c, ids, owner, name));
            } else if (nc_inq_attid(c->ncids[A], ids[A], name, NULL) != NC_NOERR) {
                note(c, "attribute %s%s: only in %s", owner, name, c->paths[B]);
            }
        }
    }
    return LMD_OK;
}

/* ---- dimensions and variables ---- */

static lmd_status compare_dims(comparison *c)
{
    for (int f = 0; f < FILES; f++) {
        int n_dims = 0;
        LMD_TRY(check(c, f, nc_inq_ndims(c->ncids[f], &n_dims), "dimensions"));
        for (int id = 0; id < n_dims; id++) {
            char name[NC_MAX_NAME + 1];
            size_t size = 0, other_size = 0;
            int other = 0;
            LMD_TRY(check(c, f, nc_inq_dim(c->ncids[f], id, name, &size), "dimensions"));
            if (nc_inq_dimid(c->ncids[!f], name, &other) != NC_NOERR) {
                note(c, "dimension %s: only in %s", name, c->paths[f]);
                continue;
            }
            LMD_TRY(check(c, !f, nc_inq_dimlen(c->ncids[!f], other, &other_size), name));
            if (f == A && size != other_size) {
                note(c, "dimension %s: %zu against %zu", name, size, other_size);
            }
        }
    }
    return LMD_OK;
}

static lmd_status have_same_shape(const comparison *c, const lmd_netcdf_variable *a,
                                  const lmd_netcdf_variable *b, bool *same)
{
    *same = a->n_dims == b->n_dims;
    for (int d = 0; *same && d < a->n_dims; d++) {
        char x[NC_MAX_NAME + 1], y[NC_MAX_NAME + 1];
        LMD_TRY(check(c, A, nc_inq_dimname(c->ncids[A], a->dims[d], x), a->name));
        LMD_TRY(check(c, B, nc_inq_dimname(c->ncids[B], b->dims[d], y), b->name));
        *same = strcmp(x, y) == 0 && a->shape[d] == b->shape[d];
    }
    return LMD_OK;
}

static lmd_status compare_pair(comparison *c, const lmd_netcdf_variable *a,
                               const lmd_netcdf_variable *b)
{
    const int ids[FILES] = {a->id, b->id};
    char owner[NC_MAX_NAME + 2];
    (void)snprintf(owner, sizeof owner, "%s:", a->name);
    bool same_shape = false;
    LMD_TRY(have_same_shape(c, a, b, &same_shape));
    LMD_TRY(compare_attributes(c, ids, owner));
    if (a->type != b->type) {
        note(c, "%s: types differ", a->name);
    } else if (!same_shape) {
        note(c, "%s: dimensions differ", a->name);
    } else {
        LMD_TRY(compare_values(c, a, b->id));
    }
    return LMD_OK;
}

static lmd_status compare_variables(comparison *c, lmd_netcdf_variable variables[FILES])
{
    for (int f = 0; f < FILES; f++) {
        int n_variables = 0;
        LMD_TRY(check(c, f, nc_inq_nvars(c->ncids[f], &n_variables), "variables"));
        for (int id = 0; id < n_variables; id++) {
            int other = 0;
            LMD_TRY(lmd_netcdf_inquire(c->ncids[f], c->paths[f], id, &variables[f]));
            if (nc_inq_varid(c->ncids[!f], variables[f].name, &other) != NC_NOERR) {
                note(c, "variable %s: only in %s", variables[f].name, c->paths[f]);
            } else if (f == A) {
                LMD_TRY(
                    lmd_netcdf_inquire(c->ncids[B], c->paths[B], other, &variables[B]));
                LMD_TRY(compare_pair(c, &variables[A], &variables[B]));
            }
        }
    }
    return LMD_OK;
}

/* ---- the two files ---- */

static lmd_status refuse_groups(const comparison *c)
{
    for (int f = 0; f < FILES; f++) {
        int n_groups = 0;
        LMD_TRY(check(c, f, nc_inq_grps(c->ncids[f], &n_groups, NULL), "groups"));
        if (n_groups > 0) {
            return lmd_status_set(LMD_INPUT,
                                  "%s: has groups; only flat files can be "
                                  "compared",
                                  c->paths[f]);
        }
    }
    return LMD_OK;
}

static lmd_status compare_files(comparison *c)
{
    const int global[FILES] = {NC_GLOBAL, NC_GLOBAL};
    LMD_TRY(refuse_groups(c));
    LMD_TRY(compare_attributes(c, global, ""));
    LMD_TRY(compare_dims(c));
    lmd_netcdf_variable *variables = lmd_memory_new(FILES, sizeof *variables);
    const lmd_status status = compare_variables(c, variables);
    lmd_memory_free(variables);
    return status;
}

lmd_status lmd_output_compare(const char *a, const char *b, double rtol, bool *equal,
                              lmd_text *differences)
{
    comparison c = {
        .paths = {a, b}, .rtol = rtol, .is_equal = true, .differences = differences};
    *equal = false;
    LMD_TRY(lmd_netcdf_open(a, &c.ncids[A]));
    lmd_status status = lmd_netcdf_open(b, &c.ncids[B]);
    if (lmd_status_is_ok(status)) {
        status = compare_files(&c);
        lmd_netcdf_close(c.ncids[B]);
    }
    lmd_netcdf_close(c.ncids[A]);
    *equal = lmd_status_is_ok(status) && c.is_equal;
    return status;
}
