/* One variable of the result: definition, storage, attributes, values.
 *
 * Integers and coordinates have no fill value (a reader would turn counts into floats),
 * so every cell is written. Every array is chunked, for HDF5 keeps checksums of chunks
 * only, and readers then refuse values that have been damaged; what is larger than a page
 * is shuffled and deflated too. The chunk cache is kept small, since every chunk is
 * written once and in order. */
#include "netcdf_writer.h"

#include <math.h>   /* NAN */
#include <string.h> /* strlen */

enum {
    SMALL_CELLS = 512,     /* up to here: not compressed */
    CHUNK_CELLS = 1 << 15, /* at most in a chunk: 256 KiB of counts */
    CELL_BYTES = 8,
    CACHE_SLOTS = 11,
    DEFLATE_LEVEL = 2
};

static lmd_status check(const lmd_writer *writer, int code, const char *what)
{
    return lmd_netcdf_check(code, LMD_RESOURCE, writer->path, what);
}

lmd_status lmd_writer_put_text(const lmd_writer *writer, int id, const char *name,
                               const char *value)
{
    const int code = nc_put_att_text(writer->ncid, id, name, strlen(value), value);
    return check(writer, code, name);
}

/* Whole inner dimensions as far as they fit, then one cut into equal parts, then ones. */
static void choose_chunks(int n_dims, const size_t *shape, size_t *chunks)
{
    size_t inner = 1;
    for (int d = n_dims - 1; d >= 0; d--) {
        const size_t room = CHUNK_CELLS / inner > 0 ? CHUNK_CELLS / inner : 1;
        const size_t parts = (shape[d] + room - 1) / room;
        chunks[d] = (shape[d] + parts - 1) / parts;
        inner = parts > 1 ? CHUNK_CELLS : inner * chunks[d];
    }
}

static lmd_status set_storage(const lmd_writer *writer, const lmd_column *column, int id)
{
    size_t shape[LMD_VARIABLE_DIMS + 1], chunks[LMD_VARIABLE_DIMS + 1];
    size_t n_cells = 1;
    for (int d = 0; d < column->n_dims; d++) {
        LMD_TRY(check(writer, nc_inq_dimlen(writer->ncid, column->dims[d], &shape[d]),
                      column->name));
        n_cells *= shape[d];
    }
    if (column->n_dims == 0) {
        return LMD_OK;
    }
    choose_chunks(column->n_dims, shape, chunks);
    LMD_TRY(check(writer, nc_def_var_chunking(writer->ncid, id, NC_CHUNKED, chunks),
                  column->name));
    LMD_TRY(check(writer, nc_def_var_fletcher32(writer->ncid, id, NC_FLETCHER32),
                  column->name));
    if (n_cells <= SMALL_CELLS) {
        return LMD_OK;
    }
    LMD_TRY(check(writer, nc_def_var_deflate(writer->ncid, id, 1, 1, DEFLATE_LEVEL),
                  column->name));
    const size_t cache = 2 * (size_t)CHUNK_CELLS * CELL_BYTES;
    return check(writer, nc_set_var_chunk_cache(writer->ncid, id, cache, CACHE_SLOTS, 1),
                 column->name);
}

lmd_status lmd_writer_define(const lmd_writer *writer, const lmd_column *column, int *id)
{
    const double missing = (double)NAN;
    LMD_TRY(check(writer,
                  nc_def_var(writer->ncid, column->name, column->type, column->n_dims,
                             column->dims, id),
                  column->name));
    LMD_TRY(
        check(writer,
              nc_def_var_fill(writer->ncid, *id, column->is_derived ? NC_FILL : NC_NOFILL,
                              column->is_derived ? &missing : NULL),
              column->name));
    LMD_TRY(set_storage(writer, column, *id));
    LMD_TRY(lmd_writer_put_text(writer, *id, "long_name", column->long_name));
    LMD_TRY(lmd_writer_put_text(writer, *id, "units", "1"));
    if (column->comment) {
        LMD_TRY(lmd_writer_put_text(writer, *id, "comment", column->comment));
    }
    if (column->coordinates && *column->coordinates) {
        LMD_TRY(lmd_writer_put_text(writer, *id, "coordinates", column->coordinates));
    }
    return LMD_OK;
}

lmd_status lmd_writer_put(const lmd_writer *writer, const lmd_column *column,
                          const void *values)
{
    int id = 0;
    LMD_TRY(lmd_writer_define(writer, column, &id));
    return check(writer, nc_put_var(writer->ncid, id, values), column->name);
}
