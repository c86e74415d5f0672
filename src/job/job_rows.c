/* keys.def expanded into tables, and looking up in them. The nearest name is the one with
 * the least edit distance (Levenshtein); a key without its section ("length") is near to
 * its full name ("prompts.length"). */
#include "job_rows.h"

#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <stdio.h>               /* snprintf */
#include <string.h>              /* strcmp */

/* Not "": a compiler may put an equal literal at the same address. */
const char job_optional[] = "(optional)";

#define OPTIONAL job_optional
#define WORDS(words)                                                                     \
    {                                                                                    \
        words, 0, 0                                                                      \
    }
#define RANGE(low, high)                                                                 \
    {                                                                                    \
        NULL, low, high                                                                  \
    }
#define ANY                                                                              \
    {                                                                                    \
        NULL, 0, 0                                                                       \
    }

static const job_row key_rows[] = {
#define KEY(name, member, type, fallback, domain, help)                                  \
    {name, JOB_##type, offsetof(lmd_job, member), fallback, domain, help},
#include "keys.def"
};

static const job_row source_rows[] = {
#define SOURCE_KEY(name, member, type, fallback, domain, help)                           \
    {name, JOB_##type, offsetof(lmd_job_source, member), fallback, domain, help},
#include "keys.def"
};

static const job_row lens_rows[] = {
#define LENS_KEY(name, member, type, fallback, domain, help)                             \
    {name, JOB_##type, offsetof(lmd_job_lens, member), fallback, domain, help},
#include "keys.def"
};

enum {
    N_KEYS = sizeof key_rows / sizeof *key_rows,
    N_SOURCE_KEYS = sizeof source_rows / sizeof *source_rows,
    N_LENS_KEYS = sizeof lens_rows / sizeof *lens_rows
};

const job_table job_keys = {"", key_rows, N_KEYS};
const job_table job_source_keys = {"corpus.", source_rows, N_SOURCE_KEYS};
const job_table job_lens_keys = {"observe.lenses.", lens_rows, N_LENS_KEYS};

int job_table_find(const job_table *table, const char *name)
{
    for (int i = 0; i < table->n_rows; i++) {
        if (strcmp(table->rows[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* One row of distances after another: row[j] is that of the first i letters of a to the
 * first j of b. */
static size_t edit_distance(const char *a, const char *b)
{
    const size_t n = strlen(b);
    size_t *const row = lmd_memory_new(n + 1, sizeof *row);
    for (size_t j = 0; j <= n; j++) {
        row[j] = j;
    }
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < n; j++) {
            const size_t replaced = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = least(replaced, least(row[j + 1], row[j]) + 1);
        }
    }
    const size_t distance = row[n];
    lmd_memory_free(row);
    return distance;
}

/* Keeps `candidate` in `nearest` when it is nearer to `name` than what was there. */
static void keep_nearer(const char *name, const char *candidate, size_t size,
                        const char *full, job_nearest *nearest, size_t *best)
{
    char word[sizeof nearest->text];
    if (size >= sizeof word) {
        return;
    }
    memcpy(word, candidate, size);
    word[size] = '\0';
    const size_t distance = edit_distance(name, word);
    if (distance < *best) {
        *best = distance;
        snprintf(nearest->text, sizeof nearest->text, "%s", full ? full : word);
    }
}

bool job_table_nearest(const job_table *table, const char *name, job_nearest *nearest)
{
    const size_t length = strlen(name);
    // One letter of three may be wrong, and one more; of short names half.
    const size_t limit = least(length / 3 + 2, length / 2 + 1);
    size_t best = limit;
    for (int i = 0; length < sizeof nearest->text && i < table->n_rows; i++) {
        const char *const other = table->rows[i].name;
        const char *const dot = strrchr(other, '.');
        keep_nearer(name, other, strlen(other), NULL, nearest, &best);
        if (dot && !strchr(name, '.')) { // a section, or a key without its section
            keep_nearer(name, other, (size_t)(dot - other), NULL, nearest, &best);
            keep_nearer(name, dot + 1, strlen(dot + 1), other, nearest, &best);
        }
    }
    return best < limit;
}
