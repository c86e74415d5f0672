/* Spool to counters: weights into node-shared memory, an engine on every rank, packs by
 * ticket, one reduction. */

#include <stdlib.h>
#include <string.h>

#include "app.h"

/* ---- set-up ---- */

lmd_metric_setup lmd_compute_setup(const lmd_inputs *inputs, const lmd_prepared *prepared)
{
    const lmd_frequency *frequency = prepared->frequency;
    return (lmd_metric_setup){
        .folds = (int)inputs->job->folds,
        .groups = lmd_spool_groups(prepared->spool),
        .lenses = inputs->job->n_lenses,
        .L = inputs->L,
        .states = inputs->states,
        .N = lmd_model_get_shape(inputs->model)->N,
        .V = frequency->V,
        .n_bands = frequency->n_bands,
        .band_edges = frequency->edges,
        .bands = frequency->bands,
        .metrics = inputs->job->metrics,
    };
}

void lmd_compute_agree_arithmetic(lmd_session *session, lmd_kernel *kernel)
{
    const char *mine = lmd_kernel_arithmetic(kernel);
    lmd_text roots = {0};
    lmd_text_append_string(&roots, mine);
    lmd_parallel_broadcast_text(session, &roots);
    const bool differs = strcmp(lmd_text_string(&roots), mine) != 0;
    if (lmd_parallel_max_int64(session, differs) != 0) {
        // Plain C rounds alike on every processor: the lowest common arithmetic.
        lmd_kernel_use_plain(kernel);
        lmd_log_warn("the ranks' processors or libraries round differently (%s; %s): all "
                     "use the plain C product, which is slower",
                     lmd_text_string(&roots), mine);
    }
    lmd_text_clear(&roots);
}

/* Does it all fit, now that the number of groups is known, with so many copies of the
 * weights on the node? */
static lmd_status check_memory(const lmd_session *session, const lmd_inputs *inputs,
                               int threads, const lmd_metric_setup *setup, int copies)
{
    size_t bytes;
    LMD_TRY(lmd_counters_bytes(setup, &bytes));
    lmd_memory_plan plan = lmd_plan_memory(inputs, threads, setup->groups);
    plan.weights *= copies;
    const lmd_status status = lmd_limits_check(&plan, lmd_parallel_node_ranks(session));
    return status == LMD_OK ? LMD_OK
                            : lmd_status_within(status, "%d groups, %d folds",
                                                setup->groups, setup->folds);
}

static void order_rows(const lmd_frequency *frequency, lmd_computed *computed)
{
    const size_t V = (size_t)frequency->V;
    computed->order = lmd_memory_new(V, sizeof *computed->order);
    computed->places = lmd_memory_new(V, sizeof *computed->places);
    computed->band_rows =
        lmd_memory_new((size_t)frequency->n_bands + 1, sizeof *computed->band_rows);
    lmd_engine_order(frequency, computed->order, computed->places, computed->band_rows);
}

/* Collective. One copy of the packed weights a node. */
static lmd_status load_weights(lmd_session *session, lmd_model *model, lmd_shared *shared,
                               const int32_t *order)
{
    void *memory = lmd_shared_memory(shared);
    const bool fills = lmd_shared_is_mine_to_fill(shared);
    const lmd_status status = fills ? lmd_model_load(model, order, memory) : LMD_OK;
    LMD_TRY(lmd_parallel_agree(session, status));
    lmd_shared_publish(shared);
    if (!fills) {
        lmd_model_attach(model, order, memory);
    }
    return LMD_OK;
}

static lmd_engine *make_engine(const lmd_inputs *inputs, const lmd_prepared *prepared,
                               lmd_kernel *kernel, const lmd_computed *computed)
{
    const lmd_engine_setup setup = {
        .model = inputs->model,
        .kernel = kernel,
        .lenses = (const lmd_lens *const *)inputs->lenses,
        .n_lenses = inputs->job->n_lenses,
        .head =
            {
                .matrix = lmd_model_unembedding(inputs->model),
                .ids = computed->order,
                .places = computed->places,
                .band_rows = computed->band_rows,
                .n_bands = prepared->frequency->n_bands,
            },
        .counters = computed->counters,
        .selection = inputs->selection,
        .wants = inputs->wants,
        .pack_tokens = inputs->policy.pack_tokens,
    };
    return lmd_engine_new(&setup);
}

/* ---- the packs of this part of the job, and the tickets for them ---- */

typedef struct lmd_work {
    int64_t *packs;  /* (n_packs) of the spool */
    int64_t *bounds; /* (n_tickets + 1) into packs */
    int64_t n_packs, n_tickets;
} lmd_work;

static lmd_work plan_work(const lmd_spool *spool, const lmd_store *store, lmd_part part,
                          int ranks)
{
    const int64_t all = lmd_spool_packs(spool);
    lmd_work work = {0};
    work.packs = lmd_memory_new((size_t)all, sizeof *work.packs);
    work.bounds = lmd_memory_new((size_t)all + 1, sizeof *work.bounds);
    double *costs = lmd_memory_new((size_t)all, sizeof *costs);
    for (int64_t p = 0; p < all; p++) {
        if (lmd_spool_pack_chunk(spool, p) % part.parts == part.part &&
            !lmd_store_is_done(store, p)) {
            costs[work.n_packs] = lmd_spool_pack_tokens(spool, p);
            work.packs[work.n_packs++] = p;
        }
    }
    work.n_tickets = lmd_queue_plan(work.n_packs, costs, ranks, work.bounds);
    lmd_memory_free(costs);
    return work;
}

static void clear_work(lmd_work *work)
{
    lmd_memory_free(work->packs);
    lmd_memory_free(work->bounds);
}

/* ---- the loop ---- */

/* What one rank's loop over its packs needs. */
typedef struct lmd_loop {
    lmd_session *session;
    const lmd_prepared *prepared;
    lmd_engine *engine;
    lmd_kernel *kernel;
    const lmd_work *work;
    lmd_queue *queue;
    lmd_store *store;
    lmd_counters *counters;
    lmd_pack_room *room;
    lmd_progress progress;
    double peak;                 /* of all ranks, before the loop */
    double peaks_sum, next_peak; /* of this rank, between packs; when the next one */
    int n_peaks;
    double start;
    double next_save, save_seconds; /* when; how long the last one took */
    double snapshot_seconds;        /* between two */
    double slowest;                 /* seconds of a pack */
    int64_t packs, saved_packs;     /* done, and of these saved */
    double own_weights;             /* bytes of them in private memory */
    double first_memory; /* private bytes after the first pack, without these */
    lmd_status status;   /* this rank's first failure */
    char *message;       /* owned: its text, or why it asked to stop */
} lmd_loop;

/* Root: packs given away to all ranks; speed as the root's own, times the ranks. */
static void show_progress(lmd_loop *loop)
{
    if (!lmd_parallel_is_root(loop->session)) {
        return;
    }
    const lmd_engine_report report = lmd_engine_get_report(loop->engine);
    const double seconds = lmd_team_clock() - loop->start;
    const int ranks = lmd_parallel_ranks(loop->session);
    lmd_progress_show(
        &loop->progress, (double)loop->work->bounds[lmd_queue_given(loop->queue)],
        (double)loop->work->n_packs, (double)report.tokens * ranks / seconds,
        report.flops * ranks / seconds / (loop->peak * 1e9));
}

/* Asks all ranks to stop after the packs in hand. The first reason is kept. */
static void stop_loop(lmd_loop *loop, lmd_status status, const char *why)
{
    if (loop->message == NULL) {
        loop->status = status;
        loop->message = lmd_memory_copy_text(why);
        lmd_queue_stop(loop->queue);
    }
}

/* A pack may take minutes: whoever has pressed Ctrl-C is told what is waited for. */
static void say_stopping(lmd_loop *loop)
{
    if (lmd_parallel_is_root(loop->session)) {
        lmd_progress_end(&loop->progress);
        lmd_log_say("%s: stopping when the pack in hand is done and saved",
                    lmd_stop_reason());
    }
}

static void tick_loop(void *context)
{
    lmd_loop *loop = context;
    lmd_queue_tick(loop->queue);
    if (lmd_stop_is_signalled() && loop->message == NULL) {
        stop_loop(loop, LMD_STOPPED, lmd_stop_reason());
        say_stopping(loop);
    }
}

/* Saves what is not saved yet. */
static lmd_status save(lmd_loop *loop)
{
    if (loop->packs == loop->saved_packs) {
        return LMD_OK;
    }
    const double start = lmd_team_clock();
    const lmd_engine_report report = lmd_engine_get_report(loop->engine);
    const lmd_effort effort = {report.packs, report.tokens, report.positions,
                               report.flops, start - loop->start};
    LMD_TRY(lmd_store_save(loop->store, loop->counters, &effort));
    loop->saved_packs = loop->packs;
    loop->save_seconds = lmd_team_clock() - start;
    return LMD_OK;
}

/* After a pack: time to save, to see what the processor gives just now, or to stop?
 * However short the limit, every attempt does a pack. */
static void look_at_clock(lmd_loop *loop)
{
    if (lmd_team_clock() >= loop->next_save) {
        if (save(loop) != LMD_OK) {
            stop_loop(loop, LMD_RESOURCE, lmd_status_message());
        }
        loop->next_save = lmd_team_clock() + loop->snapshot_seconds;
    }
    if (lmd_team_clock() >= loop->next_peak) {
        enum { SECONDS = 5 };
        loop->peaks_sum += lmd_kernel_measure_peak(loop->kernel, 2.0);
        loop->n_peaks++;
        loop->next_peak = lmd_team_clock() + SECONDS;
    }
    if (lmd_stop_is_late(loop->slowest + 2 * loop->save_seconds)) {
        stop_loop(loop, LMD_STOPPED, lmd_stop_reason());
    }
}

static lmd_status run_pack(lmd_loop *loop, int64_t number)
{
    const double start = lmd_team_clock();
    const lmd_pack *pack;
    LMD_TRY(lmd_spool_read_pack(loop->prepared->spool, number, loop->room, &pack));
    lmd_engine_run(loop->engine, pack);
    lmd_store_mark(loop->store, number);
    if (loop->packs++ == 0) {
        loop->first_memory = lmd_limits_private() - loop->own_weights;
    }
    const double seconds = lmd_team_clock() - start;
    loop->slowest = seconds > loop->slowest ? seconds : loop->slowest;
    return LMD_OK;
}

static void run_ticket(lmd_loop *loop, int64_t ticket)
{
    const int64_t end = loop->work->bounds[ticket + 1];
    for (int64_t i = loop->work->bounds[ticket]; i < end; i++) {
        tick_loop(loop);
        if (lmd_queue_is_stopped(loop->queue)) {
            return;
        }
        if (i == end - 1) {
            lmd_queue_ask(loop->queue);
        }
        if (run_pack(loop, loop->work->packs[i]) != LMD_OK) {
            stop_loop(loop, LMD_INPUT, lmd_status_message());
            return;
        }
        look_at_clock(loop);
        show_progress(loop);
    }
}

/* Collective. All packs, or as far as the ranks come before one of them must stop. */
static void run_packs(lmd_loop *loop, lmd_team *team, lmd_computed *computed)
{
    lmd_session *session = loop->session;
    const double ranks = lmd_parallel_ranks(session);
    const double turn = (1.0 + lmd_parallel_rank(session)) / ranks;
    loop->room = lmd_pack_new_room();
    lmd_progress_start(&loop->progress, "packs");
    loop->queue = lmd_queue_new(session, loop->work->n_tickets);
    lmd_team_set_tick(team, tick_loop, loop, 2.0);

    loop->start = lmd_team_clock();
    // In turns, so that the file system does not get all ranks' files at once.
    loop->next_save = loop->start + turn * loop->snapshot_seconds;
    for (int64_t ticket; (ticket = lmd_queue_next(loop->queue)) >= 0;) {
        run_ticket(loop, ticket);
    }
    const double mine = lmd_team_clock() - loop->start;
    const double last_memory =
        loop->packs > 0 ? lmd_limits_private() - loop->own_weights : 0;
    lmd_team_set_tick(team, NULL, NULL, 0.0);
    lmd_queue_free(loop->queue);
    lmd_progress_end(&loop->progress);
    lmd_pack_free_room(loop->room);

    computed->seconds = lmd_parallel_max_real(session, lmd_team_clock() - loop->start);
    computed->wait_seconds =
        computed->seconds - lmd_parallel_sum_real(session, mine) / ranks;
    computed->first_memory = lmd_parallel_max_real(session, loop->first_memory);
    computed->last_memory = lmd_parallel_max_real(session, last_memory);
}

/* Collective. After the loop: all done, or every rank saves what it has and all know why
 * not. */
static lmd_status settle(lmd_loop *loop)
{
    lmd_session *session = loop->session;
    int64_t packs = loop->packs;
    lmd_parallel_sum_int64(session, &packs, 1);
    lmd_status status = loop->message != NULL
                            ? lmd_status_set(loop->status, "%s", loop->message)
                            : LMD_OK;
    status = lmd_parallel_agree(session, status);
    const bool is_complete = packs == loop->work->n_packs;
    if (status == LMD_OK || (status == LMD_STOPPED && is_complete)) {
        return LMD_OK;
    }
    char *why = lmd_memory_copy_text(lmd_status_message());
    const lmd_status saved = lmd_parallel_agree(session, save(loop));
    if (status == LMD_STOPPED && saved == LMD_OK) {
        const int64_t before = lmd_store_before(loop->store)->packs;
        lmd_status_set(status,
                       "stopped early: %s; %lld of %lld packs are done and saved, the "
                       "same command goes on with any number of ranks",
                       why, (long long)(before + packs),
                       (long long)(before + loop->work->n_packs));
    } else if (status != LMD_STOPPED) {
        lmd_status_set(status, "%s", why);
    }
    lmd_memory_free(why);
    return status == LMD_STOPPED ? (saved == LMD_OK ? status : saved) : status;
}

/* Collective. */
static void sum_reports(lmd_session *session, const lmd_engine *engine,
                        lmd_computed *computed)
{
    const lmd_engine_report report = lmd_engine_get_report(engine);
    const double ranks = lmd_parallel_ranks(session);
    int64_t counts[] = {report.packs, report.tokens, report.positions};
    lmd_parallel_sum_int64(session, counts, 3);
    computed->packs = counts[0];
    computed->tokens = counts[1];
    computed->positions = counts[2] + lmd_store_before(computed->store)->positions;
    computed->flops = lmd_parallel_sum_real(session, report.flops);
    computed->forward_seconds =
        lmd_parallel_sum_real(session, report.forward_seconds) / ranks;
    computed->lens_seconds = lmd_parallel_sum_real(session, report.lens_seconds) / ranks;
    computed->metric_seconds =
        lmd_parallel_sum_real(session, report.metric_seconds) / ranks;
}

/* Collective. Limbs are carried before the sum, so that no limb overflows in it. The root
 * adds what earlier attempts have counted. */
static lmd_status reduce(lmd_session *session, lmd_computed *computed)
{
    const double start = lmd_team_clock();
    size_t n;
    lmd_counters_carry(computed->counters);
    int64_t *values = lmd_counters_values(computed->counters, &n);
    lmd_parallel_reduce_int64(session, values, n);
    lmd_counters_carry(computed->counters);
    const lmd_status status =
        lmd_parallel_is_root(session)
            ? lmd_store_add_base(computed->store, computed->counters)
            : LMD_OK;
    computed->reduce_seconds = lmd_team_clock() - start;
    return lmd_parallel_agree(session, status);
}

/* Collective. Peak of all ranks' threads at the same time, GFLOP/s. */
static double measure_peak(lmd_session *session, lmd_kernel *kernel)
{
    lmd_parallel_barrier(session);
    return lmd_parallel_sum_real(session, lmd_kernel_measure_peak(kernel, 100.0));
}

/* Collective. The mean of the peaks before, between and after the packs. */
static double mean_peak(const lmd_loop *loop)
{
    const double after = measure_peak(loop->session, loop->kernel);
    const double ends = (loop->peak + after) / 2;
    const double share = ends / lmd_parallel_ranks(loop->session);
    const double mine = (2 * share + loop->peaks_sum) / (2 + loop->n_peaks);
    return lmd_parallel_sum_real(loop->session, mine);
}

/* Collective. With the weights in place: all packs that are not done, and the sum. */
static lmd_status compute_packs(lmd_session *session, lmd_inputs *inputs,
                                const lmd_prepared *prepared, lmd_kernel *kernel,
                                const lmd_compute_options *options,
                                lmd_computed *computed)
{
    lmd_engine *engine = make_engine(inputs, prepared, kernel, computed);
    lmd_work work = plan_work(prepared->spool, computed->store, options->part,
                              lmd_parallel_ranks(session));
    computed->peak = measure_peak(session, kernel);
    lmd_loop loop = {
        .session = session,
        .prepared = prepared,
        .engine = engine,
        .kernel = kernel,
        .work = &work,
        .store = computed->store,
        .counters = computed->counters,
        .peak = computed->peak,
        .own_weights = computed->own_weights,
        .snapshot_seconds = options->snapshot_seconds,
    };
    run_packs(&loop, lmd_kernel_team(kernel), computed);
    lmd_status status = settle(&loop);
    if (status == LMD_OK) {
        computed->peak = mean_peak(&loop);
        sum_reports(session, engine, computed);
        lmd_store_join(computed->store);
        status = reduce(session, computed);
    }
    lmd_memory_free(loop.message);
    clear_work(&work);
    lmd_engine_free(engine);
    return status;
}

lmd_status lmd_compute(lmd_session *session, lmd_inputs *inputs,
                       const lmd_prepared *prepared, lmd_kernel *kernel,
                       const lmd_compute_options *options, lmd_computed *computed)
{
    *computed = (lmd_computed){0};
    const double start = lmd_team_clock();
    order_rows(prepared->frequency, computed);
    const lmd_metric_setup setup = lmd_compute_setup(inputs, prepared);
    const int threads = lmd_team_size(lmd_kernel_team(kernel));
    const int copies = lmd_shared_copies(session, lmd_model_bytes(inputs->model));
    LMD_TRY(lmd_parallel_agree(session,
                               check_memory(session, inputs, threads, &setup, copies)));
    LMD_TRY(lmd_parallel_agree(session, lmd_counters_new(&computed->counters, &setup)));
    lmd_store_setup store = options->store;
    store.n_packs = lmd_spool_packs(prepared->spool);
    LMD_TRY(lmd_store_open(&computed->store, session, &store, computed->counters));
    lmd_team *team = lmd_kernel_team(kernel);
    const bool is_bound = lmd_parallel_bind_team(session, team);
    lmd_shared *shared = lmd_shared_new(session, lmd_model_bytes(inputs->model));
    lmd_status status = load_weights(session, inputs->model, shared, computed->order);
    lmd_memory_trim(); // of preparing and loading; packs need nothing new from here on
    computed->load_seconds = lmd_team_clock() - start;
    computed->own_weights =
        lmd_shared_is_shared(shared) ? 0 : (double)lmd_model_bytes(inputs->model);
    if (status == LMD_OK) {
        status = compute_packs(session, inputs, prepared, kernel, options, computed);
    }
    lmd_shared_free(shared);
    if (is_bound) { // what comes later may want other threads
        lmd_parallel_release_team(session, team);
    }
    return status;
}

void lmd_computed_clear(lmd_computed *computed)
{
    lmd_counters_free(computed->counters);
    lmd_store_close(computed->store);
    lmd_memory_free(computed->order);
    lmd_memory_free(computed->places);
    lmd_memory_free(computed->band_rows);
    *computed = (lmd_computed){0};
}
