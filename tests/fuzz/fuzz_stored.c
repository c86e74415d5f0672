/* Results that are read back to be merged: a sound one whose values and attributes the
 * input changes, step by step. What is read is added twice. */
#include <stdio.h>  /* snprintf */
#include <stdlib.h> /* abort */
#include <string.h> /* memcpy */
#include <unistd.h> /* unlink */
#include <netcdf.h>
#include <lmdepth/base/file.h>
#include <lmdepth/base/memory.h>
#include <lmdepth/output.h>
#include "fuzz_input.h"

enum {
    V = 12,
    L = 2,
    BANDS = 3,
    FATES = 2,
    STEPS = 30,
    WIDEST = 8,
    MOST_BYTES = 1 << 22
};

/* What NetCDF loses is not ours, and looking for it takes longer than all the rest. What
 * we lose, fuzz_check_memory finds. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return 1;
}

enum { BASES = 4 };

static const char *const metrics[BASES] = {"bucket,onset,entropy,divergence,token", "",
                                           "bucket,token", "onset,entropy,divergence"};

/* The bytes of a result with these metrics, written once. */
static fuzz_bytes get_base(unsigned int which)
{
    static lmd_text bases[BASES];
    lmd_text *const base = &bases[which];
    if (base->size > 0) {
        return (fuzz_bytes){(const uint8_t *)base->bytes, base->size};
    }
    static const int32_t states[L] = {0, 3}, edges[BANDS + 1] = {0, 1, 11, 13};
    static int32_t bands[V], ranks[V];
    static int64_t tokens[V];
    static const int64_t records[2 * FATES] = {5, 0, 7, 2};
    static const char *const groups[] = {"a", "b"}, *const lenses[] = {"logit"};
    static const char *const fates[] = {"used", "empty"};
    const lmd_metric_setup setup = {.folds = 1,
                                    .groups = 2,
                                    .lenses = 1,
                                    .L = L,
                                    .states = states,
                                    .N = 3,
                                    .V = V,
                                    .n_bands = BANDS,
                                    .band_edges = edges,
                                    .bands = bands,
                                    .metrics = metrics[which]};
    const lmd_attribute attributes[] = {{"title", "t"}, {"lmdepth_schema", "1"}};
    lmd_result result = {.groups = groups,
                         .lenses = lenses,
                         .fates = fates,
                         .n_fates = FATES,
                         .record_count = records,
                         .token_count = tokens,
                         .token_rank = ranks,
                         .attributes = attributes,
                         .n_attributes = 2};
    char *const path = lmd_file_join(fuzz_folder(), "base.nc");
    if (lmd_counters_new(&result.counters, &setup) != LMD_OK ||
        lmd_output_write(path, &result) != LMD_OK ||
        lmd_file_read_all(path, 1 << 24, base) != LMD_OK) {
        abort();
    }
    lmd_counters_free(result.counters);
    lmd_memory_free(path);
    return get_base(which);
}

/* ---- changes ---- */

static unsigned int choose_wide(fuzz_bytes *input, int n)
{
    const unsigned int high = fuzz_choose(input, 256);
    return n > 0 ? (high << 8 | fuzz_choose(input, 256)) % (unsigned int)n : 0;
}

static void put_value(fuzz_bytes *input, int ncid, int id)
{
    char value[256] = {0};
    int n_dims = 0, dims[NC_MAX_VAR_DIMS];
    size_t at[WIDEST] = {0}, size = 0, type_size = 0;
    nc_type type = NC_NAT;
    if (nc_inq_var(ncid, id, NULL, &type, &n_dims, dims, NULL) != NC_NOERR ||
        type >= NC_STRING || n_dims > WIDEST ||
        nc_inq_type(ncid, type, NULL, &type_size) != NC_NOERR) {
        return;
    }
    for (int d = 0; d < n_dims; d++) {
        (void)nc_inq_dimlen(ncid, dims[d], &size);
        at[d] = choose_wide(input, (int)size);
    }
    for (size_t i = 0; i < type_size; i++) {
        value[i] = (char)fuzz_choose(input, 256);
    }
    (void)nc_put_var1(ncid, id, at, value);
}

static void put_text(fuzz_bytes *input, int ncid, int id, int index)
{
    char name[NC_MAX_NAME + 1], text[16];
    const size_t n = fuzz_choose(input, sizeof text);
    for (size_t i = 0; i < n; i++) {
        text[i] = (char)fuzz_choose(input, 256);
    }
    if (nc_inq_attname(ncid, id, index, name) != NC_NOERR) {
        return;
    }
    if (n == 0) {
        (void)nc_del_att(ncid, id, name);
    } else if (n == 1) {
        (void)nc_put_att_int(ncid, id, name, NC_INT, 1, &index);
    } else {
        (void)nc_put_att_text(ncid, id, name, n, text);
    }
}

static void change(fuzz_bytes *input, int ncid)
{
    int n_variables = 0, id = 0;
    (void)nc_inq_nvars(ncid, &n_variables);
    const unsigned int what = fuzz_choose(input, 16);
    const int one = (int)choose_wide(input, n_variables);
    const int other = (int)fuzz_choose(input, 64);
    if (what < 9) {
        put_value(input, ncid, one);
    } else if (what < 12) {
        put_text(input, ncid, one, other);
    } else if (what == 12) {
        put_text(input, ncid, NC_GLOBAL, other % 3);
    } else {
        (void)nc_def_var(ncid, "another", NC_INT, 0, NULL, &id);
    }
}

static const char *write_file(fuzz_bytes input)
{
    static unsigned int n;
    char name[32];
    int ncid = 0;
    (void)snprintf(name, sizeof name, "s.nc.%u", n++);
    const char *const path = fuzz_write(name, get_base(fuzz_choose(&input, BASES)));
    if (nc_open(path, NC_WRITE, &ncid) != NC_NOERR) {
        abort();
    }
    for (int i = 0; i < STEPS && input.n > 0; i++) {
        change(&input, ncid);
    }
    (void)nc_close(ncid);
    return path;
}

/* ---- reading ---- */

static void add_twice(const lmd_stored *stored)
{
    lmd_counters *counters = NULL;
    size_t n_bytes = 0;
    const size_t groups = (size_t)stored->setup.groups;
    if (lmd_counters_bytes(&stored->setup, &n_bytes) != LMD_OK || n_bytes > MOST_BYTES ||
        lmd_counters_new(&counters, &stored->setup) != LMD_OK) {
        return;
    }
    int *const places = lmd_memory_new(groups, sizeof *places);
    int64_t *const records =
        lmd_memory_new(groups * (size_t)stored->n_fates, sizeof *records);
    int64_t specials = 0;
    for (size_t g = 0; g < groups; g++) {
        places[g] = (int)(groups - 1 - g);
    }
    for (int i = 0; i < 2; i++) {
        (void)fuzz_is_read(lmd_stored_add(stored, places, counters, records, &specials));
    }
    lmd_memory_free(records);
    lmd_memory_free(places);
    lmd_counters_free(counters);
}

static void read_tokens(const lmd_stored *stored)
{
    const size_t n = (size_t)stored->setup.V;
    int64_t *const counts = lmd_memory_new(n, sizeof *counts);
    int32_t *const ranks = lmd_memory_new(n, sizeof *ranks);
    if (fuzz_is_read(lmd_stored_read_tokens(stored, counts, ranks))) {
        for (size_t i = 0; i < n; i++) {
            if (counts[i] < 0 || ranks[i] < 0 || (size_t)ranks[i] > n) {
                abort();
            }
        }
    }
    lmd_memory_free(counts);
    lmd_memory_free(ranks);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    lmd_stored *stored = NULL;
    for (unsigned int i = 0; i < BASES; i++) {
        (void)get_base(i);
    }
    fuzz_check_memory();
    const char *const path = write_file((fuzz_bytes){bytes, n_bytes});
    if (fuzz_is_read(lmd_stored_open(&stored, path))) {
        stored->setup.metrics = metrics[n_bytes > 0 ? bytes[n_bytes - 1] % BASES : 0];
        if (fuzz_is_read(lmd_stored_check(stored))) {
            read_tokens(stored);
            add_twice(stored);
        }
        lmd_stored_close(stored);
    }
    (void)unlink(path);
    fuzz_check_memory();
    return 0;
}
