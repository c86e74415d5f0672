/* What is the same for every family: which family it is, its config without a key left
 * over, its tensors without one missing or left over, one block of packed memory that
 * begins with the unembedding, and the order of the unembedding's rows. */
#include <lmdepth/model.h>

#include <assert.h>              /* assert */
#include <lmdepth/base/file.h>   /* lmd_file_join */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <stdint.h>              /* uintptr_t */
#include <string.h>              /* strcmp */
#include "family.h"

#define FAMILY(name) extern const lmd_family lmd_family_##name;
#include "families.def"
#undef FAMILY

static const lmd_family *const families[] = {
#define FAMILY(name) &lmd_family_##name,
#include "families.def"
#undef FAMILY
};

enum { N_FAMILIES = sizeof families / sizeof *families };

/* ---- which family ---- */

static bool serves(const lmd_family *family, const char *type)
{
    for (const char *const *known = family->types; *known; known++) {
        if (strcmp(*known, type) == 0) {
            return true;
        }
    }
    return false;
}

/* The types that are known in this world, separated by commas. */
static void list_types(lmd_text *out, bool is_gguf)
{
    for (int i = 0; i < N_FAMILIES; i++) {
        const bool is_there = !is_gguf || families[i]->gguf_keys;
        for (const char *const *type = families[i]->types; is_there && *type; type++) {
            lmd_text_append_format(out, "%s%s", out->size ? ", " : "", *type);
        }
    }
}

static lmd_status find_family(const lmd_family **out, const char *path, bool is_gguf,
                              const char *type)
{
    const char *const key = is_gguf ? "general.architecture" : "model_type";
    if (!type) {
        return lmd_status_set(LMD_INPUT, "%s: key '%s' is missing", path, key);
    }
    for (int i = 0; i < N_FAMILIES; i++) {
        if (serves(families[i], type) && (!is_gguf || families[i]->gguf_keys)) {
            *out = families[i];
            return LMD_OK;
        }
    }
    lmd_text known = {0};
    list_types(&known, is_gguf);
    const lmd_status status =
        lmd_status_set(LMD_INPUT, "%s: key '%s' is %s, which is not supported: %s are",
                       path, key, type, lmd_text_string(&known));
    lmd_text_clear(&known);
    return status;
}

/* ---- opening ---- */

static lmd_status apply_keys(lmd_settings *settings, const lmd_family *family,
                             const lmd_key *keys, lmd_config *config)
{
    *config = family->defaults;
    if (keys == family->gguf_keys) {
        config->K = config->D =
            0; // silent about them, GGUF means those of the other keys
    }
    LMD_TRY(lmd_model_apply_keys(settings, keys, config));
    LMD_TRY(lmd_model_apply_keys(settings, lmd_model_harmless_keys, config));
    return lmd_model_refuse_rest(settings);
}

static lmd_status read_gguf(const lmd_family **family, lmd_config *config,
                            const lmd_weights *weights)
{
    const char *const path = lmd_weights_path(weights);
    lmd_bytes words = {0};
    const bool is_there = lmd_weights_get_string(weights, "general.architecture", &words);
    LMD_TRY(find_family(family, path, true, is_there ? words.bytes : NULL));
    lmd_settings settings = {0};
    lmd_status status = lmd_model_read_gguf(&settings, weights, words.bytes);
    if (status == LMD_OK) {
        status = apply_keys(&settings, *family, (*family)->gguf_keys, config);
    }
    lmd_model_clear_settings(&settings);
    return status;
}

static lmd_status read_json(const lmd_family **family, lmd_config *config,
                            const char *path)
{
    if (!lmd_file_exists(path)) {
        return lmd_status_set(LMD_INPUT,
                              "%s: is missing, without it the weights beside it "
                              "are no model",
                              path);
    }
    lmd_settings settings = {0};
    lmd_status status = lmd_model_read_json(&settings, path);
    if (status == LMD_OK) {
        status = find_family(family, path, false,
                             lmd_model_find_words(&settings, "model_type"));
    }
    if (status == LMD_OK) {
        status = apply_keys(&settings, *family, (*family)->json_keys, config);
    }
    lmd_model_clear_settings(&settings);
    return status;
}

/* GGUF says by its tensors, not by a key, whether the head is tied and what has a bias,
 * and may leave the size of the vocabulary to them. */
static lmd_status complete_gguf(lmd_config *config, const lmd_family *family,
                                const lmd_weights *weights)
{
    enum { LARGEST_VOCABULARY = 1 << 24 };
    const lmd_tensor *const embedding =
        lmd_weights_find(weights, family->wants.outer[0].gguf);
    config->is_tied = !lmd_model_has_tensor(weights, &family->wants, family->wants.head);
    if (config->V == 0 && embedding) {
        if (embedding->n_rows < 1 || embedding->n_rows > LARGEST_VOCABULARY) {
            return lmd_status_set(LMD_INPUT,
                                  "%s: tensor '%s' has %lld rows, which is no size of a "
                                  "vocabulary",
                                  lmd_weights_path(weights), embedding->name,
                                  (long long)embedding->n_rows);
        }
        config->V = (int)embedding->n_rows;
    }
    lmd_model_set_flags(config, weights, &family->wants);
    return LMD_OK;
}

/* The family and its config, from config.json (whose path is given) or, NULL, GGUF. */
static lmd_status read_config(const lmd_family **family, lmd_config *config,
                              const lmd_weights *weights, const char *json_path)
{
    if (json_path) {
        LMD_TRY(read_json(family, config, json_path));
    } else {
        LMD_TRY(read_gguf(family, config, weights));
        LMD_TRY(complete_gguf(config, *family, weights));
    }
    return (*family)->complete(config, json_path ? json_path : lmd_weights_path(weights));
}

/* Of any product: a family's inputs are among these. */
static int widest_input(const lmd_config *config)
{
    const int widths[] = {config->HD, config->F, config->inner, config->delta_rank};
    int widest = config->d;
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        widest = widths[i] > widest ? widths[i] : widest;
    }
    return widest;
}

static void fill_shape(lmd_model *model)
{
    const lmd_config *const config = &model->config;
    model->shape = (lmd_model_shape){
        .family = model->family->name,
        .N = config->N,
        .d = config->d,
        .H = config->H,
        .K = config->K,
        .D = config->D,
        .F = config->F,
        .V = config->V,
        .context = config->context,
        .max_C = widest_input(config),
        .bos = config->bos < config->V ? config->bos : -1,
        .is_tied = config->is_tied,
        .parameters = model->found.parameters,
    };
}

/* "GGUF, Q4_1 Q8_0 F32": types in the order in which the file has them. */
static char *describe(const lmd_weights *weights)
{
    lmd_text text = {0};
    lmd_text_append_format(&text, "%s,", lmd_weights_format(weights));
    for (int i = 0; i < lmd_weights_count(weights); i++) {
        const char *const type = lmd_weights_at(weights, i)->type;
        int first = 0;
        while (strcmp(lmd_weights_at(weights, first)->type, type) != 0) {
            first++;
        }
        if (first == i) {
            lmd_text_append_format(&text, " %s", type);
        }
    }
    char *const description = lmd_memory_copy_text(lmd_text_string(&text));
    lmd_text_clear(&text);
    return description;
}

/* The tensor of the unembedding's rows. */
static const lmd_tensor *head_of(const lmd_model *model)
{
    const lmd_tensor *const head = model->found.outer[model->family->wants.head];
    return head ? head : model->found.outer[0];
}

/* Packed memory: the unembedding, the embedding unless they are one, then what the family
 * takes. Returns its size. */
static size_t bind(lmd_model *model, void *memory)
{
    const int V = model->config.V, d = model->config.d;
    const lmd_tensor *const head = head_of(model);
    lmd_arena arena = {.memory = memory, .is_bf16 = model->is_bf16};
    lmd_model_take_matrix(&arena, &model->unembedding, V, d,
                          lmd_model_packed_type(&head, 1));
    if (!model->config.is_tied) {
        lmd_model_take_matrix(&arena, &model->embedding, V, d,
                              lmd_model_packed_type(&model->found.outer[0], 1));
    }
    model->family->bind(model, &arena);
    return arena.used;
}

/* Takes the weights, also when it fails. */
static lmd_status open_family(lmd_model **out, lmd_weights *weights,
                              const char *json_path)
{
    const lmd_family *family = NULL;
    lmd_config config;
    const lmd_status status = read_config(&family, &config, weights, json_path);
    if (status != LMD_OK) {
        lmd_weights_close(weights);
        return status;
    }
    lmd_model *const model = lmd_memory_new(1, family->size);
    *out = model;
    model->family = family;
    model->config = config;
    model->weights = weights;
    LMD_TRY(lmd_model_find_tensors(&model->found, weights, &family->wants, &config));
    fill_shape(model);
    model->description = describe(weights);
    model->n_bytes = bind(model, NULL);
    return LMD_OK;
}

lmd_status lmd_model_open(lmd_model **out, const char *path)
{
    *out = NULL;
    lmd_weights *weights = NULL;
    LMD_TRY(lmd_weights_open(&weights, path));
    char *json_path = NULL;
    if (!lmd_model_is_gguf(weights)) {
        char *const folder = lmd_file_folder_of(lmd_weights_path(weights));
        json_path = lmd_file_join(folder, "config.json");
        lmd_memory_free(folder);
    }
    const lmd_status status = open_family(out, weights, json_path);
    if (*out) {
        (*out)->config_path = json_path;
    } else {
        lmd_memory_free(json_path);
    }
    if (status != LMD_OK) {
        lmd_model_close(*out);
        *out = NULL;
    }
    return status;
}

void lmd_model_use_bf16(lmd_model *model)
{
    model->is_bf16 = true;
    model->n_bytes = bind(model, NULL);
}

void lmd_model_close(lmd_model *model)
{
    if (!model) {
        return;
    }
    model->family->close(model);
    lmd_weights_close(model->weights);
    lmd_model_clear_found(&model->found);
    lmd_memory_free(model->description);
    lmd_memory_free(model->config_path);
    lmd_memory_free(model->places);
    lmd_memory_free(model);
}

/* ---- what it is ---- */

const lmd_model_shape *lmd_model_get_shape(const lmd_model *model)
{
    return &model->shape;
}

const char *lmd_model_weights_path(const lmd_model *model)
{
    return lmd_weights_path(model->weights);
}

const char *lmd_model_config_path(const lmd_model *model)
{
    return model->config_path;
}

const char *const *lmd_model_weights_files(const lmd_model *model, int *n)
{
    return lmd_weights_files(model->weights, n);
}

const char *lmd_model_describe(const lmd_model *model)
{
    return model->description;
}

static bool is_quantised(const lmd_weights *weights)
{
    for (int i = 0; i < lmd_weights_count(weights); i++) {
        const char *const type = lmd_weights_at(weights, i)->type;
        if (type[0] == 'Q' || strncmp(type, "IQ", 2) == 0) {
            return true;
        }
    }
    return false;
}

static double stored_bytes(const lmd_weights *weights)
{
    double sum = 0;
    for (int i = 0; i < lmd_weights_count(weights); i++) {
        sum += (double)lmd_weights_at(weights, i)->n_bytes;
    }
    return sum;
}

void lmd_model_remarks(const lmd_model *model, lmd_text *out)
{
    const lmd_model_shape *const shape = &model->shape;
    if (shape->is_tied) {
        lmd_text_append_string(out, "the unembedding is the embedding (tied)\n");
    }
    if ((int64_t)shape->H * shape->D != shape->d && shape->H > 0) {
        lmd_text_append_format(out, "heads of size %d, apart from width / heads\n",
                               shape->D);
    }
    if (is_quantised(model->weights)) {
        lmd_text_append_string(
            out, "weights are quantised: states are those of the quantised model; ");
        lmd_text_append_size(out, stored_bytes(model->weights));
        lmd_text_append_string(out, " widen to ");
        lmd_text_append_size(out, (double)model->n_bytes);
        lmd_text_append_string(out, " in memory\n");
    }
    if (model->family->remarks) {
        model->family->remarks(model, out);
    }
}

/* ---- packed memory ---- */

size_t lmd_model_bytes(const lmd_model *model)
{
    return model->n_bytes;
}

/* The inverse of `order`: the row of each id. */
static void set_order(lmd_model *model, const int32_t *order)
{
    lmd_memory_free(model->places);
    model->places = NULL;
    if (order) {
        const int V = model->config.V;
        model->places = lmd_memory_new((size_t)V, sizeof *model->places);
        for (int row = 0; row < V; row++) {
            assert(order[row] >= 0 && order[row] < V);
            model->places[order[row]] = row;
        }
    }
}

void lmd_model_attach(lmd_model *model, const int32_t *order, void *memory)
{
    assert((uintptr_t)memory % 64 == 0);
    set_order(model, order);
    (void)bind(model, memory);
}

static lmd_status load_embeddings(lmd_model *model)
{
    const lmd_source rows = {.tensor = head_of(model), .places = model->places};
    lmd_matrix_clear_padding(&model->unembedding);
    LMD_TRY(lmd_model_load_matrix(model->weights, &rows, &model->unembedding));
    if (model->config.is_tied) {
        return LMD_OK;
    }
    const lmd_source by_id = {.tensor = model->found.outer[0]};
    lmd_matrix_clear_padding(&model->embedding);
    return lmd_model_load_matrix(model->weights, &by_id, &model->embedding);
}

lmd_status lmd_model_load(lmd_model *model, const int32_t *order, void *memory)
{
    const lmd_tensor *const embedding = model->found.outer[0];
    const lmd_tensor *const head = head_of(model);
    lmd_model_attach(model, order, memory);
    /* Readers of such a file disagree on which of the two counts. */
    if (model->config.is_tied && head != embedding) {
        LMD_TRY(lmd_model_check_equal(model->weights, embedding, head));
    }
    LMD_TRY(load_embeddings(model));
    return model->family->load(model);
}

const lmd_matrix *lmd_model_unembedding(const lmd_model *model)
{
    return &model->unembedding;
}

/* ---- use ---- */

size_t lmd_model_work_bytes(const lmd_model *model, int T)
{
    return model->family->work_bytes(model, T);
}

void lmd_model_forward(const lmd_model *model, lmd_kernel *kernel, const lmd_batch *batch,
                       void *work, float *states)
{
    assert(batch->starts[batch->n_prompts] == batch->T);
    model->family->forward(model, kernel, batch, work, states);
}

void lmd_model_final_norm(const lmd_model *model, const float *in, float *out)
{
    model->family->final_norm(model, in, out);
}

double lmd_model_flops(const lmd_model *model, const int32_t *starts, int n_prompts)
{
    return model->family->flops(model, starts, n_prompts);
}
