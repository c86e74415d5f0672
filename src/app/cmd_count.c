/* lmdepth count: the token frequencies of a job's corpus, prepared as `run` does it, on
 * standard output as a frequency file (id<TAB>count, comments with #). */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <lmdepth/base/lock.h>

#include "app.h"

static const struct argp_child children[] = {{&lmd_job_argp, 0, NULL, 0}, {0}};

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    (void)text;
    if (key == ARGP_KEY_INIT) {
        state->child_inputs[0] = state->input;
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
    .parser = parse_option,
    .args_doc = "JOB.yaml",
    .doc = "Counts how often each token id occurs in a job's corpus, and prints a "
           "frequency file "
           "that another job can name in frequency.from.",
    .children = children,
};

/* Root. */
static lmd_status print_counts(const lmd_inputs *inputs, const lmd_spool *spool)
{
    const int V = inputs->policy.V;
    const int64_t *counts = lmd_spool_token_counts(spool);
    int64_t total = 0;
    for (int id = 0; id < V; id++) {
        total += counts[id];
    }
    printf("# token counts by lmdepth %s, job %s\n", lmd_version,
           lmd_file_name_of(inputs->job->path));
    printf("# %d ids, %lld tokens; ids that are not listed have none\n", V,
           (long long)total);
    for (int id = 0; id < V; id++) {
        if (counts[id] > 0) {
            printf("%d\t%lld\n", id, (long long)counts[id]);
        }
    }
    if (fflush(stdout) != 0) {
        return lmd_status_set(LMD_RESOURCE, "standard output can't be written");
    }
    return LMD_OK;
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
static lmd_status count_prepared(lmd_session *session, const lmd_inputs *inputs,
                                 int threads, const char *work)
{
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
            status = print_counts(inputs, prepared.spool);
            const lmd_status removed = lmd_spool_clear(work);
            status = status == LMD_OK ? removed : status;
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
static lmd_status count_job(lmd_session *session, const lmd_job_arguments *arguments)
{
    lmd_inputs inputs;
    lmd_status status = lmd_parallel_agree(session, lmd_inputs_open(&inputs, arguments));
    if (status == LMD_OK) {
        lmd_text work = {0};
        if (arguments->work != NULL) {
            lmd_text_append_string(&work, arguments->work);
        } else {
            lmd_text_append_format(&work, "%s.count.work", inputs.job->output);
        }
        const int threads = lmd_threads_choose(arguments->threads,
                                               lmd_parallel_share_of_processors(session));
        status = count_prepared(session, &inputs, threads, lmd_text_string(&work));
        lmd_text_clear(&work);
    }
    lmd_inputs_clear(&inputs);
    return status;
}

int lmd_command_count(int argc, char **argv)
{
    lmd_job_arguments arguments = {0};
    int code;
    if (!lmd_arguments_parse(&argp, argc, argv, &arguments, &code)) {
        return code;
    }
    if (lmd_arguments_help_job(&arguments)) {
        return LMD_OK;
    }
    lmd_session *session = lmd_parallel_start(&argc, &argv);
    lmd_stop_watch(0);
    const lmd_status status = count_job(session, &arguments);
    if (status == LMD_STOPPED) {
        lmd_log_say("%s", lmd_status_message());
    } else if (status != LMD_OK && lmd_parallel_is_root(session)) {
        lmd_log_error("%s", lmd_status_message());
    }
    lmd_parallel_end(session);
    lmd_job_arguments_clear(&arguments);
    return (int)status;
}
