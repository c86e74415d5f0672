/* Statuses, opening and slabs for the rest of the room.
 *
 * nc_open would take a URL and go to the network; a path is therefore first held against
 * the file system. */
#include "netcdf_access.h"

#include <assert.h>            /* assert */
#include <stdio.h>             /* fopen */
#include <string.h>            /* memcmp */
#include <sys/stat.h>          /* stat */
#include <lmdepth/base/file.h> /* lmd_file_exists */
#include <lmdepth/base/text.h> /* lmd_text */
#include <lmdepth/output.h>

/* ---- errors ---- */

lmd_status lmd_netcdf_check(int code, lmd_status failure, const char *path,
                            const char *what)
{
    if (code == NC_NOERR) {
        return LMD_OK;
    }
    // HDF5 says nothing of the reason; these two are behind it nearly always.
    const char *hint = "";
    if (code == NC_EHDFERR) {
        if (failure == LMD_INPUT) {
            lmd_netcdf_distrust();
        }
        hint = failure == LMD_RESOURCE
                   ? " (no space left? On a file system without locks set "
                     "HDF5_USE_FILE_LOCKING=FALSE)"
                   : " (damaged? On a file system without locks set "
                     "HDF5_USE_FILE_LOCKING=FALSE)";
    }
    return lmd_status_set(failure, "%s: %s: %s%s", path, what, nc_strerror(code), hint);
}

/* ---- opening ---- */

typedef enum file_kind { FILE_OTHER, FILE_HDF5, FILE_CLASSIC } file_kind;

static file_kind look_at(const char *path)
{
    enum { MAGIC = 8 };
    static const unsigned char hdf5[MAGIC] = {0x89, 'H',  'D',  'F',
                                              '\r', '\n', 0x1a, '\n'};
    unsigned char start[MAGIC] = {0};
    FILE *file = lmd_file_is_folder(path) ? NULL : fopen(path, "rb");
    if (!file) {
        return FILE_OTHER;
    }
    const size_t got = fread(start, 1, MAGIC, file);
    (void)fclose(file);
    if (got == MAGIC && memcmp(start, hdf5, MAGIC) == 0) {
        return FILE_HDF5;
    }
    const bool is_classic = got >= 4 && memcmp(start, "CDF", 3) == 0 &&
                            (start[3] == 1 || start[3] == 2 || start[3] == 5);
    return is_classic ? FILE_CLASSIC : FILE_OTHER;
}

/* Names in a classic file may be of any length, and the library copies them to where
 * NC_MAX_NAME bytes have room; a result is never one. */
lmd_status lmd_netcdf_open(const char *path, int *ncid)
{
    if (!lmd_file_exists(path)) {
        return lmd_status_set(LMD_USAGE, "%s: no such file", path);
    }
    lmd_file *file = NULL;
    LMD_TRY(lmd_file_open(&file, path)); // for its messages
    lmd_file_close(file);
    const file_kind kind = look_at(path);
    if (kind != FILE_HDF5) {
        return lmd_status_set(LMD_INPUT,
                              kind == FILE_CLASSIC
                                  ? "%s: a classic NetCDF file, not a NetCDF-4 one "
                                    "(nccopy -k nc4 makes one of it)"
                                  : "%s: not a NetCDF file",
                              path);
    }
    return lmd_netcdf_guarded_open(path, ncid);
}

bool lmd_output_is_result(const char *path)
{
    return look_at(path) != FILE_OTHER;
}

size_t lmd_netcdf_file_size(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && info.st_size > 0 ? (size_t)info.st_size : 0;
}

lmd_status lmd_netcdf_attribute(int ncid, const char *path, int id, const char *name,
                                nc_type *type, size_t *length)
{
    size_t size = 0;
    LMD_TRY(lmd_netcdf_check(nc_inq_att(ncid, id, name, type, length), LMD_INPUT, path,
                             name));
    LMD_TRY(
        lmd_netcdf_check(nc_inq_type(ncid, *type, NULL, &size), LMD_INPUT, path, name));
    if (size == 0 || *length > lmd_netcdf_file_size(path) / size) {
        return lmd_status_set(
            LMD_INPUT, "%s: damaged: attribute %s is longer than the file", path, name);
    }
    return LMD_OK;
}

lmd_status lmd_netcdf_read_text(int ncid, const char *path, int id, const char *name,
                                lmd_text *value, bool *found)
{
    nc_type type = NC_NAT;
    size_t length = 0;
    *found = false;
    if (nc_inq_att(ncid, id, name, NULL, NULL) == NC_ENOTATT) {
        return LMD_OK;
    }
    LMD_TRY(lmd_netcdf_attribute(ncid, path, id, name, &type, &length));
    if (type != NC_CHAR) {
        return LMD_OK;
    }
    char *end = lmd_text_reserve(value, length);
    LMD_TRY(
        lmd_netcdf_check(nc_get_att_text(ncid, id, name, end), LMD_INPUT, path, name));
    value->size += length;
    *found = true;
    return LMD_OK;
}

lmd_status lmd_output_read_attribute(const char *path, const char *name, lmd_text *value,
                                     bool *found)
{
    int ncid = 0;
    *found = false;
    LMD_TRY(lmd_netcdf_open(path, &ncid));
    const lmd_status status =
        lmd_netcdf_read_text(ncid, path, NC_GLOBAL, name, value, found);
    lmd_netcdf_close(ncid);
    return status;
}

lmd_status lmd_netcdf_inquire(int ncid, const char *path, int id,
                              lmd_netcdf_variable *variable)
{
    variable->id = id;
    LMD_TRY(lmd_netcdf_check(nc_inq_var(ncid, id, variable->name, &variable->type,
                                        &variable->n_dims, variable->dims,
                                        &variable->n_attributes),
                             LMD_INPUT, path, "a variable"));
    for (int d = 0; d < variable->n_dims; d++) {
        LMD_TRY(
            lmd_netcdf_check(nc_inq_dimlen(ncid, variable->dims[d], &variable->shape[d]),
                             LMD_INPUT, path, variable->name));
    }
    return LMD_OK;
}

/* ---- slabs ---- */

void lmd_slabs_begin(lmd_slabs *slabs, int n_dims, const size_t *shape, size_t limit)
{
    assert(n_dims <= NC_MAX_VAR_DIMS && limit > 0);
    slabs->n_dims = n_dims;
    slabs->limit = limit;
    slabs->is_begun = false;
    size_t inner = 1; // cells of one index of `split`
    slabs->split = n_dims > 0 ? n_dims - 1 : 0;
    while (slabs->split > 0 && shape[slabs->split] <= limit / inner) {
        inner *= shape[slabs->split] > 0 ? shape[slabs->split] : 1;
        slabs->split--;
    }
    slabs->stretch = limit / inner;
    for (int d = 0; d < n_dims; d++) {
        slabs->shape[d] = shape[d];
        slabs->start[d] = 0;
    }
}

/* Sets counts and cells of the piece at `start`; false when it is empty. */
static bool measure_piece(lmd_slabs *slabs)
{
    slabs->n_cells = 1;
    for (int d = 0; d < slabs->n_dims; d++) {
        const size_t left = slabs->shape[d] - slabs->start[d];
        slabs->count[d] = d < slabs->split ? 1 : left;
        if (d == slabs->split && left > slabs->stretch) {
            slabs->count[d] = slabs->stretch;
        }
        slabs->n_cells *= slabs->shape[d] > 0 ? slabs->count[d] : 0;
    }
    return slabs->n_cells > 0;
}

bool lmd_slabs_next(lmd_slabs *slabs)
{
    if (!slabs->is_begun) {
        slabs->is_begun = true;
        slabs->first_cell = 0;
        return measure_piece(slabs);
    }
    slabs->first_cell += slabs->n_cells;
    for (int d = slabs->n_dims > 0 ? slabs->split : -1; d >= 0; d--) {
        slabs->start[d] += slabs->count[d];
        if (slabs->start[d] < slabs->shape[d]) {
            return measure_piece(slabs);
        }
        slabs->start[d] = 0;
    }
    return false;
}
