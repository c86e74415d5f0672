/* lmdepth compare: are two results the same but for when and how they were run? */

#include <stdio.h>

#include "app.h"

typedef struct lmd_compare_arguments {
    const char *paths[2];
    int n;
    double rtol;
} lmd_compare_arguments;

static const struct argp_option options[] = {
    {"rtol", 'r', "R", 0, "Largest relative difference of values [0: equal bits]", 0},
    {0},
};

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    lmd_compare_arguments *arguments = state->input;
    switch (key) {
    case 'r':
        if (!lmd_text_to_double(text, &arguments->rtol) || !(arguments->rtol >= 0)) {
            argp_error(state, "--rtol wants a number that is not negative, not '%s'",
                       text);
        }
        break;
    case ARGP_KEY_ARG:
        if (arguments->n == 2) {
            argp_error(state, "two results, not '%s' as well", text);
        }
        arguments->paths[arguments->n++] = text;
        break;
    case ARGP_KEY_END:
        if (arguments->n != 2) {
            argp_error(state, "which two results?");
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
    .args_doc = "A.nc B.nc",
    .doc =
        "Holds two results against each other: exit 0 when all is equal but history, "
        "date_* "
        "and lmdepth_run_*; else the first difference of each variable is named, exit 1.",
};

int lmd_command_compare(int argc, char **argv)
{
    lmd_compare_arguments arguments = {0};
    int code;
    if (!lmd_arguments_parse(&argp, argc, argv, &arguments, &code)) {
        return code;
    }
    lmd_text differences = {0};
    bool is_equal = false;
    lmd_status status = lmd_output_compare(arguments.paths[0], arguments.paths[1],
                                           arguments.rtol, &is_equal, &differences);
    if (status != LMD_OK) {
        lmd_text_clear(&differences);
        return lmd_arguments_fail(status);
    }
    if (differences.size > 0) {
        lmd_text_make_printable(differences.bytes);
    }
    fputs(is_equal ? "equal\n" : lmd_text_string(&differences), stdout);
    lmd_text_clear(&differences);
    return is_equal ? LMD_OK : LMD_FAILED;
}
