/* All counters of a job in one flat array.
 *
 * The array is laid out by walking the schemas in a fixed order (position first, then the
 * rows of metrics.def that the job asks for), so the same job has the same array in every
 * process, and two arrays may be added value by value.
 */
#include "metric_schema.h"

#include <assert.h>              /* assert */
#include <string.h>              /* strcmp, strcspn */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <lmdepth/base/text.h>   /* lmd_text */

#define METRIC(name) &lmd_metric_##name,
static const lmd_metric *const table[] = {
    &lmd_metric_position,
#include "metrics.def"
};
#undef METRIC

enum { METRICS = sizeof table / sizeof table[0] };

struct lmd_counters {
    lmd_metric_setup setup;
    bool is_wanted[METRICS];
    int dims[LMD_DIM_COUNT];
    int n_variables;
    lmd_cells *cells; /* (n_variables) owned */
    size_t n_values;
    int64_t *values; /* (n_values) owned */
};

/* ---- names of metrics ---- */

static lmd_status refuse_name(const char *name, size_t length)
{
    lmd_text known = {0};
    for (int m = 1; m < METRICS; m++) {
        lmd_text_append_format(&known, "%s%s", m > 1 ? ", " : "", table[m]->name);
    }
    const lmd_status status =
        lmd_status_set(LMD_USAGE, "there is no metric '%.*s'; the metrics are %s",
                       length < 64 ? (int)length : 64, name, lmd_text_string(&known));
    lmd_text_clear(&known);
    return status;
}

static lmd_status mark_name(const char *name, size_t length, bool is_wanted[METRICS])
{
    for (int m = 1; m < METRICS; m++) {
        if (strlen(table[m]->name) == length && !memcmp(table[m]->name, name, length)) {
            is_wanted[m] = true;
            return LMD_OK;
        }
    }
    return refuse_name(name, length);
}

/* "onset, bucket" -> marks. An empty list is allowed: then there are only positions. */
static lmd_status read_names(const char *names, bool is_wanted[METRICS])
{
    static const char separators[] = ", \t";
    is_wanted[0] = true;
    for (const char *name = names + strspn(names, separators); *name;) {
        const size_t length = strcspn(name, separators);
        LMD_TRY(mark_name(name, length, is_wanted));
        name += length;
        name += strspn(name, separators);
    }
    return LMD_OK;
}

lmd_status lmd_counters_wants(const char *metrics, int *wants)
{
    bool is_wanted[METRICS] = {false};
    LMD_TRY(read_names(metrics, is_wanted));
    *wants = 0;
    for (int m = 0; m < METRICS; m++) {
        *wants |= is_wanted[m] ? table[m]->wants : 0;
    }
    return LMD_OK;
}

/* ---- layout ---- */

static void set_dims(const lmd_metric_setup *setup, int dims[LMD_DIM_COUNT])
{
    dims[LMD_DIM_FOLD] = setup->folds;
    dims[LMD_DIM_GROUP] = setup->groups;
    dims[LMD_DIM_LENS] = setup->lenses;
    dims[LMD_DIM_STATE] = setup->L;
    dims[LMD_DIM_BAND] = setup->n_bands;
    dims[LMD_DIM_FINAL_BAND] = setup->n_bands;
    dims[LMD_DIM_GOLD_BAND] = setup->n_bands;
    dims[LMD_DIM_THRESHOLD] = LMD_THRESHOLDS;
    dims[LMD_DIM_OUTCOME] = LMD_OUTCOMES;
    dims[LMD_DIM_ENTROPY_BIN] = lmd_metric_entropy_bins(setup->V);
    dims[LMD_DIM_KL_BIN] = lmd_metric_kl_bins();
    dims[LMD_DIM_RANK_BIN] = lmd_metric_rank_bins(setup->V);
    dims[LMD_DIM_TOKEN] = setup->V;
    dims[LMD_DIM_LIMB] = LMD_EXACT_LIMBS;
}

static lmd_status refuse_size(void)
{
    return lmd_status_set(LMD_RESOURCE, "the counters would not fit any memory; ask for "
                                        "fewer groups, folds or metrics");
}

static lmd_status multiply(size_t *product, size_t factor)
{
    return __builtin_mul_overflow(*product, factor, product) ? refuse_size() : LMD_OK;
}

/* Strides and number of cells of a variable that begins at *n_values; moves it on. */
static lmd_status lay_variable(const lmd_variable *variable,
                               const int dims[LMD_DIM_COUNT], lmd_cells *cells,
                               size_t *n_values)
{
    *cells = (lmd_cells){.variable = variable, .offset = *n_values, .n_cells = 1};
    for (int d = variable->n_dims - 1; d >= 0; d--) {
        const lmd_dim dim = variable->dims[d];
        assert(dims[dim] > 0 && cells->strides[dim] == 0);
        cells->strides[dim] = cells->n_cells;
        LMD_TRY(multiply(&cells->n_cells, (size_t)dims[dim]));
    }
    size_t n_bytes = cells->n_cells;
    LMD_TRY(multiply(&n_bytes, lmd_cells_width(variable->kind) * sizeof(int64_t)));
    if (__builtin_add_overflow(n_bytes, *n_values * sizeof(int64_t), &n_bytes)) {
        return refuse_size();
    }
    *n_values = n_bytes / sizeof(int64_t);
    return LMD_OK;
}

static lmd_status lay_out(lmd_counters *counters)
{
    LMD_TRY(read_names(counters->setup.metrics, counters->is_wanted));
    set_dims(&counters->setup, counters->dims);
    int n_variables = 0;
    for (int m = 0; m < METRICS; m++) {
        n_variables += counters->is_wanted[m] ? table[m]->n_variables : 0;
    }
    counters->cells = lmd_memory_new((size_t)n_variables, sizeof *counters->cells);
    for (int m = 0; m < METRICS; m++) {
        for (int v = 0; counters->is_wanted[m] && v < table[m]->n_variables; v++) {
            LMD_TRY(lay_variable(&table[m]->variables[v], counters->dims,
                                 &counters->cells[counters->n_variables++],
                                 &counters->n_values));
        }
    }
    return LMD_OK;
}

lmd_status lmd_counters_bytes(const lmd_metric_setup *setup, size_t *bytes)
{
    lmd_counters layout = {.setup = *setup};
    const lmd_status status = lay_out(&layout);
    *bytes = layout.n_values * sizeof(int64_t);
    lmd_memory_free(layout.cells);
    return status;
}

/* ---- life ---- */

lmd_status lmd_counters_new(lmd_counters **out, const lmd_metric_setup *setup)
{
    lmd_counters *counters = lmd_memory_new(1, sizeof *counters);
    counters->setup = *setup;
    const lmd_status status = lay_out(counters);
    if (!lmd_status_is_ok(status)) {
        lmd_counters_free(counters);
        return status;
    }
    // All of it written now: a run that has begun takes no more memory as its cells fill.
    counters->values =
        lmd_memory_new_aligned(counters->n_values, sizeof *counters->values);
    for (int v = 0; v < counters->n_variables; v++) {
        counters->cells[v].values = counters->values + counters->cells[v].offset;
    }
    *out = counters;
    return LMD_OK;
}

void lmd_counters_free(lmd_counters *counters)
{
    if (counters) {
        lmd_memory_free(counters->cells);
        lmd_memory_free(counters->values);
        lmd_memory_free(counters);
    }
}

/* ---- use ---- */

void lmd_metric_observe(lmd_counters *counters, const lmd_observation *observation)
{
    const lmd_metric_setup *setup = &counters->setup;
    assert(observation->fold >= 0 && observation->fold < setup->folds);
    assert(observation->group >= 0 && observation->group < setup->groups);
    assert(observation->lens >= 0 && observation->lens < setup->lenses);
    assert(observation->gold_id < setup->V);
    const bool is_usable = observation->readouts[setup->L - 1].is_finite;
    assert(!is_usable ||
           (observation->final_id >= 0 && observation->final_id < setup->V));
    const lmd_cells *cells = counters->cells;
    for (int m = 0; m < METRICS; m++) {
        if (!counters->is_wanted[m]) {
            continue;
        }
        if (is_usable || table[m] == &lmd_metric_position) {
            table[m]->observe(setup, cells, observation);
        }
        cells += table[m]->n_variables;
    }
}

void lmd_counters_carry(lmd_counters *counters)
{
    for (int v = 0; v < counters->n_variables; v++) {
        const lmd_cells *cells = &counters->cells[v];
        const size_t n_limbs =
            cells->n_cells * (lmd_cells_width(cells->variable->kind) - 1);
        int64_t *limbs = cells->values + cells->n_cells;
        for (size_t i = 0; i < n_limbs; i += LMD_EXACT_LIMBS) {
            lmd_exact_carry(limbs + i);
        }
    }
}

int64_t *lmd_counters_values(lmd_counters *counters, size_t *n)
{
    *n = counters->n_values;
    return counters->values;
}

int lmd_counters_dim(const lmd_counters *counters, lmd_dim dim)
{
    return counters->dims[dim];
}

const lmd_metric_setup *lmd_counters_setup(const lmd_counters *counters)
{
    return &counters->setup;
}

int lmd_counters_variables(const lmd_counters *counters)
{
    return counters->n_variables;
}

const lmd_variable *lmd_counters_variable(const lmd_counters *counters, int index,
                                          size_t *offset, size_t *n_cells)
{
    assert(index >= 0 && index < counters->n_variables);
    const lmd_cells *cells = &counters->cells[index];
    *offset = cells->offset;
    *n_cells = cells->n_cells;
    return cells->variable;
}
