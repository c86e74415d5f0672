/* May results be summed? Only when they count the same things of the same model, in the
 * same bins: whatever could differ is held against the first file and named. */

#include <stdio.h>
#include <string.h>

#include "merge.h"

/* ---- one file ---- */

static lmd_status refuse_result(const lmd_stored *stored, const char *name,
                                const char *why)
{
    return lmd_status_set(LMD_INPUT, "%s: %s: %s", stored->path, name, why);
}

static lmd_status check_attributes(const lmd_stored *stored)
{
    static const char *const needed[] = {"lmdepth_schema",    "lmdepth_identity",
                                         "lmdepth_job",       "lmdepth_job_fingerprint",
                                         "lmdepth_part",      "lmdepth_inputs",
                                         "lmdepth_arithmetic"};
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        if (lmd_stored_attribute(stored, needed[i]) == NULL) {
            return refuse_result(stored, needed[i],
                                 "there is no such attribute: not a result of this "
                                 "version of lmdepth");
        }
    }
    int64_t schema = 0;
    if (!lmd_text_to_int64(lmd_stored_attribute(stored, "lmdepth_schema"), &schema) ||
        schema != LMD_SCHEMA) {
        return refuse_result(stored, "lmdepth_schema",
                             "another one than this version of lmdepth writes");
    }
    return LMD_OK;
}

static lmd_status check_fates(const lmd_stored *stored)
{
    lmd_text words = {0};
    for (int f = 0; f < LMD_FATE_COUNT; f++) {
        lmd_text_append_format(&words, "%s%s", f > 0 ? " " : "", lmd_fate_names[f]);
    }
    const bool is_ours =
        stored->n_fates == LMD_FATE_COUNT && strcmp(stored->fates, words.bytes) == 0;
    lmd_text_clear(&words);
    return is_ours ? LMD_OK
                   : refuse_result(stored, "fate", "not the fates of this version");
}

lmd_status lmd_merge_check_result(lmd_stored *stored, lmd_text *metrics)
{
    static const char mark[] = "metric ";
    LMD_TRY(check_attributes(stored));
    LMD_TRY(check_fates(stored));
    const char *line = lmd_stored_attribute(stored, "lmdepth_identity");
    lmd_text_append(metrics, "", 0);
    while (*line != '\0') {
        const size_t length = strcspn(line, "\n");
        if (strncmp(line, mark, sizeof mark - 1) == 0) {
            lmd_text_append(metrics, line + sizeof mark - 1, length - (sizeof mark - 1));
            lmd_text_append(metrics, ",", 1);
        }
        line += length + (line[length] == '\n');
    }
    stored->setup.metrics = metrics->bytes;
    return lmd_stored_check(stored);
}

/* ---- two files ---- */

enum { SHORT = 160 };

/* "<other> can't be merged with <first>: <what>: '<b>' against '<a>'", cut for people. */
static lmd_status refuse_pair(const lmd_stored *first, const lmd_stored *other,
                              const char *what, const char *a, const char *b)
{
    return lmd_status_set(LMD_USAGE,
                          "%s can't be merged with %s: %s: it has '%.*s', the first file "
                          "'%.*s'",
                          other->path, first->path, what, (int)strnlen(b, SHORT), b,
                          (int)strnlen(a, SHORT), a);
}

/* Is the line at `line` one of the text's? */
static bool has_line(const char *text, const char *line)
{
    const size_t length = strcspn(line, "\n");
    while (*text != '\0') {
        const size_t n = strcspn(text, "\n");
        if (n == length && memcmp(text, line, n) == 0) {
            return true;
        }
        text += n + (text[n] == '\n');
    }
    return false;
}

/* The first lines that differ. Of two lists of different length (states, lenses, metrics)
 * one has a line that the other has not. */
static lmd_status refuse_lines(const lmd_stored *first, const lmd_stored *other,
                               const char *a, const char *b)
{
    const char *all_a = lmd_stored_attribute(first, "lmdepth_identity");
    const char *all_b = lmd_stored_attribute(other, "lmdepth_identity");
    char *line_a = lmd_memory_copy_bytes(a, strcspn(a, "\n"));
    char *line_b = lmd_memory_copy_bytes(b, strcspn(b, "\n"));
    const char *text_a = line_a;
    const char *text_b = line_b;
    const bool has_a = has_line(all_b, a);
    const bool has_b = has_line(all_a, b);
    if (has_b && !has_a) {
        text_b = "none such";
    } else if (has_a && !has_b) {
        text_a = "none such";
    }
    const lmd_status status =
        refuse_pair(first, other, "lmdepth_identity", text_a, text_b);
    lmd_memory_free(line_a);
    lmd_memory_free(line_b);
    return status;
}

static lmd_status check_identities(const lmd_stored *first, const lmd_stored *other)
{
    const char *a = lmd_stored_attribute(first, "lmdepth_identity");
    const char *b = lmd_stored_attribute(other, "lmdepth_identity");
    while (*a != '\0' || *b != '\0') {
        const size_t n = strcspn(a, "\n");
        if (n != strcspn(b, "\n") || memcmp(a, b, n) != 0) {
            return refuse_lines(first, other, a, b);
        }
        a += n + (a[n] == '\n');
        b += n + (b[n] == '\n');
    }
    return LMD_OK;
}

static lmd_status check_texts(const lmd_stored *first, const lmd_stored *other)
{
    static const char *const names[] = {"lmdepth_conventions", "lmdepth_arithmetic"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *a = lmd_stored_attribute(first, names[i]);
        const char *b = lmd_stored_attribute(other, names[i]);
        a = a != NULL ? a : "";
        b = b != NULL ? b : "";
        if (strcmp(a, b) != 0) {
            return refuse_pair(first, other, names[i], a, b);
        }
    }
    return LMD_OK;
}

/* Holds numbers against each other; `name` is that of their dimension. */
static lmd_status check_numbers(const lmd_stored *first, const lmd_stored *other,
                                const char *name, const int32_t *a, const int32_t *b,
                                int n)
{
    for (int i = 0; i < n; i++) {
        if (a[i] != b[i]) {
            char x[16], y[16];
            (void)snprintf(x, sizeof x, "%d", (int)a[i]);
            (void)snprintf(y, sizeof y, "%d", (int)b[i]);
            return refuse_pair(first, other, name, x, y);
        }
    }
    return LMD_OK;
}

static lmd_status check_dimensions(const lmd_stored *first, const lmd_stored *other)
{
    const lmd_metric_setup *x = &first->setup;
    const lmd_metric_setup *y = &other->setup;
    const struct size {
        const char *name;
        int a, b;
    } sizes[] = {{"dimension fold", x->folds, y->folds},
                 {"dimension lens", x->lenses, y->lenses},
                 {"dimension state", x->L, y->L},
                 {"dimension final_band", x->n_bands, y->n_bands},
                 {"dimension token", x->V, y->V}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        LMD_TRY(check_numbers(first, other, sizes[i].name, &sizes[i].a, &sizes[i].b, 1));
    }
    LMD_TRY(check_numbers(first, other, "state", x->states, y->states, x->L));
    LMD_TRY(check_numbers(first, other, "band", x->band_edges, y->band_edges,
                          x->n_bands + 1));
    for (int i = 0; i < x->lenses; i++) {
        if (strcmp(first->lenses[i], other->lenses[i]) != 0) {
            return refuse_pair(first, other, "lens", first->lenses[i], other->lenses[i]);
        }
    }
    return LMD_OK;
}

lmd_status lmd_merge_check_kind(const lmd_stored *first, const lmd_stored *other)
{
    LMD_TRY(check_identities(first, other));
    LMD_TRY(check_texts(first, other));
    return check_dimensions(first, other);
}
