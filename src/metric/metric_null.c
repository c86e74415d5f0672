/* Metric null: does nothing; the template of a new metric, and a job's way to time all
 * the rest without one.
 *
 *     int64 EXAMPLE_count(fold, group, lens, state) ;     (what ncdump -h would show)
 */
#include "metric_schema.h"

static void observe(const lmd_metric_setup *setup, const lmd_cells *cells,
                    const lmd_observation *o)
{
    (void)setup;
    (void)cells;
    (void)o;
}

const lmd_metric lmd_metric_null = {
    .name = "null",
    .wants = 0,
    .n_variables = 0,
    .variables = NULL,
    .observe = observe,
};
