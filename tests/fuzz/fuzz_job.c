/* Job files and overrides: one is read or refused, and what was read reads back to the
 * same text after it was written. Behind the mark, an override a line. */
#include <stdlib.h> /* abort */
#include <string.h> /* strchr, strcmp */
#include <lmdepth/base/memory.h>
#include <lmdepth/job.h>
#include "fuzz_input.h"

enum { OVERRIDES = 8 };

/* "key=value" lines of `text`, which is cut into pieces. */
static int read_overrides(char *text, lmd_job_override *out)
{
    int n = 0;
    for (char *line = text; line && n < OVERRIDES;) {
        char *const end = strchr(line, '\n');
        if (end) {
            *end = 0;
        }
        char *const value = strchr(line, '=');
        if (value) {
            *value = 0;
            out[n++] = (lmd_job_override){line, value + 1, "--set"};
        }
        line = end ? end + 1 : NULL;
    }
    return n;
}

static void write_and_read(const lmd_job *job)
{
    const lmd_job_override output = {"output", "x.nc", "-o"};
    lmd_text text = {0};
    lmd_text once_more = {0};
    lmd_job *again = NULL;
    lmd_job_write(job, &text);
    if (lmd_job_parse(&again, "fuzz.yaml", text.bytes, text.size, &output, 1) != LMD_OK) {
        abort();
    }
    lmd_job_write(again, &once_more);
    if (strcmp(text.bytes, once_more.bytes) != 0) {
        abort();
    }
    lmd_job_free(again);
    lmd_text_clear(&once_more);
    lmd_text_clear(&text);
}

static void use(const lmd_job *job)
{
    lmd_positions positions;
    int32_t states[14];
    int L = 0;
    if (lmd_job_parse_positions(job->positions, &positions) != LMD_OK ||
        lmd_job_where(job, "prompts.length") == NULL) {
        abort();
    }
    if (lmd_job_parse_states(job->states, 13, states, &L) == LMD_OK &&
        (L < 1 || L > 14 || states[L - 1] != 13)) {
        abort();
    }
    write_and_read(job);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    fuzz_bytes input = {bytes, n_bytes};
    lmd_job_override overrides[OVERRIDES + 1] = {{"output", "x.nc", "-o"}};
    const fuzz_bytes text = fuzz_next_part(&input);
    char *const sets = fuzz_copy_text(input);
    const int n = 1 + read_overrides(sets, overrides + 1);
    lmd_job *job = NULL;
    if (fuzz_is_read(lmd_job_parse(&job, "fuzz.yaml", (const char *)text.at, text.n,
                                   overrides, n))) {
        use(job);
        lmd_job_free(job);
    }
    lmd_memory_free(sets);
    fuzz_check_memory();
    return 0;
}
