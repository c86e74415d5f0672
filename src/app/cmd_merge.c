/* lmdepth merge: one result from results of disjoint data, or one frequency file from
 * several. Serial: of a launched job only the first process works. */

#include <string.h>

#include "merge.h"

enum { OPTION_FORCE = 512, OPTION_FRESH };

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "Where the sum goes", 0},
    {"force", OPTION_FORCE, NULL, 0,
     "Sum inputs or parts that are in several of the files, as often as they are there",
     0},
    {"fresh", OPTION_FRESH, NULL, 0,
     "Replace a file that is already at the output's place", 0},
    {"quiet", 'q', NULL, 0, "Say only warnings and errors", 0},
    {0},
};

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    lmd_merge *merge = state->input;
    switch (key) {
    case 'o':
        merge->output = text;
        break;
    case OPTION_FORCE:
        merge->is_forced = true;
        break;
    case OPTION_FRESH:
        merge->is_fresh = true;
        break;
    case 'q':
        lmd_log_set_quiet(true);
        break;
    case ARGP_KEY_ARGS: // all that are left
        merge->paths = state->argv + state->next;
        merge->n = state->argc - state->next;
        break;
    case ARGP_KEY_END:
        if (merge->n == 0) {
            argp_error(state, "which results?");
        } else if (merge->output == NULL) {
            argp_error(state, "where to? -o FILE");
        }
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp argp = {
    .options = options,
    .parser = parse_option,
    .args_doc = "FILE...",
    .doc =
        "Sums results of the same kind (model, tokenizer, lens, observation, frequency "
        "table) over disjoint data, exactly; refuses others by what differs. The parts "
        "of a job (run --part K/N) give the result of the whole job.\v"
        "Frequency files, as `lmdepth count` prints them, are summed as well.",
};

/* The output must not be what is read. */
static lmd_status check_output(const lmd_merge *merge)
{
    LMD_TRY(lmd_place_check(merge->output));
    for (int i = 0; i < merge->n; i++) {
        if (lmd_place_is_same(merge->output, merge->paths[i])) {
            return lmd_status_set(LMD_USAGE, "output: %s is one of the files to merge",
                                  merge->output);
        }
    }
    return LMD_OK;
}

/* Of some results and other files: these are frequency files, which do not fit, or
 * nothing that is known. */
static lmd_status refuse_mixture(const lmd_merge *merge)
{
    const char *result = NULL, *other = NULL;
    for (int i = merge->n - 1; i >= 0; i--) {
        const char **place = lmd_output_is_result(merge->paths[i]) ? &result : &other;
        *place = merge->paths[i];
    }
    lmd_frequency_table table;
    const lmd_status status = lmd_frequency_load(other, &table);
    lmd_frequency_clear(&table);
    return status == LMD_OK
               ? lmd_status_set(LMD_USAGE,
                                "%s is a result and %s a frequency file: they can't be "
                                "summed",
                                result, other)
               : lmd_status_set(LMD_INPUT, "%s is neither a result nor a frequency file",
                                other);
}

static lmd_status run_merge(const lmd_merge *merge)
{
    int n_results = 0;
    for (int i = 0; i < merge->n; i++) {
        if (!lmd_file_exists(merge->paths[i])) {
            return lmd_status_set(LMD_USAGE, "%s does not exist", merge->paths[i]);
        }
        n_results += lmd_output_is_result(merge->paths[i]);
    }
    if (n_results > 0 && n_results < merge->n) {
        return refuse_mixture(merge);
    }
    LMD_TRY(check_output(merge));
    return n_results > 0 ? lmd_merge_results(merge) : lmd_merge_counts(merge);
}

int lmd_command_merge(int argc, char **argv)
{
    lmd_merge merge = {0};
    // Before the parser, which moves options to the front.
    char *command_line = lmd_arguments_join(argc, argv);
    merge.command_line = command_line;
    int code;
    if (lmd_arguments_parse(&argp, argc, argv, &merge, &code) &&
        lmd_arguments_is_first_process()) {
        code = lmd_arguments_fail(run_merge(&merge));
    }
    lmd_memory_free(command_line);
    return code;
}
