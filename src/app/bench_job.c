/* A whole job against the peak: prepared once, computed as often as asked, its counters
 * reduced and thrown away. From the first pack to the last rank's end, as `run` tells it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <lmdepth/base/lock.h>

#include "bench.h"

typedef struct bench_run {
    lmd_session *session;
    lmd_inputs *inputs;
    lmd_kernel *kernel;
    const char *work; /* folder */
    lmd_prepared prepared;
} bench_run;

/* ---- one repetition ---- */

static void keep_times(const lmd_computed *computed, lmd_bench_job *job)
{
    job->packs = computed->packs;
    job->tokens = computed->tokens;
    job->seconds = computed->seconds;
    job->forward = computed->forward_seconds;
    job->lens = computed->lens_seconds;
    job->metric = computed->metric_seconds;
    job->wait = computed->wait_seconds;
    job->load = computed->load_seconds;
    job->other = job->seconds - job->forward - job->lens - job->metric - job->wait;
    job->peak = computed->peak / (job->ranks * job->threads);
    job->gflops = computed->flops / computed->seconds * 1e-9;
    job->tokens_per_s = (double)computed->tokens / computed->seconds;
    job->of_peak = job->gflops / computed->peak;
}

/* Collective. */
static lmd_status compute_once(const bench_run *run, lmd_bench_job *job)
{
    const lmd_compute_options options = {
        .part = {.part = 0, .parts = 1},
        .snapshot_seconds = 1e9, // never
        .store = {.folder = run->work,
                  .fingerprint = "bench",
                  .identity = "bench\n",
                  .threads = job->threads,
                  .command_line = "lmdepth bench"},
    };
    const bool is_root = lmd_parallel_is_root(run->session);
    LMD_TRY(
        lmd_parallel_agree(run->session, is_root ? lmd_store_clear(run->work) : LMD_OK));
    lmd_computed computed;
    lmd_status status = lmd_compute(run->session, run->inputs, &run->prepared,
                                    run->kernel, &options, &computed);
    if (status == LMD_OK && computed.tokens == 0) {
        status = lmd_status_set(LMD_INPUT, "%s: no tokens, so no speed",
                                run->inputs->job->path);
    }
    if (status == LMD_OK) {
        keep_times(&computed, job);
    }
    lmd_computed_clear(&computed);
    return status;
}

/* ---- all of them ---- */

static int compare_speeds(const void *left, const void *right)
{
    const lmd_bench_job *a = left;
    const lmd_bench_job *b = right;
    return (a->tokens_per_s > b->tokens_per_s) - (a->tokens_per_s < b->tokens_per_s);
}

/* The repetition of median speed (of an even number: the slower one of the middle), with
 * the shares of the peak of all. */
static void take_median(lmd_bench_job *jobs, int n, lmd_bench_job *job)
{
    double *shares = lmd_memory_new((size_t)n, sizeof *shares);
    for (int i = 0; i < n; i++) {
        shares[i] = jobs[i].of_peak;
    }
    qsort(jobs, (size_t)n, sizeof *jobs, compare_speeds);
    *job = jobs[(n - 1) / 2];
    job->of_peak = lmd_bench_median(shares, n);
    job->least_of_peak = shares[0];
    job->greatest_of_peak = shares[n - 1];
    lmd_memory_free(shares);
}

/* Collective. */
static lmd_status compute_all(const bench_run *run, int repeats, lmd_bench_job *job)
{
    lmd_bench_job *jobs = lmd_memory_new((size_t)repeats, sizeof *jobs);
    lmd_status status = LMD_OK;
    for (int i = 0; i < repeats && status == LMD_OK; i++) {
        jobs[i] = *job;
        status = compute_once(run, &jobs[i]);
        if (status == LMD_OK && repeats > 1) {
            lmd_log_say("%d of %d: %.1f tokens/s", i + 1, repeats, jobs[i].tokens_per_s);
        }
    }
    if (status == LMD_OK) {
        take_median(jobs, repeats, job);
    }
    lmd_memory_free(jobs);
    return status;
}

/* Root: nobody else works in the folder. */
static lmd_status lock_folder(lmd_lock **lock, const char *work)
{
    LMD_TRY(lmd_file_make_folders(work));
    char *path = lmd_file_join(work, LMD_STORE_LOCK);
    const lmd_status status = lmd_lock_take(lock, path);
    lmd_memory_free(path);
    return status;
}

/* Root: what the job has left. */
static lmd_status clear_folder(lmd_lock *lock, const char *work)
{
    const lmd_status status = lmd_store_clear(work);
    const lmd_status spool = lmd_spool_clear(work);
    lmd_lock_release(lock);
    (void)rmdir(work);
    return status == LMD_OK ? spool : status;
}

/* Collective. */
static lmd_status run_in_folder(bench_run *run, int repeats, lmd_bench_job *job)
{
    lmd_session *session = run->session;
    lmd_lock *lock = NULL;
    LMD_TRY(lmd_parallel_agree(
        session, lmd_parallel_is_root(session) ? lock_folder(&lock, run->work) : LMD_OK));
    lmd_status status = lmd_prepare(session, run->inputs, lmd_kernel_team(run->kernel),
                                    run->work, NULL, &run->prepared);
    if (status == LMD_OK) {
        job->prepare = run->prepared.seconds;
        status = compute_all(run, repeats, job);
    }
    if (status == LMD_STOPPED) { // there is nothing to go on from
        status = lmd_status_set(LMD_FAILED, "stopped early: %s; nothing was measured",
                                lmd_stop_reason());
    }
    lmd_prepared_clear(&run->prepared);
    if (lock != NULL) {
        const lmd_status cleared = clear_folder(lock, run->work);
        status = status == LMD_OK ? cleared : status;
    }
    return lmd_parallel_agree(session, status);
}

/* Collective. */
static lmd_status run_opened(lmd_session *session, const lmd_job_arguments *arguments,
                             lmd_inputs *inputs, int repeats, lmd_bench_job *job)
{
    lmd_text work = {0};
    if (arguments->work != NULL) {
        lmd_text_append_string(&work, arguments->work);
    } else {
        lmd_text_append_format(&work, "%s.bench.work", inputs->job->output);
    }
    job->ranks = lmd_parallel_ranks(session);
    job->threads =
        lmd_threads_choose(arguments->threads, lmd_parallel_share_of_processors(session));
    job->repeats = repeats;
    lmd_team *team = lmd_team_new(job->threads);
    bench_run run = {.session = session,
                     .inputs = inputs,
                     .kernel = lmd_inputs_new_kernel(inputs, team),
                     .work = lmd_text_string(&work)};
    lmd_compute_agree_arithmetic(session, run.kernel);
    snprintf(job->arithmetic, sizeof job->arithmetic, "%s",
             lmd_kernel_arithmetic(run.kernel));
    const lmd_status status = run_in_folder(&run, repeats, job);
    lmd_kernel_free(run.kernel);
    lmd_team_free(team);
    lmd_text_clear(&work);
    return status;
}

lmd_status lmd_bench_run_job(lmd_session *session, const lmd_job_arguments *arguments,
                             int repeats, lmd_bench_job *job)
{
    *job = (lmd_bench_job){0};
    lmd_inputs inputs;
    lmd_status status = lmd_parallel_agree(session, lmd_inputs_open(&inputs, arguments));
    if (status == LMD_OK) {
        status = run_opened(session, arguments, &inputs, repeats, job);
    }
    lmd_inputs_clear(&inputs);
    return status;
}
