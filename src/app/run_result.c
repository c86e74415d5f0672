/* The end of a run: the result, or the sum kept for another try. */

#include <lmdepth/kernel.h>

#include "run.h"

/* Root. */
static lmd_status write_result(lmd_run *run)
{
    const lmd_inputs *inputs = &run->inputs;
    const lmd_spool *spool = run->prepared.spool;
    const lmd_part part = run->arguments->part;
    const int groups = lmd_spool_groups(spool);
    const char **group_names = lmd_memory_new((size_t)groups, sizeof *group_names);
    for (int g = 0; g < groups; g++) {
        group_names[g] = lmd_spool_group(spool, g);
    }
    const int lenses = inputs->job->n_lenses;
    const char **lens_names = lmd_memory_new((size_t)lenses, sizeof *lens_names);
    for (int i = 0; i < lenses; i++) {
        lens_names[i] = lmd_lens_name(inputs->lenses[i]);
    }
    int64_t *records = lmd_memory_new((size_t)groups * LMD_FATE_COUNT, sizeof *records);
    lmd_spool_records(spool, part.part, part.parts, records);
    const lmd_provenance provenance = {
        .inputs = inputs,
        .prepared = &run->prepared,
        .computed = &run->computed,
        .session = run->session,
        .fingerprint = run->fingerprint,
        .job_fingerprint = run->job_fingerprint,
        .arithmetic = lmd_kernel_arithmetic(run->kernel),
        .model_hashes = &run->model_hashes,
        .command_line = run->command_line,
        .threads = run->threads,
        .part = part,
    };
    lmd_attributes attributes;
    lmd_provenance_attributes(&provenance, &attributes);
    const lmd_result result = {
        .counters = run->computed.counters,
        .groups = group_names,
        .lenses = lens_names,
        .fates = lmd_fate_names,
        .n_fates = LMD_FATE_COUNT,
        .record_count = records,
        .special_string_count = lmd_spool_specials(spool, part.part, part.parts),
        .token_count = run->prepared.frequency->counts,
        .token_rank = run->prepared.frequency->ranks,
        .attributes = attributes.list,
        .n_attributes = attributes.n,
    };
    const lmd_status status = lmd_output_write(inputs->job->output, &result);
    lmd_attributes_clear(&attributes);
    lmd_memory_free(records);
    lmd_memory_free(lens_names);
    lmd_memory_free(group_names);
    return status;
}

/* What was planned for a rank, and what it took. */
static void say_memory(const lmd_run *run)
{
    const lmd_computed *computed = &run->computed;
    const lmd_memory_plan plan = lmd_plan_memory(&run->inputs, run->threads,
                                                 lmd_spool_groups(run->prepared.spool));
    if (computed->last_memory > 0) {
        lmd_log_say(
            "memory      a rank, weights apart: %.1f MB after its first pack, %.1f "
            "MB after its last (planned %.1f MB, and the program)",
            computed->first_memory / 1e6, computed->last_memory / 1e6,
            (plan.engine + plan.counters) / 1e6);
    }
}

/* The contract's last line. */
static void say_end(const lmd_run *run)
{
    const lmd_computed *computed = &run->computed;
    const double gflops = computed->flops / computed->seconds / 1e9;
    if (computed->positions == 0) {
        lmd_log_warn("no position was observed");
    }
    lmd_log_say(
        "time        loading %.1f s, preparing %.1f s, computing %.1f s (forward %.1f, "
        "lens %.1f, metrics %.1f, waiting %.1f), reducing %.2f s",
        computed->load_seconds, run->prepared.seconds, computed->seconds,
        computed->forward_seconds, computed->lens_seconds, computed->metric_seconds,
        computed->wait_seconds, computed->reduce_seconds);
    say_memory(run);
    lmd_log_say(
        "%s: %lld position%s, %.1f s, %.1f tokens/s, %.1f %% of the peak of %.0f GFLOP/s",
        run->inputs.job->output, (long long)computed->positions,
        computed->positions == 1 ? "" : "s", computed->seconds,
        (double)computed->tokens / computed->seconds, 100.0 * gflops / computed->peak,
        computed->peak);
}

/* Root: the result can't be written, so the sum is kept for the next try. */
static void keep_sum(const lmd_run *run)
{
    const lmd_computed *computed = &run->computed;
    const lmd_effort effort = {
        .packs = computed->packs,
        .tokens = computed->tokens,
        .positions = computed->positions - lmd_store_before(computed->store)->positions,
        .flops = computed->flops,
        .seconds = computed->seconds * lmd_parallel_ranks(run->session)};
    char *why = lmd_memory_copy_text(lmd_status_message());
    if (lmd_store_save_all(computed->store, computed->counters, &effort) == LMD_OK) {
        lmd_log_say("all that was counted is saved in %s: the same command writes the "
                    "result when it can",
                    run->unfinished);
    } else {
        lmd_log_warn("%s: the last snapshots stay", lmd_status_message());
    }
    lmd_status_set(LMD_RESOURCE, "%s", why);
    lmd_memory_free(why);
}

/* Root. Nobody else must have finished this job meanwhile. */
static lmd_status finish_files(lmd_run *run)
{
    if (lmd_lock_is_lost(run->lock)) {
        return lmd_status_set(LMD_FAILED,
                              "%s: another run has taken over while this one stood still",
                              run->work);
    }
    const lmd_status status = write_result(run);
    if (status != LMD_OK) {
        keep_sum(run);
        return status;
    }
    LMD_TRY(lmd_store_clear(run->unfinished));
    return lmd_run_keeps_work(run) ? LMD_OK : lmd_spool_clear(run->work);
}

lmd_status lmd_run_finish(lmd_run *run)
{
    const lmd_status status =
        lmd_parallel_is_root(run->session) ? finish_files(run) : LMD_OK;
    LMD_TRY(lmd_parallel_agree(run->session, status));
    say_end(run);
    return LMD_OK;
}
