/* Frequency files written and summed: counts of disjoint corpora add up. */
#include <lmdepth/token.h>

#include <inttypes.h>            /* PRId64 */
#include <string.h>              /* memcmp */
#include <lmdepth/base/memory.h> /* lmd_memory_resize */

void lmd_frequency_clear(lmd_frequency_table *table)
{
    lmd_memory_free(table->counts);
    lmd_text_clear(&table->inputs);
    lmd_text_clear(&table->comments);
    *table = (lmd_frequency_table){0};
}

/* ---- writing ---- */

static void write_inputs(const lmd_text *inputs, lmd_text *out)
{
    for (const char *line = lmd_text_string(inputs); *line != '\0';) {
        const size_t length = strcspn(line, "\n");
        lmd_text_append_string(out, "# input ");
        lmd_text_append(out, line, length);
        lmd_text_append_string(out, "\n");
        line += length + (line[length] == '\n');
    }
}

void lmd_frequency_write(const lmd_frequency_table *table, lmd_text *out)
{
    uint64_t sum = 0;
    for (int id = 0; id < table->n; id++) {
        sum += (uint64_t)table->counts[id];
    }
    lmd_text_append(out, lmd_text_string(&table->comments), table->comments.size);
    if (table->vocabulary > 0) {
        lmd_text_append_format(out, "# vocabulary %d\n", table->vocabulary);
    }
    if (table->tokenizer[0] != '\0') {
        lmd_text_append_format(out, "# tokenizer %s\n", table->tokenizer);
    }
    lmd_text_append_format(out, "# tokens %" PRIu64 "\n", sum);
    write_inputs(&table->inputs, out);
    for (int id = 0; id < table->n; id++) {
        if (table->counts[id] > 0) {
            lmd_text_append_format(out, "%d\t%" PRId64 "\n", id, table->counts[id]);
        }
    }
}

/* ---- summing ---- */

static bool has_line(const lmd_text *text, const char *line, size_t length)
{
    for (const char *at = lmd_text_string(text); *at != '\0';) {
        const size_t n = strcspn(at, "\n");
        if (n == length && memcmp(at, line, n) == 0) {
            return true;
        }
        at += n + (at[n] == '\n');
    }
    return false;
}

static void add_comments(lmd_text *sum, const lmd_text *more)
{
    for (const char *line = lmd_text_string(more); *line != '\0';) {
        const size_t length = strcspn(line, "\n");
        if (!has_line(sum, line, length)) {
            lmd_text_append(sum, line, length);
            lmd_text_append_string(sum, "\n");
        }
        line += length + (line[length] == '\n');
    }
}

static lmd_status check_kind(const lmd_frequency_table *sum,
                             const lmd_frequency_table *more)
{
    if (sum->vocabulary > 0 && more->vocabulary > 0 &&
        sum->vocabulary != more->vocabulary) {
        return lmd_status_set(LMD_USAGE, "vocabulary: it has %d ids, the files before %d",
                              more->vocabulary, sum->vocabulary);
    }
    if (sum->tokenizer[0] != '\0' && more->tokenizer[0] != '\0' &&
        strcmp(sum->tokenizer, more->tokenizer) != 0) {
        return lmd_status_set(LMD_USAGE,
                              "tokenizer: it has %.12s, the files before %.12s",
                              more->tokenizer, sum->tokenizer);
    }
    const int vocabulary = sum->vocabulary > 0 ? sum->vocabulary : more->vocabulary;
    if (vocabulary > 0 && (sum->n > vocabulary || more->n > vocabulary)) {
        return lmd_status_set(LMD_USAGE,
                              "vocabulary: the id %d is outside the vocabulary of %d",
                              (sum->n > more->n ? sum->n : more->n) - 1, vocabulary);
    }
    return LMD_OK;
}

lmd_status lmd_frequency_add(lmd_frequency_table *sum, const lmd_frequency_table *more)
{
    LMD_TRY(check_kind(sum, more));
    if (more->n > sum->n) {
        sum->counts =
            lmd_memory_resize(sum->counts, (size_t)more->n, sizeof *sum->counts);
        memset(sum->counts + sum->n, 0, (size_t)(more->n - sum->n) * sizeof *sum->counts);
        sum->n = more->n;
    }
    for (int id = 0; id < more->n; id++) {
        if (__builtin_add_overflow(sum->counts[id], more->counts[id], &sum->counts[id])) {
            return lmd_status_set(LMD_INPUT, "the count of the id %d overflows", id);
        }
    }
    sum->vocabulary = sum->vocabulary > 0 ? sum->vocabulary : more->vocabulary;
    if (sum->tokenizer[0] == '\0') {
        memcpy(sum->tokenizer, more->tokenizer, sizeof sum->tokenizer);
    }
    lmd_text_append(&sum->inputs, lmd_text_string(&more->inputs), more->inputs.size);
    add_comments(&sum->comments, &more->comments);
    return LMD_OK;
}
