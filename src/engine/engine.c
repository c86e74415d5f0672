/* One pack: forward, decode in super-blocks of positions, observe. The order of positions
 * is that of the pack, but nothing depends on it: counters are sums of integers. */

#include <string.h>

#include <lmdepth/base/memory.h>
#include <lmdepth/base/team.h>
#include <lmdepth/engine.h>

struct lmd_engine {
    lmd_engine_setup setup;
    lmd_decoder *decoder; /* owned */
    int L, n_bands;
    const int32_t *observed; /* (L) borrowed from the counters' setup */
    int folds;

    /* Owned. */
    float *states;         /* (N + 1, pack_tokens, d) */
    void *work;            /* scratch of the forward pass */
    int32_t *positions;    /* (pack_tokens) observed rows of the pack */
    int32_t *gold;         /* (pack_tokens) their gold ids, -1 for none */
    int32_t *prompt_of;    /* (pack_tokens) their prompts */
    lmd_readout *readouts; /* (L, LMD_DECODE_TOKENS) as decoded */
    double *mass;          /* (L, LMD_DECODE_TOKENS, n_bands), NULL unless wanted */
    lmd_readout *column;   /* (L) one position's */
    double *column_mass;   /* (L, n_bands) */

    lmd_engine_report report;
};

/* ---- life ---- */

lmd_engine *lmd_engine_new(const lmd_engine_setup *setup)
{
    const lmd_model_shape *shape = lmd_model_get_shape(setup->model);
    const lmd_metric_setup *metrics = lmd_counters_setup(setup->counters);
    lmd_engine *engine = lmd_memory_new(1, sizeof *engine);
    engine->setup = *setup;
    engine->L = metrics->L;
    engine->n_bands = metrics->n_bands;
    engine->observed = metrics->states;
    engine->folds = metrics->folds;
    engine->decoder =
        lmd_decoder_new(setup->kernel, &setup->head, engine->L, setup->wants);

    const size_t T = (size_t)setup->pack_tokens;
    const size_t cells = (size_t)engine->L * LMD_DECODE_TOKENS;
    const size_t bands = (size_t)engine->n_bands;
    engine->states = lmd_memory_new_aligned((size_t)(shape->N + 1) * T * (size_t)shape->d,
                                            sizeof *engine->states);
    engine->work =
        lmd_memory_new_aligned(lmd_model_work_bytes(setup->model, setup->pack_tokens), 1);
    engine->positions = lmd_memory_new(T, sizeof *engine->positions);
    engine->gold = lmd_memory_new(T, sizeof *engine->gold);
    engine->prompt_of = lmd_memory_new(T, sizeof *engine->prompt_of);
    engine->readouts = lmd_memory_new(cells, sizeof *engine->readouts);
    engine->column = lmd_memory_new((size_t)engine->L, sizeof *engine->column);
    if (setup->wants & LMD_DECODE_MASS) {
        engine->mass = lmd_memory_new(cells * bands, sizeof *engine->mass);
        engine->column_mass =
            lmd_memory_new((size_t)engine->L * bands, sizeof *engine->column_mass);
    }
    return engine;
}

void lmd_engine_free(lmd_engine *engine)
{
    if (engine == NULL) {
        return;
    }
    lmd_decoder_free(engine->decoder);
    lmd_memory_free(engine->states);
    lmd_memory_free(engine->work);
    lmd_memory_free(engine->positions);
    lmd_memory_free(engine->gold);
    lmd_memory_free(engine->prompt_of);
    lmd_memory_free(engine->readouts);
    lmd_memory_free(engine->mass);
    lmd_memory_free(engine->column);
    lmd_memory_free(engine->column_mass);
    lmd_memory_free(engine);
}

size_t lmd_engine_bytes(const lmd_model_shape *shape, size_t work_bytes, int pack_tokens,
                        int L, int n_bands, int n_threads)
{
    const size_t T = (size_t)pack_tokens;
    const size_t states = (size_t)(shape->N + 1) * T * (size_t)shape->d * sizeof(float);
    const size_t cells = (size_t)L * LMD_DECODE_TOKENS;
    const size_t readouts =
        cells * (sizeof(lmd_readout) + (size_t)n_bands * sizeof(double));
    const size_t decode =
        lmd_decoder_bytes(shape->d, shape->V, n_bands, n_threads, shape->max_C);
    return states + work_bytes + readouts + decode + 3 * T * sizeof(int32_t);
}

/* ---- a pack ---- */

/* Lists the observed positions; returns how many. */
static int select_positions(lmd_engine *engine, const lmd_pack *pack)
{
    int n = 0;
    for (int p = 0; p < pack->n_prompts; p++) {
        const lmd_prompt *prompt = &pack->prompts[p];
        const int first = pack->starts[p];
        const int length = pack->starts[p + 1] - first;
        for (int i = 0; i < length; i++) {
            if (!lmd_engine_is_observed(&engine->setup.selection, prompt, i, length)) {
                continue;
            }
            engine->positions[n] = first + i;
            engine->gold[n] =
                i + 1 < length ? (int32_t)pack->ids[first + i + 1] : prompt->next;
            engine->prompt_of[n] = p;
            n++;
        }
    }
    return n;
}

/* Gathers position s of a decoded super-block of S into the engine's column. */
static void gather_column(lmd_engine *engine, int s, int S)
{
    const size_t bands = (size_t)engine->n_bands;
    for (int l = 0; l < engine->L; l++) {
        const size_t cell = (size_t)l * (size_t)S + (size_t)s;
        engine->column[l] = engine->readouts[cell];
        if (engine->mass != NULL) {
            memcpy(engine->column_mass + (size_t)l * bands, engine->mass + cell * bands,
                   bands * sizeof *engine->mass);
        }
    }
}

/* Adds positions [first, first + S), decoded through lens number `lens`. */
static void observe(lmd_engine *engine, const lmd_pack *pack, int lens, int first, int S)
{
    for (int s = 0; s < S; s++) {
        const lmd_prompt *prompt = &pack->prompts[engine->prompt_of[first + s]];
        gather_column(engine, s, S);
        const lmd_observation observation = {
            .fold =
                lmd_engine_fold(engine->setup.selection.seed, prompt->key, engine->folds),
            .group = prompt->group,
            .lens = lens,
            .final_id = engine->column[engine->L - 1].top1,
            .gold_id = engine->gold[first + s],
            .readouts = engine->column,
            .mass = engine->column_mass,
        };
        lmd_metric_observe(engine->setup.counters, &observation);
    }
}

static void read_super_block(lmd_engine *engine, const lmd_pack *pack, int lens,
                             int first, int S)
{
    const lmd_lens_view view = {
        .states = engine->states,
        .T = pack->T,
        .positions = engine->positions + first,
        .gold = engine->gold + first,
        .S = S,
        .observed = engine->observed,
        .L = engine->L,
    };
    const double start = lmd_team_clock();
    lmd_lens_decode(engine->setup.lenses[lens], engine->decoder, &view, engine->readouts,
                    engine->mass);
    const double decoded = lmd_team_clock();
    observe(engine, pack, lens, first, S);
    lmd_team_tick(lmd_kernel_team(engine->setup.kernel));
    engine->report.lens_seconds += decoded - start;
    engine->report.metric_seconds += lmd_team_clock() - decoded;
    engine->report.flops +=
        (double)S * engine->L * lmd_lens_flops(engine->setup.lenses[lens]);
}

void lmd_engine_run(lmd_engine *engine, const lmd_pack *pack)
{
    const lmd_engine_setup *setup = &engine->setup;
    const lmd_batch batch = {
        .T = pack->T,
        .n_prompts = pack->n_prompts,
        .ids = pack->ids,
        .starts = pack->starts,
    };
    engine->report.packs++;
    const int n = select_positions(engine, pack);
    if (n == 0) {
        return; // nobody wants its states
    }
    engine->report.tokens += pack->T;
    const double start = lmd_team_clock();
    lmd_model_forward(setup->model, setup->kernel, &batch, engine->work, engine->states);
    engine->report.forward_seconds += lmd_team_clock() - start;
    engine->report.flops += lmd_model_flops(setup->model, pack->starts, pack->n_prompts);
    engine->report.positions += n;
    for (int lens = 0; lens < setup->n_lenses; lens++) {
        for (int first = 0; first < n; first += LMD_DECODE_TOKENS) {
            const int left = n - first;
            read_super_block(engine, pack, lens, first,
                             left < LMD_DECODE_TOKENS ? left : LMD_DECODE_TOKENS);
        }
    }
    lmd_counters_carry(setup->counters);
}

lmd_engine_report lmd_engine_get_report(const lmd_engine *engine)
{
    return engine->report;
}
