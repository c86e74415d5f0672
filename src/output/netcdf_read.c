/* Result files read back, to be summed (`lmdepth merge`).
 *
 * A file is read in two steps. First what it is: attributes, sizes, names and bins, which
 * the caller holds against those of the others. Then its counts, variable by variable of
 * the metrics' schema, in pieces that are added where they belong: there is never a
 * second copy of the counters. Groups differ from file to file, so an array goes row by
 * row:
 *
 *     file  (outer, group, inner)  ->  sum  (outer, all groups, inner)
 *
 * Nothing that a file says is believed before it is checked: a type, a dimension's name
 * and size, and how much of all that the file can hold at most. */
#include "netcdf_access.h"

#include <limits.h>              /* INT_MAX */
#include <stdint.h>              /* int64_t */
#include <string.h>              /* strcmp */
#include <lmdepth/base/exact.h>  /* lmd_exact_carry */
#include <lmdepth/base/log.h>    /* lmd_log_warn */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <lmdepth/output.h>

/* deflate packs at most 1032 to 1; a page more for a file that holds next to nothing. */
enum { MOST_PACKED = 1100, PAGE_BYTES = 4096 };

typedef struct reader {
    const char *path; /* borrowed */
    int ncid;
    size_t most_bytes;
} reader;

static lmd_status check(const reader *r, int code, const char *what)
{
    return lmd_netcdf_check(code, LMD_INPUT, r->path, what);
}

__attribute__((format(printf, 3, 4))) static lmd_status
refuse(const reader *r, const char *what, const char *format, ...)
{
    char why[200];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    return lmd_status_set(LMD_INPUT, "%s: %s: %s", r->path, what, why);
}

static lmd_status open_reader(const char *path, reader *r)
{
    r->path = path;
    LMD_TRY(lmd_netcdf_open(path, &r->ncid));
    const size_t size = lmd_netcdf_file_size(path);
    if (__builtin_mul_overflow(size, MOST_PACKED, &r->most_bytes)) {
        r->most_bytes = SIZE_MAX - PAGE_BYTES;
    }
    r->most_bytes += PAGE_BYTES;
    return LMD_OK;
}

/* Memory for an array of the file, if the file can hold as much. */
static lmd_status new_array(const reader *r, const char *name, size_t n, size_t size,
                            void *out)
{
    size_t n_bytes = 0;
    if (__builtin_mul_overflow(n, size, &n_bytes) || n_bytes > r->most_bytes) {
        return refuse(r, name, "damaged: larger than the file can hold");
    }
    *(void **)out = lmd_memory_new(n, size);
    return LMD_OK;
}

/* ---- dimensions and variables ---- */

static lmd_status find_dim(const reader *r, const char *name, int *id, int *size)
{
    size_t length = 0;
    const int code = nc_inq_dimid(r->ncid, name, id);
    if (code == NC_EBADDIM) {
        return refuse(r, name, "there is no such dimension: not a result of lmdepth");
    }
    LMD_TRY(check(r, code, name));
    LMD_TRY(check(r, nc_inq_dimlen(r->ncid, *id, &length), name));
    if (length == 0 || length > INT_MAX - 1) {
        return refuse(r, name, "damaged: a dimension of %zu", length);
    }
    *size = (int)length;
    return LMD_OK;
}

static lmd_status read_dim(const reader *r, const char *name, int *size)
{
    int id = 0;
    return find_dim(r, name, &id, size);
}

/* A variable as it must be. */
typedef struct shape {
    const char *name;
    nc_type type;
    int n_dims;
    const char *dims[LMD_VARIABLE_DIMS + 1];
    size_t sizes[LMD_VARIABLE_DIMS + 1]; /* set when it is found */
    size_t n_cells;
} shape;

static lmd_status find_variable(const reader *r, shape *wanted, int *id)
{
    lmd_netcdf_variable found;
    const int code = nc_inq_varid(r->ncid, wanted->name, id);
    if (code == NC_ENOTVAR) {
        return refuse(r, wanted->name, "there is no such variable");
    }
    LMD_TRY(check(r, code, wanted->name));
    LMD_TRY(lmd_netcdf_inquire(r->ncid, r->path, *id, &found));
    if (found.type != wanted->type) {
        return refuse(r, wanted->name, "its values have another type");
    }
    if (found.n_dims != wanted->n_dims) {
        return refuse(r, wanted->name, "%d dimensions, not %d", found.n_dims,
                      wanted->n_dims);
    }
    wanted->n_cells = 1;
    for (int d = 0; d < wanted->n_dims; d++) {
        int dim_id = 0, size = 0;
        LMD_TRY(find_dim(r, wanted->dims[d], &dim_id, &size));
        if (dim_id != found.dims[d]) {
            return refuse(r, wanted->name, "dimension %d is not %s", d + 1,
                          wanted->dims[d]);
        }
        wanted->sizes[d] = (size_t)size;
        if (__builtin_mul_overflow(wanted->n_cells, wanted->sizes[d], &wanted->n_cells)) {
            return refuse(r, wanted->name, "damaged: larger than the file can hold");
        }
    }
    return LMD_OK;
}

/* A small variable as a new array. */
static lmd_status read_variable(const reader *r, shape *wanted, size_t size, void *out)
{
    int id = 0;
    LMD_TRY(find_variable(r, wanted, &id));
    LMD_TRY(new_array(r, wanted->name, wanted->n_cells, size, out));
    const lmd_status status =
        check(r, nc_get_var(r->ncid, id, *(void **)out), wanted->name);
    if (status != LMD_OK) {
        lmd_memory_free(*(void **)out);
        *(void **)out = NULL;
    }
    return status;
}

/* ---- names and bins ---- */

static void free_labels(char **labels, int n)
{
    for (int i = 0; labels != NULL && i < n; i++) {
        lmd_memory_free(labels[i]);
    }
    lmd_memory_free(labels);
}

/* <dim>_name(dim, <dim>_name_strlen): n labels, cut at their first zero. */
static lmd_status read_labels(const reader *r, const char *dim, int n, char ***out)
{
    char name[40], width[60];
    char *text = NULL;
    (void)snprintf(name, sizeof name, "%s_name", dim);
    (void)snprintf(width, sizeof width, "%s_strlen", name);
    shape wanted = {.name = name, .type = NC_CHAR, .n_dims = 2, .dims = {dim, width}};
    LMD_TRY(read_variable(r, &wanted, 1, &text));
    *out = lmd_memory_new((size_t)n, sizeof **out);
    for (int i = 0; i < n; i++) {
        const char *label = text + (size_t)i * wanted.sizes[1];
        (*out)[i] = lmd_memory_copy_bytes(label, strnlen(label, wanted.sizes[1]));
    }
    lmd_memory_free(text);
    return LMD_OK;
}

static lmd_status check_order(const reader *r, const lmd_stored *stored)
{
    for (int g = 1; g < stored->setup.groups; g++) {
        if (strcmp(stored->groups[g - 1], stored->groups[g]) >= 0) {
            return refuse(r, "group_name", "damaged: names not in order, or one twice");
        }
    }
    for (int s = 0; s < stored->setup.L; s++) {
        if (stored->states[s] < (s > 0 ? stored->states[s - 1] + 1 : 0)) {
            return refuse(r, "state", "damaged: indices not in order");
        }
    }
    return LMD_OK;
}

/* Edges of the bands from the bounds of one of their coordinates. */
static lmd_status read_edges(const reader *r, lmd_stored *stored)
{
    const size_t n = (size_t)stored->setup.n_bands;
    int32_t *bounds = NULL;
    shape wanted = {.name = "final_band_bounds",
                    .type = NC_INT,
                    .n_dims = 2,
                    .dims = {"final_band", "nv"}};
    LMD_TRY(read_variable(r, &wanted, sizeof *bounds, &bounds));
    bool is_good = wanted.sizes[1] == 2 && bounds[0] == 0;
    stored->edges = lmd_memory_new(n + 1, sizeof *stored->edges);
    for (size_t i = 0; is_good && i < n; i++) {
        stored->edges[i] = bounds[2 * i];
        stored->edges[i + 1] = bounds[2 * i + 1];
        is_good = bounds[2 * i] < bounds[2 * i + 1] &&
                  (i == 0 || bounds[2 * i] == bounds[2 * i - 1]);
    }
    lmd_memory_free(bounds);
    return is_good ? LMD_OK
                   : refuse(r, "final_band_bounds", "damaged: not the bounds of bands");
}

static lmd_status read_fates(const reader *r, lmd_stored *stored)
{
    int id = 0;
    bool found = false;
    lmd_text words = {0};
    LMD_TRY(read_dim(r, "fate", &stored->n_fates));
    LMD_TRY(check(r, nc_inq_varid(r->ncid, "fate", &id), "fate"));
    LMD_TRY(lmd_netcdf_read_text(r->ncid, r->path, id, "flag_meanings", &words, &found));
    stored->fates = lmd_memory_copy_text(lmd_text_string(&words));
    lmd_text_clear(&words);
    return LMD_OK;
}

static lmd_status read_setup(const reader *r, lmd_stored *stored)
{
    lmd_metric_setup *setup = &stored->setup;
    LMD_TRY(read_dim(r, "fold", &setup->folds));
    LMD_TRY(read_dim(r, "group", &setup->groups));
    LMD_TRY(read_dim(r, "lens", &setup->lenses));
    LMD_TRY(read_dim(r, "state", &setup->L));
    LMD_TRY(read_dim(r, "final_band", &setup->n_bands));
    LMD_TRY(read_dim(r, "token", &setup->V));
    LMD_TRY(read_labels(r, "group", setup->groups, &stored->groups));
    LMD_TRY(read_labels(r, "lens", setup->lenses, &stored->lenses));
    shape states = {.name = "state", .type = NC_INT, .n_dims = 1, .dims = {"state"}};
    LMD_TRY(read_variable(r, &states, sizeof *stored->states, &stored->states));
    LMD_TRY(check_order(r, stored));
    LMD_TRY(read_edges(r, stored));
    LMD_TRY(read_fates(r, stored));
    setup->states = stored->states;
    setup->band_edges = stored->edges;
    setup->N = stored->states[setup->L - 1]; // the last state is always observed
    return LMD_OK;
}

/* ---- attributes ---- */

static lmd_status read_attribute(const reader *r, int index, lmd_stored *stored)
{
    char name[NC_MAX_NAME + 1];
    lmd_text value = {0};
    bool found = false;
    LMD_TRY(check(r, nc_inq_attname(r->ncid, NC_GLOBAL, index, name), "attributes"));
    const lmd_status status =
        lmd_netcdf_read_text(r->ncid, r->path, NC_GLOBAL, name, &value, &found);
    if (status == LMD_OK && found) {
        stored->attributes[stored->n_attributes++] =
            (lmd_attribute){.name = lmd_memory_copy_text(name),
                            .value = lmd_memory_copy_text(lmd_text_string(&value))};
    } else if (status == LMD_OK) {
        lmd_log_warn("%s: attribute %s is no text and is left out", r->path, name);
    }
    lmd_text_clear(&value);
    return status;
}

static lmd_status read_attributes(const reader *r, lmd_stored *stored)
{
    int n = 0;
    LMD_TRY(check(r, nc_inq_natts(r->ncid, &n), "attributes"));
    LMD_TRY(new_array(r, "attributes", (size_t)(n > 0 ? n : 0),
                      sizeof *stored->attributes, &stored->attributes));
    for (int i = 0; i < n; i++) {
        LMD_TRY(read_attribute(r, i, stored));
    }
    return LMD_OK;
}

const char *lmd_stored_attribute(const lmd_stored *stored, const char *name)
{
    for (int i = 0; i < stored->n_attributes; i++) {
        if (strcmp(stored->attributes[i].name, name) == 0) {
            return stored->attributes[i].value;
        }
    }
    return NULL;
}

/* ---- what a file is ---- */

lmd_status lmd_stored_open(lmd_stored **out, const char *path)
{
    reader r;
    *out = NULL;
    LMD_TRY(open_reader(path, &r));
    lmd_stored *stored = lmd_memory_new(1, sizeof *stored);
    stored->path = lmd_memory_copy_text(path);
    stored->most_bytes = r.most_bytes;
    lmd_status status = read_attributes(&r, stored);
    if (status == LMD_OK) {
        status = read_setup(&r, stored);
    }
    lmd_netcdf_close(r.ncid);
    if (status != LMD_OK) {
        lmd_stored_close(stored);
        return status;
    }
    *out = stored;
    return LMD_OK;
}

void lmd_stored_close(lmd_stored *stored)
{
    if (stored == NULL) {
        return;
    }
    for (int i = 0; i < stored->n_attributes; i++) {
        char *name = (char *)(uintptr_t)stored->attributes[i].name;
        char *value = (char *)(uintptr_t)stored->attributes[i].value;
        lmd_memory_free(name);
        lmd_memory_free(value);
    }
    free_labels(stored->groups, stored->setup.groups);
    free_labels(stored->lenses, stored->setup.lenses);
    lmd_memory_free(stored->attributes);
    lmd_memory_free(stored->states);
    lmd_memory_free(stored->edges);
    lmd_memory_free(stored->fates);
    lmd_memory_free(stored->path);
    lmd_memory_free(stored);
}

lmd_status lmd_stored_check(const lmd_stored *stored)
{
    const reader r = {.path = stored->path};
    size_t n_bytes = 0;
    if (lmd_counters_bytes(&stored->setup, &n_bytes) != LMD_OK) {
        return lmd_status_within(LMD_INPUT, "%s", stored->path);
    }
    const size_t n_tokens = (size_t)stored->setup.V * sizeof(int64_t);
    if (n_bytes > stored->most_bytes || n_tokens > stored->most_bytes) {
        return refuse(&r, "dimensions", "damaged: larger than the file can hold");
    }
    return LMD_OK;
}

/* ---- the frequency table ---- */

static lmd_status read_tokens(const reader *r, size_t V, int64_t *counts, int32_t *ranks)
{
    shape shapes[] = {
        {.name = "token_count", .type = NC_INT64, .n_dims = 1, .dims = {"token"}},
        {.name = "token_rank", .type = NC_INT, .n_dims = 1, .dims = {"token"}}};
    void *const values[] = {counts, ranks};
    for (int i = 0; i < 2; i++) {
        int id = 0;
        LMD_TRY(find_variable(r, &shapes[i], &id));
        if (shapes[i].n_cells != V) {
            return refuse(r, shapes[i].name, "the file has changed");
        }
        LMD_TRY(check(r, nc_get_var(r->ncid, id, values[i]), shapes[i].name));
    }
    for (size_t id = 0; id < V; id++) {
        if (counts[id] < 0 || ranks[id] < 0 || (size_t)ranks[id] > V) {
            return refuse(r, counts[id] < 0 ? "token_count" : "token_rank",
                          "damaged: a value out of range at token %zu", id);
        }
    }
    return LMD_OK;
}

lmd_status lmd_stored_read_tokens(const lmd_stored *stored, int64_t *counts,
                                  int32_t *ranks)
{
    reader r;
    LMD_TRY(open_reader(stored->path, &r));
    const lmd_status status = read_tokens(&r, (size_t)stored->setup.V, counts, ranks);
    lmd_netcdf_close(r.ncid);
    return status;
}

/* ---- sums ---- */

/* Where an array of the file goes. */
typedef struct destination {
    int64_t *values;   /* of the sum */
    size_t inner;      /* values behind the group */
    const int *places; /* of the file's groups among those of the sum */
    size_t groups, all_groups;
    size_t n_values; /* of the file's array */
    bool is_limbs;
} destination;

static bool add_counts(int64_t *sum, const int64_t *more, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (more[i] < 0 || __builtin_add_overflow(sum[i], more[i], &sum[i])) {
            return false;
        }
    }
    return true;
}

/* Carried limbs; the highest of file and sum stay far from the ends of their type. */
static bool add_limbs(int64_t *sum, const int64_t *more, size_t n)
{
    const int64_t most = INT64_C(1) << 61;
    for (size_t i = 0; i + LMD_EXACT_LIMBS <= n; i += LMD_EXACT_LIMBS) {
        if (more[i] >> 32 != 0 || more[i + 1] >> 32 != 0 || more[i + 2] > most ||
            more[i + 2] < -most) {
            return false;
        }
        for (int l = 0; l < LMD_EXACT_LIMBS; l++) {
            sum[i + (size_t)l] += more[i + (size_t)l];
        }
        lmd_exact_carry(sum + i);
        if (sum[i + 2] > most || sum[i + 2] < -most) {
            return false;
        }
    }
    return true;
}

/* Adds `n` values of the file, of which the first is its number `first`. */
static bool add_piece(const destination *to, size_t first, const int64_t *piece, size_t n)
{
    for (size_t i = 0; i < n;) {
        const size_t row = (first + i) / to->inner;
        const size_t column = (first + i) % to->inner;
        const size_t left = to->inner - column;
        const size_t stretch = left < n - i ? left : n - i;
        const size_t place = (size_t)to->places[row % to->groups];
        int64_t *sum =
            to->values + (row / to->groups * to->all_groups + place) * to->inner + column;
        if (!(to->is_limbs ? add_limbs : add_counts)(sum, piece + i, stretch)) {
            return false;
        }
        i += stretch;
    }
    return true;
}

static lmd_status add_array(const reader *r, shape *wanted, const destination *to)
{
    int id = 0;
    LMD_TRY(find_variable(r, wanted, &id));
    if (wanted->n_cells != to->n_values) {
        return refuse(r, wanted->name,
                      "other dimensions than at first: has the file "
                      "changed?");
    }
    int64_t *piece = lmd_memory_new(LMD_SLAB_CELLS, sizeof *piece);
    lmd_status status = LMD_OK;
    lmd_slabs slabs;
    lmd_slabs_begin(&slabs, wanted->n_dims, wanted->sizes, LMD_SLAB_CELLS);
    while (status == LMD_OK && lmd_slabs_next(&slabs)) {
        status = check(r, nc_get_vara(r->ncid, id, slabs.start, slabs.count, piece),
                       wanted->name);
        if (status == LMD_OK && !add_piece(to, slabs.first_cell, piece, slabs.n_cells)) {
            status = refuse(r, wanted->name,
                            "damaged: a value that no count can have, or a sum that "
                            "overflows");
        }
    }
    lmd_memory_free(piece);
    return status;
}

/* ---- the variables of the schema ---- */

typedef struct addition {
    const reader *reader;
    const lmd_stored *stored;
    const int *places;
    lmd_counters *counters;
} addition;

static lmd_status check_dim(const reader *r, const char *variable, const char *dim,
                            int wanted)
{
    int size = 0;
    LMD_TRY(read_dim(r, dim, &size));
    return size == wanted
               ? LMD_OK
               : refuse(r, variable, "dimension %s is %d, not %d", dim, size, wanted);
}

/* Adds the array <stem><suffix> to `values` (cells, width). */
static lmd_status add_part(const addition *a, const lmd_variable *variable,
                           const char *suffix, int64_t *values, size_t width)
{
    static const int only[] = {0};
    char name[80];
    (void)snprintf(name, sizeof name, "%s%s", variable->name, suffix);
    shape wanted = {.name = name, .type = NC_INT64, .n_dims = variable->n_dims};
    destination to = {.values = values,
                      .inner = width,
                      .places = only,
                      .groups = 1,
                      .all_groups = 1,
                      .n_values = width,
                      .is_limbs = width > 1};
    for (int d = variable->n_dims - 1; d >= 0; d--) {
        const lmd_dim dim = variable->dims[d];
        wanted.dims[d] = lmd_dim_name(dim);
        const int all = lmd_counters_dim(a->counters, dim);
        const int size = dim == LMD_DIM_GROUP ? a->stored->setup.groups : all;
        LMD_TRY(check_dim(a->reader, name, wanted.dims[d], size));
        to.n_values *= (size_t)size; // no more than the counters have
        if (dim == LMD_DIM_GROUP) {
            to.places = a->places;
            to.groups = (size_t)size;
            to.all_groups = (size_t)all;
        } else if (to.places == only) {
            to.inner *= (size_t)size;
        }
    }
    if (width > 1) {
        wanted.dims[wanted.n_dims++] = lmd_dim_name(LMD_DIM_LIMB);
    }
    return add_array(a->reader, &wanted, &to);
}

static lmd_status add_variable(const addition *a, int index)
{
    size_t offset = 0, n_cells = 0, n_values = 0;
    const lmd_variable *variable =
        lmd_counters_variable(a->counters, index, &offset, &n_cells);
    int64_t *values = lmd_counters_values(a->counters, &n_values) + offset;
    if (variable->kind == LMD_VARIABLE_COUNT) {
        return add_part(a, variable, "", values, 1);
    }
    LMD_TRY(add_part(a, variable, "_members", values, 1));
    values += n_cells;
    LMD_TRY(add_part(a, variable, "_sum", values, LMD_EXACT_LIMBS));
    values += n_cells * LMD_EXACT_LIMBS;
    return variable->kind == LMD_VARIABLE_MOMENTS
               ? add_part(a, variable, "_square_sum", values, LMD_EXACT_LIMBS)
               : LMD_OK;
}

/* ---- what is in no schema ---- */

static lmd_status add_records(const addition *a, int64_t *record_count,
                              int64_t *special_string_count)
{
    static const int only[] = {0};
    shape records = {
        .name = "record_count", .type = NC_INT64, .n_dims = 2, .dims = {"group", "fate"}};
    const destination to = {
        .values = record_count,
        .inner = (size_t)a->stored->n_fates,
        .places = a->places,
        .groups = (size_t)a->stored->setup.groups,
        .all_groups = (size_t)lmd_counters_dim(a->counters, LMD_DIM_GROUP),
        .n_values = (size_t)a->stored->setup.groups * (size_t)a->stored->n_fates};
    LMD_TRY(check_dim(a->reader, "record_count", "fate", a->stored->n_fates));
    LMD_TRY(add_array(a->reader, &records, &to));
    shape specials = {.name = "special_string_count", .type = NC_INT64};
    const destination one = {.values = special_string_count,
                             .inner = 1,
                             .places = only,
                             .groups = 1,
                             .all_groups = 1,
                             .n_values = 1};
    return add_array(a->reader, &specials, &one);
}

/* Is `name` the stem and one of the endings that a variable of the schema has? */
static bool is_of(const lmd_variable *variable, const char *name)
{
    static const char *const endings[] = {"_members", "_sum", "_mean", "_square_sum",
                                          "_std"};
    const size_t length = strlen(variable->name);
    if (strncmp(name, variable->name, length) != 0) {
        return false;
    }
    if (variable->kind == LMD_VARIABLE_COUNT) {
        return name[length] == '\0';
    }
    const size_t n = variable->kind == LMD_VARIABLE_MEAN ? 3 : 5;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(name + length, endings[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_known(const addition *a, const char *name)
{
    static const char *const others[] = {
        "group_name", "lens_name",    "depth",       "state_name",
        "fate",       "record_count", "token_count", "special_string_count",
        "token_rank"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (strcmp(name, others[i]) == 0) {
            return true;
        }
    }
    for (int dim = 0; dim < LMD_DIM_COUNT; dim++) {
        const char *label = lmd_dim_name((lmd_dim)dim);
        const size_t length = strlen(label);
        if (strncmp(name, label, length) == 0 &&
            (name[length] == '\0' || strcmp(name + length, "_bounds") == 0)) {
            return true;
        }
    }
    for (int v = 0; v < lmd_counters_variables(a->counters); v++) {
        size_t offset = 0, n_cells = 0;
        if (is_of(lmd_counters_variable(a->counters, v, &offset, &n_cells), name)) {
            return true;
        }
    }
    return false;
}

/* What nobody would add would be lost without a word. */
static lmd_status refuse_strangers(const addition *a)
{
    const reader *r = a->reader;
    int n = 0;
    LMD_TRY(check(r, nc_inq_nvars(r->ncid, &n), "variables"));
    for (int id = 0; id < n; id++) {
        char name[NC_MAX_NAME + 1];
        LMD_TRY(check(r, nc_inq_varname(r->ncid, id, name), "variables"));
        if (!is_known(a, name)) {
            return refuse(r, name, "a variable that none of its metrics has");
        }
    }
    return LMD_OK;
}

static lmd_status add_all(const addition *a, int64_t *record_count,
                          int64_t *special_string_count)
{
    LMD_TRY(refuse_strangers(a));
    for (int v = 0; v < lmd_counters_variables(a->counters); v++) {
        LMD_TRY(add_variable(a, v));
    }
    return add_records(a, record_count, special_string_count);
}

lmd_status lmd_stored_add(const lmd_stored *stored, const int *places,
                          lmd_counters *counters, int64_t *record_count,
                          int64_t *special_string_count)
{
    reader r;
    LMD_TRY(open_reader(stored->path, &r));
    const addition a = {
        .reader = &r, .stored = stored, .places = places, .counters = counters};
    const lmd_status status = add_all(&a, record_count, special_string_count);
    lmd_netcdf_close(r.ncid);
    return status;
}
