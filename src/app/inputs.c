/* Opens everything that a job names, in the order in which people think of it, and
 * settles the values that depend on two inputs at once (BOS, window length, states). */

#include <stdlib.h>
#include <string.h>

#include "app.h"

/* ---- model and tokenizer ---- */

static bool is_bf16(const lmd_inputs *inputs)
{
    return strcmp(inputs->job->precision, "bf16") == 0;
}

lmd_kernel *lmd_inputs_new_kernel(const lmd_inputs *inputs, lmd_team *team)
{
    const int max_C = lmd_model_get_shape(inputs->model)->max_C;
    return is_bf16(inputs) ? lmd_kernel_new_bf16(team, max_C)
                           : lmd_kernel_new(team, max_C);
}

lmd_status lmd_inputs_check_kernel(const lmd_job_arguments *arguments)
{
    lmd_job *job = NULL;
    lmd_status status = LMD_OK; // what is wrong with the job is said when MPI runs
    if (lmd_job_read(&job, arguments->job, arguments->overrides,
                     arguments->n_overrides) == LMD_OK) {
        status = lmd_kernel_check_choice(strcmp(job->precision, "bf16") == 0);
    }
    lmd_job_free(job);
    return status;
}

static lmd_status open_model(lmd_inputs *inputs)
{
    const lmd_job *job = inputs->job;
    const lmd_status status = lmd_locate_model(&inputs->model, job->model_path);
    if (status == LMD_USAGE) {
        return lmd_status_within(status, "%s: model.path",
                                 lmd_job_where(job, "model.path"));
    }
    if (status == LMD_OK && is_bf16(inputs)) {
        lmd_model_use_bf16(inputs->model);
    }
    return status;
}

static bool is_every_source_ids(const lmd_corpus *corpus)
{
    for (int i = 0; i < lmd_corpus_files(corpus); i++) {
        if (strcmp(lmd_corpus_file_format(corpus, i), "ids") != 0) {
            return false;
        }
    }
    return true;
}

/* A corpus of ids needs no tokenizer, but uses one that is there: for what is special. */
static lmd_status open_tokenizer(lmd_inputs *inputs)
{
    const lmd_job *job = inputs->job;
    const bool is_auto = strcmp(job->tokenizer, "auto") == 0;
    const lmd_status status =
        is_auto ? lmd_locate_tokenizer(&inputs->tokenizer, job->model_path, inputs->model)
                : lmd_locate_tokenizer(&inputs->tokenizer, job->tokenizer, NULL);
    if (status == LMD_OK) {
        return status;
    }
    if (is_auto && is_every_source_ids(inputs->corpus)) {
        inputs->tokenizer = NULL;
        return LMD_OK;
    }
    return status == LMD_USAGE ? lmd_status_within(status, "%s: model.tokenizer",
                                                   lmd_job_where(job, "model.tokenizer"))
                               : status;
}

static lmd_status open_corpus(lmd_inputs *inputs)
{
    const lmd_job *job = inputs->job;
    lmd_source *sources = lmd_memory_new((size_t)job->n_sources, sizeof *sources);
    for (int i = 0; i < job->n_sources; i++) {
        sources[i] = (lmd_source){
            .path = job->sources[i].path,
            .format = job->sources[i].format,
            .field = job->sources[i].field,
            .group = job->sources[i].group,
            .group_field = job->sources[i].group_field,
            .where = job->sources[i].where,
        };
    }
    const lmd_status status = lmd_corpus_open(&inputs->corpus, sources, job->n_sources);
    lmd_memory_free(sources);
    return status;
}

static lmd_status open_lenses(lmd_inputs *inputs)
{
    const lmd_job *job = inputs->job;
    inputs->lenses = lmd_memory_new((size_t)job->n_lenses, sizeof *inputs->lenses);
    for (int i = 0; i < job->n_lenses; i++) {
        const lmd_job_lens *lens = &job->lenses[i];
        LMD_TRY(lmd_status_within(lmd_lens_open(&inputs->lenses[i], lens->kind,
                                                lens->path, lens->name, inputs->model),
                                  "%s: observe.lenses",
                                  lens->where != NULL ? lens->where : job->path));
        for (int j = 0; j < i; j++) {
            const char *name = lmd_lens_name(inputs->lenses[i]);
            if (strcmp(name, lmd_lens_name(inputs->lenses[j])) == 0) {
                return lmd_status_set(
                    LMD_USAGE,
                    "%s: observe.lenses: two lenses are called '%s'; give "
                    "one another name",
                    job->path, name);
            }
        }
    }
    return LMD_OK;
}

/* ---- values that depend on two inputs ---- */

static lmd_status choose_bos(lmd_inputs *inputs)
{
    const lmd_job *job = inputs->job;
    const lmd_tokenizer *tokenizer = inputs->tokenizer;
    const int config_bos = lmd_model_get_shape(inputs->model)->bos;
    const int token_bos = tokenizer != NULL ? lmd_token_bos(tokenizer) : -1;
    const int bos = token_bos >= 0 ? token_bos : config_bos;
    const bool is_added = strcmp(job->bos, "always") == 0 ||
                          (strcmp(job->bos, "auto") == 0 && tokenizer != NULL &&
                           lmd_token_adds_bos(tokenizer));
    inputs->policy.bos = is_added ? bos : -1;
    if (is_every_source_ids(inputs->corpus)) {
        inputs->policy.bos = -1; // ids are used as they are
        return LMD_OK;
    }
    if (is_added && bos < 0) {
        return lmd_status_set(
            LMD_USAGE,
            "%s: prompts.bos: %s: neither tokenizer nor config names a BOS "
            "token; never is possible",
            lmd_job_where(job, "prompts.bos"), job->bos);
    }
    if (is_added && bos >= lmd_model_get_shape(inputs->model)->V) {
        return lmd_status_set(LMD_INPUT,
                              "BOS id %d is outside the model's vocabulary of %d", bos,
                              lmd_model_get_shape(inputs->model)->V);
    }
    return LMD_OK;
}

static lmd_status choose_length(lmd_inputs *inputs)
{
    const lmd_job *job = inputs->job;
    const int64_t context = lmd_model_get_shape(inputs->model)->context;
    const char *where = lmd_job_where(job, "prompts.length");
    int64_t length = job->length;
    if (length == 0) {
        length = context > 0 && context < job->pack_tokens ? context : job->pack_tokens;
    }
    if (context > 0 && length > context) {
        return lmd_status_set(
            LMD_USAGE, "%s: prompts.length: %lld is beyond the model's context of %lld",
            where, (long long)length, (long long)context);
    }
    if (length > job->pack_tokens) {
        return lmd_status_set(LMD_USAGE,
                              "%s: prompts.length: a window of %lld tokens does not fit "
                              "run.pack_tokens, %lld: make prompts.length smaller or "
                              "run.pack_tokens larger",
                              where, (long long)length, (long long)job->pack_tokens);
    }
    if (inputs->policy.bos >= 0 && length == 1) {
        return lmd_status_set(
            LMD_USAGE, "%s: prompts.length: 1 leaves no room beside the BOS", where);
    }
    if (job->skip >= length) {
        return lmd_status_set(
            LMD_USAGE, "%s: observe.skip: %lld leaves nothing of a window of %lld",
            lmd_job_where(job, "observe.skip"), (long long)job->skip, (long long)length);
    }
    inputs->policy.length = (int)length;
    return LMD_OK;
}

static lmd_long when_long(const char *word)
{
    static const char *const words[] = {
        [LMD_LONG_SPLIT] = "split",
        [LMD_LONG_HEAD] = "head",
        [LMD_LONG_TAIL] = "tail",
        [LMD_LONG_SKIP] = "skip",
    };
    for (int i = 0; i < (int)(sizeof words / sizeof words[0]); i++) {
        if (strcmp(word, words[i]) == 0) {
            return (lmd_long)i;
        }
    }
    return LMD_LONG_SPLIT; // the job's table of keys has checked the word
}

static lmd_status choose_policy(lmd_inputs *inputs)
{
    const lmd_job *job = inputs->job;
    LMD_TRY(choose_bos(inputs));
    LMD_TRY(choose_length(inputs));
    inputs->policy.when_long = when_long(job->when_long);
    inputs->policy.sample = job->sample;
    inputs->policy.limit = job->limit;
    inputs->policy.seed = (uint64_t)job->seed;
    inputs->policy.pack_tokens = (int)job->pack_tokens;
    inputs->policy.V = lmd_model_get_shape(inputs->model)->V;
    return LMD_OK;
}

static lmd_status choose_observation(lmd_inputs *inputs)
{
    const lmd_job *job = inputs->job;
    const int N = lmd_model_get_shape(inputs->model)->N;
    lmd_positions positions;
    LMD_TRY(lmd_status_within(lmd_job_parse_positions(job->positions, &positions),
                              "%s: observe.positions",
                              lmd_job_where(job, "observe.positions")));
    inputs->selection = (lmd_selection){
        .which = (lmd_which)positions.kind,
        .every = positions.every,
        .share = positions.share,
        .skip = job->skip,
        .seed = (uint64_t)job->seed,
    };
    inputs->states = lmd_memory_new((size_t)N + 1, sizeof *inputs->states);
    LMD_TRY(lmd_status_within(
        lmd_job_parse_states(job->states, N, inputs->states, &inputs->L),
        "%s: observe.states", lmd_job_where(job, "observe.states")));
    return lmd_status_within(lmd_counters_wants(job->metrics, &inputs->wants),
                             "%s: observe.metrics",
                             lmd_job_where(job, "observe.metrics"));
}

/* Read at once, so that a bad file is found before any work. */
static lmd_status open_frequency(lmd_inputs *inputs)
{
    const char *from = inputs->job->frequency_from;
    if (strcmp(from, "corpus") == 0) {
        return LMD_OK;
    }
    const int V = lmd_model_get_shape(inputs->model)->V;
    inputs->frequency_counts =
        lmd_memory_new((size_t)V, sizeof *inputs->frequency_counts);
    const lmd_status status =
        lmd_frequency_read(from, V, inputs->frequency_counts, inputs->frequency_sha256);
    return status == LMD_USAGE
               ? lmd_status_within(status, "%s: frequency.from",
                                   lmd_job_where(inputs->job, "frequency.from"))
               : status;
}

/* ---- all of it ---- */

lmd_status lmd_inputs_open(lmd_inputs *inputs, const lmd_job_arguments *arguments)
{
    *inputs = (lmd_inputs){0};
    LMD_TRY(lmd_job_read(&inputs->job, arguments->job, arguments->overrides,
                         arguments->n_overrides));
    LMD_TRY(open_model(inputs));
    LMD_TRY(open_corpus(inputs));
    LMD_TRY(open_tokenizer(inputs));
    LMD_TRY(open_frequency(inputs));
    LMD_TRY(choose_policy(inputs));
    LMD_TRY(choose_observation(inputs));
    return open_lenses(inputs);
}

void lmd_inputs_clear(lmd_inputs *inputs)
{
    for (int i = 0; inputs->lenses != NULL && i < inputs->job->n_lenses; i++) {
        lmd_lens_close(inputs->lenses[i]);
    }
    lmd_memory_free(inputs->lenses);
    lmd_memory_free(inputs->states);
    lmd_memory_free(inputs->frequency_counts);
    lmd_corpus_close(inputs->corpus);
    lmd_token_close(inputs->tokenizer);
    lmd_model_close(inputs->model);
    lmd_job_free(inputs->job);
    *inputs = (lmd_inputs){0};
}
