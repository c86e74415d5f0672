/* lmdepth run: the whole way of a job (design 2). Everything here is done by all ranks
 * together; a status is agreed upon before anyone acts on it. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <lmdepth/base/hash.h>
#include <lmdepth/kernel.h>

#include "app.h"

typedef struct lmd_run_arguments {
    lmd_job_arguments job;
    bool is_fresh, keeps_work, only_prepares;
    lmd_part part;
    double max_seconds; /* 0: no limit */
    double snapshot_seconds;
    lmd_domain weights_per;
} lmd_run_arguments;

/* ---- command line ---- */

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
     "snapshots of an unfinished run",
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

static void set_time(struct argp_state *state, const char *option, const char *text,
                     double *seconds)
{
    if (!lmd_text_to_seconds(text, seconds)) {
        argp_error(state,
                   "%s wants a time such as 03:50:00, 2-12:00:00, 90m or 45s, not '%s'",
                   option, text);
    }
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
        set_time(state, "--max-time", text, &arguments->max_seconds);
        break;
    case OPTION_SNAPSHOT_EVERY:
        set_time(state, "--snapshot-every", text, &arguments->snapshot_seconds);
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
static const struct argp argp = {
    .options = options,
    .parser = parse_option,
    .args_doc = "JOB.yaml",
    .doc = "Runs a job: prepares its corpus, decodes every layer of the model at every "
           "observed "
           "position, and writes the result.\v"
           "With more than one rank: mpirun -n 4 lmdepth run job.yaml, or srun.",
    .children = children,
};

/* ---- the run ---- */

typedef struct lmd_run {
    lmd_session *session;
    const lmd_run_arguments *arguments;
    char *command_line;
    lmd_inputs inputs;
    lmd_team *team;
    lmd_kernel *kernel;
    int threads;
    lmd_binding binding;
    int copies;       /* of the weights on this node */
    char *work;       /* folder of the spool */
    char *unfinished; /* folder of the snapshots: that one, or a part's own in it */
    lmd_model_hashes model_hashes;
    char (*corpus_hashes)[LMD_SHA256_HEX]; /* (files) owned; NULL: not known yet */
    bool is_complete_already;
    lmd_lock *lock, *spool_lock; /* of the root */
    lmd_prepared prepared;
    lmd_computed computed;
    char *identity, *job_fingerprint, *fingerprint;
} lmd_run;

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

/* Collective. The model's files are read once for their hashes, by the root. */
static lmd_status hash_model(lmd_run *run)
{
    const lmd_model *model = run->inputs.model;
    lmd_model_hashes *hashes = &run->model_hashes;
    lmd_status status = LMD_OK;
    if (lmd_parallel_is_root(run->session)) {
        status = lmd_locate_sha256(model, hashes->weights);
        if (status == LMD_OK && lmd_model_config_path(model) != NULL) {
            status = lmd_file_sha256(lmd_model_config_path(model), hashes->config);
        }
    }
    LMD_TRY(lmd_parallel_agree(run->session, status));
    lmd_parallel_broadcast(run->session, hashes, sizeof *hashes);
    return LMD_OK;
}

/* Collective. The corpus's files are hashed once, and only when it is needed before they
 * are read anyway. */
static lmd_status hash_corpus(lmd_run *run)
{
    if (run->corpus_hashes == NULL) {
        const size_t files = (size_t)lmd_corpus_files(run->inputs.corpus);
        run->corpus_hashes = lmd_memory_new(files, sizeof *run->corpus_hashes);
        return lmd_prepare_hash(run->session, &run->inputs, run->corpus_hashes);
    }
    return LMD_OK;
}

static char *new_identity(const lmd_run *run, char (*hashes)[LMD_SHA256_HEX],
                          bool has_names)
{
    return lmd_provenance_identity(&run->inputs, &run->model_hashes, hashes,
                                   lmd_kernel_arithmetic(run->kernel), has_names);
}

/* Of the job's lines, and of the part that is run. */
static void set_fingerprints(lmd_run *run, char (*hashes)[LMD_SHA256_HEX])
{
    char part[32];
    char *identity = new_identity(run, hashes, false);
    (void)snprintf(part, sizeof part, "%d/%d", run->arguments->part.part,
                   run->arguments->part.parts);
    lmd_memory_free(run->job_fingerprint);
    lmd_memory_free(run->fingerprint);
    run->job_fingerprint = lmd_provenance_fingerprint(identity);
    run->fingerprint = lmd_provenance_share(run->job_fingerprint, part);
    lmd_memory_free(identity);
}

/* Collective. Looks at what is at the output's place before any work is done. */
static lmd_status check_existing(lmd_run *run)
{
    lmd_session *session = run->session;
    const bool exists = lmd_file_exists(run->inputs.job->output);
    if (lmd_parallel_max_int64(session, exists) == 0 || run->arguments->is_fresh) {
        return LMD_OK;
    }
    LMD_TRY(hash_corpus(run));
    lmd_status status = LMD_OK;
    if (lmd_parallel_is_root(session)) {
        set_fingerprints(run, run->corpus_hashes);
        status = lmd_place_judge(run->inputs.job->output, run->fingerprint,
                                 &run->is_complete_already);
    }
    LMD_TRY(lmd_parallel_agree(session, status));
    run->is_complete_already =
        lmd_parallel_max_int64(session, run->is_complete_already) != 0;
    return LMD_OK;
}

/* ---- the work folder ---- */

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

/* Root: one part prepares, the others wait for it. */
static lmd_status lock_spool(lmd_run *run)
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
    LMD_TRY(hash_corpus(run));
    lmd_status status = LMD_OK;
    if (is_root) {
        char *identity = new_identity(run, run->corpus_hashes, true);
        status = lmd_store_check_identity(run->unfinished, identity);
        lmd_memory_free(identity);
    }
    return lmd_parallel_agree(session, status);
}

/* Collective. */
static lmd_status enter_work(lmd_run *run)
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

/* Collective. */
static lmd_status prepare(lmd_run *run)
{
    lmd_session *session = run->session;
    const lmd_status status = lmd_parallel_is_root(session) ? lock_spool(run) : LMD_OK;
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
    lmd_log_say("prepared    %lld tokens in %lld packs, %d group%s, %.1f s%s",
                (long long)lmd_spool_tokens(spool), (long long)lmd_spool_packs(spool),
                lmd_spool_groups(spool), lmd_spool_groups(spool) == 1 ? "" : "s",
                run->prepared.seconds, run->prepared.was_reused ? " (used again)" : "");
}

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
        "%s: %lld positions, %.1f s, %.1f tokens/s, %.1f %% of the peak of %.0f GFLOP/s",
        run->inputs.job->output, (long long)computed->positions, computed->seconds,
        (double)computed->tokens / computed->seconds, 100.0 * gflops / computed->peak,
        computed->peak);
}

/* A work folder that was named to a part of a job serves the other parts as well. */
static bool keeps_work(const lmd_run_arguments *arguments)
{
    return arguments->keeps_work ||
           (arguments->part.parts > 1 && arguments->job.work != NULL);
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
    return keeps_work(run->arguments) ? LMD_OK : lmd_spool_clear(run->work);
}

/* Collective. */
static lmd_status finish(lmd_run *run)
{
    const lmd_status status =
        lmd_parallel_is_root(run->session) ? finish_files(run) : LMD_OK;
    LMD_TRY(lmd_parallel_agree(run->session, status));
    say_end(run);
    return LMD_OK;
}

/* Collective. */
static lmd_status compute(lmd_run *run)
{
    set_fingerprints(run, run->prepared.file_hashes);
    run->identity = new_identity(run, run->prepared.file_hashes, true);
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
        lmd_parallel_is_root(session) ? lmd_place_check(run->inputs.job->output) : LMD_OK;
    LMD_TRY(lmd_parallel_agree(session, status));
    start_kernel(run);
    lmd_compute_agree_arithmetic(session, run->kernel);
    LMD_TRY(hash_model(run));
    LMD_TRY(check_existing(run));
    if (run->is_complete_already) {
        return LMD_OK;
    }
    LMD_TRY(enter_work(run));
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
    return finish(run);
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
    lmd_lock_release(run->spool_lock);
    lmd_lock_release(run->lock);
    if (run->lock != NULL) { // folders stay when there is anything in them
        (void)rmdir(run->unfinished);
        (void)rmdir(run->work);
    }
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
    lmd_run_arguments arguments = {.part = {.part = 0, .parts = 1},
                                   .snapshot_seconds = SNAPSHOT_SECONDS};
    // Before the parser, which moves options to the front.
    char *command_line = lmd_arguments_join(argc, argv);
    int code;
    if (!lmd_arguments_parse(&argp, argc, argv, &arguments, &code) ||
        lmd_arguments_help_job(&arguments.job)) {
        lmd_memory_free(command_line);
        return code;
    }
    lmd_log_set_quiet(arguments.job.is_quiet);
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
