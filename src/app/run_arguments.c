/* The command line of `lmdepth run`. */

#include <string.h>

#include "run.h"

enum {
    OPTION_FRESH = 512,
    OPTION_KEEP_WORK,
    OPTION_PREPARE_ONLY,
    OPTION_PART,
    OPTION_MAX_TIME,
    OPTION_SNAPSHOT_EVERY,
    OPTION_WEIGHTS_PER
};

enum { SNAPSHOT_SECONDS = 600 };

static const struct argp_option options[] = {
    {"fresh", OPTION_FRESH, NULL, 0,
     "Start over: replace a file that is already at the output's place, throw away the "
     "snapshots of an unfinished run. The prepared corpus stays: it is used only where "
     "hashes of files, tokenizer and keys are the same",
     0},
    {"max-time", OPTION_MAX_TIME, "TIME", 0,
     "Stop in time with a snapshot and exit code 75: 03:50:00, 2-12:00:00, 90m, 45s", 0},
    {"snapshot-every", OPTION_SNAPSHOT_EVERY, "TIME", 0,
     "Time between two snapshots of a rank [10m]", 0},
    {"keep-work", OPTION_KEEP_WORK, NULL, 0, "Keep the work folder after success", 0},
    {"prepare-only", OPTION_PREPARE_ONLY, NULL, 0,
     "Stop after the spool and the frequencies; the next run uses them", 0},
    {"part", OPTION_PART, "K/N", 0,
     "Only every N-th chunk of the corpus, from the K-th on "
     "(K = 0 .. N-1), with the whole job's frequencies",
     0},
    {"weights-per", OPTION_WEIGHTS_PER, "PLACE", 0,
     "One copy of the weights for each node, socket, numa (domain) or rank [node]", 0},
    {0},
};

static void set_part(struct argp_state *state, const char *text, lmd_part *part)
{
    char *first = lmd_memory_copy_bytes(text, strcspn(text, "/"));
    const char *second = strchr(text, '/');
    int64_t k = 0;
    int64_t n = 0;
    const bool is_good = second != NULL && lmd_text_to_int64(first, &k) &&
                         lmd_text_to_int64(second + 1, &n) && k >= 0 && k < n &&
                         n <= INT32_MAX;
    lmd_memory_free(first);
    if (!is_good) {
        argp_error(state, "--part wants K/N with 0 <= K < N, not '%s'", text);
        return;
    }
    *part = (lmd_part){.part = (int)k, .parts = (int)n};
}

static void set_domain(struct argp_state *state, const char *text, lmd_domain *domain)
{
    static const char *const names[] = {[LMD_DOMAIN_NODE] = "node",
                                        [LMD_DOMAIN_SOCKET] = "socket",
                                        [LMD_DOMAIN_NUMA] = "numa",
                                        [LMD_DOMAIN_RANK] = "rank"};
    for (int i = LMD_DOMAIN_NODE; i <= LMD_DOMAIN_RANK; i++) {
        if (strcmp(text, names[i]) == 0) {
            *domain = (lmd_domain)i;
            return;
        }
    }
    argp_error(state, "--weights-per wants node, socket, numa or rank, not '%s'", text);
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    lmd_run_arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->job;
        break;
    case OPTION_FRESH:
        arguments->is_fresh = true;
        break;
    case OPTION_KEEP_WORK:
        arguments->keeps_work = true;
        break;
    case OPTION_PREPARE_ONLY:
        arguments->only_prepares = true;
        break;
    case OPTION_PART:
        set_part(state, text, &arguments->part);
        break;
    case OPTION_MAX_TIME:
        lmd_arguments_set_seconds(state, "--max-time", text, &arguments->max_seconds);
        break;
    case OPTION_SNAPSHOT_EVERY:
        lmd_arguments_set_seconds(state, "--snapshot-every", text,
                                  &arguments->snapshot_seconds);
        break;
    case OPTION_WEIGHTS_PER:
        set_domain(state, text, &arguments->weights_per);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp_child children[] = {{&lmd_job_argp, 0, NULL, 0}, {0}};
const struct argp lmd_run_argp = {
    .options = options,
    .parser = parse_option,
    .args_doc = "JOB.yaml",
    .doc = "Runs a job: prepares its corpus, decodes every layer of the model at every "
           "observed "
           "position, and writes the result.\v"
           "With more than one rank: mpirun -n 4 lmdepth run job.yaml, or srun.",
    .children = children,
};

lmd_run_arguments lmd_run_defaults(void)
{
    return (lmd_run_arguments){.part = {.part = 0, .parts = 1},
                               .snapshot_seconds = SNAPSHOT_SECONDS};
}
