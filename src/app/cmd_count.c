/* lmdepth count: the token frequencies of a job's corpus, prepared as `run` does it, as a
 * frequency file (id<TAB>count, comments with #): on standard output, or with -o in a
 * file that appears whole or not at all. */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app.h"

typedef struct lmd_count_arguments {
    lmd_job_arguments job;
    double max_seconds; /* 0: no limit */
    bool is_fresh;
} lmd_count_arguments;

enum { OPTION_MAX_TIME = 512, OPTION_FRESH };

static const struct argp_option options[] = {
    {"max-time", OPTION_MAX_TIME, "TIME", 0,
     "Stop in time with what is counted saved, and exit code 75: 03:50:00, 2-12:00:00, "
     "90m, 45s",
     0},
    {"fresh", OPTION_FRESH, NULL, 0,
     "Replace another file that is already where -o puts the table", 0},
    {0},
};

static const struct argp_child children[] = {{&lmd_job_argp, 0, NULL, 0}, {0}};

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    lmd_count_arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->job;
        break;
    case OPTION_MAX_TIME:
        lmd_arguments_set_seconds(state, "--max-time", text, &arguments->max_seconds);
        break;
    case OPTION_FRESH:
        arguments->is_fresh = true;
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp argp = {
    .options = options,
    .parser = parse_option,
    .args_doc = "JOB.yaml",
    .doc = "Counts how often each token id occurs in a job's corpus, and prints a "
           "frequency file that another job can name in frequency.from, or writes it to "
           "the FILE of -o. The job's own output is not touched. `lmdepth merge` sums "
           "such files. Stopped by a signal or --max-time it ends with exit code "
           "75; the same command goes on.",
    .children = children,
};

/* The frequency file's bytes, appended. */
static void write_table(const lmd_inputs *inputs, const lmd_prepared *prepared,
                        lmd_text *out)
{
    const lmd_tokenizer *tokenizer = inputs->tokenizer;
    const size_t V = (size_t)inputs->policy.V;
    const int64_t *counts = lmd_spool_token_counts(prepared->spool);
    lmd_frequency_table table = {.n = (int)V, .vocabulary = (int)V};
    table.counts = lmd_memory_new(V, sizeof *table.counts);
    memcpy(table.counts, counts, V * sizeof *table.counts);
    (void)snprintf(table.tokenizer, sizeof table.tokenizer, "%s",
                   tokenizer != NULL ? lmd_token_sha256(tokenizer) : "none");
    lmd_text_append_format(
        &table.comments,
        "# token counts by lmdepth %s, job %s; ids that are not listed "
        "have none\n",
        lmd_version, lmd_file_name_of(inputs->job->path));
    for (int f = 0; f < lmd_corpus_files(inputs->corpus); f++) {
        lmd_provenance_append_input(&table.inputs, prepared->file_hashes[f],
                                    lmd_corpus_file(inputs->corpus, f), "");
    }
    lmd_frequency_write(&table, out);
    lmd_frequency_clear(&table);
}

static lmd_status print_table(const lmd_text *table)
{
    if (fputs(lmd_text_string(table), stdout) == EOF || fflush(stdout) != 0) {
        return lmd_status_set(LMD_RESOURCE, "standard output can't be written");
    }
    return LMD_OK;
}

/* Root. */
static lmd_status give_counts(const lmd_count_arguments *arguments,
                              const lmd_inputs *inputs, const lmd_prepared *prepared)
{
    const char *output = inputs->job->output;
    lmd_text table = {0};
    write_table(inputs, prepared, &table);
    bool is_there = true;
    const lmd_status status = arguments->job.has_output
                                  ? lmd_place_write(output, &table, "this table",
                                                    arguments->is_fresh, &is_there)
                                  : print_table(&table);
    lmd_text_clear(&table);
    if (status == LMD_OK && !is_there) {
        lmd_log_say("%s: token counts of %d file%s", output,
                    lmd_corpus_files(inputs->corpus),
                    lmd_corpus_files(inputs->corpus) == 1 ? "" : "s");
    }
    return status;
}

/* Root. */
static lmd_status lock_folder(lmd_lock **lock, const char *work)
{
    LMD_TRY(lmd_file_make_folders(work));
    char *path = lmd_file_join(work, LMD_STORE_LOCK);
    const lmd_status status = lmd_lock_take(lock, path);
    lmd_memory_free(path);
    return status;
}

/* Collective. */
static lmd_status count_prepared(lmd_session *session,
                                 const lmd_count_arguments *arguments,
                                 const lmd_inputs *inputs, const char *work)
{
    const int threads = lmd_threads_choose(arguments->job.threads,
                                           lmd_parallel_share_of_processors(session));
    lmd_team *team = lmd_team_new(threads);
    lmd_prepared prepared = {0};
    lmd_lock *lock = NULL;
    lmd_status status = lmd_parallel_is_root(session) ? lock_folder(&lock, work) : LMD_OK;
    status = lmd_parallel_agree(session, status);
    if (status == LMD_OK) {
        status = lmd_prepare(session, inputs, team, work, NULL, &prepared);
    }
    if (status == LMD_OK) {
        if (lmd_parallel_is_root(session)) {
            status = give_counts(arguments, inputs, &prepared);
            // What could not be given is given from the spool next time.
            status = status == LMD_OK ? lmd_spool_clear(work) : status;
        }
        status = lmd_parallel_agree(session, status);
    }
    if (lock != NULL) {
        lmd_lock_release(lock);
        (void)rmdir(work);
    }
    lmd_prepared_clear(&prepared);
    lmd_team_free(team);
    return status;
}

/* Collective. */
static lmd_status count_job(lmd_session *session, const lmd_count_arguments *arguments)
{
    const lmd_job_arguments *job = &arguments->job;
    lmd_inputs inputs;
    lmd_status status = lmd_parallel_agree(session, lmd_inputs_open(&inputs, job));
    if (status == LMD_OK && job->has_output) {
        const bool is_root = lmd_parallel_is_root(session);
        status = is_root ? lmd_place_check_job(&inputs) : LMD_OK;
        status = lmd_parallel_agree(session, status);
    }
    if (status == LMD_OK) {
        lmd_text work = {0};
        if (job->work != NULL) {
            lmd_text_append_string(&work, job->work);
        } else {
            lmd_text_append_format(&work, "%s.count.work", inputs.job->output);
        }
        status = count_prepared(session, arguments, &inputs, lmd_text_string(&work));
        lmd_text_clear(&work);
    }
    lmd_inputs_clear(&inputs);
    return status;
}

int lmd_command_count(int argc, char **argv)
{
    lmd_count_arguments arguments = {0};
    int code;
    if (!lmd_arguments_parse(&argp, argc, argv, &arguments, &code)) {
        return code;
    }
    if (lmd_arguments_help_job(&arguments.job)) {
        return LMD_OK;
    }
    lmd_log_set_quiet(arguments.job.is_quiet);
    lmd_stop_watch(arguments.max_seconds);
    lmd_session *session = lmd_parallel_start(&argc, &argv);
    lmd_stop_watch_again();
    const lmd_status status = count_job(session, &arguments);
    if (status == LMD_STOPPED) {
        lmd_log_say("%s", lmd_status_message());
    } else if (status != LMD_OK && lmd_parallel_is_root(session)) {
        lmd_log_error("%s", lmd_status_message());
    }
    lmd_parallel_end(session);
    lmd_job_arguments_clear(&arguments.job);
    return (int)status;
}
