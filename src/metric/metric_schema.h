/* What one metric is, inside the room: a row of metrics.def and the file behind it.
 *
 * Every variable of a metric is an array of cells; `observe` finds the cells of an
 * observation by strides, so the order of dimensions stands in the schema alone. */
#ifndef LMDEPTH_METRIC_SCHEMA_H
#define LMDEPTH_METRIC_SCHEMA_H

#include <math.h>               /* isfinite */
#include <lmdepth/base/exact.h> /* lmd_exact_add */
#include <lmdepth/metric.h>

/* The cells of one variable. For MEAN and MOMENTS `values` holds members, then the limbs
 * of the sums, then those of the sums of squares. */
typedef struct lmd_cells {
    const lmd_variable *variable;  /* borrowed */
    int64_t *values;               /* borrowed: a part of the flat array */
    size_t offset;                 /* of `values` in the flat array */
    size_t n_cells;                /* product of the dimensions */
    size_t strides[LMD_DIM_COUNT]; /* 0: not a dimension of this variable */
} lmd_cells;

typedef struct lmd_metric {
    const char *name;
    int wants; /* LMD_DECODE_* */
    int n_variables;
    const lmd_variable *variables;
    /* Adds one position, whose output is finite, to the cells of the variables. */
    void (*observe)(const lmd_metric_setup *setup, const lmd_cells *cells,
                    const lmd_observation *observation);
} lmd_metric;

/* Not in metrics.def: always there, and the only one that is also told of positions with
 * an output that is not finite. */
extern const lmd_metric lmd_metric_position;

#define METRIC(name) extern const lmd_metric lmd_metric_##name;
#include "metrics.def"
#undef METRIC

/* Number of values in the flat array for each cell of such a variable. */
static inline size_t lmd_cells_width(lmd_variable_kind kind)
{
    const size_t sums = (size_t)kind; // 0 for COUNT, 1 for MEAN, 2 for MOMENTS
    return 1 + sums * LMD_EXACT_LIMBS;
}

/* First cell of the observation's fold, group and lens; the caller adds the rest. */
static inline size_t lmd_cells_start(const lmd_cells *cells, const lmd_observation *o)
{
    return (size_t)o->fold * cells->strides[LMD_DIM_FOLD] +
           (size_t)o->group * cells->strides[LMD_DIM_GROUP] +
           (size_t)o->lens * cells->strides[LMD_DIM_LENS];
}

/* Distance of index `i` along a dimension. */
static inline size_t lmd_cells_step(const lmd_cells *cells, lmd_dim dim, int32_t i)
{
    return (size_t)i * cells->strides[dim];
}

/* Adds a value to a MEAN. One that an exact sum can't take (not finite, or 2^31 and more)
 * is left out of sum and members alike; histogram minus members tells how many. */
static inline void lmd_cells_add_mean(const lmd_cells *cells, size_t cell, double x)
{
    int64_t *sum = cells->values + cells->n_cells + cell * LMD_EXACT_LIMBS;
    cells->values[cell] += lmd_exact_add(sum, x);
}

/* The same for MOMENTS. The square goes first: where it is accepted so is x. */
static inline void lmd_cells_add_moments(const lmd_cells *cells, size_t cell, double x)
{
    int64_t *square_sum =
        cells->values + cells->n_cells * (1 + LMD_EXACT_LIMBS) + cell * LMD_EXACT_LIMBS;
    if (lmd_exact_add(square_sum, x * x)) {
        lmd_cells_add_mean(cells, cell, x);
    }
}

#endif
