/* Frequency files (`lmdepth count`) of disjoint corpora to one. */

#include <string.h>

#include "merge.h"

enum { HEX = LMD_SHA256_HEX - 1 };

/* Where in `inputs`, lines of another file, one with the hash of `line` is; NULL: none.
 */
static const char *find_hash(const char *inputs, const char *line)
{
    while (*inputs != '\0') {
        if (strncmp(inputs, line, HEX) == 0) {
            return inputs;
        }
        inputs += strcspn(inputs, "\n");
        inputs += *inputs == '\n';
    }
    return NULL;
}

/* No file of the corpus may be counted twice; one that is empty counts for nothing. */
static lmd_status check_inputs(const lmd_frequency_table *sum,
                               const lmd_frequency_table *more, const char *path)
{
    char empty[LMD_SHA256_HEX];
    lmd_sha256_of("", 0, empty);
    for (const char *line = lmd_text_string(&more->inputs); *line != '\0';) {
        const int length = (int)strcspn(line, "\n");
        const char *old = find_hash(lmd_text_string(&sum->inputs), line);
        if (old != NULL && strncmp(line, empty, HEX) != 0) {
            return lmd_status_set(
                LMD_USAGE,
                "%s: the input %.*s (sha256 %.12s...) is also in a file "
                "before it; --force counts it twice",
                path, length - HEX - 2 < 200 ? length - HEX - 2 : 200, line + HEX + 2,
                line);
        }
        line += length + (line[length] == '\n');
    }
    return LMD_OK;
}

static lmd_status add_file(const lmd_merge *merge, const char *path,
                           lmd_frequency_table *sum)
{
    lmd_frequency_table more;
    lmd_status status = lmd_frequency_load(path, &more);
    if (status == LMD_OK && !merge->is_forced) {
        status = check_inputs(sum, &more, path);
    }
    if (status == LMD_OK) {
        status = lmd_status_within(lmd_frequency_add(sum, &more), "%s", path);
    }
    lmd_frequency_clear(&more);
    return status;
}

lmd_status lmd_merge_counts(const lmd_merge *merge)
{
    lmd_frequency_table sum = {0};
    lmd_text bytes = {0};
    lmd_status status = LMD_OK;
    for (int i = 0; i < merge->n && status == LMD_OK; i++) {
        status = add_file(merge, merge->paths[i], &sum);
    }
    bool is_there = false;
    if (status == LMD_OK) {
        lmd_frequency_write(&sum, &bytes);
        status = lmd_place_write(merge->output, &bytes, "this sum", merge->is_fresh,
                                 &is_there);
    }
    if (status == LMD_OK && !is_there) {
        lmd_log_say("%s: token counts of %d file%s", merge->output, merge->n,
                    merge->n == 1 ? "" : "s");
    }
    lmd_text_clear(&bytes);
    lmd_frequency_clear(&sum);
    return status;
}
