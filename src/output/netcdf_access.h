/* What all parts of the room need of NetCDF: errors as statuses, opening, slabs. */
#ifndef LMDEPTH_NETCDF_ACCESS_H
#define LMDEPTH_NETCDF_ACCESS_H

#include <stdbool.h>             /* bool */
#include <stddef.h>              /* size_t */
#include <netcdf.h>              /* nc_type, NC_MAX_VAR_DIMS */
#include <lmdepth/base/status.h> /* lmd_status */
#include <lmdepth/base/text.h>   /* lmd_text */

/* LMD_OK for NC_NOERR; else `failure` with "<path>: <what>: <NetCDF's words>". */
lmd_status lmd_netcdf_check(int code, lmd_status failure, const char *path,
                            const char *what);

/* Opens to read. LMD_USAGE: no such file; LMD_INPUT: not a NetCDF file. Never a URL. */
lmd_status lmd_netcdf_open(const char *path, int *ncid);

/* Ends that; there is nothing left to lose. */
void lmd_netcdf_close(int ncid);

/* HDF5 has met damage: nothing that is open is closed any more. */
void lmd_netcdf_distrust(void);

/* netcdf_guard.c: inspects and opens to read; `path` borrowed. From here to
 * lmd_netcdf_close a crash ends the program with LMD_INPUT and names the file. */
lmd_status lmd_netcdf_guarded_open(const char *path, int *ncid);

/* hdf5_check.c: LMD_INPUT when the file leads to others, or has names that are longer
 * than NetCDF's functions have room for. */
lmd_status lmd_netcdf_inspect(const char *path);

/* Bytes of the file, 0 when it can't be told: a bound for what is not compressed. */
size_t lmd_netcdf_file_size(const char *path);

/* Type and number of values of an attribute; LMD_INPUT when they could not all be in the
 * file, so that memory can be asked for: attributes are never compressed. */
lmd_status lmd_netcdf_attribute(int ncid, const char *path, int id, const char *name,
                                nc_type *type, size_t *length);

/* A text attribute of the variable `id` or NC_GLOBAL, appended. *found false when there
 * is none by that name, or one that is no text. */
lmd_status lmd_netcdf_read_text(int ncid, const char *path, int id, const char *name,
                                lmd_text *value, bool *found);

/* A walk over an array in pieces of at most `limit` cells, in the order of storage.
 *
 *     lmd_slabs slabs;
 *     lmd_slabs_begin(&slabs, n_dims, shape, limit);
 *     while (lmd_slabs_next(&slabs)) { ... slabs.start, slabs.count, slabs.n_cells ... }
 *
 * A scalar is one piece of one cell, an array with an empty dimension none. */
typedef struct lmd_slabs {
    int n_dims;
    int split;    /* dimensions before it are walked one by one, those behind are whole */
    size_t limit; /* of cells in a piece */
    size_t stretch; /* most indices of dimension `split` in a piece */
    bool is_begun;
    size_t first_cell; /* of this piece in the array */
    size_t n_cells;    /* of this piece */
    size_t shape[NC_MAX_VAR_DIMS], start[NC_MAX_VAR_DIMS], count[NC_MAX_VAR_DIMS];
} lmd_slabs;

void lmd_slabs_begin(lmd_slabs *slabs, int n_dims, const size_t *shape, size_t limit);
bool lmd_slabs_next(lmd_slabs *slabs);

/* Cells in a piece of everything this room reads and derives. */
enum { LMD_SLAB_CELLS = 3 * (1 << 14) };

/* A variable of an open file. */
typedef struct lmd_netcdf_variable {
    int id;
    nc_type type;
    int n_dims;
    char name[NC_MAX_NAME + 1];
    size_t shape[NC_MAX_VAR_DIMS];
    int dims[NC_MAX_VAR_DIMS];
    int n_attributes;
} lmd_netcdf_variable;

lmd_status lmd_netcdf_inquire(int ncid, const char *path, int id,
                              lmd_netcdf_variable *variable);

/* netcdf_place.c: "group=wiki, state=3, band=[4,8)", appended, of the value at these
 * indices (n_dims of the variable). */
void lmd_netcdf_append_place(int ncid, const char *path,
                             const lmd_netcdf_variable *variable, const size_t *indices,
                             lmd_text *out);

#endif
