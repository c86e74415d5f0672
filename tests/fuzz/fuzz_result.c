/* Result files of strangers: sound HDF5 with whatever in it. The bytes are a program that
 * defines dimensions, variables and attributes, named as ours or not, of any type and
 * size, in two files; both are shown and held against each other. Damage to HDF5's own
 * structures is not tried here: SECURITY.md says why. */
#include <stdio.h>  /* snprintf */
#include <stdlib.h> /* abort */
#include <string.h> /* memcpy */
#include <unistd.h> /* unlink */
#include <jansson.h>
#include <netcdf.h>
#include <lmdepth/base/memory.h>
#include <lmdepth/output.h>
#include "fuzz_input.h"

enum { STEPS = 60, WIDEST = 5, DATA = 64 };

/* What NetCDF loses is not ours, and looking for it takes longer than all the rest. What
 * we lose, fuzz_check_memory finds. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return 1;
}

static const char *const names[] = {"fold",          "group",
                                    "lens",          "state",
                                    "limb",          "nv",
                                    "strlen",        "fate",
                                    "record_count",  "group_name",
                                    "lens_name",     "position_count",
                                    "top1_count",    "entropy_mean",
                                    "entropy_sum",   "gold_position_count",
                                    "title",         "history",
                                    "flag_meanings", "long_name",
                                    "lmdepth_job",   "units",
                                    "date_x",        "lmdepth_fingerprint",
                                    "lmdepth_run_x", "x",
                                    "a b",           "caf\xc3\xa9",
                                    "token",         "token_count",
                                    "_FillValue",    "lmdepth_inputs"};
static const size_t sizes[] = {1, 2, 3, 5, 20, 100, 7, (size_t)1 << 40};

typedef struct writer {
    fuzz_bytes input;
    int ncid;
    bool is_large;
} writer;

static const char *choose_name(writer *w)
{
    return names[fuzz_choose(&w->input, sizeof names / sizeof names[0])];
}

static int choose_variable(writer *w)
{
    int n = 0;
    (void)nc_inq_nvars(w->ncid, &n);
    const int id = (int)fuzz_choose(&w->input, 8);
    return id < n ? id : NC_GLOBAL;
}

static void define_dim(writer *w)
{
    int id = 0;
    const char *const name = choose_name(w);
    const size_t size = sizes[fuzz_choose(&w->input, sizeof sizes / sizeof sizes[0])];
    const bool is_unlimited = fuzz_choose(&w->input, 8) == 7;
    w->is_large = w->is_large || size > 100;
    (void)nc_def_dim(w->ncid, name, is_unlimited ? NC_UNLIMITED : size, &id);
}

/* NC_BYTE .. NC_STRING, and types of the file's own. */
static nc_type choose_type(writer *w)
{
    nc_type type = (nc_type)fuzz_choose(&w->input, 16);
    if (type == 13) {
        (void)nc_def_opaque(w->ncid, 7, "opaque", &type);
    } else if (type == 14) {
        (void)nc_def_vlen(w->ncid, "vlen", NC_INT, &type);
    } else if (type == 15) {
        (void)nc_def_enum(w->ncid, NC_INT, "enum", &type);
    }
    return type;
}

static void define_variable(writer *w)
{
    int n_all = 0, dims[WIDEST], id = 0;
    size_t chunk[WIDEST];
    (void)nc_inq_ndims(w->ncid, &n_all);
    const char *const name = choose_name(w);
    const nc_type type = choose_type(w);
    const int n = (int)fuzz_choose(&w->input, WIDEST + 1);
    for (int d = 0; d < n; d++) {
        dims[d] = n_all > 0 ? (int)fuzz_choose(&w->input, (unsigned int)n_all) : 0;
        size_t size = 1;
        (void)nc_inq_dimlen(w->ncid, dims[d], &size);
        chunk[d] = size > 0 && size <= 100 ? size : 1; // the sum reads every chunk
    }
    if (nc_def_var(w->ncid, name, type, n, dims, &id) == NC_NOERR && n > 0) {
        (void)nc_def_var_chunking(w->ncid, id, NC_CHUNKED, chunk);
    }
}

/* The next bytes of the input, and zeros. */
static void take_data(writer *w, char data[DATA])
{
    const size_t n = w->input.n < DATA ? w->input.n : DATA;
    memset(data, 0, DATA);
    if (n > 0) {
        memcpy(data, w->input.at, n);
        w->input.at += n;
        w->input.n -= n;
    }
}

static void put_attribute(writer *w)
{
    char data[DATA];
    const char *strings[] = {data, "", "two\nlines"};
    const int id = choose_variable(w);
    const char *const name = choose_name(w);
    const nc_type type = 1 + (nc_type)fuzz_choose(&w->input, 12);
    const size_t n = fuzz_choose(&w->input, 8);
    take_data(w, data);
    data[DATA - 1] = 0;
    if (type == NC_STRING) {
        (void)nc_put_att_string(w->ncid, id, name, n % 4, strings);
    } else if (type == NC_CHAR) {
        (void)nc_put_att_text(w->ncid, id, name, n * 9 % DATA, data);
    } else {
        (void)nc_put_att(w->ncid, id, name, type, n, data);
    }
}

/* A cell, at the beginning or elsewhere. */
static void put_cell(writer *w)
{
    char data[DATA];
    const char *string = data;
    const int id = choose_variable(w);
    const size_t place = fuzz_choose(&w->input, 4);
    const size_t at[WIDEST] = {place, place, place, place, place};
    nc_type type = NC_NAT;
    take_data(w, data);
    data[DATA - 1] = 0;
    if (id == NC_GLOBAL || nc_inq_vartype(w->ncid, id, &type) != NC_NOERR ||
        type > NC_STRING) {
        return;
    }
    (void)nc_put_var1(w->ncid, id, at,
                      type == NC_STRING ? (const void *)&string : (const void *)data);
}

/* A new name each time: HDF5 keeps a file open when NetCDF could not close it. */
static const char *write_file(const char *name, fuzz_bytes part, bool *is_large)
{
    static unsigned int n;
    char numbered[32];
    (void)snprintf(numbered, sizeof numbered, "%s.%u", name, n++);
    const char *const path = fuzz_write(numbered, (fuzz_bytes){NULL, 0});
    writer w = {.input = part};
    if (nc_create(path, NC_NETCDF4 | NC_CLOBBER, &w.ncid) != NC_NOERR) {
        abort();
    }
    for (int i = 0; i < STEPS && w.input.n > 0; i++) {
        int group = 0;
        switch (fuzz_choose(&w.input, 16)) {
        case 0:
        case 1:
        case 2:
        case 3:
            define_dim(&w);
            break;
        case 4:
        case 5:
        case 6:
        case 7:
            define_variable(&w);
            break;
        case 8:
        case 9:
        case 10:
            put_cell(&w);
            break;
        case 11:
            (void)nc_def_grp(w.ncid, choose_name(&w), &group);
            break;
        default:
            put_attribute(&w);
        }
    }
    (void)nc_close(w.ncid);
    *is_large = *is_large || w.is_large;
    return path;
}

static void show(const char *path)
{
    lmd_text text = {0};
    (void)fuzz_is_read(lmd_output_show(path, false, &text));
    if (text.size > 0 && memchr(text.bytes, 0x1b, text.size)) {
        abort();
    }
    lmd_text_clear(&text);
    if (fuzz_is_read(lmd_output_show(path, true, &text))) {
        json_t *const json = json_loadb(text.bytes, text.size, JSON_ALLOW_NUL, NULL);
        if (!json) {
            abort();
        }
        json_decref(json);
    }
    lmd_text_clear(&text);
}

static void read_attributes(const char *path)
{
    static const char *const wanted[] = {"title", "lmdepth_fingerprint", "none"};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        lmd_text value = {0};
        bool found = false;
        if (lmd_output_read_attribute(path, wanted[i], &value, &found) == LMD_OK &&
            !found && value.size > 0) {
            abort();
        }
        lmd_text_clear(&value);
    }
}

static void compare(const char *a, const char *b, bool are_same)
{
    for (int i = 0; i < 2; i++) {
        lmd_text differences = {0};
        bool is_equal = false;
        if (fuzz_is_read(
                lmd_output_compare(a, b, i == 0 ? 0 : 0.5, &is_equal, &differences)) &&
            (is_equal != (differences.size == 0) || (are_same && !is_equal))) {
            abort();
        }
        lmd_text_clear(&differences);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    fuzz_bytes input = {bytes, n_bytes};
    bool is_large = false;
    fuzz_check_memory();
    const fuzz_bytes first = fuzz_next_part(&input);
    const char *const a = write_file("a.nc", first, &is_large);
    const char *const b = write_file("b.nc", input, &is_large);
    show(a);
    read_attributes(a);
    if (!is_large) { // reading what was never written takes as long as it is long
        compare(a, a, true);
        compare(a, b, false);
        compare(b, a, false);
    }
    (void)unlink(a);
    (void)unlink(b);
    fuzz_check_memory();
    return 0;
}
