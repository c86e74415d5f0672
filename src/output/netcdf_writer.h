/* The writer's parts: netcdf_write.c drives, netcdf_axes.c writes dimensions and their
 * coordinates, netcdf_column.c one variable. */
#ifndef LMDEPTH_NETCDF_WRITER_H
#define LMDEPTH_NETCDF_WRITER_H

#include "netcdf_access.h"

#include <lmdepth/output.h>

typedef struct lmd_writer {
    int ncid;
    const char *path;           /* borrowed: where the result will be, for messages */
    const lmd_result *result;   /* borrowed */
    int dim_ids[LMD_DIM_COUNT]; /* -1: no variable has it */
    int fate_id, nv_id;
} lmd_writer;

/* A variable about to be written. */
typedef struct lmd_column {
    const char *name;
    nc_type type;
    int n_dims;
    int dims[LMD_VARIABLE_DIMS + 1]; /* ids of dimensions; one more for limb */
    const char *long_name;
    const char *comment;     /* NULL: none */
    const char *coordinates; /* names of auxiliary coordinates; NULL or "": none */
    bool is_derived;         /* may be missing: _FillValue NaN */
} lmd_column;

/* Defines a variable; the rest of its attributes and its values follow. */
lmd_status lmd_writer_define(const lmd_writer *writer, const lmd_column *column, int *id);
lmd_status lmd_writer_put_text(const lmd_writer *writer, int id, const char *name,
                               const char *value);
/* All of its values; of the column's type. */
lmd_status lmd_writer_put(const lmd_writer *writer, const lmd_column *column,
                          const void *values);

/* All dimensions that the variables need, each with its coordinates. */
lmd_status lmd_writer_put_axes(lmd_writer *writer);

#endif
