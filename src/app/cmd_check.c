/* lmdepth check: what a job would do and need, without MPI and without doing it. A small
 * corpus is prepared for exact counts; of a large one only the first pieces are. */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include <lmdepth/kernel.h>

#include "check_look.h"
#include "json_text.h"

typedef struct lmd_check_arguments {
    lmd_job_arguments job;
    bool is_json;
} lmd_check_arguments;

static const struct argp_option options[] = {
    {"json", 'j', NULL, 0, "For programs: one JSON object", 0},
    {0},
};

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    lmd_check_arguments *arguments = state->input;
    (void)text;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->job;
        break;
    case 'j':
        arguments->is_json = true;
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
    .doc = "Tells what a job would do and what it needs: model, files, packs, memory, "
           "ranks x "
           "threads. Nothing is computed or written, and no MPI is needed.",
    .children = children,
};

/* ---- suggestion ---- */

typedef struct lmd_suggestion {
    int ranks, threads;
    char start[96]; /* how Open MPI's mpirun gives each rank its cores */
} lmd_suggestion;

/* Has every rank of a node a pack, and all of them memory, with one copy of the weights?
 */
static bool is_good(const lmd_inputs *inputs, const lmd_look *look,
                    const lmd_suggestion *it)
{
    const lmd_memory_plan plan = lmd_plan_memory(inputs, it->threads, look->groups);
    const bool has_work =
        !look->is_exact || look->model_packs == 0 || it->ranks <= look->model_packs;
    return has_work &&
           plan.weights + it->ranks * (plan.engine + plan.counters) <= lmd_limits_left();
}

/* Eight threads a rank, more where so many ranks would not do; one rank at last. */
static lmd_suggestion suggest(const lmd_inputs *inputs, const lmd_look *look)
{
    enum { THREADS = 8 };
    lmd_places *places = lmd_places_new();
    const int cores = lmd_places_cores(places);
    lmd_suggestion it = {.ranks = 0};
    for (int most = THREADS; it.ranks == 0 || !is_good(inputs, look, &it); most *= 2) {
        lmd_places_suggest(places, most, most >= 2 * cores, &it.ranks, &it.threads);
        if (it.ranks == 1) {
            break;
        }
    }
    lmd_places_free(places);
    (void)snprintf(it.start, sizeof it.start,
                   "mpirun -n %d --map-by slot:PE=%d --bind-to core", it.ranks,
                   it.threads);
    return it;
}

/* ---- warnings ---- */

/* Can a file be made at `path`, or a folder on the way to it? */
static bool is_writable(const char *path)
{
    char *folder = lmd_file_folder_of(path);
    while (!lmd_file_exists(folder) && strcmp(folder, ".") != 0 &&
           strcmp(folder, "/") != 0) {
        char *above = lmd_file_folder_of(folder);
        lmd_memory_free(folder);
        folder = above;
    }
    const bool is_ok = access(folder, W_OK) == 0;
    lmd_memory_free(folder);
    return is_ok;
}

/* Whose work it is takes hashes of the whole corpus to tell, which is left to the run. */
static void append_unfinished(const char *output, const char *work, lmd_text *out)
{
    lmd_text folder = {0};
    lmd_text_append_format(&folder, "%s%s", work ? work : output, work ? "" : ".work");
    if (lmd_store_has_snapshots(lmd_text_string(&folder))) {
        lmd_text_append_format(out,
                               "%s holds unfinished work: run goes on with it if it is "
                               "this job's, else it asks for --fresh\n",
                               lmd_text_string(&folder));
    }
    lmd_text_clear(&folder);
}

/* Appends what a user should know before the job is submitted, a line each. */
static void find_warnings(const lmd_inputs *inputs, const lmd_look *look,
                          const char *work, lmd_text *out)
{
    const char *output = inputs->job->output;
    if (lmd_file_exists(output)) {
        lmd_text_append_format(
            out,
            "%s is there: run ends at once if it is this job's result, "
            "else it asks for --fresh\n",
            output);
    } else if (!is_writable(output)) {
        lmd_text_append_format(out, "%s can't be written\n", output);
    }
    append_unfinished(output, work, out);
    lmd_plan_append_lost_ids(inputs, "", out);
    if (look->is_exact && look->packs == 0) {
        lmd_text_append_string(out, "no pack: nothing would be observed\n");
    } else if (look->is_exact && look->positions == 0) {
        lmd_text_append_string(out, "no position would be observed\n");
    }
}

static void print_warnings(const lmd_inputs *inputs, const lmd_look *look,
                           const char *work)
{
    lmd_text warnings = {0};
    find_warnings(inputs, look, work, &warnings);
    char *rest = NULL;
    for (char *line = warnings.size > 0 ? strtok_r(warnings.bytes, "\n", &rest) : NULL;
         line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        printf("warning     %s\n", line);
    }
    lmd_text_clear(&warnings);
}

static json_t *list_warnings(const lmd_inputs *inputs, const lmd_look *look,
                             const char *work)
{
    lmd_text warnings = {0};
    find_warnings(inputs, look, work, &warnings);
    json_t *list = json_array();
    char *rest = NULL;
    for (char *line = warnings.size > 0 ? strtok_r(warnings.bytes, "\n", &rest) : NULL;
         line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        json_array_append_new(list, lmd_json_text(line));
    }
    lmd_text_clear(&warnings);
    return list;
}

/* ---- output ---- */

/* Tokens of a mean prompt, at most a window. */
static double prompt_tokens(const lmd_inputs *inputs, const lmd_look *look)
{
    const double length = inputs->policy.length;
    const double pack = look->packs > 0 ? (double)look->tokens / (double)look->packs : 1;
    return pack < length ? pack : length;
}

static lmd_estimate estimate_job(const lmd_inputs *inputs, const lmd_look *look,
                                 const lmd_kernel *kernel)
{
    const double tokens = (double)look->model_tokens;
    const double share = tokens > 0 ? (double)look->positions / tokens : 0;
    return lmd_estimate_work(inputs, kernel, prompt_tokens(inputs, look), share);
}

/* Those that go through the model, in the whole job. */
static double tokens_of_job(const lmd_look *look)
{
    return (double)look->model_tokens * look->whole;
}

static void print_estimate(const lmd_inputs *inputs, const lmd_look *look, int threads,
                           const lmd_kernel *kernel, double peak)
{
    const lmd_estimate estimate = estimate_job(inputs, look, kernel);
    lmd_text lines = {0};
    lmd_estimate_append(&estimate, peak, threads, tokens_of_job(look), look->is_exact,
                        &lines);
    fputs(lmd_text_string(&lines), stdout);
    lmd_text_clear(&lines);
}

/* How many, and why those that can't be used can't. */
static void print_records(const lmd_look *look)
{
    printf("records     %s%lld", look->is_exact ? "" : "more than ",
           (long long)look->records);
    if (look->unusable > 0) {
        printf(", of which %lld can't be used", (long long)look->unusable);
    }
    const char *before = ": ";
    for (int fate = LMD_FATE_EMPTY; fate < LMD_FATE_COUNT; fate++) {
        if (look->fates[fate] > 0) {
            printf("%s%lld %s", before, (long long)look->fates[fate],
                   lmd_fate_names[fate]);
            before = ", ";
        }
    }
    puts("");
}

static void print_packs(const lmd_look *look)
{
    if (look->is_exact) {
        printf("packs       %lld, %lld tokens\n", (long long)look->packs,
               (long long)look->tokens);
    } else {
        printf("packs       about %.0f, %.0f tokens: %lld and %lld in the first %d MiB "
               "of text, which alone were looked at, and %.3g times as much in all\n",
               (double)look->packs * look->whole, (double)look->tokens * look->whole,
               (long long)look->packs, (long long)look->tokens, LMD_LOOK_BYTES >> 20,
               look->whole);
    }
    const int64_t others = look->packs - look->model_packs;
    if (others > 0) {
        printf("            %lld of %s packs have no observed position and are not "
               "computed: %.0f %% of the tokens\n",
               (long long)others, look->is_exact ? "the" : "these",
               100.0 * (double)(look->tokens - look->model_tokens) /
                   (double)look->tokens);
    }
}

static void print_text(const lmd_inputs *inputs, const lmd_look *look, int threads,
                       const lmd_kernel *kernel, double peak, const char *work)
{
    const lmd_plan what = {.inputs = inputs, .kernel = kernel, .threads = threads};
    lmd_text plan = {0};
    lmd_plan_write(&what, &plan);
    fputs(lmd_text_string(&plan), stdout);
    lmd_text_clear(&plan);
    print_records(look);
    print_packs(look);
    const double counters = lmd_plan_memory(inputs, threads, look->groups).counters;
    lmd_text size = {0};
    lmd_text_append_size(&size, counters);
    printf("groups      %s%d: %s of counters a rank\n",
           look->is_exact ? "" : "more than ", look->groups, lmd_text_string(&size));
    lmd_text_clear(&size);
    print_estimate(inputs, look, threads, kernel, peak);
    print_warnings(inputs, look, work);
    const int cores = lmd_threads_processors();
    const lmd_suggestion suggestion = suggest(inputs, look);
    printf(
        "suggestion  on a node like this one (%d core%s): %d rank%s x %d thread%s (%s)\n",
        cores, cores == 1 ? "" : "s", suggestion.ranks, suggestion.ranks == 1 ? "" : "s",
        suggestion.threads, suggestion.threads == 1 ? "" : "s", suggestion.start);
}

/* Records by fate. */
static json_t *list_fates(const lmd_look *look)
{
    json_t *fates = json_object();
    for (int fate = 0; fate < LMD_FATE_COUNT; fate++) {
        json_object_set_new(fates, lmd_fate_names[fate],
                            json_integer((json_int_t)look->fates[fate]));
    }
    return fates;
}

static void print_json(const lmd_inputs *inputs, const lmd_look *look, int threads,
                       const lmd_kernel *kernel, double peak, const char *work)
{
    const lmd_model_shape *shape = lmd_model_get_shape(inputs->model);
    const lmd_memory_plan memory = lmd_plan_memory(inputs, threads, look->groups);
    const lmd_suggestion suggestion = suggest(inputs, look);
    const lmd_estimate estimate = estimate_job(inputs, look, kernel);
    const double speed = lmd_estimate_speed(&estimate, peak);
    json_t *root = json_pack(
        "{s:{s:s, s:o, s:i, s:i, s:i, s:I},"
        " s:{s:i, s:b, s:f, s:I, s:I, s:o, s:I, s:I, s:I, s:i}, s:{s:f, s:f, s:f},"
        " s:{s:f, s:f, s:f, s:f, s:f, s:f, s:i}, s:{s:i, s:i, s:s}, s:s, s:o, s:o}",
        "model", "family", shape->family, "path",
        lmd_json_text(lmd_model_weights_path(inputs->model)), "blocks", shape->N, "width",
        shape->d, "vocabulary", shape->V, "parameters", (json_int_t)shape->parameters,
        "corpus", "files", lmd_corpus_files(inputs->corpus), "is_exact", look->is_exact,
        "whole", look->whole, "records", (json_int_t)look->records, "unusable",
        (json_int_t)look->unusable, "fates", list_fates(look), "packs",
        (json_int_t)look->packs, "tokens", (json_int_t)look->tokens, "model_tokens",
        (json_int_t)look->model_tokens, "groups", look->groups, "memory",
        "weights_a_node", memory.weights, "engine_a_rank", memory.engine,
        "counters_a_rank", memory.counters, "time", "forward_flops_a_token",
        estimate.forward, "lens_flops_a_token", estimate.lens, "peak_gflops", peak,
        "tokens_per_s", speed, "tokens", tokens_of_job(look), "seconds",
        tokens_of_job(look) / speed, "threads", threads, "suggestion", "ranks",
        suggestion.ranks, "threads", suggestion.threads, "start", suggestion.start,
        "arithmetic", lmd_kernel_arithmetic(kernel), "output",
        lmd_json_text(inputs->job->output), "warnings",
        list_warnings(inputs, look, work));
    lmd_json_print(root);
}

static lmd_status check_job(const lmd_check_arguments *arguments)
{
    lmd_inputs inputs;
    lmd_look look = {0};
    lmd_status status = lmd_inputs_open(&inputs, &arguments->job);
    if (status == LMD_OK) {
        status = lmd_look_at_corpus(&inputs, &look);
    }
    if (status == LMD_OK) {
        const int threads =
            lmd_threads_choose(arguments->job.threads, lmd_threads_processors());
        lmd_team *team = lmd_team_new(threads);
        lmd_kernel *kernel = lmd_inputs_new_kernel(&inputs, team);
        const double peak = lmd_kernel_measure_peak(kernel, 100.0);
        (arguments->is_json ? print_json : print_text)(&inputs, &look, threads, kernel,
                                                       peak, arguments->job.work);
        lmd_kernel_free(kernel);
        lmd_team_free(team);
    }
    lmd_inputs_clear(&inputs);
    return status;
}

int lmd_command_check(int argc, char **argv)
{
    lmd_check_arguments arguments = {0};
    int code;
    if (!lmd_arguments_parse(&argp, argc, argv, &arguments, &code)) {
        return code;
    }
    if (lmd_arguments_help_job(&arguments.job)) {
        return LMD_OK;
    }
    const lmd_status status = check_job(&arguments);
    lmd_job_arguments_clear(&arguments.job);
    return lmd_arguments_fail(status);
}
