/* Spool to counters: weights into node-shared memory, an engine on every rank, packs by
 * ticket, one reduction. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* Do the counters of all ranks of the node fit its memory? What they need is known only
 * now that the groups are. */
static lmd_status check_memory(const lmd_session *session, const lmd_metric_setup *setup)
{
    size_t bytes;
    LMD_TRY(lmd_counters_bytes(setup, &bytes));
    const double all = (double)bytes * lmd_parallel_node_ranks(session);
    const double memory = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    if (all > memory) {
        return lmd_status_set(
            LMD_RESOURCE,
            "the counters need %.1f GB a rank (%d groups, %d folds), more "
            "than this node has for its ranks: ask for fewer groups, folds "
            "or metrics",
            (double)bytes / 1e9, setup->groups, setup->folds);
    }
    return LMD_OK;
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
    double tokens;
} lmd_work;

static lmd_work plan_work(const lmd_spool *spool, lmd_part part, int ranks)
{
    const int64_t all = lmd_spool_packs(spool);
    lmd_work work = {0};
    work.packs = lmd_memory_new((size_t)all, sizeof *work.packs);
    work.bounds = lmd_memory_new((size_t)all + 1, sizeof *work.bounds);
    double *costs = lmd_memory_new((size_t)all, sizeof *costs);
    for (int64_t p = 0; p < all; p++) {
        if (lmd_spool_pack_chunk(spool, p) % part.parts == part.part) {
            costs[work.n_packs] = lmd_spool_pack_tokens(spool, p);
            work.tokens += costs[work.n_packs];
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

/* Root: packs given away to all ranks; speed as the root's own, times the ranks. */
static void show_progress(lmd_session *session, lmd_progress *progress,
                          const lmd_engine *engine, const lmd_work *work,
                          const lmd_queue *queue, double peak, double start)
{
    if (!lmd_parallel_is_root(session)) {
        return;
    }
    const lmd_engine_report report = lmd_engine_get_report(engine);
    const double seconds = lmd_team_clock() - start;
    const int ranks = lmd_parallel_ranks(session);
    lmd_progress_show(progress, (double)work->bounds[lmd_queue_given(queue)],
                      (double)work->n_packs, (double)report.tokens * ranks / seconds,
                      report.flops * ranks / seconds / (peak * 1e9));
}

static lmd_status run_ticket(const lmd_spool *spool, const lmd_work *work, int64_t ticket,
                             lmd_engine *engine, lmd_pack_room *room)
{
    for (int64_t i = work->bounds[ticket]; i < work->bounds[ticket + 1]; i++) {
        const lmd_pack *pack;
        LMD_TRY(lmd_spool_read_pack(spool, work->packs[i], room, &pack));
        lmd_engine_run(engine, pack);
    }
    return LMD_OK;
}

/* Collective. A pack that can't be read ends all ranks at once: its work can't be done.
 */
static void run_packs(lmd_session *session, const lmd_prepared *prepared,
                      lmd_kernel *kernel, lmd_engine *engine, const lmd_work *work,
                      lmd_computed *computed)
{
    lmd_team *team = lmd_kernel_team(kernel);
    lmd_pack_room *room = lmd_pack_new_room();
    lmd_progress progress;
    lmd_progress_start(&progress, "packs");
    lmd_queue *queue = lmd_queue_new(session, work->n_tickets);
    lmd_team_set_tick(team, lmd_queue_tick, queue, 2.0);

    const double start = lmd_team_clock();
    for (int64_t ticket; (ticket = lmd_queue_next(queue)) >= 0;) {
        const lmd_status status = run_ticket(prepared->spool, work, ticket, engine, room);
        if (status != LMD_OK) {
            lmd_log_fatal((int)status,
                          "%s; without its work folder the run prepares anew",
                          lmd_status_message());
        }
        show_progress(session, &progress, engine, work, queue, computed->peak, start);
    }
    const double mine = lmd_team_clock() - start;
    lmd_team_set_tick(team, NULL, NULL, 0.0);
    lmd_queue_free(queue);
    lmd_progress_end(&progress);
    lmd_pack_free_room(room);

    computed->seconds = lmd_parallel_max_real(session, lmd_team_clock() - start);
    const double ranks = lmd_parallel_ranks(session);
    computed->wait_seconds =
        computed->seconds - lmd_parallel_sum_real(session, mine) / ranks;
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
    computed->positions = counts[2];
    computed->flops = lmd_parallel_sum_real(session, report.flops);
    computed->forward_seconds =
        lmd_parallel_sum_real(session, report.forward_seconds) / ranks;
    computed->lens_seconds = lmd_parallel_sum_real(session, report.lens_seconds) / ranks;
    computed->metric_seconds =
        lmd_parallel_sum_real(session, report.metric_seconds) / ranks;
}

/* Collective. Limbs are carried before the sum, so that no limb overflows in it. */
static void reduce(lmd_session *session, lmd_computed *computed)
{
    const double start = lmd_team_clock();
    size_t n;
    lmd_counters_carry(computed->counters);
    int64_t *values = lmd_counters_values(computed->counters, &n);
    lmd_parallel_reduce_int64(session, values, n);
    lmd_counters_carry(computed->counters);
    computed->reduce_seconds = lmd_team_clock() - start;
}

/* Collective. Peak of all ranks' threads at the same time, GFLOP/s. */
static double measure_peak(lmd_session *session, lmd_kernel *kernel)
{
    lmd_parallel_barrier(session);
    return lmd_parallel_sum_real(session, lmd_kernel_measure_peak(kernel, 100.0));
}

lmd_status lmd_compute(lmd_session *session, lmd_inputs *inputs,
                       const lmd_prepared *prepared, lmd_kernel *kernel, lmd_part part,
                       lmd_computed *computed)
{
    *computed = (lmd_computed){0};
    const double start = lmd_team_clock();
    order_rows(prepared->frequency, computed);
    const lmd_metric_setup setup = lmd_compute_setup(inputs, prepared);
    LMD_TRY(lmd_parallel_agree(session, check_memory(session, &setup)));
    LMD_TRY(lmd_parallel_agree(session, lmd_counters_new(&computed->counters, &setup)));
    lmd_shared *shared = lmd_shared_new(session, lmd_model_bytes(inputs->model));
    const lmd_status status =
        load_weights(session, inputs->model, shared, computed->order);
    computed->load_seconds = lmd_team_clock() - start;
    if (status == LMD_OK) {
        lmd_engine *engine = make_engine(inputs, prepared, kernel, computed);
        lmd_work work = plan_work(prepared->spool, part, lmd_parallel_ranks(session));
        computed->peak = measure_peak(session, kernel);
        run_packs(session, prepared, kernel, engine, &work, computed);
        computed->peak = (computed->peak + measure_peak(session, kernel)) / 2;
        sum_reports(session, engine, computed);
        reduce(session, computed);
        clear_work(&work);
        lmd_engine_free(engine);
    }
    lmd_shared_free(shared);
    return status;
}

void lmd_computed_clear(lmd_computed *computed)
{
    lmd_counters_free(computed->counters);
    lmd_memory_free(computed->order);
    lmd_memory_free(computed->places);
    lmd_memory_free(computed->band_rows);
    *computed = (lmd_computed){0};
}
