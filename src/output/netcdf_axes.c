/* Dimensions and their coordinates.
 *
 *     int band(band) ;            band:bounds = "band_bounds" ;
 *     int band_bounds(band, nv) ;
 *     int outcome(outcome) ;      outcome:flag_values = 0, 1, ... ; outcome:flag_meanings
 *     char group_name(group, group_name_strlen) ;
 *
 * A coordinate variable has its dimension's name, ascends, misses nothing and is never
 * text (CF 2.5); names stand beside it as text variables and are listed in `coordinates`
 * of what they label. Bins are [lower, upper) of their bounds. NetCDF writes a dimension
 * to disk when the first values are written, so a coordinate follows its dimension at
 * once. */
#include "netcdf_writer.h"

#include <assert.h>              /* assert */
#include <ctype.h>               /* isalnum */
#include <math.h>                /* sqrt, isinf */
#include <string.h>              /* strlen */
#include <lmdepth/base/memory.h> /* lmd_memory_new */

static lmd_status check(const lmd_writer *writer, int code, const char *what)
{
    return lmd_netcdf_check(code, LMD_RESOURCE, writer->path, what);
}

static int size_of(const lmd_writer *writer, lmd_dim dim)
{
    return lmd_counters_dim(writer->result->counters, dim);
}

static lmd_column column_of(const lmd_writer *writer, lmd_dim dim, nc_type type)
{
    return (lmd_column){.name = lmd_dim_name(dim),
                        .type = type,
                        .n_dims = 1,
                        .dims = {writer->dim_ids[dim]}};
}

/* ---- indices ---- */

static lmd_status put_range(const lmd_writer *writer, const lmd_column *column, int n)
{
    int32_t *values = lmd_memory_new((size_t)n, sizeof *values);
    for (int i = 0; i < n; i++) {
        values[i] = i;
    }
    const lmd_status status = lmd_writer_put(writer, column, values);
    lmd_memory_free(values);
    return status;
}

static lmd_status put_fold(const lmd_writer *writer, lmd_dim dim)
{
    lmd_column column = column_of(writer, dim, NC_INT);
    column.long_name = "fold of the records";
    column.comment = "each record is in one fold, by a hash of seed and record";
    return put_range(writer, &column, size_of(writer, dim));
}

static lmd_status put_token(const lmd_writer *writer, lmd_dim dim)
{
    lmd_column column = column_of(writer, dim, NC_INT);
    column.long_name = "token id";
    return put_range(writer, &column, size_of(writer, dim));
}

static lmd_status put_threshold(const lmd_writer *writer, lmd_dim dim)
{
    lmd_column column = column_of(writer, dim, NC_INT);
    column.long_name = "largest rank that counts as reached";
    return lmd_writer_put(writer, &column, lmd_metric_thresholds);
}

/* ---- names ---- */

static lmd_status define_dim(const lmd_writer *writer, const char *name, size_t size,
                             int *id)
{
    assert(size > 0); // 0 would be an unlimited dimension
    return check(writer, nc_def_dim(writer->ncid, name, size, id), name);
}

static size_t longest(const char *const *labels, int n)
{
    size_t length = 1;
    for (int i = 0; i < n; i++) {
        length = strlen(labels[i]) > length ? strlen(labels[i]) : length;
    }
    return length;
}

/* Labels as wide as the longest, in a dimension of their own, <name>_strlen: xarray can't
 * write labels of several widths that share one. */
static lmd_status put_labels(const lmd_writer *writer, const char *name, int dim_id,
                             const char *long_name, const char *const *labels, int n)
{
    char dim_name[NC_MAX_NAME];
    snprintf(dim_name, sizeof dim_name, "%s_strlen", name);
    const size_t width = longest(labels, n);
    int width_id = 0;
    LMD_TRY(define_dim(writer, dim_name, width, &width_id));
    char *text = lmd_memory_new((size_t)n, width);
    for (int i = 0; i < n; i++) {
        memcpy(text + (size_t)i * width, labels[i], strlen(labels[i]));
    }
    const lmd_column column = {.name = name,
                               .type = NC_CHAR,
                               .n_dims = 2,
                               .dims = {dim_id, width_id},
                               .long_name = long_name};
    int id = 0;
    lmd_status status = lmd_writer_define(writer, &column, &id);
    if (lmd_status_is_ok(status)) {
        status = lmd_writer_put_text(writer, id, "_Encoding", "utf-8");
    }
    if (lmd_status_is_ok(status)) {
        status = check(writer, nc_put_var(writer->ncid, id, text), name);
    }
    lmd_memory_free(text);
    return status;
}

/* Words of flag_meanings are letters, digits and _ - . + @ (CF 3.5). */
static void append_word(lmd_text *meanings, const char *word)
{
    if (meanings->size > 0) {
        lmd_text_append(meanings, " ", 1);
    }
    for (; *word; word++) {
        const bool is_allowed = isalnum((unsigned char)*word) || strchr("_-.+@", *word);
        lmd_text_append(meanings, is_allowed ? word : "_", 1);
    }
}

static lmd_status put_flags(const lmd_writer *writer, const lmd_column *column,
                            const char *const *words, int n)
{
    lmd_text meanings = {0};
    int32_t *values = lmd_memory_new((size_t)n, sizeof *values);
    for (int i = 0; i < n; i++) {
        values[i] = i;
        append_word(&meanings, words[i]);
    }
    int id = 0;
    lmd_status status = lmd_writer_define(writer, column, &id);
    if (lmd_status_is_ok(status)) {
        status = check(
            writer,
            nc_put_att_int(writer->ncid, id, "flag_values", NC_INT, (size_t)n, values),
            column->name);
    }
    if (lmd_status_is_ok(status)) {
        status =
            lmd_writer_put_text(writer, id, "flag_meanings", lmd_text_string(&meanings));
    }
    if (lmd_status_is_ok(status)) {
        status = check(writer, nc_put_var(writer->ncid, id, values), column->name);
    }
    lmd_memory_free(values);
    lmd_text_clear(&meanings);
    return status;
}

static lmd_status put_group(const lmd_writer *writer, lmd_dim dim)
{
    return put_labels(writer, "group_name", writer->dim_ids[dim], "name of the group",
                      writer->result->groups, size_of(writer, dim));
}

static lmd_status put_lens(const lmd_writer *writer, lmd_dim dim)
{
    lmd_column column = column_of(writer, dim, NC_INT);
    column.long_name = "lens that turns a state into a distribution";
    LMD_TRY(put_flags(writer, &column, writer->result->lenses, size_of(writer, dim)));
    return put_labels(writer, "lens_name", writer->dim_ids[dim], "name of the lens",
                      writer->result->lenses, size_of(writer, dim));
}

static lmd_status put_outcome(const lmd_writer *writer, lmd_dim dim)
{
    lmd_column column = column_of(writer, dim, NC_INT);
    column.long_name = "who names the gold token";
    column.comment =
        "same_wrong: lens and output agree on another token; other_wrong: on "
        "two others; lens_only, output_only: that one alone is right";
    return put_flags(writer, &column, lmd_metric_outcomes, LMD_OUTCOMES);
}

static lmd_status put_fate(const lmd_writer *writer)
{
    const lmd_column column = {.name = "fate",
                               .type = NC_INT,
                               .n_dims = 1,
                               .dims = {writer->fate_id},
                               .long_name = "what became of a record"};
    return put_flags(writer, &column, writer->result->fates, writer->result->n_fates);
}

/* ---- states ---- */

enum { STATE_NAME_BYTES = 40 };

static void name_state(int32_t state, char name[STATE_NAME_BYTES])
{
    if (state == 0) {
        (void)snprintf(name, STATE_NAME_BYTES, "embed");
    } else {
        (void)snprintf(name, STATE_NAME_BYTES, "blocks.%d.hook_resid_post",
                       (int)state - 1);
    }
}

static lmd_status put_state_names(const lmd_writer *writer)
{
    const lmd_metric_setup *setup = lmd_counters_setup(writer->result->counters);
    const size_t L = (size_t)setup->L;
    char(*names)[STATE_NAME_BYTES] = lmd_memory_new(L, sizeof *names);
    const char **labels = lmd_memory_new(L, sizeof *labels);
    for (size_t s = 0; s < L; s++) {
        name_state(setup->states[s], names[s]);
        labels[s] = names[s];
    }
    const lmd_status status =
        put_labels(writer, "state_name", writer->dim_ids[LMD_DIM_STATE],
                   "name of the state in TransformerLens", labels, setup->L);
    lmd_memory_free(labels);
    lmd_memory_free(names);
    return status;
}

static lmd_status put_depths(const lmd_writer *writer)
{
    const lmd_metric_setup *setup = lmd_counters_setup(writer->result->counters);
    lmd_column column = column_of(writer, LMD_DIM_STATE, NC_DOUBLE);
    column.name = "depth";
    column.long_name = "share of the model's blocks before the state";
    column.comment = "state / number of blocks";
    double *depths = lmd_memory_new((size_t)setup->L, sizeof *depths);
    for (int s = 0; s < setup->L; s++) {
        depths[s] = setup->N > 0 ? (double)setup->states[s] / setup->N : 0;
    }
    const lmd_status status = lmd_writer_put(writer, &column, depths);
    lmd_memory_free(depths);
    return status;
}

static lmd_status put_state(const lmd_writer *writer, lmd_dim dim)
{
    const lmd_metric_setup *setup = lmd_counters_setup(writer->result->counters);
    lmd_column column = column_of(writer, dim, NC_INT);
    column.long_name = "index of the state of the residual stream";
    column.comment = "0: embedding output; l: after block l, before the final norm";
    LMD_TRY(lmd_writer_put(writer, &column, setup->states));
    LMD_TRY(put_depths(writer));
    return put_state_names(writer);
}

/* ---- bins ---- */

/* The bounds of n bins with edges (n + 1) of `bytes` bytes each, as pairs. */
static lmd_status put_bounds(const lmd_writer *writer, const lmd_column *of, int n,
                             const void *edges, size_t bytes)
{
    lmd_text name = {0};
    lmd_text_append_format(&name, "%s_bounds", of->name);
    lmd_column column = *of;
    column.name = lmd_text_string(&name);
    column.n_dims = 2;
    column.dims[1] = writer->nv_id;
    column.comment = NULL;
    char *pairs = lmd_memory_new((size_t)n, 2 * bytes);
    for (size_t i = 0; i < (size_t)n; i++) {
        memcpy(pairs + 2 * i * bytes, (const char *)edges + i * bytes, 2 * bytes);
    }
    const lmd_status status = lmd_writer_put(writer, &column, pairs);
    lmd_memory_free(pairs);
    lmd_text_clear(&name);
    return status;
}

/* A coordinate of bins and its bounds. */
static lmd_status put_bins(const lmd_writer *writer, const lmd_column *column, int n,
                           const void *centres, const void *edges, size_t bytes)
{
    lmd_text bounds = {0};
    lmd_text_append_format(&bounds, "%s_bounds", column->name);
    int id = 0;
    lmd_status status = lmd_writer_define(writer, column, &id);
    if (lmd_status_is_ok(status)) {
        status = lmd_writer_put_text(writer, id, "bounds", lmd_text_string(&bounds));
    }
    if (lmd_status_is_ok(status)) {
        status = check(writer, nc_put_var(writer->ncid, id, centres), column->name);
    }
    lmd_text_clear(&bounds);
    return lmd_status_is_ok(status) ? put_bounds(writer, column, n, edges, bytes)
                                    : status;
}

static lmd_status put_band(const lmd_writer *writer, lmd_dim dim)
{
    const lmd_metric_setup *setup = lmd_counters_setup(writer->result->counters);
    lmd_column column = column_of(writer, dim, NC_INT);
    column.long_name = dim == LMD_DIM_BAND ? "frequency band of the lens top-1 or of mass"
                       : dim == LMD_DIM_FINAL_BAND
                           ? "frequency band of the model's own top-1"
                           : "frequency band of the gold token";
    column.comment = "lowest frequency rank of the band; 0: unranked tokens; bounds are "
                     "[lower, upper)";
    return put_bins(writer, &column, setup->n_bands, setup->band_edges, setup->band_edges,
                    sizeof *setup->band_edges);
}

static lmd_status put_rank_bin(const lmd_writer *writer, lmd_dim dim)
{
    const int n = size_of(writer, dim);
    lmd_column column = column_of(writer, dim, NC_INT);
    column.long_name = "rank among the logits of a state";
    column.comment = "lowest rank of the bin; bounds are [lower, upper)";
    int32_t *edges = lmd_memory_new((size_t)n + 1, sizeof *edges);
    lmd_metric_rank_edges(lmd_counters_setup(writer->result->counters)->V, edges);
    const lmd_status status = put_bins(writer, &column, n, edges, edges, sizeof *edges);
    lmd_memory_free(edges);
    return status;
}

static lmd_status put_entropy_bin(const lmd_writer *writer, lmd_dim dim)
{
    const int n = size_of(writer, dim);
    lmd_column column = column_of(writer, dim, NC_DOUBLE);
    column.long_name = "entropy in nats";
    column.comment =
        "centre of the bin; bounds are [lower, upper); the first and the last "
        "bin also take what rounding puts outside";
    double *edges = lmd_memory_new(2 * (size_t)n + 1, sizeof *edges);
    double *centres = edges + n + 1;
    for (int i = 0; i <= n; i++) {
        edges[i] = (double)i / LMD_ENTROPY_BINS_A_NAT;
    }
    for (int i = 0; i < n; i++) {
        centres[i] = (i + 0.5) / LMD_ENTROPY_BINS_A_NAT;
    }
    const lmd_status status = put_bins(writer, &column, n, centres, edges, sizeof *edges);
    lmd_memory_free(edges);
    return status;
}

/* A coordinate can't be 0 on a logarithmic axis, nor infinite: the first and the last bin
 * stand where the centres would be, were they as wide as the others. */
static lmd_status put_kl_bin(const lmd_writer *writer, lmd_dim dim)
{
    const int n = size_of(writer, dim);
    lmd_column column = column_of(writer, dim, NC_DOUBLE);
    column.long_name = "Kullback-Leibler divergence in nats";
    column.comment =
        "geometric centre of the bin; the first (from 0) and the last (without "
        "end) stand half a step outside their inner bound; bounds are "
        "[lower, upper)";
    double *edges = lmd_memory_new(2 * (size_t)n + 1, sizeof *edges);
    double *centres = edges + n + 1;
    lmd_metric_kl_edges(edges);
    for (int i = 1; i < n - 1; i++) {
        centres[i] = sqrt(edges[i] * edges[i + 1]);
    }
    centres[0] = edges[1] * edges[1] / centres[1];
    centres[n - 1] = edges[n - 1] * edges[n - 1] / centres[n - 2];
    const lmd_status status = put_bins(writer, &column, n, centres, edges, sizeof *edges);
    lmd_memory_free(edges);
    return status;
}

/* ---- all of them ---- */

/* Coordinates of a dimension; NULL: it has none. */
static lmd_status (*const put_axis[LMD_DIM_COUNT])(const lmd_writer *writer,
                                                   lmd_dim dim) = {
    [LMD_DIM_FOLD] = put_fold,       [LMD_DIM_GROUP] = put_group,
    [LMD_DIM_LENS] = put_lens,       [LMD_DIM_STATE] = put_state,
    [LMD_DIM_BAND] = put_band,       [LMD_DIM_FINAL_BAND] = put_band,
    [LMD_DIM_GOLD_BAND] = put_band,  [LMD_DIM_THRESHOLD] = put_threshold,
    [LMD_DIM_OUTCOME] = put_outcome, [LMD_DIM_ENTROPY_BIN] = put_entropy_bin,
    [LMD_DIM_KL_BIN] = put_kl_bin,   [LMD_DIM_RANK_BIN] = put_rank_bin,
    [LMD_DIM_TOKEN] = put_token,     [LMD_DIM_LIMB] = NULL,
};

static void find_used(const lmd_counters *counters, bool is_used[LMD_DIM_COUNT])
{
    is_used[LMD_DIM_GROUP] = true; // record_count
    is_used[LMD_DIM_TOKEN] = true; // token_count
    for (int v = 0; v < lmd_counters_variables(counters); v++) {
        size_t offset = 0, n_cells = 0;
        const lmd_variable *variable =
            lmd_counters_variable(counters, v, &offset, &n_cells);
        for (int d = 0; d < variable->n_dims; d++) {
            is_used[variable->dims[d]] = true;
        }
        is_used[LMD_DIM_LIMB] |= variable->kind != LMD_VARIABLE_COUNT;
    }
}

lmd_status lmd_writer_put_axes(lmd_writer *writer)
{
    bool is_used[LMD_DIM_COUNT] = {false};
    find_used(writer->result->counters, is_used);
    LMD_TRY(define_dim(writer, "nv", 2, &writer->nv_id));
    for (int dim = 0; dim < LMD_DIM_COUNT; dim++) {
        writer->dim_ids[dim] = -1;
        if (!is_used[dim]) {
            continue;
        }
        LMD_TRY(define_dim(writer, lmd_dim_name((lmd_dim)dim),
                           (size_t)size_of(writer, (lmd_dim)dim), &writer->dim_ids[dim]));
        if (put_axis[dim]) {
            LMD_TRY(put_axis[dim](writer, (lmd_dim)dim));
        }
    }
    LMD_TRY(
        define_dim(writer, "fate", (size_t)writer->result->n_fates, &writer->fate_id));
    return put_fate(writer);
}
