/* Results read back and summed: every count where it belongs, and files that are damaged,
 * foreign or mean to harm refused by file and variable. */
#include "metric_case.h"

#include <netcdf.h>
#include <stdio.h>
#include <unistd.h>
#include <lmdepth/base/exact.h>
#include <lmdepth/base/file.h>
#include <lmdepth/output.h>

enum { FATES = 2 };

static const char all[] = "bucket,onset,entropy,divergence,token";
static const char *const lenses[] = {"logit"};
static const char *const fates[FATES] = {"used", "empty"};
static char folder[] = "/tmp/lmdepth-read-XXXXXX";

static const char *path_of(const char *name)
{
    static char path[200];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* ---- files ---- */

/* A result of positions [from, to) under these two groups; `factor` goes into all that is
 * no counter. */
static void write_file(const char *name, const char *const groups[2], uint64_t from,
                       uint64_t to, int64_t factor)
{
    static int64_t token_count[CASE_V];
    static int32_t token_rank[CASE_V];
    const int64_t records[2 * FATES] = {factor, 2 * factor, 3 * factor, 4 * factor};
    const lmd_attribute attributes[] = {{"title", name}, {"comment", ""}};
    lmd_counters *counters = case_new(all);
    case_observe_random(counters, from, to);
    for (int id = 1; id < CASE_V; id++) {
        token_count[id] = CASE_V - id;
        token_rank[id] = id;
    }
    const lmd_result result = {.counters = counters,
                               .groups = groups,
                               .lenses = lenses,
                               .fates = fates,
                               .n_fates = FATES,
                               .record_count = records,
                               .special_string_count = 5 * factor,
                               .token_count = token_count,
                               .token_rank = token_rank,
                               .attributes = attributes,
                               .n_attributes = 2};
    assert_int_equal(lmd_output_write(path_of(name), &result), LMD_OK);
    lmd_counters_free(counters);
}

static const char *const two_groups[] = {"b", "d"};

static int open_file(const char *name)
{
    int ncid = 0;
    write_file(name, two_groups, 0, 50, 1);
    assert_int_equal(nc_open(path_of(name), NC_WRITE, &ncid), NC_NOERR);
    return ncid;
}

static int find(int ncid, const char *name)
{
    int id = 0;
    assert_int_equal(nc_inq_varid(ncid, name, &id), NC_NOERR);
    return id;
}

static void close_file(int ncid)
{
    assert_int_equal(nc_close(ncid), NC_NOERR);
}

/* ---- the sum ---- */

typedef struct sum {
    lmd_counters *counters;
    int64_t records[3 * FATES];
    int64_t specials;
} sum;

/* Counters of three groups: a, b, d. */
static void begin_sum(sum *s)
{
    static const lmd_metric_setup *setup;
    lmd_counters *two = case_new(all);
    setup = lmd_counters_setup(two);
    lmd_metric_setup three = *setup;
    three.groups = 3;
    *s = (sum){0};
    assert_int_equal(lmd_counters_new(&s->counters, &three), LMD_OK);
    lmd_counters_free(two);
}

static lmd_status open_and_add(const char *name, const int *places, sum *s)
{
    lmd_stored *stored = NULL;
    LMD_TRY(lmd_stored_open(&stored, path_of(name)));
    stored->setup.metrics = all;
    lmd_status status = lmd_stored_check(stored);
    int64_t counts[CASE_V];
    int32_t ranks[CASE_V];
    if (status == LMD_OK && stored->setup.V == CASE_V) {
        status = lmd_stored_read_tokens(stored, counts, ranks);
    }
    if (status == LMD_OK) {
        status = lmd_stored_add(stored, places, s->counters, s->records, &s->specials);
    }
    lmd_stored_close(stored);
    return status;
}

static lmd_status try_add(const char *name)
{
    static const int places[] = {1, 2};
    sum s;
    begin_sum(&s);
    const lmd_status status = open_and_add(name, places, &s);
    lmd_counters_free(s.counters);
    return status;
}

/* Refused as LMD_INPUT, with this file and these words. */
static void refuses(const char *name, const char *words)
{
    assert_int_equal(try_add(name), LMD_INPUT);
    if (!strstr(lmd_status_message(), path_of(name)) ||
        !strstr(lmd_status_message(), words)) {
        fail_msg("%s", lmd_status_message());
    }
}

/* The values of group `from` of one array are those of group `to` of another one, both of
 * these dimensions behind each other: (outer, groups, inner). */
static void check_group(const int64_t *a, size_t a_groups, size_t from, const int64_t *b,
                        size_t b_groups, size_t to, size_t outer, size_t inner)
{
    for (size_t o = 0; o < outer; o++) {
        assert_memory_equal(a + (o * a_groups + from) * inner,
                            b + (o * b_groups + to) * inner, inner * sizeof *a);
    }
}

/* Values of a variable before and behind the dimension group. */
static void measure(const lmd_counters *counters, const lmd_variable *variable,
                    size_t *outer, size_t *inner, bool *has_group)
{
    *outer = *inner = 1;
    *has_group = false;
    for (int d = 0; d < variable->n_dims; d++) {
        const size_t size = (size_t)lmd_counters_dim(counters, variable->dims[d]);
        if (variable->dims[d] == LMD_DIM_GROUP) {
            *has_group = true;
        } else if (*has_group) {
            *inner *= size;
        } else {
            *outer *= size;
        }
    }
}

/* ---- what fits ---- */

static void test_layout_comes_back(void **state)
{
    (void)state;
    lmd_stored *stored = NULL;
    write_file("a.nc", two_groups, 0, 50, 1);
    assert_int_equal(lmd_stored_open(&stored, path_of("a.nc")), LMD_OK);
    assert_int_equal(stored->setup.groups, 2);
    assert_string_equal(stored->groups[1], "d");
    assert_string_equal(stored->lenses[0], "logit");
    assert_int_equal(stored->setup.folds, 2);
    assert_int_equal(stored->setup.V, CASE_V);
    assert_int_equal(stored->setup.N, 4);
    assert_memory_equal(stored->setup.states, case_states, sizeof case_states);
    assert_memory_equal(stored->setup.band_edges, case_edges, sizeof case_edges);
    assert_string_equal(stored->fates, "used empty");
    assert_string_equal(lmd_stored_attribute(stored, "title"), "a.nc");
    assert_string_equal(lmd_stored_attribute(stored, "comment"), "");
    assert_null(lmd_stored_attribute(stored, "nothing"));
    lmd_stored_close(stored);
}

/* Two files of the same two groups are the counters of all positions, bit for bit, and
 * with the derived values once they are written. */
static void test_halves_are_the_whole(void **state)
{
    (void)state;
    static const int places[] = {1, 2};
    lmd_counters *whole = case_new(all);
    case_observe_random(whole, 0, 500);
    lmd_counters_carry(whole);
    write_file("left.nc", two_groups, 0, 200, 1);
    write_file("right.nc", two_groups, 200, 500, 10);
    sum s;
    begin_sum(&s);
    assert_int_equal(open_and_add("left.nc", places, &s), LMD_OK);
    assert_int_equal(open_and_add("right.nc", places, &s), LMD_OK);
    const int64_t records[] = {0, 0, 11, 22, 33, 44};
    assert_memory_equal(s.records, records, sizeof records);
    assert_int_equal(s.specials, 55);
    size_t n = 0;
    const int64_t *a = lmd_counters_values(whole, &n);
    const int64_t *b = lmd_counters_values(s.counters, &n);
    for (int v = 0; v < lmd_counters_variables(whole); v++) {
        size_t at = 0, to = 0, n_cells = 0, n_all = 0, outer = 0, inner = 0;
        bool has_group = false;
        const lmd_variable *variable = lmd_counters_variable(whole, v, &at, &n_cells);
        (void)lmd_counters_variable(s.counters, v, &to, &n_all);
        measure(whole, variable, &outer, &inner, &has_group);
        if (!has_group) {
            assert_memory_equal(a + at, b + to, n_cells * sizeof *a);
            continue;
        }
        for (int part = 0; part <= 2 * (int)variable->kind; part += 2) {
            // members, then limbs of sums, then those of squares
            const size_t width = part == 0 ? 1 : LMD_EXACT_LIMBS;
            const size_t before = part == 0 ? 0 : part == 2 ? 1 : 1 + LMD_EXACT_LIMBS;
            for (size_t g = 0; g < 2; g++) {
                check_group(a + at + before * n_cells, 2, g, b + to + before * n_all, 3,
                            g + 1, outer, inner * width);
            }
        }
    }
    lmd_counters_free(s.counters);
    lmd_counters_free(whole);
}

static void test_groups_go_to_their_places(void **state)
{
    (void)state;
    static const char *const other_groups[] = {"a", "d"};
    static const int first[] = {1, 2}, second[] = {0, 2};
    sum s;
    begin_sum(&s);
    write_file("a.nc", two_groups, 0, 300, 1);
    write_file("b.nc", other_groups, 0, 300, 10);
    assert_int_equal(open_and_add("a.nc", first, &s), LMD_OK);
    assert_int_equal(open_and_add("b.nc", second, &s), LMD_OK);
    const int64_t records[] = {10, 20, 1, 2, 33, 44};
    assert_memory_equal(s.records, records, sizeof records);
    lmd_counters *once = case_new(all);
    case_observe_random(once, 0, 300);
    for (int fold = 0; fold < 2; fold++) {
        const int64_t x = AT(once, "position_count", fold, 0);
        const int64_t y = AT(once, "position_count", fold, 1);
        assert_int_equal(AT(s.counters, "position_count", fold, 0), x);
        assert_int_equal(AT(s.counters, "position_count", fold, 1), x);
        assert_int_equal(AT(s.counters, "position_count", fold, 2), 2 * y);
    }
    assert_int_equal(case_sum(s.counters, "top1_token_count"),
                     2 * case_sum(once, "top1_token_count"));
    lmd_counters_free(once);
    lmd_counters_free(s.counters);
}

/* ---- damage ---- */

static void test_values_that_no_count_can_have(void **state)
{
    (void)state;
    static const struct damage {
        const char *variable;
        int n_dims;
        int64_t value;
    } damages[] = {{"top1_count", 6, -1},
                   {"entropy_members", 5, -5},
                   {"record_count", 2, -1},
                   {"special_string_count", 0, -1},
                   {"kl_sum", 5, -1},
                   {"kl_sum", 5, INT64_C(1) << 32},
                   {"token_count", 1, -1},
                   {"top1_token_count", 3, INT64_MIN},
                   {"entropy_square_sum", 6, -7}};
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        const size_t at[6] = {0};
        const int ncid = open_file("bad.nc");
        assert_int_equal(
            nc_put_var1(ncid, find(ncid, damages[i].variable), at, &damages[i].value),
            NC_NOERR);
        close_file(ncid);
        refuses("bad.nc", damages[i].variable);
    }
    int ncid = open_file("bad.nc");
    const int32_t rank = CASE_V + 1;
    const size_t at[6] = {0, 0, 0, 0, 0, 2};
    assert_int_equal(nc_put_var1(ncid, find(ncid, "token_rank"), at, &rank), NC_NOERR);
    close_file(ncid);
    refuses("bad.nc", "token_rank");
    ncid = open_file("bad.nc"); // the highest limb: far beyond any sum
    const int64_t high = INT64_MIN;
    assert_int_equal(nc_put_var1(ncid, find(ncid, "entropy_sum"), at, &high), NC_NOERR);
    close_file(ncid);
    refuses("bad.nc", "entropy_sum");
}

static void test_sums_that_overflow(void **state)
{
    (void)state;
    static const int places[] = {1, 2};
    const size_t at[2] = {0};
    const int64_t most = INT64_MAX;
    sum s;
    begin_sum(&s);
    const int ncid = open_file("most.nc");
    assert_int_equal(nc_put_var1(ncid, find(ncid, "position_count"), at, &most),
                     NC_NOERR);
    close_file(ncid);
    assert_int_equal(open_and_add("most.nc", places, &s), LMD_OK);
    assert_int_equal(open_and_add("most.nc", places, &s), LMD_INPUT);
    assert_non_null(strstr(lmd_status_message(), "position_count"));
    lmd_counters_free(s.counters);
}

static void rename_variable(const char *from, const char *to)
{
    const int ncid = open_file("bad.nc");
    assert_int_equal(nc_redef(ncid), NC_NOERR);
    assert_int_equal(nc_rename_var(ncid, find(ncid, from), to), NC_NOERR);
    close_file(ncid);
}

static void test_variables_that_are_missing_or_too_many(void **state)
{
    (void)state;
    rename_variable("top1_count", "top2_count");
    refuses("bad.nc", "top2_count"); // which would be lost
    rename_variable("kl_mean", "group_bounds");
    assert_int_equal(try_add("bad.nc"), LMD_OK); // what is derived is made anew
    rename_variable("kl_members", "group_bounds");
    refuses("bad.nc", "kl_members");
    rename_variable("token_rank", "group_bounds");
    refuses("bad.nc", "token_rank");
    rename_variable("group_name", "group_bounds");
    refuses("bad.nc", "group_name");
    rename_variable("fate", "group_bounds");
    refuses("bad.nc", "fate");
}

static void test_variables_of_another_shape(void **state)
{
    (void)state;
    static const struct damage {
        const char *from, *to;
    } pairs[] = {{"rank_count", "agree_count"},
                 {"gold_count", "position_count"},
                 {"entropy_mean", "entropy_members"},
                 {"token_rank", "token_count"},
                 {"record_count", "position_count"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        rename_variable(pairs[i].to, "group_bounds");
        int ncid = 0;
        assert_int_equal(nc_open(path_of("bad.nc"), NC_WRITE, &ncid), NC_NOERR);
        assert_int_equal(nc_rename_var(ncid, find(ncid, pairs[i].from), pairs[i].to),
                         NC_NOERR);
        close_file(ncid);
        refuses("bad.nc", pairs[i].to);
    }
}

static void test_names_and_bins_out_of_order(void **state)
{
    (void)state;
    static const struct damage {
        const char *variable;
        size_t at[2];
        int32_t value;
    } numbers[] = {{"state", {1, 0}, 0},
                   {"state", {0, 0}, -1},
                   {"final_band_bounds", {0, 0}, 1},
                   {"final_band_bounds", {1, 0}, 5},
                   {"final_band_bounds", {2, 1}, 11}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        const int ncid = open_file("bad.nc");
        assert_int_equal(nc_put_var1(ncid, find(ncid, numbers[i].variable), numbers[i].at,
                                     &numbers[i].value),
                         NC_NOERR);
        close_file(ncid);
        refuses("bad.nc", numbers[i].variable);
    }
    const size_t at[2] = {0};
    int ncid = open_file("bad.nc");
    assert_int_equal(nc_put_var1(ncid, find(ncid, "group_name"), at, "d"), NC_NOERR);
    close_file(ncid);
    refuses("bad.nc", "group_name");
}

/* A small file that says to be huge must not make us ask for the memory. */
static void write_giant(const char *name, size_t folds, size_t groups, size_t tokens,
                        size_t label)
{
    static const char *const dims[] = {
        "fold", "group", "group_name_strlen", "lens",  "state",      "final_band",
        "nv",   "fate",  "lens_name_strlen",  "token", "final_count"};
    const size_t sizes[] = {folds, groups, label, 1, 1, 1, 2, 1, 5, tokens, 1};
    const int32_t zero = 0, bounds[2] = {0, 1};
    int ncid = 0, ids[11], id = 0;
    assert_int_equal(nc_create(path_of(name), NC_NETCDF4, &ncid), NC_NOERR);
    for (int d = 0; d < 11; d++) {
        assert_int_equal(nc_def_dim(ncid, dims[d], sizes[d], &ids[d]), NC_NOERR);
    }
    const int names[2] = {ids[1], ids[2]}, lens[2] = {ids[3], ids[8]};
    const int pairs[2] = {ids[5], ids[6]};
    assert_int_equal(nc_def_var(ncid, "group_name", NC_CHAR, 2, names, &id), NC_NOERR);
    assert_int_equal(nc_def_var_deflate(ncid, id, 0, 1, 9), NC_NOERR);
    assert_int_equal(nc_def_var(ncid, "lens_name", NC_CHAR, 2, lens, &id), NC_NOERR);
    assert_int_equal(nc_put_var(ncid, id, "logit"), NC_NOERR);
    assert_int_equal(nc_def_var(ncid, "state", NC_INT, 1, &ids[4], &id), NC_NOERR);
    assert_int_equal(nc_put_var(ncid, id, &zero), NC_NOERR);
    assert_int_equal(nc_def_var(ncid, "final_band_bounds", NC_INT, 2, pairs, &id),
                     NC_NOERR);
    assert_int_equal(nc_put_var(ncid, id, bounds), NC_NOERR);
    assert_int_equal(nc_def_var(ncid, "fate", NC_INT, 1, &ids[7], &id), NC_NOERR);
    assert_int_equal(nc_close(ncid), NC_NOERR);
}

static void test_giants(void **state)
{
    (void)state;
    write_giant("giant.nc", 1, 1, 5, 1);
    refuses("giant.nc", "position_count"); // all is well but for the counts
    write_giant("giant.nc", 1, 1, 1U << 30, 1);
    refuses("giant.nc", "larger than the file can hold");
    write_giant("giant.nc", 1U << 30, 1, 5, 1);
    refuses("giant.nc", "larger than the file can hold");
    write_giant("giant.nc", 1, 1U << 30, 5, 1U << 30);
    refuses("giant.nc", "larger than the file can hold");
    write_giant("giant.nc", 1U << 31, 1, 5, 1);
    refuses("giant.nc", "fold");
    write_giant("giant.nc", (1U << 31) - 2, 1, (1U << 31) - 2, 1);
    refuses("giant.nc", "");
}

static void test_files_that_are_no_results(void **state)
{
    (void)state;
    lmd_stored *stored = NULL;
    int ncid = 0;
    assert_int_equal(lmd_file_write(path_of("text"), "hello\n", 6), LMD_OK);
    assert_int_equal(lmd_stored_open(&stored, path_of("text")), LMD_INPUT);
    assert_int_equal(lmd_stored_open(&stored, path_of("none")), LMD_USAGE);
    assert_int_equal(nc_create(path_of("empty.nc"), NC_CLOBBER, &ncid), NC_NOERR);
    assert_int_equal(nc_close(ncid), NC_NOERR);
    refuses("empty.nc", "classic");
    assert_int_equal(nc_create(path_of("empty4.nc"), NC_NETCDF4, &ncid), NC_NOERR);
    assert_int_equal(nc_close(ncid), NC_NOERR);
    refuses("empty4.nc", "fold");
    write_file("a.nc", two_groups, 0, 50, 1);
    assert_int_equal(lmd_stored_open(&stored, path_of("a.nc")), LMD_OK);
    stored->setup.metrics = "bucket,depth";
    assert_int_equal(lmd_stored_check(stored), LMD_INPUT);
    assert_non_null(strstr(lmd_status_message(), "'depth'"));
    lmd_stored_close(stored);
}

static void test_cut_files(void **state)
{
    (void)state;
    lmd_text bytes = {0};
    write_file("a.nc", two_groups, 0, 50, 1);
    assert_int_equal(lmd_file_read_all(path_of("a.nc"), 1 << 24, &bytes), LMD_OK);
    for (int i = 0; i < 40; i++) {
        const size_t cut = lmd_hash_mix((uint64_t)i + 1) % bytes.size;
        assert_int_equal(lmd_file_write(path_of("cut.nc"), bytes.bytes, cut), LMD_OK);
        refuses("cut.nc", "");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout_comes_back),
        cmocka_unit_test(test_halves_are_the_whole),
        cmocka_unit_test(test_groups_go_to_their_places),
        cmocka_unit_test(test_values_that_no_count_can_have),
        cmocka_unit_test(test_sums_that_overflow),
        cmocka_unit_test(test_variables_that_are_missing_or_too_many),
        cmocka_unit_test(test_variables_of_another_shape),
        cmocka_unit_test(test_names_and_bins_out_of_order),
        cmocka_unit_test(test_giants),
        cmocka_unit_test(test_files_that_are_no_results),
        cmocka_unit_test(test_cut_files),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
