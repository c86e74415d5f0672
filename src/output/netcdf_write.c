/* The result file, from the schemas of the metrics.
 *
 *     int64 entropy_members(fold, group, lens, state, final_band) ;
 *             entropy_members:long_name = "number of values in entropy_mean" ;
 *             entropy_members:units = "1" ;
 *             entropy_members:coordinates = "group_name lens_name depth state_name" ;
 *     int64 entropy_sum(fold, group, lens, state, final_band, limb) ;
 *     double entropy_mean(fold, group, lens, state, final_band) ;
 *             entropy_mean:_FillValue = NaN ;
 *
 * Full NetCDF-4, for only it holds int64; serial, on one rank. Counts go from the flat
 * array to disk as they are; derived values are made piece by piece. The file is written
 * under a temporary name in its own folder and renamed when it is whole. */
#include "netcdf_writer.h"

#include <errno.h>               /* errno */
#include <fcntl.h>               /* posix_fallocate */
#include <math.h>                /* ceil */
#include <string.h>              /* strerror */
#include <unistd.h>              /* close, unlink */
#include <lmdepth/base/exact.h>  /* lmd_exact_mean */
#include <lmdepth/base/file.h>   /* lmd_file_publish */
#include <lmdepth/base/memory.h> /* lmd_memory_new */

enum { OVERHEAD_BYTES = 1 << 20 }; /* names, attributes of variables, indices of chunks */

static lmd_status check(const lmd_writer *writer, int code, const char *what)
{
    return lmd_netcdf_check(code, LMD_RESOURCE, writer->path, what);
}

/* ---- one variable of a metric ---- */

/* The arrays behind a variable of the schema. */
typedef struct source {
    const lmd_variable *variable;
    size_t n_cells;
    const int64_t *members;    /* (n_cells), of a COUNT the counts */
    const int64_t *sum;        /* (n_cells, limbs) */
    const int64_t *square_sum; /* (n_cells, limbs) */
} source;

static source source_of(const lmd_result *result, int index)
{
    size_t n_values = 0, offset = 0;
    source s = {0};
    const int64_t *values = lmd_counters_values(result->counters, &n_values);
    s.variable = lmd_counters_variable(result->counters, index, &offset, &s.n_cells);
    s.members = values + offset;
    s.sum = s.members + s.n_cells;
    s.square_sum = s.sum + s.n_cells * LMD_EXACT_LIMBS;
    return s;
}

/* Labels of the dimensions that are not numbers enough by themselves. */
static void list_coordinates(const lmd_variable *variable, lmd_text *list)
{
    static const char *const labels[LMD_DIM_COUNT] = {[LMD_DIM_GROUP] = "group_name",
                                                      [LMD_DIM_LENS] = "lens_name",
                                                      [LMD_DIM_STATE] =
                                                          "depth state_name"};
    for (int d = 0; d < variable->n_dims; d++) {
        const char *label = labels[variable->dims[d]];
        if (label) {
            lmd_text_append_format(list, "%s%s", list->size > 0 ? " " : "", label);
        }
    }
}

/* A variable of the file, made of one of the schema, with the texts it owns. */
typedef struct part {
    lmd_column column;
    lmd_text name, long_name, comment, coordinates; /* owned */
} part;

static void name_part(part *p, const lmd_writer *writer, const lmd_variable *variable,
                      const char *suffix, const char *before)
{
    *p = (part){.column = {.type = NC_INT64, .n_dims = variable->n_dims}};
    for (int d = 0; d < variable->n_dims; d++) {
        p->column.dims[d] = writer->dim_ids[variable->dims[d]];
    }
    lmd_text_append_format(&p->name, "%s%s", variable->name, suffix);
    lmd_text_append_format(&p->long_name, "%s%s", before, variable->long_name);
    list_coordinates(variable, &p->coordinates);
    p->column.name = lmd_text_string(&p->name);
    p->column.long_name = lmd_text_string(&p->long_name);
    p->column.coordinates = lmd_text_string(&p->coordinates);
    p->column.comment = variable->comment;
}

static void clear_part(part *p)
{
    lmd_text_clear(&p->name);
    lmd_text_clear(&p->long_name);
    lmd_text_clear(&p->comment);
    lmd_text_clear(&p->coordinates);
}

static lmd_status put_counts(const lmd_writer *writer, const lmd_variable *variable,
                             const char *suffix, const char *before,
                             const int64_t *values)
{
    part p;
    name_part(&p, writer, variable, suffix, before);
    const lmd_status status = lmd_writer_put(writer, &p.column, values);
    clear_part(&p);
    return status;
}

static lmd_status put_limbs(const lmd_writer *writer, const lmd_variable *variable,
                            const char *suffix, const char *before, const int64_t *limbs)
{
    part p;
    name_part(&p, writer, variable, suffix, before);
    p.column.dims[p.column.n_dims++] = writer->dim_ids[LMD_DIM_LIMB];
    p.column.comment = "sum = (l0 + l1 2^32 + l2 2^64) 2^-64 exactly, l0 and l1 in "
                       "[0, 2^32), l2 signed";
    const lmd_status status = lmd_writer_put(writer, &p.column, limbs);
    clear_part(&p);
    return status;
}

static lmd_status put_derived_pieces(const lmd_writer *writer, const part *p,
                                     const source *s, bool is_deviation, double *piece)
{
    int id = 0;
    LMD_TRY(lmd_writer_define(writer, &p->column, &id));
    size_t shape[LMD_VARIABLE_DIMS];
    for (int d = 0; d < s->variable->n_dims; d++) {
        shape[d] =
            (size_t)lmd_counters_dim(writer->result->counters, s->variable->dims[d]);
    }
    lmd_slabs slabs;
    lmd_slabs_begin(&slabs, s->variable->n_dims, shape, LMD_SLAB_CELLS);
    while (lmd_slabs_next(&slabs)) {
        for (size_t i = 0; i < slabs.n_cells; i++) {
            const size_t cell = slabs.first_cell + i;
            const int64_t *sum = s->sum + cell * LMD_EXACT_LIMBS;
            piece[i] =
                is_deviation
                    ? lmd_exact_deviation(sum, s->square_sum + cell * LMD_EXACT_LIMBS,
                                          s->members[cell])
                    : lmd_exact_mean(sum, s->members[cell]);
        }
        LMD_TRY(check(
            writer, nc_put_vara_double(writer->ncid, id, slabs.start, slabs.count, piece),
            p->column.name));
    }
    return LMD_OK;
}

static lmd_status put_derived(const lmd_writer *writer, const source *s,
                              bool is_deviation)
{
    part p;
    name_part(&p, writer, s->variable, is_deviation ? "_std" : "_mean",
              is_deviation ? "population standard deviation of the " : "mean ");
    p.column.type = NC_DOUBLE;
    p.column.is_derived = true;
    const char *formula = s->variable->comment;
    lmd_text_append_format(&p.comment, "%s%sNaN without members", formula ? formula : "",
                           formula ? "; " : "");
    p.column.comment = lmd_text_string(&p.comment);
    double *piece = lmd_memory_new(LMD_SLAB_CELLS, sizeof *piece);
    const lmd_status status = put_derived_pieces(writer, &p, s, is_deviation, piece);
    lmd_memory_free(piece);
    clear_part(&p);
    return status;
}

static lmd_status put_variable(const lmd_writer *writer, const source *s)
{
    if (s->variable->kind == LMD_VARIABLE_COUNT) {
        return put_counts(writer, s->variable, "", "", s->members);
    }
    LMD_TRY(put_counts(writer, s->variable, "_members", "number of values of the ",
                       s->members));
    LMD_TRY(put_limbs(writer, s->variable, "_sum", "exact sum of the ", s->sum));
    if (s->variable->kind == LMD_VARIABLE_MOMENTS) {
        LMD_TRY(put_limbs(writer, s->variable, "_square_sum",
                          "exact sum of squares of the ", s->square_sum));
    }
    LMD_TRY(put_derived(writer, s, false));
    return s->variable->kind == LMD_VARIABLE_MOMENTS ? put_derived(writer, s, true)
                                                     : LMD_OK;
}

/* ---- what is not of a metric ---- */

static lmd_status put_attributes(const lmd_writer *writer)
{
    for (int i = 0; i < writer->result->n_attributes; i++) {
        const lmd_attribute *attribute = &writer->result->attributes[i];
        LMD_TRY(
            lmd_writer_put_text(writer, NC_GLOBAL, attribute->name, attribute->value));
    }
    return LMD_OK;
}

static lmd_status put_records(const lmd_writer *writer)
{
    const lmd_column records = {.name = "record_count",
                                .type = NC_INT64,
                                .n_dims = 2,
                                .dims = {writer->dim_ids[LMD_DIM_GROUP], writer->fate_id},
                                .long_name = "records by what became of them",
                                .coordinates = "group_name"};
    LMD_TRY(lmd_writer_put(writer, &records, writer->result->record_count));
    const lmd_column specials = {.name = "special_string_count",
                                 .type = NC_INT64,
                                 .long_name =
                                     "strings of special tokens in the text of records",
                                 .comment = "occurrences in records used, split or cut"};
    return lmd_writer_put(writer, &specials, &writer->result->special_string_count);
}

static lmd_status put_frequencies(const lmd_writer *writer)
{
    const lmd_column counts = {.name = "token_count",
                               .type = NC_INT64,
                               .n_dims = 1,
                               .dims = {writer->dim_ids[LMD_DIM_TOKEN]},
                               .long_name = "frequency of the token",
                               .comment = "the table that the frequency bands come from"};
    LMD_TRY(lmd_writer_put(writer, &counts, writer->result->token_count));
    const lmd_column ranks = {.name = "token_rank",
                              .type = NC_INT,
                              .n_dims = 1,
                              .dims = {writer->dim_ids[LMD_DIM_TOKEN]},
                              .long_name = "frequency rank of the token",
                              .comment =
                                  "1: most frequent; equal counts: lower id first; "
                                  "0: unranked"};
    return lmd_writer_put(writer, &ranks, writer->result->token_rank);
}

static lmd_status put_all(lmd_writer *writer)
{
    LMD_TRY(put_attributes(writer));
    LMD_TRY(lmd_writer_put_axes(writer));
    LMD_TRY(put_records(writer));
    LMD_TRY(put_frequencies(writer));
    for (int v = 0; v < lmd_counters_variables(writer->result->counters); v++) {
        const source s = source_of(writer->result, v);
        LMD_TRY(put_variable(writer, &s));
    }
    return LMD_OK;
}

/* ---- the file ---- */

/* An upper bound of the file's size: everything as if not compressed. A derived value
 * stands beside four or seven values of the flat array. */
static size_t largest_size(const lmd_result *result)
{
    size_t n_values = 0;
    (void)lmd_counters_values(result->counters, &n_values);
    const size_t n_tokens = (size_t)lmd_counters_dim(result->counters, LMD_DIM_TOKEN);
    size_t size = OVERHEAD_BYTES + sizeof(int64_t) * (n_values + n_values / 3);
    size += n_tokens * (sizeof(int64_t) + 2 * sizeof(int32_t));
    for (int i = 0; i < result->n_attributes; i++) {
        size += strlen(result->attributes[i].value);
    }
    const int n_groups = lmd_counters_dim(result->counters, LMD_DIM_GROUP);
    size_t width = 0;
    for (int g = 0; g < n_groups; g++) {
        const size_t length = strlen(result->groups[g]);
        width = length > width ? length : width;
    }
    return size + width * (size_t)n_groups;
}

/* Makes the temporary file and proves that the result has room. HDF5 must not meet a disk
 * or quota that is full: it then keeps the file half open and crashes at exit. And the
 * system says better than NetCDF why a file can't be made. */
static lmd_status reserve(const char *path, const char *temporary, size_t size)
{
    int file;
    LMD_TRY(lmd_file_create(temporary, path, &file));
    int error = posix_fallocate(file, 0, (off_t)size);
    if (error == EOPNOTSUPP || error == EINVAL) {
        error = 0; // a file system that can't tell before
    }
    if (close(file) != 0 && error == 0) {
        error = errno; // network file systems hold a quota against what is written here
    }
    if (error != 0) {
        return lmd_status_set(LMD_RESOURCE,
                              "%s: can't write: %s (it may need up to %.0f MB)", path,
                              strerror(error), ceil((double)size * 1e-6));
    }
    return LMD_OK;
}

static lmd_status write_file(const char *path, const char *temporary,
                             const lmd_result *result)
{
    lmd_writer writer = {.path = path, .result = result};
    LMD_TRY(reserve(path, temporary, largest_size(result)));
    LMD_TRY(check(&writer, nc_create(temporary, NC_NETCDF4 | NC_CLOBBER, &writer.ncid),
                  "can't write"));
    const lmd_status status = put_all(&writer);
    if (!lmd_status_is_ok(status)) {
        (void)nc_abort(writer.ncid); // the first failure is the one to tell
        return status;
    }
    return check(&writer, nc_close(writer.ncid), "can't finish the file");
}

lmd_status lmd_output_write(const char *path, const lmd_result *result)
{
    lmd_counters_carry(result->counters);
    char *const temporary = lmd_file_temporary(path);
    lmd_status status = write_file(path, temporary, result);
    if (lmd_status_is_ok(status)) {
        status = lmd_file_publish(temporary, path);
    }
    if (!lmd_status_is_ok(status)) {
        (void)unlink(temporary);
    }
    lmd_memory_free(temporary);
    return status;
}
