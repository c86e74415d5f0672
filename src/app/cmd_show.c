/* lmdepth show: what a file is, in a screen. The kind is told by the file, not its name,
 * where that is possible. */

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>
#include <lmdepth/weights.h>

#include "app.h"
#include "json_text.h"

typedef struct lmd_show_arguments {
    const char *path;
    bool is_json;
} lmd_show_arguments;

static const struct argp_option options[] = {
    {"json", 'j', NULL, 0, "For programs: one JSON object", 0},
    {0},
};

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    lmd_show_arguments *arguments = state->input;
    switch (key) {
    case 'j':
        arguments->is_json = true;
        break;
    case ARGP_KEY_ARG:
        if (arguments->path != NULL) {
            argp_error(state, "one file, not '%s' as well", text);
        }
        arguments->path = text;
        break;
    case ARGP_KEY_END:
        if (arguments->path == NULL) {
            argp_error(
                state,
                "which model, tokenizer, job, result, frequency file or work folder?");
        }
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp argp = {
    .options = options,
    .parser = parse_option,
    .args_doc = "FILE",
    .doc = "Shows what a model, a tokenizer, a job, a result, a frequency file or the "
           "work folder of an unfinished run is, in a screen.",
};

/* ---- model ---- */

/* What is unusual, a line each: of the model, and of the two together. */
static void collect_remarks(const lmd_model *model, const lmd_tokenizer *tokenizer,
                            lmd_text *out)
{
    lmd_model_remarks(model, out);
    const int V = lmd_model_get_shape(model)->V;
    const int n_ids = tokenizer != NULL ? lmd_token_vocab(tokenizer) : V;
    if (n_ids < V) {
        lmd_text_append_format(out,
                               "%d rows of the vocabulary have no token (padding): a "
                               "lens can still choose them\n",
                               V - n_ids);
    }
    if (n_ids > V) {
        lmd_text_append_format(out, "%d id%s of the tokenizer ha%s no row in the model\n",
                               n_ids - V, n_ids - V == 1 ? "" : "s",
                               n_ids - V == 1 ? "s" : "ve");
    }
    if (out->size > 0) {
        lmd_text_make_printable(out->bytes);
    }
}

static void print_sizes(const lmd_model_shape *shape)
{
    printf("family      %s, %d blocks, width %d", shape->family, shape->N, shape->d);
    printf(shape->F > 0 ? ", MLP %d\n" : "\n", shape->F);
    if (shape->H > 0) {
        printf("attention   %d heads of %d, %d key/value heads\n", shape->H, shape->D,
               shape->K);
    }
    printf("vocabulary  %d rows, unembedding %s\n", shape->V,
           shape->is_tied ? "tied to the embedding" : "of its own");
    printf(shape->context > 0 ? "context     %d tokens\n" : "context     no limit\n",
           shape->context);
}

static void print_remarks(const lmd_model *model, const lmd_tokenizer *tokenizer)
{
    lmd_text remarks = {0};
    collect_remarks(model, tokenizer, &remarks);
    const char *at = lmd_text_string(&remarks);
    for (const char *title = "remarks"; *at; title = "") {
        const size_t length = strcspn(at, "\n");
        printf("%-11s %.*s\n", title, (int)length, at);
        at += length + (at[length] == '\n');
    }
    lmd_text_clear(&remarks);
}

static void print_model(const lmd_model *model, const lmd_tokenizer *tokenizer)
{
    const lmd_model_shape *shape = lmd_model_get_shape(model);
    printf("model       %s\n", lmd_model_weights_path(model));
    print_sizes(shape);
    const double parameters = (double)shape->parameters;
    printf("parameters  %.*f M, stored as %s\n", parameters < 1e6 ? 4 : 1,
           parameters / 1e6, lmd_model_describe(model));
    lmd_text bytes = {0};
    lmd_text_append_size(&bytes, (double)lmd_model_bytes(model));
    printf("memory      %s of packed weights a node\n", lmd_text_string(&bytes));
    lmd_text_clear(&bytes);
    if (tokenizer != NULL) {
        printf("tokenizer   %s\n            %s; BOS %d, %s by default\n",
               lmd_token_path(tokenizer), lmd_token_describe(tokenizer),
               lmd_token_bos(tokenizer),
               lmd_token_adds_bos(tokenizer) ? "added" : "not added");
    } else {
        printf("tokenizer   none: %s\n", lmd_status_message());
    }
    print_remarks(model, tokenizer);
}

/* An array of the lines. */
static json_t *pack_remarks(const lmd_model *model, const lmd_tokenizer *tokenizer)
{
    lmd_text remarks = {0};
    json_t *array = json_array();
    collect_remarks(model, tokenizer, &remarks);
    for (const char *at = lmd_text_string(&remarks); *at;) {
        const size_t length = strcspn(at, "\n");
        json_array_append_new(array, json_stringn(at, length));
        at += length + (at[length] == '\n');
    }
    lmd_text_clear(&remarks);
    return array;
}

static void print_model_json(const lmd_model *model, const lmd_tokenizer *tokenizer)
{
    const lmd_model_shape *shape = lmd_model_get_shape(model);
    json_t *root = json_pack(
        "{s:s, s:o, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:b, s:I, s:I, s:o, "
        "s:i, s:b, s:o, s:o, s:i, s:o}",
        "kind", "model", "path", lmd_json_text(lmd_model_weights_path(model)), "family",
        shape->family, "blocks", shape->N, "width", shape->d, "heads", shape->H,
        "key_value_heads", shape->K, "head_size", shape->D, "mlp_width", shape->F,
        "vocabulary", shape->V, "context", shape->context, "is_tied", shape->is_tied,
        "parameters", (json_int_t)shape->parameters, "packed_bytes",
        (json_int_t)lmd_model_bytes(model), "stored_as",
        lmd_json_text(lmd_model_describe(model)), "bos",
        tokenizer != NULL ? lmd_token_bos(tokenizer) : shape->bos, "adds_bos",
        tokenizer != NULL && lmd_token_adds_bos(tokenizer), "tokenizer",
        lmd_json_text(tokenizer != NULL ? lmd_token_path(tokenizer) : NULL),
        "tokenizer_kind",
        lmd_json_text(tokenizer != NULL ? lmd_token_describe(tokenizer) : NULL),
        "tokenizer_ids", tokenizer != NULL ? lmd_token_vocab(tokenizer) : 0, "remarks",
        pack_remarks(model, tokenizer));
    lmd_json_print(root);
}

static lmd_status show_model(const lmd_show_arguments *arguments)
{
    lmd_model *model = NULL;
    LMD_TRY(lmd_model_open(&model, arguments->path));
    lmd_tokenizer *tokenizer = NULL;
    if (lmd_locate_tokenizer(&tokenizer, arguments->path, model) != LMD_OK) {
        tokenizer = NULL; // its message is shown; the model is what was asked for
    }
    (arguments->is_json ? print_model_json : print_model)(model, tokenizer);
    lmd_token_close(tokenizer);
    lmd_model_close(model);
    return LMD_OK;
}

/* ---- the other kinds ---- */

static lmd_status show_tokenizer(const lmd_show_arguments *arguments)
{
    lmd_tokenizer *tokenizer = NULL;
    LMD_TRY(lmd_token_open(&tokenizer, arguments->path));
    if (arguments->is_json) {
        json_t *root = json_pack(
            "{s:s, s:o, s:i, s:i, s:b, s:s}", "kind", "tokenizer", "describe",
            lmd_json_text(lmd_token_describe(tokenizer)), "ids",
            lmd_token_vocab(tokenizer), "bos", lmd_token_bos(tokenizer), "adds_bos",
            lmd_token_adds_bos(tokenizer), "sha256", lmd_token_sha256(tokenizer));
        lmd_json_print(root);
    } else {
        printf("tokenizer   %s\n            %s; BOS %d, %s by default\nsha256      %s\n",
               lmd_token_path(tokenizer), lmd_token_describe(tokenizer),
               lmd_token_bos(tokenizer),
               lmd_token_adds_bos(tokenizer) ? "added" : "not added",
               lmd_token_sha256(tokenizer));
    }
    lmd_token_close(tokenizer);
    return LMD_OK;
}

static lmd_status show_job(const lmd_show_arguments *arguments)
{
    lmd_job *job = NULL;
    LMD_TRY(lmd_job_read(&job, arguments->path, NULL, 0));
    lmd_text text = {0};
    lmd_job_write(job, &text);
    if (arguments->is_json) {
        json_t *root =
            json_pack("{s:s, s:o, s:o, s:o}", "kind", "job", "path",
                      lmd_json_text(job->path), "output", lmd_json_text(job->output),
                      "job", lmd_json_text(lmd_text_string(&text)));
        lmd_json_print(root);
    } else {
        printf("# %s with its defaults; output %s\n%s", job->path, job->output,
               lmd_text_string(&text));
    }
    lmd_text_clear(&text);
    lmd_job_free(job);
    return LMD_OK;
}

static lmd_status show_result(const lmd_show_arguments *arguments)
{
    lmd_text text = {0};
    const lmd_status status = lmd_output_show(arguments->path, arguments->is_json, &text);
    if (status == LMD_OK) {
        fputs(lmd_text_string(&text), stdout);
    }
    lmd_text_clear(&text);
    return status;
}

enum { LARGEST_TABLE = 256 << 20 }; /* bytes of the file */

/* Sums saturate: a file of somebody else may hold any counts. */
static int64_t add_counts(int64_t sum, int64_t count)
{
    return count > INT64_MAX - sum ? INT64_MAX : sum + count;
}

static void print_table(const lmd_show_arguments *arguments,
                        const lmd_frequency_table *table)
{
    int64_t tokens = 0;
    int ids = 0, largest = 0;
    for (int id = 0; id < table->n; id++) {
        tokens = add_counts(tokens, table->counts[id]);
        ids += table->counts[id] > 0;
        largest = table->counts[id] > table->counts[largest] ? id : largest;
    }
    const int64_t most = table->n > 0 ? table->counts[largest] : 0;
    if (arguments->is_json) {
        json_t *root =
            json_pack("{s:s, s:o, s:I, s:i, s:i, s:i, s:I, s:o}", "kind", "frequency",
                      "path", lmd_json_text(arguments->path), "tokens",
                      (json_int_t)tokens, "ids", ids, "vocabulary", table->vocabulary,
                      "largest_id", most > 0 ? largest : -1, "largest_count",
                      (json_int_t)most, "tokenizer", lmd_json_text(table->tokenizer));
        lmd_json_print(root);
        return;
    }
    printf("frequency   %s\n", arguments->path);
    printf("tokens      %lld, of %d ids", (long long)tokens, ids);
    printf(table->vocabulary > 0 ? " in a vocabulary of %d\n" : "\n", table->vocabulary);
    if (most > 0) {
        printf("largest     %lld of id %d (%.3g %%)\n", (long long)most, largest,
               100.0 * (double)most / (double)tokens);
    }
    printf("tokenizer   %s\n",
           table->tokenizer[0] != '\0' ? table->tokenizer : "not known");
}

/* The counts of `lmdepth count`, or of somebody else; false when it is no such file, for
 * the other kinds to say what is wrong with it. */
static bool show_table(const lmd_show_arguments *arguments)
{
    lmd_frequency_table table;
    struct stat info;
    if (stat(arguments->path, &info) != 0 || info.st_size > LARGEST_TABLE) {
        return false; // a table of the largest vocabulary is smaller
    }
    const bool is_one = lmd_frequency_load(arguments->path, &table) == LMD_OK;
    if (is_one) {
        lmd_text_make_printable(table.tokenizer); // any bytes of somebody else's file
        print_table(arguments, &table);
    }
    lmd_frequency_clear(&table);
    return is_one;
}

static lmd_status show_work(const lmd_show_arguments *arguments)
{
    lmd_text text = {0};
    const lmd_status status = lmd_work_show(arguments->path, arguments->is_json, &text);
    fputs(lmd_text_string(&text), stdout);
    lmd_text_clear(&text);
    return status;
}

/* A GGUF file without tensors. */
static bool is_vocabulary(const char *path)
{
    lmd_weights *weights = NULL;
    if (!lmd_file_ends_with(path, ".gguf") ||
        lmd_weights_open(&weights, path) != LMD_OK) {
        return false; // to be told by those who open it as a model
    }
    const bool is_empty = lmd_weights_count(weights) == 0;
    lmd_weights_close(weights);
    return is_empty;
}

static bool is_tokenizer(const char *path)
{
    return (lmd_file_ends_with(path, ".json") &&
            !lmd_file_ends_with(path, ".index.json")) ||
           lmd_file_ends_with(path, ".model") || is_vocabulary(path);
}

/* Of weights the end of the name is looked at, since the formats' readers say what is
 * wrong with a damaged file; of anything else there is nothing to say but what would be
 * shown. */
static bool is_named_like_weights(const char *path)
{
    static const char *const ends[] = {".gguf", ".safetensors", ".bin",
                                       ".pt",   ".pth",         ".index.json"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        if (lmd_file_ends_with(path, ends[i])) {
            return true;
        }
    }
    return false;
}

static lmd_status show_file(const lmd_show_arguments *arguments)
{
    const char *path = arguments->path;
    if (!lmd_file_exists(path)) {
        return lmd_status_set(LMD_USAGE, "%s does not exist", path);
    }
    if (lmd_file_is_folder(path) && lmd_work_is_one(path)) {
        return show_work(arguments);
    }
    if (!lmd_file_is_folder(path) && lmd_output_is_result(path)) {
        return show_result(arguments);
    }
    if (lmd_file_ends_with(path, ".yaml") || lmd_file_ends_with(path, ".yml")) {
        return show_job(arguments);
    }
    if (!lmd_file_is_folder(path) && !is_named_like_weights(path) &&
        !lmd_file_ends_with(path, ".model") && show_table(arguments)) {
        return LMD_OK;
    }
    if (is_tokenizer(path)) {
        return show_tokenizer(arguments);
    }
    const lmd_status status = show_model(arguments);
    if (status == LMD_INPUT && !lmd_file_is_folder(path) &&
        !is_named_like_weights(path)) {
        return lmd_status_set(
            LMD_INPUT,
            "%s: no model, tokenizer (.json, .model, .gguf), job (.yaml), "
            "frequency file, result or work folder",
            path);
    }
    return status;
}

int lmd_command_show(int argc, char **argv)
{
    lmd_show_arguments arguments = {0};
    int code;
    if (!lmd_arguments_parse(&argp, argc, argv, &arguments, &code)) {
        return code;
    }
    char *path = NULL;
    lmd_status status = lmd_weights_resolve(arguments.path, &path);
    if (status == LMD_OK) {
        arguments.path = path;
        status = show_file(&arguments);
    }
    lmd_memory_free(path);
    return lmd_arguments_fail(status);
}
