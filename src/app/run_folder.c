/* The work folder of a run: one run at a time, and never another job's. */

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "run.h"

/* Parts of a job may share the spool, but not the snapshots. */
static void name_folders(lmd_run *run)
{
    const lmd_part part = run->arguments->part;
    lmd_text path = {0};
    if (run->arguments->job.work != NULL) {
        lmd_text_append_string(&path, run->arguments->job.work);
    } else {
        lmd_text_append_format(&path, "%s.work", run->inputs.job->output);
    }
    run->work = lmd_memory_copy_text(path.bytes);
    if (part.parts > 1) {
        lmd_text_append_format(&path, "/part.%d.%d", part.part, part.parts);
    }
    run->unfinished = lmd_memory_copy_text(path.bytes);
    lmd_text_clear(&path);
}

/* Root. */
static lmd_status take_lock(lmd_lock **lock, const char *folder)
{
    char *path = lmd_file_join(folder, LMD_STORE_LOCK);
    const lmd_status status = lmd_lock_take(lock, path);
    lmd_memory_free(path);
    return status;
}

/* Root: nobody else works on this job from here on. */
static lmd_status lock_job(lmd_run *run)
{
    LMD_TRY(lmd_file_make_folders(run->unfinished));
    return take_lock(&run->lock, run->unfinished);
}

lmd_status lmd_run_lock_spool(lmd_run *run)
{
    const struct timespec pause = {.tv_sec = 1};
    bool has_said = false;
    lmd_status status;
    if (strcmp(run->work, run->unfinished) == 0) {
        return LMD_OK;
    }
    while ((status = take_lock(&run->spool_lock, run->work)) == LMD_USAGE) {
        if (lmd_stop_is_signalled() || lmd_stop_is_late(0)) {
            return lmd_status_set(LMD_STOPPED, "stopped early: %s", lmd_stop_reason());
        }
        if (!has_said) {
            lmd_log_say("waiting until another part has prepared: %s",
                        lmd_status_message());
            has_said = true;
        }
        (void)nanosleep(&pause, NULL);
    }
    return status;
}

/* Root: --fresh. */
static lmd_status throw_away(lmd_run *run)
{
    const char *output = run->inputs.job->output;
    if (lmd_file_exists(output)) {
        lmd_log_say("--fresh: %s will be replaced", output);
    }
    if (lmd_store_has_snapshots(run->unfinished)) {
        lmd_log_say("--fresh: the unfinished work in %s is thrown away", run->unfinished);
    }
    return lmd_store_clear(run->unfinished);
}

/* Collective. Unfinished work of another job is refused before anything is touched. */
static lmd_status check_unfinished(lmd_run *run)
{
    lmd_session *session = run->session;
    const bool is_root = lmd_parallel_is_root(session);
    const bool has_some = is_root && lmd_store_has_snapshots(run->unfinished);
    if (lmd_parallel_max_int64(session, has_some) == 0) {
        return LMD_OK;
    }
    LMD_TRY(lmd_run_hash_corpus(run));
    lmd_status status = LMD_OK;
    if (is_root) {
        char *identity = lmd_run_identity(run, run->corpus_hashes, true);
        status = lmd_store_check_identity(run->unfinished, identity);
        lmd_memory_free(identity);
    }
    return lmd_parallel_agree(session, status);
}

lmd_status lmd_run_enter_work(lmd_run *run)
{
    const bool is_root = lmd_parallel_is_root(run->session);
    name_folders(run);
    lmd_status status = is_root ? lock_job(run) : LMD_OK;
    if (status == LMD_OK && is_root && run->arguments->is_fresh) {
        status = throw_away(run);
    }
    LMD_TRY(lmd_parallel_agree(run->session, status));
    return check_unfinished(run);
}

/* Root. Somebody's else is left as it is, and so is what is in use. */
static void clear_work(lmd_run *run)
{
    char *identity = lmd_run_identity(run, run->corpus_hashes, true);
    const bool is_ours =
        run->arguments->job.work == NULL || lmd_store_has_snapshots(run->unfinished);
    if (is_ours && take_lock(&run->lock, run->unfinished) == LMD_OK &&
        lmd_store_check_identity(run->unfinished, identity) == LMD_OK &&
        lmd_store_clear(run->unfinished) == LMD_OK && !lmd_run_keeps_work(run)) {
        (void)lmd_spool_clear(run->work);
    }
    lmd_memory_free(identity);
}

void lmd_run_clear_work(lmd_run *run)
{
    if (lmd_parallel_is_root(run->session)) {
        name_folders(run);
        if (lmd_file_is_folder(run->unfinished)) {
            clear_work(run);
        }
    }
}

bool lmd_run_keeps_work(const lmd_run *run)
{
    const lmd_run_arguments *arguments = run->arguments;
    return arguments->keeps_work ||
           (arguments->part.parts > 1 && arguments->job.work != NULL);
}

void lmd_run_leave_work(lmd_run *run)
{
    lmd_lock_release(run->spool_lock);
    lmd_lock_release(run->lock);
    if (run->lock != NULL) { // folders stay when there is anything in them
        (void)rmdir(run->unfinished);
        (void)rmdir(run->work);
    }
}
