/* What will run, for people: the first lines of a run, and what `check` prints. */

#include <stdio.h>
#include <string.h>

#include "app.h"

static void append_model(lmd_text *out, const lmd_inputs *inputs)
{
    const lmd_model_shape *shape = lmd_model_get_shape(inputs->model);
    lmd_text_append_format(out,
                           "model       %s: %s, %d blocks, d %d, %d ids, %.1f M "
                           "parameters (%s)\n",
                           lmd_file_name_of(lmd_model_weights_path(inputs->model)),
                           shape->family, shape->N, shape->d, shape->V,
                           (double)shape->parameters / 1e6,
                           lmd_model_describe(inputs->model));
}

static void append_tokens(lmd_text *out, const lmd_inputs *inputs)
{
    const lmd_policy *policy = &inputs->policy;
    lmd_text_append_format(out, "tokens      %s; ",
                           inputs->tokenizer != NULL
                               ? lmd_token_describe(inputs->tokenizer)
                               : "ids as they are");
    if (policy->bos >= 0) {
        lmd_text_append_format(out, "BOS %d before each window", policy->bos);
    } else {
        lmd_text_append_string(out, "no BOS");
    }
    lmd_text_append_format(out, "; windows of %d, longer records: %s; packs of %d\n",
                           policy->length, inputs->job->when_long, policy->pack_tokens);
}

void lmd_plan_append_lost_ids(const lmd_inputs *inputs, const char *title, lmd_text *out)
{
    const int V = inputs->policy.V;
    const int n_ids = inputs->tokenizer != NULL ? lmd_token_vocab(inputs->tokenizer) : 0;
    if (n_ids > V) {
        lmd_text_append_format(out,
                               "%sthe tokenizer has %d ids, the model rows for %d: "
                               "records with an id from %d on are left out (fate id)\n",
                               title, n_ids, V, V);
    }
}

static void append_corpus(lmd_text *out, const lmd_inputs *inputs)
{
    const int files = lmd_corpus_files(inputs->corpus);
    double bytes = 0;
    for (int i = 0; i < files; i++) {
        bytes += (double)lmd_corpus_file_bytes(inputs->corpus, i);
    }
    lmd_text_append_format(out, "corpus      %d file%s, ", files, files == 1 ? "" : "s");
    lmd_text_append_size(out, bytes);
    lmd_text_append_string(out, " as stored\n");
}

static void append_observed(lmd_text *out, const lmd_inputs *inputs)
{
    const lmd_job *job = inputs->job;
    lmd_text_append_format(out, "observe     positions %s, %d of %d states, lenses",
                           job->positions, inputs->L,
                           lmd_model_get_shape(inputs->model)->N + 1);
    for (int i = 0; i < job->n_lenses; i++) {
        lmd_text_append_format(out, " %s", lmd_lens_name(inputs->lenses[i]));
    }
    lmd_text_append_format(out, ", metrics %s, %lld fold%s\n", job->metrics,
                           (long long)job->folds, job->folds == 1 ? "" : "s");
}

lmd_memory_plan lmd_plan_memory(const lmd_inputs *inputs, int threads, int n_groups)
{
    const int n_bands = lmd_frequency_count_bands(inputs->policy.V);
    const lmd_model_shape *shape = lmd_model_get_shape(inputs->model);
    const int32_t edges[2] = {0, 1};
    const lmd_metric_setup setup = {
        .folds = (int)inputs->job->folds,
        .groups = n_groups,
        .lenses = inputs->job->n_lenses,
        .L = inputs->L,
        .states = inputs->states,
        .N = shape->N,
        .V = shape->V,
        .n_bands = n_bands,
        .band_edges = edges,
        .metrics = inputs->job->metrics,
    };
    size_t counters = 0;
    if (lmd_counters_bytes(&setup, &counters) != LMD_OK) {
        counters = 0; // the metrics' names were checked when the job was opened
    }
    const int T = inputs->policy.pack_tokens;
    return (lmd_memory_plan){
        .weights = (double)lmd_model_bytes(inputs->model),
        .counters = (double)counters,
        .engine = (double)lmd_engine_bytes(shape, lmd_model_work_bytes(inputs->model, T),
                                           T, inputs->L, n_bands, threads),
        .library = lmd_kernel_library_space(),
        .threads = threads,
    };
}

/* Whose the copies of the weights are. */
static const char *name_copies(const lmd_plan *plan)
{
    const int ranks = plan->binding.node_ranks;
    return plan->copies == ranks ? "private, in large pages where the system has them"
           : plan->domain == LMD_DOMAIN_SOCKET ? "shared by the ranks of a socket"
           : plan->domain == LMD_DOMAIN_NUMA   ? "shared by the ranks of a NUMA domain"
                                               : "shared by its ranks";
}

/* The number of groups is known after the preparation only. */
static void append_memory(lmd_text *out, const lmd_plan *plan)
{
    const lmd_memory_plan memory = lmd_plan_memory(plan->inputs, plan->threads, 1);
    lmd_text_append_string(out, "memory      a node: weights ");
    if (plan->session != NULL && plan->copies > 1) {
        lmd_text_append_format(out, "%d x ", plan->copies);
    }
    lmd_text_append_size(out, memory.weights);
    if (plan->session != NULL) {
        lmd_text_append_format(out, " (%s)", name_copies(plan));
    }
    lmd_text_append_string(out, "; a rank: states and scratch ");
    lmd_text_append_size(out, memory.engine);
    lmd_text_append_string(out, ", counters ");
    lmd_text_append_size(out, memory.counters);
    lmd_text_append_string(out, " for each group\n");
}

static void append_machine(lmd_text *out, const lmd_plan *plan)
{
    lmd_session *session = plan->session;
    const int ranks = lmd_parallel_ranks(session);
    const int threads = plan->threads;
    const int nodes = lmd_parallel_nodes(session);
    char *node = lmd_places_describe(lmd_parallel_places(session));
    lmd_text_append_format(
        out, "machine     %d rank%s x %d thread%s on %d node%s (%s), %s; %s; %s\n", ranks,
        ranks == 1 ? "" : "s", threads, threads == 1 ? "" : "s", nodes,
        nodes == 1 ? "" : "s", node, lmd_binding_describe(&plan->binding),
        lmd_parallel_library(session), lmd_parallel_host(session));
    lmd_memory_free(node);
}

void lmd_plan_write(const lmd_plan *plan, lmd_text *out)
{
    const lmd_inputs *inputs = plan->inputs;
    lmd_text_append_format(out, "lmdepth %s (%s), job %s\n", lmd_version, lmd_revision,
                           inputs->job->path);
    append_model(out, inputs);
    append_tokens(out, inputs);
    lmd_plan_append_lost_ids(inputs, "            ", out);
    append_corpus(out, inputs);
    append_observed(out, inputs);
    append_memory(out, plan);
    if (plan->session != NULL) {
        append_machine(out, plan);
    }
    lmd_text_append_format(out, "arithmetic  %s\n", lmd_kernel_arithmetic(plan->kernel));
    lmd_text_append_format(out, "            %s\n", lmd_kernel_choice(plan->kernel));
    lmd_text_append_format(out, "output      %s\n", inputs->job->output);
}
