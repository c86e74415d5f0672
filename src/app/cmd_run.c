/* lmdepth run: the whole way of a job (design 2). Everything here is done by all ranks
 * together; a status is agreed upon before anyone acts on it. */

#include <stdlib.h>
#include <string.h>

#include <lmdepth/kernel.h>

#include "run.h"

static void start_kernel(lmd_run *run)
{
    lmd_session *session = run->session;
    run->threads = lmd_threads_choose(run->arguments->job.threads,
                                      lmd_parallel_share_of_processors(session));
    run->team = lmd_team_new(run->threads);
    run->kernel = lmd_inputs_new_kernel(&run->inputs, run->team);
    run->binding = lmd_parallel_binding(session, run->threads);
}

/* Collective. */
static void share_weights(lmd_run *run)
{
    const lmd_domain domain = run->arguments->weights_per;
    int unbound = 0;
    lmd_parallel_share_within(run->session, domain, &unbound);
    if (unbound > 0 && lmd_parallel_is_root(run->session)) {
        lmd_log_warn(
            "--weights-per: %d rank%s not bound to one %s: the unbound ranks of a "
            "node share a copy (`mpirun --map-by %s --bind-to %s`, `srun "
            "--cpu-bind=%s` bind them)",
            unbound, unbound == 1 ? " is" : "s are",
            domain == LMD_DOMAIN_SOCKET ? "socket" : "NUMA domain",
            domain == LMD_DOMAIN_SOCKET ? "socket" : "numa",
            domain == LMD_DOMAIN_SOCKET ? "socket" : "numa",
            domain == LMD_DOMAIN_SOCKET ? "sockets" : "ldoms");
    }
    run->copies = lmd_shared_copies(run->session, lmd_model_bytes(run->inputs.model));
}

/* Collective. */
static lmd_status prepare(lmd_run *run)
{
    lmd_session *session = run->session;
    const lmd_status status =
        lmd_parallel_is_root(session) ? lmd_run_lock_spool(run) : LMD_OK;
    LMD_TRY(lmd_parallel_agree(session, status));
    LMD_TRY(lmd_prepare(session, &run->inputs, run->team, run->work, run->corpus_hashes,
                        &run->prepared));
    lmd_lock_release(run->spool_lock);
    run->spool_lock = NULL;
    return LMD_OK;
}

static void say_plan(lmd_run *run)
{
    const lmd_plan what = {.inputs = &run->inputs,
                           .kernel = run->kernel,
                           .threads = run->threads,
                           .session = run->session,
                           .binding = run->binding,
                           .copies = run->copies,
                           .domain = run->arguments->weights_per};
    lmd_text plan = {0};
    lmd_plan_write(&what, &plan);
    char *rest = NULL;
    for (char *line = strtok_r(plan.bytes, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        lmd_log_say("%s", line);
    }
    lmd_text_clear(&plan);
}

/* Collective. Before any work: with one group, as far as is known. */
static lmd_status check_memory(lmd_run *run)
{
    lmd_memory_plan plan = lmd_plan_memory(&run->inputs, run->threads, 1);
    plan.weights *= run->copies;
    const lmd_status status =
        lmd_limits_check(&plan, lmd_parallel_node_ranks(run->session));
    return lmd_parallel_agree(run->session, status);
}

static void say_prepared(const lmd_run *run)
{
    const lmd_spool *spool = run->prepared.spool;
    lmd_log_say("prepared    %lld tokens in %lld pack%s, %d group%s, %.1f s%s",
                (long long)lmd_spool_tokens(spool), (long long)lmd_spool_packs(spool),
                lmd_spool_packs(spool) == 1 ? "" : "s", lmd_spool_groups(spool),
                lmd_spool_groups(spool) == 1 ? "" : "s", run->prepared.seconds,
                run->prepared.was_reused ? " (used again)" : "");
}

/* Collective. */
static lmd_status compute(lmd_run *run)
{
    lmd_run_set_fingerprints(run, run->prepared.file_hashes);
    run->identity = lmd_run_identity(run, run->prepared.file_hashes, true);
    const lmd_compute_options compute_options = {
        .part = run->arguments->part,
        .snapshot_seconds = run->arguments->snapshot_seconds,
        .store = {.folder = run->unfinished,
                  .fingerprint = run->fingerprint,
                  .identity = run->identity,
                  .threads = run->threads,
                  .command_line = run->command_line},
    };
    return lmd_compute(run->session, &run->inputs, &run->prepared, run->kernel,
                       &compute_options, &run->computed);
}

/* Collective. */
static lmd_status run_job(lmd_run *run)
{
    const lmd_run_arguments *arguments = run->arguments;
    lmd_session *session = run->session;
    LMD_TRY(lmd_parallel_agree(session, lmd_inputs_open(&run->inputs, &arguments->job)));
    lmd_status status =
        lmd_parallel_is_root(session) ? lmd_place_check_job(&run->inputs) : LMD_OK;
    LMD_TRY(lmd_parallel_agree(session, status));
    start_kernel(run);
    lmd_compute_agree_arithmetic(session, run->kernel);
    LMD_TRY(lmd_run_hash_model(run));
    LMD_TRY(lmd_run_check_existing(run));
    if (run->is_complete_already) {
        lmd_run_clear_work(run);
        return LMD_OK;
    }
    LMD_TRY(lmd_run_enter_work(run));
    share_weights(run);
    say_plan(run);
    lmd_parallel_warn_of_binding(session, &run->binding);
    LMD_TRY(check_memory(run));
    LMD_TRY(prepare(run));
    say_prepared(run);
    if (arguments->only_prepares) {
        lmd_log_say("prepared in %s; the same command without --prepare-only goes on",
                    run->work);
        return LMD_OK;
    }
    LMD_TRY(compute(run));
    return lmd_run_finish(run);
}

static void clear_run(lmd_run *run)
{
    lmd_computed_clear(&run->computed);
    lmd_prepared_clear(&run->prepared);
    lmd_kernel_free(run->kernel);
    if (run->team != NULL) {
        lmd_team_free(run->team);
    }
    lmd_inputs_clear(&run->inputs);
    lmd_run_leave_work(run);
    lmd_memory_free(run->unfinished);
    lmd_memory_free(run->corpus_hashes);
    lmd_memory_free(run->identity);
    lmd_memory_free(run->work);
    lmd_memory_free(run->job_fingerprint);
    lmd_memory_free(run->fingerprint);
    lmd_memory_free(run->command_line);
}

int lmd_command_run(int argc, char **argv)
{
    lmd_run_arguments arguments = lmd_run_defaults();
    // Before the parser, which moves options to the front.
    char *command_line = lmd_arguments_join(argc, argv);
    int code;
    if (!lmd_arguments_parse(&lmd_run_argp, argc, argv, &arguments, &code) ||
        lmd_arguments_help_job(&arguments.job)) {
        lmd_memory_free(command_line);
        return code;
    }
    lmd_log_set_quiet(arguments.job.is_quiet);
    lmd_status possible = lmd_inputs_check_kernel(&arguments.job);
    if (possible == LMD_OK) {
        possible = lmd_limits_check_start(&arguments.job);
    }
    code = lmd_arguments_fail(possible);
    if (code != LMD_OK) {
        lmd_job_arguments_clear(&arguments.job);
        lmd_memory_free(command_line);
        return code;
    }
    lmd_run run = {.arguments = &arguments, .command_line = command_line};
    lmd_stop_watch(arguments.max_seconds);
    run.session = lmd_parallel_start(&argc, &argv);
    lmd_stop_watch_again(); // MPI may have set handlers of its own
    const lmd_status status = run_job(&run);
    if (status == LMD_STOPPED) {
        lmd_log_say("%s", lmd_status_message());
    } else if (status != LMD_OK && lmd_parallel_is_root(run.session)) {
        lmd_log_error("%s", lmd_status_message());
    }
    clear_run(&run);
    lmd_parallel_end(run.session);
    lmd_job_arguments_clear(&arguments.job);
    return (int)status;
}
