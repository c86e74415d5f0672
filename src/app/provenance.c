/* Where a result comes from: the fingerprint of all that determines it, and the result
 * file's global attributes (interface 2). Only history, date_* and lmdepth_run_* may
 * differ between two runs of one job.
 *
 * What determines a result is written down in lines. Those of the kind (model, tokenizer,
 * windows, observation, rounding) must be equal in results that are summed; those behind
 * them only say which data were observed. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app.h"

/* ---- fingerprint ---- */

static int compare_words(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The metrics' names sorted: their order changes nothing in a result. */
static void append_metrics(lmd_text *text, const char *metrics)
{
    char *copy = lmd_memory_copy_text(metrics);
    char *words[64] = {NULL};
    size_t n = 0;
    char *rest = NULL;
    for (char *word = strtok_r(copy, ", \t", &rest); word != NULL && n < 64;
         word = strtok_r(NULL, ", \t", &rest)) {
        words[n++] = word;
    }
    qsort(words, n, sizeof words[0], compare_words);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || strcmp(words[i], words[i - 1]) != 0) {
            lmd_text_append_format(text, "metric %s\n", words[i]);
        }
    }
    lmd_memory_free(copy);
}

static void append_positions(lmd_text *text, const lmd_selection *selection)
{
    switch (selection->which) {
    case LMD_WHICH_ALL:
        lmd_text_append_string(text, "positions all");
        break;
    case LMD_WHICH_LAST:
        lmd_text_append_string(text, "positions last");
        break;
    case LMD_WHICH_EVERY:
        lmd_text_append_format(text, "positions every %lld", (long long)selection->every);
        break;
    case LMD_WHICH_SAMPLE:
        lmd_text_append_format(text, "positions sample %.17g", selection->share);
        break;
    }
}

static void append_observation(lmd_text *text, const lmd_inputs *inputs)
{
    const lmd_selection *selection = &inputs->selection;
    append_positions(text, selection);
    lmd_text_append_format(text, " skip %lld folds %lld\n", (long long)selection->skip,
                           (long long)inputs->job->folds);
    for (int i = 0; i < inputs->L; i++) {
        lmd_text_append_format(text, "state %d\n", (int)inputs->states[i]);
    }
    for (int i = 0; i < inputs->job->n_lenses; i++) {
        lmd_text_append_format(text, "lens %s %s\n", lmd_lens_kind(inputs->lenses[i]),
                               lmd_lens_name(inputs->lenses[i]));
    }
    append_metrics(text, inputs->job->metrics);
}

void lmd_provenance_append_corpus(const lmd_inputs *inputs,
                                  char (*file_hashes)[LMD_SHA256_HEX], bool has_names,
                                  lmd_text *text)
{
    for (int i = 0; i < lmd_corpus_files(inputs->corpus); i++) {
        const lmd_job_source *source =
            &inputs->job->sources[lmd_corpus_file_source(inputs->corpus, i)];
        lmd_text_append_format(text, "file %s %s field %s group %s group_field %s",
                               file_hashes[i], lmd_corpus_file_format(inputs->corpus, i),
                               source->field, source->group != NULL ? source->group : "-",
                               source->group_field != NULL ? source->group_field : "-");
        if (has_names) {
            lmd_text_append_format(text, "\t%s", lmd_corpus_file(inputs->corpus, i));
        }
        lmd_text_append_string(text, "\n");
    }
}

/* The lines of the kind. */
static void append_kind(const lmd_inputs *inputs, const lmd_model_hashes *model,
                        const char *arithmetic, bool has_names, lmd_text *text)
{
    const lmd_policy *policy = &inputs->policy;
    lmd_text_append_format(text, "lmdepth %s schema %d\n", lmd_version, LMD_SCHEMA);
    lmd_text_append_format(text, "model %s config %s", model->weights, model->config);
    if (has_names) {
        lmd_text_append_format(text, "\t%s", lmd_model_weights_path(inputs->model));
    }
    lmd_text_append_string(text, "\n");
    lmd_text_append_format(text, "tokenizer %s\n",
                           inputs->tokenizer != NULL ? lmd_token_sha256(inputs->tokenizer)
                                                     : "none");
    lmd_text_append_format(text, "bos %d length %d long %s\n", policy->bos,
                           policy->length, inputs->job->when_long);
    lmd_text_append_format(text, "seed %llu pack %d\n", (unsigned long long)policy->seed,
                           policy->pack_tokens);
    append_observation(text, inputs);
    lmd_text_append_format(text, "specials %s\n", inputs->job->specials);
    lmd_text_append_format(text, "arithmetic %s\n", arithmetic);
}

static char *take_string(lmd_text *text)
{
    char *string = lmd_memory_copy_text(lmd_text_string(text));
    lmd_text_clear(text);
    return string;
}

char *lmd_provenance_kind(const lmd_inputs *inputs, const lmd_model_hashes *model,
                          const char *arithmetic)
{
    lmd_text text = {0};
    append_kind(inputs, model, arithmetic, false, &text);
    return take_string(&text);
}

char *lmd_provenance_identity(const lmd_inputs *inputs, const lmd_model_hashes *model,
                              char (*file_hashes)[LMD_SHA256_HEX], const char *arithmetic,
                              bool has_names)
{
    const lmd_policy *policy = &inputs->policy;
    const char *frequency_sha256 = inputs->frequency_sha256;
    lmd_text text = {0};
    append_kind(inputs, model, arithmetic, has_names, &text);
    lmd_text_append_format(&text, "frequency %s\n",
                           frequency_sha256[0] != '\0' ? frequency_sha256 : "corpus");
    lmd_text_append_format(&text, "sample %.17g limit %lld\n", policy->sample,
                           (long long)policy->limit);
    lmd_provenance_append_corpus(inputs, file_hashes, has_names, &text);
    return take_string(&text);
}

char *lmd_provenance_fingerprint(const char *identity)
{
    char hex[LMD_SHA256_HEX];
    lmd_sha256_of(identity, strlen(identity), hex);
    return lmd_memory_copy_text(hex);
}

char *lmd_provenance_share(const char *job_fingerprint, const char *parts)
{
    if (strcmp(parts, "0/1") == 0) {
        return lmd_memory_copy_text(job_fingerprint);
    }
    lmd_text text = {0};
    lmd_text_append_format(&text, "%s part %s\n", job_fingerprint, parts);
    char *fingerprint = lmd_provenance_fingerprint(text.bytes);
    lmd_text_clear(&text);
    return fingerprint;
}

/* ---- attributes ---- */

/* Takes over the text's content. */
static void add_text(lmd_attributes *out, const char *name, lmd_text *value)
{
    out->values[out->n] = lmd_memory_copy_text(lmd_text_string(value));
    out->list[out->n] = (lmd_attribute){.name = name, .value = out->values[out->n]};
    out->n++;
    lmd_text_clear(value);
}

__attribute__((format(printf, 3, 4))) static void
add(lmd_attributes *out, const char *name, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *value = NULL;
    if (vasprintf(&value, format, arguments) < 0) {
        lmd_log_fatal(LMD_RESOURCE, "no memory for attribute %s", name);
    }
    va_end(arguments);
    lmd_text text = {0};
    lmd_text_append_string(&text, value);
    free(value);
    add_text(out, name, &text);
}

void lmd_provenance_date(char out[32])
{
    time_t now = time(NULL);
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    int64_t seconds;
    if (epoch != NULL) {
        // To the end of the year 9999, the last that the format can write.
        if (lmd_text_to_int64(epoch, &seconds) && seconds >= 0 &&
            seconds < 253402300800) {
            now = (time_t)seconds;
        } else {
            lmd_log_warn("SOURCE_DATE_EPOCH is no time: '%s'", epoch);
        }
    }
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

/* The summary's words before the number of positions and right behind it. */
static const char summary_begin[] =
    "How a language model uses its depth: integer counters over ";
static const char summary_middle[] = " token positions";

char *lmd_provenance_resum(const char *summary, int64_t positions)
{
    const char *end = strstr(summary, summary_middle);
    lmd_text text = {0};
    lmd_text_append_format(&text, "%s%lld%s", summary_begin, (long long)positions,
                           end != NULL ? end : summary_middle);
    return take_string(&text);
}

void lmd_provenance_append_input(lmd_text *text, const char *sha256, const char *path,
                                 const char *what)
{
    lmd_text_append_format(text, "%s  ", sha256);
    for (const char *c = lmd_file_name_of(path); *c != '\0'; c++) {
        // A line a file, whatever its name.
        lmd_text_append(text, *c == '\n' || *c == '\r' ? "?" : c, 1);
    }
    lmd_text_append_format(text, "%s\n", what);
}

static void add_inputs(lmd_attributes *out, const lmd_provenance *p)
{
    const lmd_inputs *inputs = p->inputs;
    lmd_text text = {0};
    for (int i = 0; i < lmd_corpus_files(inputs->corpus); i++) {
        lmd_provenance_append_input(&text, p->prepared->file_hashes[i],
                                    lmd_corpus_file(inputs->corpus, i), "");
    }
    if (p->model_hashes->config[0] != '\0') {
        lmd_provenance_append_input(&text, p->model_hashes->config,
                                    lmd_model_config_path(inputs->model), " (model)");
    }
    if (inputs->tokenizer != NULL) {
        lmd_provenance_append_input(&text, lmd_token_sha256(inputs->tokenizer),
                                    lmd_token_path(inputs->tokenizer), " (tokenizer)");
    }
    if (inputs->frequency_sha256[0] != '\0') {
        lmd_provenance_append_input(&text, inputs->frequency_sha256,
                                    inputs->job->frequency_from, " (frequency)");
    }
    add_text(out, "lmdepth_inputs", &text);
}

static void add_conventions(lmd_attributes *out, const lmd_provenance *p)
{
    const int bos = p->inputs->policy.bos;
    char bos_text[48] = "none is added";
    if (bos >= 0) {
        snprintf(bos_text, sizeof bos_text, "id %d before every window", bos);
    }
    add(out, "lmdepth_conventions",
        "state 0 is the embedding output, state l the residual stream after block l, "
        "before "
        "the final norm; a lens decodes a state through the model's final norm (weight "
        "and "
        "epsilon) and its unembedding, all rows of it; BOS: %s; argmax takes the lowest "
        "id "
        "of equals; rank = 1 + number of strictly larger logits; entropies and "
        "divergences "
        "in nats; frequency rank 1 is the most frequent id, equal counts in order of id, "
        "special tokens %s",
        bos_text, strcmp(p->inputs->job->specials, "keep") == 0 ? "kept" : "unranked");
}

static void add_run(lmd_attributes *out, const lmd_provenance *p)
{
    const lmd_computed *computed = p->computed;
    const double gflops = computed->flops / computed->seconds / 1e9;
    add(out, "lmdepth_run_ranks", "%d", lmd_parallel_ranks(p->session));
    add(out, "lmdepth_run_threads", "%d", p->threads);
    add(out, "lmdepth_run_nodes", "%d", lmd_parallel_nodes(p->session));
    add(out, "lmdepth_run_mpi", "%s", lmd_parallel_library(p->session));
    add(out, "lmdepth_run_command", "%s", p->command_line);
    add(out, "lmdepth_run_work",
        "%s: %.1f s preparing, %.1f s loading, %.1f s computing, "
        "%.1f s reducing",
        p->prepared->was_reused ? "spool used again" : "spool made", p->prepared->seconds,
        computed->load_seconds, computed->seconds, computed->reduce_seconds);
    add(out, "lmdepth_run_speed",
        "%.2f tokens/s, %.1f GFLOP/s, %.1f %% of the peak of %.1f",
        (double)computed->tokens / computed->seconds, gflops,
        100.0 * gflops / computed->peak, computed->peak);
    add(out, "lmdepth_run_attempts", "%d", lmd_store_attempt(computed->store));
    add(out, "lmdepth_run_resumed", "%lld of %lld packs from earlier attempts",
        (long long)lmd_store_before(computed->store)->packs,
        (long long)(lmd_store_before(computed->store)->packs + computed->packs));
}

/* A line for each attempt, the newest first as is the custom. */
static void add_history(lmd_attributes *out, const lmd_provenance *p, const char *date)
{
    lmd_text text = {0};
    lmd_text_append_format(&text, "%s: %s", date, p->command_line);
    const char *story = lmd_store_story(p->computed->store);
    for (const char *end = story + strlen(story); end > story;) {
        const char *line = end;
        while (line > story && line[-1] != '\n') {
            line--;
        }
        lmd_text_append_format(&text, "\n%.*s", (int)(end - line), line);
        end = line > story ? line - 1 : line;
    }
    add_text(out, "history", &text);
}

void lmd_provenance_attributes(const lmd_provenance *p, lmd_attributes *out)
{
    const lmd_inputs *inputs = p->inputs;
    const lmd_model_shape *shape = lmd_model_get_shape(inputs->model);
    const char *model_name = lmd_file_name_of(lmd_model_weights_path(inputs->model));
    char date[32];
    lmd_provenance_date(date);
    out->n = 0;
    add(out, "Conventions", "CF-1.11, ACDD-1.3");
    add(out, "title", "%s",
        inputs->job->title != NULL && inputs->job->title[0] != '\0' ? inputs->job->title
                                                                    : "lmdepth result");
    add(out, "summary", "%s%lld%s of %s, decoded at %d states of its residual stream.",
        summary_begin, (long long)p->computed->positions, summary_middle, model_name,
        inputs->L);
    add(out, "keywords", "language model, residual stream, logit lens, depth");
    add_history(out, p, date);
    add(out, "date_created", "%s", date);
    add(out, "source", "lmdepth %s", lmd_version);
    add(out, "references", "arXiv:2510.18871; arXiv:2412.09563");
    add(out, "lmdepth_schema", "%d", LMD_SCHEMA);
    add(out, "lmdepth_version", "%s (%s)", lmd_version, lmd_revision);
    lmd_text job = {0};
    lmd_job_write(inputs->job, &job);
    add_text(out, "lmdepth_job", &job);
    add(out, "lmdepth_model", "%s  %s (%s; %s, %d blocks, d %d, %d ids)",
        p->model_hashes->weights, model_name, lmd_model_describe(inputs->model),
        shape->family, shape->N, shape->d, shape->V);
    add_inputs(out, p);
    add_conventions(out, p);
    add(out, "lmdepth_arithmetic", "%s", p->arithmetic);
    char *kind = lmd_provenance_kind(inputs, p->model_hashes, p->arithmetic);
    add(out, "lmdepth_identity", "%s", kind);
    lmd_memory_free(kind);
    add(out, "lmdepth_part", "%d/%d", p->part.part, p->part.parts);
    add(out, "lmdepth_job_fingerprint", "%s", p->job_fingerprint);
    add(out, "lmdepth_fingerprint", "%s", p->fingerprint);
    add_run(out, p);
}

void lmd_attributes_clear(lmd_attributes *attributes)
{
    for (int i = 0; i < attributes->n; i++) {
        lmd_memory_free(attributes->values[i]);
    }
    attributes->n = 0;
}
