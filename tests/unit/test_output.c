/* The result file: written, read back, compared, shown, and what goes wrong. */
#include "metric_case.h"

#include <netcdf.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <lmdepth/base/exact.h>
#include <lmdepth/base/file.h>
#include <lmdepth/output.h>

enum { FATES = 3 };

static const char all[] = "bucket,onset,entropy,divergence,token";
static const char *const groups[] = {"caf\xc3\xa9 \"x\"", "wiki"};
static const char *const lenses[] = {"logit lens"};
static const char *const fates[FATES] = {"used", "split", "empty"};
static const int64_t records[2 * FATES] = {5, 0, 1, 7, 2, 0};
static int64_t token_count[CASE_V];
static int32_t token_rank[CASE_V];
static char folder[] = "/tmp/lmdepth-output-XXXXXX";

static lmd_attribute attributes[] = {{"Conventions", "CF-1.11, ACDD-1.3"},
                                     {"title", "A test"},
                                     {"history", "then"},
                                     {"date_created", "then"},
                                     {"lmdepth_job", "title: A test\nrun:\n  seed: 0\n"},
                                     {"lmdepth_run_ranks", "1"},
                                     {"comment", ""},
                                     {"source", "nowhere"}};

static lmd_result result_of(lmd_counters *counters)
{
    for (int id = 1; id < CASE_V; id++) {
        token_count[id] = CASE_V - id;
        token_rank[id] = id;
    }
    return (lmd_result){.counters = counters,
                        .groups = groups,
                        .lenses = lenses,
                        .fates = fates,
                        .n_fates = FATES,
                        .record_count = records,
                        .special_string_count = 3,
                        .token_count = token_count,
                        .token_rank = token_rank,
                        .attributes = attributes,
                        .n_attributes = sizeof attributes / sizeof attributes[0]};
}

static const char *path_of(const char *name)
{
    static char paths[2][200];
    static int next;
    next = !next;
    (void)snprintf(paths[next], sizeof paths[next], "%s/%s", folder, name);
    return paths[next];
}

static void write_case(const char *name, const char *metrics, uint64_t positions)
{
    lmd_counters *counters = case_new(metrics);
    case_observe_random(counters, 0, positions);
    const lmd_result result = result_of(counters);
    const lmd_status status = lmd_output_write(path_of(name), &result);
    assert_string_equal(lmd_status_is_ok(status) ? "" : lmd_status_message(), "");
    lmd_counters_free(counters);
}

static int open_case(const char *name, int mode)
{
    int ncid = 0;
    assert_int_equal(nc_open(path_of(name), mode, &ncid), NC_NOERR);
    return ncid;
}

static void check_variable(int ncid, const char *name, nc_type type, const void *expected,
                           size_t n_bytes)
{
    int id = 0;
    nc_type actual = NC_NAT;
    assert_int_equal(nc_inq_varid(ncid, name, &id), NC_NOERR);
    assert_int_equal(nc_inq_vartype(ncid, id, &actual), NC_NOERR);
    assert_int_equal(actual, type);
    void *values = lmd_memory_new(n_bytes, 1);
    assert_int_equal(nc_get_var(ncid, id, values), NC_NOERR);
    assert_memory_equal(values, expected, n_bytes);
    lmd_memory_free(values);
}

/* Arrays of a MEAN or MOMENTS, the derived ones cell by cell. */
static void check_moments(int ncid, const lmd_variable *variable, const int64_t *values,
                          size_t n)
{
    char name[80];
    double *derived = lmd_memory_new(n, sizeof *derived);
    (void)snprintf(name, sizeof name, "%s_members", variable->name);
    check_variable(ncid, name, NC_INT64, values, 8 * n);
    (void)snprintf(name, sizeof name, "%s_sum", variable->name);
    check_variable(ncid, name, NC_INT64, values + n, 24 * n);
    for (size_t i = 0; i < n; i++) {
        derived[i] = lmd_exact_mean(values + n + 3 * i, values[i]);
    }
    (void)snprintf(name, sizeof name, "%s_mean", variable->name);
    check_variable(ncid, name, NC_DOUBLE, derived, 8 * n);
    if (variable->kind == LMD_VARIABLE_MOMENTS) {
        (void)snprintf(name, sizeof name, "%s_square_sum", variable->name);
        check_variable(ncid, name, NC_INT64, values + 4 * n, 24 * n);
        for (size_t i = 0; i < n; i++) {
            derived[i] = lmd_exact_deviation(values + n + 3 * i, values + 4 * n + 3 * i,
                                             values[i]);
        }
        (void)snprintf(name, sizeof name, "%s_std", variable->name);
        check_variable(ncid, name, NC_DOUBLE, derived, 8 * n);
    }
    lmd_memory_free(derived);
}

static void test_every_value_comes_back(void **state)
{
    (void)state;
    lmd_counters *counters = case_new(all);
    case_observe_random(counters, 0, 400);
    const lmd_result result = result_of(counters);
    assert_int_equal(lmd_output_write(path_of("all.nc"), &result), LMD_OK);
    const int ncid = open_case("all.nc", NC_NOWRITE);
    size_t n_values = 0;
    const int64_t *flat = lmd_counters_values(counters, &n_values);
    for (int v = 0; v < lmd_counters_variables(counters); v++) {
        size_t offset = 0, n = 0;
        const lmd_variable *variable = lmd_counters_variable(counters, v, &offset, &n);
        if (variable->kind == LMD_VARIABLE_COUNT) {
            check_variable(ncid, variable->name, NC_INT64, flat + offset, 8 * n);
        } else {
            check_moments(ncid, variable, flat + offset, n);
        }
    }
    check_variable(ncid, "record_count", NC_INT64, records, sizeof records);
    check_variable(ncid, "special_string_count", NC_INT64, &result.special_string_count,
                   8);
    check_variable(ncid, "token_count", NC_INT64, token_count, sizeof token_count);
    check_variable(ncid, "token_rank", NC_INT, token_rank, sizeof token_rank);
    check_variable(ncid, "state", NC_INT, case_states, sizeof case_states);
    const double depths[CASE_L] = {0, 0.25, 0.5, 1};
    check_variable(ncid, "depth", NC_DOUBLE, depths, sizeof depths);
    const int32_t bounds[6] = {0, 1, 1, 11, 11, 121};
    check_variable(ncid, "gold_band_bounds", NC_INT, bounds, sizeof bounds);
    assert_int_equal(nc_close(ncid), NC_NOERR);
    lmd_counters_free(counters);
}

static void test_attributes_come_in_order(void **state)
{
    (void)state;
    write_case("order.nc", "", 3);
    const int ncid = open_case("order.nc", NC_NOWRITE);
    for (int i = 0; i < (int)(sizeof attributes / sizeof attributes[0]); i++) {
        char name[NC_MAX_NAME + 1];
        assert_int_equal(nc_inq_attname(ncid, NC_GLOBAL, i, name), NC_NOERR);
        assert_string_equal(name, attributes[i].name);
    }
    assert_int_equal(nc_close(ncid), NC_NOERR);
    lmd_text value = {0};
    bool found = false;
    assert_int_equal(
        lmd_output_read_attribute(path_of("order.nc"), "lmdepth_job", &value, &found),
        LMD_OK);
    assert_true(found);
    assert_string_equal(lmd_text_string(&value), attributes[4].value);
    assert_int_equal(
        lmd_output_read_attribute(path_of("order.nc"), "nothing", &value, &found),
        LMD_OK);
    assert_false(found);
    lmd_text_clear(&value);
}

/* HDF5 keeps attributes above 64 KiB apart; a corpus of many files makes such ones. */
static void test_long_attribute(void **state)
{
    (void)state;
    const size_t size = 3 << 20;
    char *text = lmd_memory_new(size + 1, 1);
    memset(text, 'x', size);
    lmd_attribute long_one = {"lmdepth_inputs", text};
    lmd_counters *counters = case_new("");
    lmd_result result = result_of(counters);
    result.attributes = &long_one;
    result.n_attributes = 1;
    assert_int_equal(lmd_output_write(path_of("long.nc"), &result), LMD_OK);
    lmd_text value = {0};
    bool found = false;
    assert_int_equal(
        lmd_output_read_attribute(path_of("long.nc"), "lmdepth_inputs", &value, &found),
        LMD_OK);
    assert_true(found && value.size == size && strcmp(value.bytes, text) == 0);
    lmd_text_clear(&value);
    lmd_counters_free(counters);
    lmd_memory_free(text);
}

static void test_dimensions_of_other_metrics_are_absent(void **state)
{
    (void)state;
    static const char *const absent[] = {"band",   "threshold", "outcome", "entropy_bin",
                                         "kl_bin", "rank_bin",  "limb"};
    int id = 0;
    write_case("few.nc", "token", 3);
    const int ncid = open_case("few.nc", NC_NOWRITE);
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++) {
        assert_int_equal(nc_inq_dimid(ncid, absent[i], &id), NC_EBADDIM);
        assert_int_equal(nc_inq_varid(ncid, absent[i], &id), NC_ENOTVAR);
    }
    assert_int_equal(nc_inq_dimid(ncid, "final_band", &id), NC_NOERR);
    assert_int_equal(nc_close(ncid), NC_NOERR);
}

/* Sizes beyond a chunk and beyond a piece, an odd vocabulary. */
static void test_large_variables_come_back(void **state)
{
    (void)state;
    enum { V = 70001, L = 5 };
    static int32_t bands[V];
    static const int32_t states[L] = {0, 1, 2, 3, 4};
    const int32_t edges[2] = {0, 1};
    const lmd_metric_setup setup = {.folds = 40,
                                    .groups = 30,
                                    .lenses = 1,
                                    .L = L,
                                    .states = states,
                                    .N = 4,
                                    .V = V,
                                    .n_bands = 1,
                                    .band_edges = edges,
                                    .bands = bands,
                                    .metrics = "token,entropy"};
    lmd_counters *counters = NULL;
    size_t n_values = 0, n_cells = 0;
    assert_int_equal(lmd_counters_new(&counters, &setup), LMD_OK);
    int64_t *flat = lmd_counters_values(counters, &n_values);
    for (size_t i = 0; i < n_values; i++) {
        flat[i] = (int64_t)(lmd_hash_mix(i) % 1000);
    }
    const char **names = lmd_memory_new(30, sizeof *names);
    for (int g = 0; g < 30; g++) {
        names[g] = "g";
    }
    lmd_result result = result_of(counters);
    int64_t *record_count = lmd_memory_new(30 * FATES, sizeof *record_count);
    int64_t *counts = lmd_memory_new(V, sizeof *counts);
    int32_t *ranks = lmd_memory_new(V, sizeof *ranks);
    result.groups = names;
    result.record_count = record_count;
    result.token_count = counts;
    result.token_rank = ranks;
    assert_int_equal(lmd_output_write(path_of("large.nc"), &result), LMD_OK);
    const int ncid = open_case("large.nc", NC_NOWRITE);
    const int64_t *tokens = case_values(counters, "top1_token_count", &n_cells);
    check_variable(ncid, "top1_token_count", NC_INT64, tokens, 8 * n_cells);
    const int64_t *entropy = case_values(counters, "entropy", &n_cells);
    size_t offset = 0;
    check_moments(ncid,
                  lmd_counters_variable(counters, case_find(counters, "entropy"), &offset,
                                        &n_cells),
                  entropy, n_cells);
    assert_int_equal(nc_close(ncid), NC_NOERR);
    lmd_memory_free(ranks);
    lmd_memory_free(counts);
    lmd_memory_free(record_count);
    lmd_memory_free(names);
    lmd_counters_free(counters);
}

/* ---- compare ---- */

static void compare(const char *a, const char *b, double rtol, lmd_text *differences)
{
    bool equal = false;
    lmd_text_clear(differences);
    assert_int_equal(
        lmd_output_compare(path_of(a), path_of(b), rtol, &equal, differences), LMD_OK);
    assert_true(equal == (differences->size == 0));
}

static void test_equal_files(void **state)
{
    (void)state;
    lmd_text differences = {0};
    write_case("a.nc", all, 300);
    attributes[2].value = "now";
    attributes[3].value = "now";
    attributes[5].value = "7";
    write_case("b.nc", all, 300);
    compare("a.nc", "b.nc", 0, &differences);
    assert_string_equal(lmd_text_string(&differences), "");
    compare("a.nc", "a.nc", 1e-3, &differences);
    assert_string_equal(lmd_text_string(&differences), "");
    lmd_text_clear(&differences);
}

/* Changes one cell of one variable of b.nc. */
static void change(const char *variable, const size_t *at, const void *value)
{
    int id = 0;
    write_case("b.nc", all, 300);
    const int ncid = open_case("b.nc", NC_WRITE);
    assert_int_equal(nc_inq_varid(ncid, variable, &id), NC_NOERR);
    assert_int_equal(nc_put_var1(ncid, id, at, value), NC_NOERR);
    assert_int_equal(nc_close(ncid), NC_NOERR);
}

static void test_each_difference_of_values_is_found(void **state)
{
    (void)state;
    lmd_text differences = {0};
    const int64_t count = 1000000;
    write_case("a.nc", all, 300);
    change("top1_count", (const size_t[]){1, 1, 0, 3, 2, 2}, &count);
    compare("a.nc", "b.nc", 0, &differences);
    assert_non_null(
        strstr(lmd_text_string(&differences),
               "top1_count: first difference at fold=1, group=wiki, "
               "lens=logit lens, state=4, band=[11,121), final_band=[11,121): "));
    assert_non_null(strstr(lmd_text_string(&differences),
                           " and 1000000 (1 of 144 values differ, by up to 1 of"));
    assert_int_equal(strcspn(lmd_text_string(&differences), "\n"),
                     differences.size - 1); // one line
    const double missing = (double)NAN;
    change("kl_mean", (const size_t[]){0, 0, 0, 0}, &missing);
    compare("a.nc", "b.nc", 0, &differences);
    assert_non_null(strstr(lmd_text_string(&differences),
                           "kl_mean: first difference at fold=0, group=caf\xc3\xa9 "
                           "\"x\", lens=logit lens, state=0: "));
    compare("a.nc", "b.nc", 0.5, &differences);
    assert_non_null(strstr(lmd_text_string(&differences), " and nan ("));
    change("special_string_count", NULL, &count);
    compare("a.nc", "b.nc", 0, &differences);
    assert_string_equal(lmd_text_string(&differences),
                        "special_string_count: 3 and 1000000\n");
    change("group_name", (const size_t[]){1, 0}, "W");
    compare("a.nc", "b.nc", 0.5, &differences);
    assert_non_null(strstr(lmd_text_string(&differences),
                           "group_name: first difference at group=wiki, "
                           "group_name_strlen=0: 'w' and 'W' (1 of"));
    lmd_text_clear(&differences);
}

static void test_tolerance(void **state)
{
    (void)state;
    lmd_text differences = {0};
    int id = 0;
    double mean = 0;
    int64_t limbs[3] = {0};
    const size_t at[4] = {0}, start[6] = {0, 0, 0, 0, 2, 0}, size[6] = {1, 1, 1, 1, 1, 3};
    write_case("a.nc", all, 300);
    int ncid = open_case("a.nc", NC_NOWRITE);
    assert_int_equal(nc_inq_varid(ncid, "kl_mean", &id), NC_NOERR);
    assert_int_equal(nc_get_var1_double(ncid, id, at, &mean), NC_NOERR);
    assert_int_equal(nc_close(ncid), NC_NOERR);
    mean *= 1 + 1e-6;
    change("kl_mean", at, &mean);
    compare("a.nc", "b.nc", 2e-6, &differences);
    assert_int_equal(differences.size, 0);
    compare("a.nc", "b.nc", 5e-7, &differences);
    assert_true(differences.size > 0);
    // A sum whose lowest limbs are all different is still nearly the same sum.
    write_case("b.nc", all, 300);
    ncid = open_case("b.nc", NC_WRITE);
    assert_int_equal(nc_inq_varid(ncid, "entropy_sum", &id), NC_NOERR);
    assert_int_equal(nc_get_vara(ncid, id, start, size, limbs), NC_NOERR);
    assert_in_range(limbs[2], 1, 1000);
    limbs[0] ^= 0xfffffff;
    limbs[1] ^= 0x3ffff; // up to 6e-5
    assert_int_equal(nc_put_vara(ncid, id, start, size, limbs), NC_NOERR);
    assert_int_equal(nc_close(ncid), NC_NOERR);
    compare("a.nc", "b.nc", 1e-4, &differences);
    assert_int_equal(differences.size, 0);
    compare("a.nc", "b.nc", 1e-12, &differences);
    assert_non_null(strstr(lmd_text_string(&differences),
                           "entropy_sum: first difference at fold=0, group="));
    lmd_text_clear(&differences);
}

static void test_differences_of_structure_are_found(void **state)
{
    (void)state;
    lmd_text differences = {0};
    write_case("a.nc", "bucket,onset", 300);
    write_case("b.nc", "onset,token", 300);
    compare("a.nc", "b.nc", 0, &differences);
    assert_non_null(
        strstr(lmd_text_string(&differences), "variable top1_count: only in "));
    assert_non_null(
        strstr(lmd_text_string(&differences), "variable top1_token_count: only in "));
    assert_non_null(strstr(lmd_text_string(&differences), "dimension outcome: only in "));
    assert_null(strstr(lmd_text_string(&differences), "onset_count"));
    lmd_text_clear(&differences);
}

static void test_differences_of_attributes_are_found(void **state)
{
    (void)state;
    lmd_text differences = {0};
    int id = 0;
    write_case("a.nc", "", 3);
    attributes[4].value = "title: A test\nrun:\n  seed: 1\n";
    write_case("b.nc", "", 3);
    attributes[4].value = "title: A test\nrun:\n  seed: 0\n";
    compare("a.nc", "b.nc", 0, &differences);
    assert_string_equal(lmd_text_string(&differences),
                        "attribute lmdepth_job: \"  seed: 0\" against \"  seed: 1\"\n");
    write_case("b.nc", "", 3);
    const int ncid = open_case("b.nc", NC_WRITE);
    assert_int_equal(nc_inq_varid(ncid, "fate", &id), NC_NOERR);
    assert_int_equal(nc_del_att(ncid, id, "flag_values"), NC_NOERR);
    assert_int_equal(nc_put_att_text(ncid, id, "units", 3, "nat"), NC_NOERR);
    assert_int_equal(nc_put_att_text(ncid, NC_GLOBAL, "extra", 1, "x"), NC_NOERR);
    assert_int_equal(nc_put_att_text(ncid, NC_GLOBAL, "lmdepth_run_x", 1, "x"), NC_NOERR);
    assert_int_equal(nc_close(ncid), NC_NOERR);
    compare("a.nc", "b.nc", 0, &differences);
    assert_non_null(
        strstr(lmd_text_string(&differences), "attribute fate:flag_values: only in "));
    assert_non_null(strstr(lmd_text_string(&differences),
                           "attribute fate:units: \"1\" against \"nat\""));
    assert_non_null(strstr(lmd_text_string(&differences), "attribute extra: only in "));
    assert_null(strstr(lmd_text_string(&differences), "lmdepth_run_x"));
    compare("b.nc", "a.nc", 0, &differences);
    assert_non_null(
        strstr(lmd_text_string(&differences), "attribute fate:flag_values: only in "));
    lmd_text_clear(&differences);
}

/* Files of other programs hold strings, and other numbers. */
static void write_foreign(const char *name, const char *third, float value)
{
    const char *strings[] = {"one", "two", third};
    int ncid = 0, dim = 0, id = 0;
    assert_int_equal(nc_create(path_of(name), NC_NETCDF4, &ncid), NC_NOERR);
    assert_int_equal(nc_put_att_string(ncid, NC_GLOBAL, "words", 3, strings), NC_NOERR);
    assert_int_equal(nc_def_dim(ncid, "x", 3, &dim), NC_NOERR);
    assert_int_equal(nc_def_var(ncid, "s", NC_STRING, 1, &dim, &id), NC_NOERR);
    assert_int_equal(nc_put_var_string(ncid, id, strings), NC_NOERR);
    assert_int_equal(nc_def_var(ncid, "f", NC_FLOAT, 1, &dim, &id), NC_NOERR);
    assert_int_equal(nc_put_var1_float(ncid, id, (const size_t[]){1}, &value), NC_NOERR);
    assert_int_equal(nc_close(ncid), NC_NOERR);
}

static void test_foreign_files(void **state)
{
    (void)state;
    lmd_text differences = {0};
    write_foreign("x.nc", "three", 1);
    write_foreign("y.nc", "four", 1.5F);
    compare("x.nc", "x.nc", 0, &differences);
    assert_int_equal(differences.size, 0);
    compare("x.nc", "y.nc", 0.4, &differences);
    assert_string_equal(lmd_text_string(&differences),
                        "attribute words: \"three\" against \"four\"\n"
                        "s: first difference at x=2: \"three\" and \"four\" (1 of 3 "
                        "values differ)\n");
    compare("x.nc", "y.nc", 0, &differences);
    assert_non_null(strstr(lmd_text_string(&differences),
                           "f: first difference at x=1: 1 and 1.5 (1 of 3 values "
                           "differ, by up to 0.33"));
    lmd_text_clear(&differences);
}

/* ---- show ---- */

static void test_show_on_a_screen(void **state)
{
    (void)state;
    lmd_text out = {0};
    write_case("a.nc", all, 300);
    assert_int_equal(lmd_output_show(path_of("a.nc"), false, &out), LMD_OK);
    assert_non_null(strstr(lmd_text_string(&out), "title       A test\n"));
    assert_non_null(
        strstr(lmd_text_string(&out), "records     12 used, 2 split, 1 empty\n"));
    assert_non_null(strstr(lmd_text_string(&out), "wiki\n"));
    assert_non_null(strstr(lmd_text_string(&out),
                           "int64 agree_count(fold, group, lens, state, band)"));
    lmd_text_clear(&out);
}

static void test_show_as_json(void **state)
{
    (void)state;
    lmd_text out = {0};
    write_case("a.nc", all, 300);
    assert_int_equal(lmd_output_show(path_of("a.nc"), true, &out), LMD_OK);
    assert_non_null(
        strstr(lmd_text_string(&out), "\"caf\xc3\xa9 \\\"x\\\"\", \"wiki\"]"));
    assert_non_null(strstr(lmd_text_string(&out), "\"used\": 12"));
    assert_non_null(strstr(lmd_text_string(&out), "run:\\n  seed: 0\\n"));
    lmd_text_clear(&out);
}

/* ---- what goes wrong ---- */

static int count_files(void)
{
    char command[200];
    int n = -1;
    (void)snprintf(command, sizeof command, "ls -A '%s' | wc -l", folder);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_int_equal(fscanf(pipe, "%d", &n), 1);
    (void)pclose(pipe);
    return n;
}

static lmd_status try_write(const char *path, const char *metrics)
{
    lmd_counters *counters = case_new(metrics);
    const lmd_result result = result_of(counters);
    const lmd_status status = lmd_output_write(path, &result);
    lmd_counters_free(counters);
    return status;
}

static void test_write_where_it_is_not_possible(void **state)
{
    (void)state;
    write_case("a.nc", "", 3);
    const int n_files = count_files();
    assert_int_equal(try_write(path_of("missing/x.nc"), ""), LMD_RESOURCE);
    assert_non_null(strstr(lmd_status_message(), "missing/x.nc"));
    assert_int_equal(try_write(path_of("a.nc/x.nc"), ""), LMD_RESOURCE);
    assert_int_equal(mkdir(path_of("taken.nc"), 0777), 0);
    assert_int_equal(try_write(path_of("taken.nc"), ""), LMD_RESOURCE);
    assert_int_equal(rmdir(path_of("taken.nc")), 0);
    assert_int_equal(count_files(), n_files);
}

/* A limit on the size of files stands for a full disk or quota. */
static void test_full_disk_leaves_the_older_file(void **state)
{
    (void)state;
    struct rlimit old;
    write_case("a.nc", "", 3);
    write_case("b.nc", "", 3);
    const int n_files = count_files();
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    for (rlim_t size = 0; size < 1 << 20; size += 1 << 18) {
        const struct rlimit small = {size, old.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        const lmd_status status = try_write(path_of("a.nc"), all);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_int_equal(status, LMD_RESOURCE);
        assert_non_null(strstr(lmd_status_message(), "a.nc"));
        assert_int_equal(count_files(), n_files);
    }
    lmd_text differences = {0};
    compare("a.nc", "b.nc", 0, &differences);
    assert_int_equal(differences.size, 0);
    lmd_text_clear(&differences);
}

static void test_files_that_cannot_be_read(void **state)
{
    (void)state;
    lmd_text out = {0};
    bool found = false, equal = false;
    write_case("a.nc", "", 3);
    assert_int_equal(lmd_file_write(path_of("text"), "hello, world\n", 13), LMD_OK);
    assert_int_equal(lmd_file_write(path_of("cut"), "\x89HDF\r\n\x1a\nxx", 10), LMD_OK);
    assert_int_equal(lmd_output_show(path_of("none"), false, &out), LMD_USAGE);
    assert_int_equal(lmd_output_show("http://localhost/a.nc", false, &out), LMD_USAGE);
    assert_int_equal(lmd_output_show(folder, false, &out), LMD_INPUT);
    assert_int_equal(lmd_output_show(path_of("text"), false, &out), LMD_INPUT);
    assert_int_equal(lmd_output_show(path_of("cut"), false, &out), LMD_INPUT);
    assert_non_null(strstr(lmd_status_message(), "/cut: "));
    assert_int_equal(lmd_output_read_attribute(path_of("text"), "title", &out, &found),
                     LMD_INPUT);
    assert_int_equal(
        lmd_output_compare(path_of("a.nc"), path_of("none"), 0, &equal, &out), LMD_USAGE);
    assert_true(lmd_output_is_result(path_of("a.nc")));
    assert_false(lmd_output_is_result(path_of("text")));
    assert_false(lmd_output_is_result(path_of("none")));
    assert_false(lmd_output_is_result(folder));
    lmd_text_clear(&out);
}

/* A file with damaged bytes gives a status or a result, never a crash. */
static void test_damaged_files(void **state)
{
    (void)state;
    write_case("a.nc", "bucket", 50);
    lmd_text bytes = {0};
    assert_int_equal(lmd_file_read_all(path_of("a.nc"), 1 << 24, &bytes), LMD_OK);
    for (int i = 0; i < 40; i++) {
        lmd_text out = {0};
        const size_t cut = lmd_hash_mix((uint64_t)i + 1) % bytes.size;
        assert_int_equal(lmd_file_write(path_of("cut.nc"), bytes.bytes, cut), LMD_OK);
        const lmd_status status = lmd_output_show(path_of("cut.nc"), true, &out);
        assert_int_equal(status, LMD_INPUT);
        lmd_text_clear(&out);
    }
    lmd_text_clear(&bytes);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)lmd_file_remove_tree(folder);
    return case_check_memory(state);
}

int main(int n_arguments, char **arguments)
{
    // With a path: writes a file there, for tools that look at one.
    if (n_arguments == 2) {
        lmd_counters *counters = case_new(all);
        case_observe_random(counters, 0, 300);
        const lmd_result result = result_of(counters);
        const lmd_status status = lmd_output_write(arguments[1], &result);
        lmd_counters_free(counters);
        return (int)status;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_value_comes_back),
        cmocka_unit_test(test_attributes_come_in_order),
        cmocka_unit_test(test_long_attribute),
        cmocka_unit_test(test_dimensions_of_other_metrics_are_absent),
        cmocka_unit_test(test_large_variables_come_back),
        cmocka_unit_test(test_equal_files),
        cmocka_unit_test(test_each_difference_of_values_is_found),
        cmocka_unit_test(test_tolerance),
        cmocka_unit_test(test_differences_of_structure_are_found),
        cmocka_unit_test(test_differences_of_attributes_are_found),
        cmocka_unit_test(test_foreign_files),
        cmocka_unit_test(test_show_on_a_screen),
        cmocka_unit_test(test_show_as_json),
        cmocka_unit_test(test_write_where_it_is_not_possible),
        cmocka_unit_test(test_full_disk_leaves_the_older_file),
        cmocka_unit_test(test_files_that_cannot_be_read),
        cmocka_unit_test(test_damaged_files),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
