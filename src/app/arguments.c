/* Command lines: argp, with help and version that work without MPI, and errors that only
 * one rank of a launched job prints. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>   /* nanosleep */
#include <unistd.h> /* gethostname */

#include "app.h"

/* Is the first of these variables that is set 0, or none? */
static bool is_number_zero(const char *const *variables)
{
    while (*variables != NULL && getenv(*variables) == NULL) {
        variables++;
    }
    return *variables == NULL || strcmp(getenv(*variables), "0") == 0;
}

bool lmd_arguments_is_first_process(void)
{
    static const char *const variables[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK",
                                            "PMI_RANK", "SLURM_PROCID", NULL};
    return is_number_zero(variables);
}

static bool is_first_of_node(void)
{
    static const char *const variables[] = {"OMPI_COMM_WORLD_LOCAL_RANK",
                                            "MPI_LOCALRANKID", "SLURM_LOCALID", NULL};
    return is_number_zero(variables);
}

/* A launcher ends all processes when one has failed: one that says nothing gives the
 * first time to speak. */
static void let_the_first_speak(void)
{
    if (!lmd_arguments_is_first_process()) {
        (void)nanosleep(&(struct timespec){.tv_sec = 3}, NULL);
    }
}

/* Would argp print help and exit? A silent parser does not know these options. */
static bool asks_for_help(int argc, char **argv)
{
    static const char *const options[] = {"--help", "-?", "--usage"};
    for (int i = 1; i < argc; i++) {
        for (size_t k = 0; k < sizeof options / sizeof options[0]; k++) {
            if (strcmp(argv[i], options[k]) == 0) {
                return true;
            }
        }
    }
    return false;
}

bool lmd_arguments_parse(const struct argp *argp, int argc, char **argv, void *input,
                         int *code)
{
    const bool is_first = lmd_arguments_is_first_process();
    if (!is_first && asks_for_help(argc, argv)) {
        *code = LMD_OK;
        return false;
    }
    // argp prints and exits by itself; the others must be silent but end alike.
    const unsigned flags = is_first ? 0 : ARGP_SILENT;
    const error_t error = argp_parse(argp, argc, argv, flags, NULL, input);
    *code = error == 0 ? LMD_OK : LMD_USAGE;
    if (error != 0) {
        let_the_first_speak();
    }
    return error == 0;
}

char *lmd_arguments_join(int argc, char **argv)
{
    lmd_text text = {0};
    for (int i = 0; i < argc; i++) {
        lmd_text_append_format(&text, "%s%s", i > 0 ? " " : "", argv[i]);
    }
    char *line = lmd_memory_copy_text(lmd_text_string(&text));
    lmd_text_clear(&text);
    return line;
}

/* Who is still there when the first has had its time may be on the only node where
 * something is wrong: another processor, another limit. */
static void say_what_is_wrong_here(void)
{
    char host[256] = "";
    (void)gethostname(host, sizeof host - 1);
    if (is_first_of_node()) {
        lmd_log_error("%s: %s", host, lmd_status_message());
    }
}

int lmd_arguments_fail(lmd_status status)
{
    if (status != LMD_OK && lmd_arguments_is_first_process()) {
        lmd_log_error("%s", lmd_status_message());
    } else if (status != LMD_OK) {
        let_the_first_speak();
        say_what_is_wrong_here();
    }
    return (int)status;
}

/* ---- job file and overrides ---- */

enum { OPTION_SET = 256, OPTION_THREADS, OPTION_WORK, OPTION_HELP_JOB };

static const struct argp_option job_options[] = {
    {"set", OPTION_SET, "KEY=VALUE", 0,
     "Override a key of the job file, as in "
     "--set observe.metrics=bucket,onset",
     1},
    {"output", 'o', "FILE", 0, "Override the job's output", 1},
    {"threads", OPTION_THREADS, "N", 0,
     "Threads a rank [OMP_NUM_THREADS, else the rank's share of the cores it may run on, "
     "or SLURM_CPUS_PER_TASK where that is less]",
     1},
    {"work", OPTION_WORK, "FOLDER", 0, "Work folder [OUTPUT.work]", 1},
    {"quiet", 'q', NULL, 0, "Say only warnings and errors", 1},
    {"help-job", OPTION_HELP_JOB, NULL, 0, "List the keys of a job file, with defaults",
     1},
    {0},
};

static void add_override(struct argp_state *state, lmd_job_arguments *arguments,
                         const char *key, const char *value, const char *where)
{
    if (arguments->n_overrides == LMD_OVERRIDES) {
        argp_error(state, "more than %d overrides", LMD_OVERRIDES);
        return;
    }
    arguments->overrides[arguments->n_overrides++] =
        (lmd_job_override){.key = key, .value = value, .where = where};
}

void lmd_arguments_add_set(struct argp_state *state, lmd_job_arguments *arguments,
                           const char *text)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text) {
        argp_error(state, "--set wants KEY=VALUE, not '%s'", text);
        return;
    }
    char *key = lmd_memory_copy_bytes(text, (size_t)(equals - text));
    if (arguments->n_owned < LMD_OVERRIDES) {
        arguments->owned[arguments->n_owned++] = key;
    }
    add_override(state, arguments, key, equals + 1, "--set");
}

void lmd_arguments_set_seconds(struct argp_state *state, const char *option,
                               const char *text, double *seconds)
{
    if (!lmd_text_to_seconds(text, seconds)) {
        argp_error(state,
                   "%s wants a time such as 03:50:00, 2-12:00:00, 90m or 45s, not '%s'",
                   option, text);
    }
}

static void set_threads(struct argp_state *state, lmd_job_arguments *arguments,
                        const char *text)
{
    int64_t threads;
    if (!lmd_text_to_int64(text, &threads) || threads < 1 || threads > 4096) {
        argp_error(state, "--threads wants a number from 1 to 4096, not '%s'", text);
        return;
    }
    arguments->threads = (int)threads;
}

static error_t parse_job_option(int key, char *text, struct argp_state *state)
{
    lmd_job_arguments *arguments = state->input;
    switch (key) {
    case OPTION_SET:
        lmd_arguments_add_set(state, arguments, text);
        break;
    case 'o':
        add_override(state, arguments, "output", text, "-o");
        arguments->has_output = true;
        break;
    case OPTION_THREADS:
        set_threads(state, arguments, text);
        break;
    case OPTION_WORK:
        arguments->work = text;
        break;
    case 'q':
        arguments->is_quiet = true;
        break;
    case OPTION_HELP_JOB:
        arguments->wants_help_job = true;
        break;
    case ARGP_KEY_ARG:
        if (arguments->job != NULL) {
            argp_error(state, "one job file, not '%s' as well", text);
        }
        arguments->job = text;
        break;
    case ARGP_KEY_END:
        if (arguments->job == NULL && !arguments->wants_help_job) {
            argp_error(state, "which job file?");
        }
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

const struct argp lmd_job_argp = {.options = job_options, .parser = parse_job_option};

void lmd_job_arguments_clear(lmd_job_arguments *arguments)
{
    for (int i = 0; i < arguments->n_owned; i++) {
        lmd_memory_free(arguments->owned[i]);
    }
    arguments->n_owned = 0;
}

bool lmd_arguments_help_job(const lmd_job_arguments *arguments)
{
    if (!arguments->wants_help_job) {
        return false;
    }
    lmd_text help = {0};
    if (!lmd_arguments_is_first_process()) {
        return true;
    }
    lmd_job_help(&help);
    fputs(lmd_text_string(&help), stdout);
    lmd_text_clear(&help);
    return true;
}
