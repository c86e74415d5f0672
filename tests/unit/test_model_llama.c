/* The Llama family against transformers (states and logits of tiny models, made by
 * tests/reference/make_model_reference.py), and against itself: formats, packs, threads,
 * orders of the unembedding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <lmdepth/base/half.h>
#include <lmdepth/model.h>
#include <lmdepth/weights.h>
#include <math.h>
#include "../../src/model/family.h"
#include "model_files.h"

enum { LENGTH = 11 }; /* of the reference prompts */

#define TOLERANCE 1e-4 /* of a row's root mean square */

/* ---- a model in memory ---- */

typedef struct loaded {
    lmd_model *model;
    lmd_team *team;
    lmd_kernel *kernel;
    void *memory;
    int32_t *order; /* NULL: by id */
    int V, d, N;
} loaded;

static void open_model(loaded *it, const char *path, int threads, bool is_shuffled)
{
    *it = (loaded){0};
    if (lmd_model_open(&it->model, path) != LMD_OK) {
        fail_msg("%s", lmd_status_message());
    }
    const lmd_model_shape *const shape = lmd_model_get_shape(it->model);
    it->V = shape->V;
    it->d = shape->d;
    it->N = shape->N;
    it->team = lmd_team_new(threads);
    it->kernel = lmd_kernel_new(it->team, shape->max_C);
    it->memory = lmd_memory_new_aligned(lmd_model_bytes(it->model), 1);
    if (is_shuffled) {
        /* No V here is a multiple of 29, so this meets every id once. */
        it->order = lmd_memory_new((size_t)it->V, sizeof *it->order);
        for (int row = 0; row < it->V; row++) {
            it->order[row] = (29 * row + 7) % it->V;
        }
    }
    assert_int_equal(lmd_model_load(it->model, it->order, it->memory), LMD_OK);
}

static void close_model(loaded *it)
{
    lmd_model_close(it->model);
    lmd_kernel_free(it->kernel);
    lmd_team_free(it->team);
    lmd_memory_free(it->memory);
    lmd_memory_free(it->order);
}

/* states (N + 1, T, d) of a pack. Caller frees. */
static float *run(const loaded *it, const uint32_t *ids, const int32_t *starts,
                  int n_prompts)
{
    const lmd_batch batch = {starts[n_prompts], n_prompts, ids, starts};
    const size_t states = (size_t)it->N + 1;
    void *const work =
        lmd_memory_new_aligned(lmd_model_work_bytes(it->model, batch.T), 1);
    float *const out =
        lmd_memory_new_aligned(states * (size_t)batch.T * (size_t)it->d, sizeof *out);
    lmd_model_forward(it->model, it->kernel, &batch, work, out);
    lmd_memory_free(work);
    return out;
}

/* (T, V), by id, of states (T, d) of the last index. Caller frees. */
static float *logits_of(const loaded *it, const float *last, int T)
{
    const size_t d = (size_t)it->d;
    const size_t V = (size_t)it->V;
    float *const normed = lmd_memory_new_aligned((size_t)T * d, sizeof *normed);
    float *const rows = lmd_memory_new_aligned((size_t)T * V, sizeof *rows);
    float *const out = lmd_memory_new((size_t)T * V, sizeof *out);
    for (size_t t = 0; t < (size_t)T; t++) {
        lmd_model_final_norm(it->model, last + t * d, normed + t * d);
    }
    lmd_kernel_linear(it->kernel, rows, normed, d, lmd_model_unembedding(it->model), NULL,
                      T);
    for (size_t t = 0; t < (size_t)T; t++) {
        for (size_t row = 0; row < V; row++) {
            out[t * V + (it->order ? (size_t)it->order[row] : row)] = rows[t * V + row];
        }
    }
    lmd_memory_free(normed);
    lmd_memory_free(rows);
    return out;
}

/* ---- references ---- */

typedef struct reference {
    uint32_t ids[LENGTH];
    float *states; /* owned (N + 1, T, d) */
    float *logits; /* owned (T, V) */
} reference;

static float *read_tensor(const lmd_weights *file, const char *name)
{
    const lmd_tensor *const tensor = lmd_weights_find(file, name);
    assert_non_null(tensor);
    float *const out =
        lmd_memory_new((size_t)(tensor->n_rows * tensor->row_length), sizeof *out);
    assert_int_equal(lmd_weights_read_rows(file, tensor, 0, tensor->n_rows, out), LMD_OK);
    return out;
}

static void read_reference(reference *out, const char *path)
{
    lmd_weights *file = NULL;
    int64_t ids[LENGTH];
    assert_int_equal(lmd_weights_open(&file, path), LMD_OK);
    const lmd_tensor *const tensor = lmd_weights_find(file, "input_ids");
    assert_non_null(tensor);
    assert_int_equal(tensor->row_length, LENGTH);
    assert_int_equal(lmd_weights_read_int64(file, tensor, ids), LMD_OK);
    for (int t = 0; t < LENGTH; t++) {
        out->ids[t] = (uint32_t)ids[t];
    }
    out->states = read_tensor(file, "states");
    out->logits = read_tensor(file, "logits");
    lmd_weights_close(file);
}

static void free_reference(reference *it)
{
    lmd_memory_free(it->states);
    lmd_memory_free(it->logits);
}

/* Largest error of any row relative to the root mean square of the reference's row. */
static double worst_error(const float *is, const float *should, int rows, int width)
{
    double worst = 0;
    for (int r = 0; r < rows; r++) {
        double squares = 0;
        double largest = 0;
        for (int i = 0; i < width; i++) {
            const size_t at = (size_t)r * (size_t)width + (size_t)i;
            squares += (double)should[at] * (double)should[at];
            largest = fmax(largest, fabs((double)is[at] - (double)should[at]));
        }
        worst = fmax(worst, largest / sqrt(squares / width));
    }
    return worst;
}

static const int32_t whole[] = {0, LENGTH};

static void assert_reference(const char *model, const char *reference_path,
                             bool is_shuffled)
{
    loaded it;
    reference expected;
    open_model(&it, model, 2, is_shuffled);
    read_reference(&expected, reference_path);
    float *const states = run(&it, expected.ids, whole, 1);
    const size_t last = (size_t)it.N * LENGTH * (size_t)it.d;
    float *const logits = logits_of(&it, states + last, LENGTH);
    const double of_states =
        worst_error(states, expected.states, (it.N + 1) * LENGTH, it.d);
    const double of_logits = worst_error(logits, expected.logits, LENGTH, it.V);
    print_message("%s: states %.1e, logits %.1e of a row's rms\n", model, of_states,
                  of_logits);
    assert_true(of_states < TOLERANCE);
    assert_true(of_logits < TOLERANCE);
    lmd_memory_free(states);
    lmd_memory_free(logits);
    free_reference(&expected);
    close_model(&it);
}

static void test_reference(void **state)
{
    (void)state;
    static const char *const variants[] = {"grouped", "wide", "quantised"};
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        char model[MODEL_PATH_SIZE];
        char expected[2 * MODEL_PATH_SIZE];
        (void)snprintf(model, sizeof model, TINY "%s", variants[i]);
        (void)snprintf(expected, sizeof expected, "%s/reference.safetensors", model);
        if (strcmp(variants[i], "quantised") == 0) {
            assert_reference(TINY "quantised/model.safetensors", expected, false);
            assert_reference(TINY "quantised/model.gguf", expected, true);
        } else {
            assert_reference(model, expected, false);
            assert_reference(model, expected, true);
        }
    }
}

/* ---- against itself ---- */

/* States and logits of `ids` as one prompt. Caller frees. */
static float *run_alone(const char *path, const uint32_t *ids, int threads,
                        bool is_shuffled, float **logits)
{
    loaded it;
    open_model(&it, path, threads, is_shuffled);
    float *const states = run(&it, ids, whole, 1);
    *logits = logits_of(&it, states + (size_t)it.N * LENGTH * (size_t)it.d, LENGTH);
    close_model(&it);
    return states;
}

typedef struct way {
    const char *path;
    int threads;
    bool is_shuffled;
} way;

/* Two ways to the same numbers, bit for bit. */
static void assert_same(const way *a, const way *b)
{
    reference expected;
    float *logits_a;
    float *logits_b;
    loaded it;
    open_model(&it, a->path, 1, false);
    const size_t n_states = (size_t)(it.N + 1) * LENGTH * (size_t)it.d;
    const size_t n_logits = (size_t)LENGTH * (size_t)it.V;
    close_model(&it);
    read_reference(&expected, TINY "grouped/reference.safetensors");
    float *const states_a =
        run_alone(a->path, expected.ids, a->threads, a->is_shuffled, &logits_a);
    float *const states_b =
        run_alone(b->path, expected.ids, b->threads, b->is_shuffled, &logits_b);
    assert_memory_equal(states_a, states_b, n_states * sizeof *states_a);
    assert_memory_equal(logits_a, logits_b, n_logits * sizeof *logits_a);
    lmd_memory_free(states_a);
    lmd_memory_free(states_b);
    lmd_memory_free(logits_a);
    lmd_memory_free(logits_b);
    free_reference(&expected);
}

static void test_formats_agree(void **state)
{
    (void)state;
    assert_same(&(way){TINY "quantised/model.gguf", 1, false},
                &(way){TINY "quantised/model.safetensors", 1, false});
}

static void test_orders_agree(void **state)
{
    (void)state;
    assert_same(&(way){TINY "grouped", 1, false}, &(way){TINY "grouped", 1, true});
    assert_same(&(way){TINY "wide", 1, false}, &(way){TINY "wide", 1, true});
}

static void test_threads_agree(void **state)
{
    (void)state;
    assert_same(&(way){TINY "grouped", 1, false}, &(way){TINY "grouped", 2, false});
    assert_same(&(way){TINY "wide", 1, false}, &(way){TINY "wide", 5, false});
}

/* A folder with changed files gives what `original` gives. */
static void assert_copy_agrees(const char *folder, const char *original)
{
    assert_same(&(way){folder, 1, false}, &(way){original, 1, false});
}

static void test_config_of_transformers_4(void **state)
{
    (void)state;
    char folder[MODEL_PATH_SIZE];
    model_files_make_folder(folder);
    model_files_copy(folder, TINY "wide/model.safetensors", "model.safetensors");
    model_files_copy(folder, TINY "wide/config_v4.json", "config.json");
    assert_copy_agrees(folder, TINY "wide");
    (void)lmd_file_remove_tree(folder);
}

/* Names without "model.": a base model saved alone. */
static void test_names_without_prefix(void **state)
{
    (void)state;
    char folder[MODEL_PATH_SIZE];
    lmd_text bytes = {0};
    model_files_make_folder(folder);
    model_files_copy(folder, TINY "wide/config.json", "config.json");
    model_files_read(TINY "wide/model.safetensors", &bytes);
    assert_int_equal(model_files_replace(&bytes, "\"model.", "      \""), 20);
    model_files_write(folder, "model.safetensors", &bytes);
    lmd_text_clear(&bytes);
    assert_copy_agrees(folder, TINY "wide");
    (void)lmd_file_remove_tree(folder);
}

/* Three prompts in one pack give the bits that each gives alone. */
static void test_pack(void **state)
{
    (void)state;
    static const int32_t starts[] = {0, 4, 5, LENGTH};
    loaded it;
    reference expected;
    open_model(&it, TINY "grouped", 2, false);
    read_reference(&expected, TINY "grouped/reference.safetensors");
    const size_t d = (size_t)it.d;
    float *const packed = run(&it, expected.ids, starts, 3);
    for (int p = 0; p < 3; p++) {
        const int32_t length = starts[p + 1] - starts[p];
        const int32_t alone[] = {0, length};
        float *const states = run(&it, expected.ids + starts[p], alone, 1);
        for (size_t l = 0; l <= (size_t)it.N; l++) {
            assert_memory_equal(packed + (l * LENGTH + (size_t)starts[p]) * d,
                                states + l * (size_t)length * d,
                                (size_t)length * d * sizeof *states);
        }
        lmd_memory_free(states);
    }
    lmd_memory_free(packed);
    free_reference(&expected);
    close_model(&it);
}

/* Memory that one model has filled serves another. */
static void test_attach(void **state)
{
    (void)state;
    loaded it;
    reference expected;
    lmd_model *other = NULL;
    open_model(&it, TINY "wide", 1, true);
    read_reference(&expected, TINY "grouped/reference.safetensors");
    float *const first = run(&it, expected.ids, whole, 1);
    assert_int_equal(lmd_model_open(&other, TINY "wide"), LMD_OK);
    assert_int_equal(lmd_model_bytes(other), lmd_model_bytes(it.model));
    lmd_model_attach(other, it.order, it.memory);
    lmd_model_close(it.model);
    it.model = other;
    float *const second = run(&it, expected.ids, whole, 1);
    assert_memory_equal(first, second, 3 * LENGTH * (size_t)it.d * sizeof *first);
    lmd_memory_free(first);
    lmd_memory_free(second);
    free_reference(&expected);
    close_model(&it);
}

/* For bf16 every matrix is packed so, wider weights rounded. */
static void test_bf16(void **state)
{
    (void)state;
    lmd_model *model = NULL;
    assert_int_equal(lmd_model_open(&model, TINY "wide"), LMD_OK);
    const size_t wide = lmd_model_bytes(model);
    const lmd_model_shape *shape = lmd_model_get_shape(model);
    const size_t d = (size_t)shape->d;
    void *memory = lmd_memory_new_aligned(wide, 1);
    float *rows = lmd_memory_new((size_t)shape->V * d, sizeof *rows);
    float *row = lmd_memory_new(d, sizeof *row);
    assert_int_equal(lmd_model_load(model, NULL, memory), LMD_OK);
    for (int id = 0; id < shape->V; id++) {
        lmd_matrix_get_row(lmd_model_unembedding(model), id, rows + (size_t)id * d);
    }
    lmd_model_use_bf16(model);
    assert_true(lmd_model_bytes(model) < wide * 6 / 10);
    assert_int_equal(lmd_model_load(model, NULL, memory), LMD_OK);
    assert_int_equal(lmd_model_unembedding(model)->type, LMD_BF16);
    for (int id = 0; id < shape->V; id++) {
        lmd_matrix_get_row(lmd_model_unembedding(model), id, row);
        for (size_t i = 0; i < d; i++) {
            const uint16_t half = lmd_half_to_bf16(rows[(size_t)id * d + i]);
            assert_true(row[i] == lmd_half_from_bf16(half));
        }
    }
    lmd_memory_free(row);
    lmd_memory_free(rows);
    lmd_memory_free(memory);
    lmd_model_close(model);
}

/* A tied model whose file holds another unembedding too is refused when its values are
 * read; one whose file holds the same twice is not. */
static void test_tied_with_other_head(void **state)
{
    (void)state;
    char folder[MODEL_PATH_SIZE];
    lmd_model *model = NULL;
    model_files_make_folder(folder);
    model_files_copy(folder, TINY "grouped/model.safetensors", "model.safetensors");
    model_files_change_config(folder, TINY "grouped/config.json",
                              "{\"tie_word_embeddings\": true}");
    assert_int_equal(lmd_model_open(&model, folder), LMD_OK);
    void *const memory = lmd_memory_new_aligned(lmd_model_bytes(model), 1);
    assert_int_equal(lmd_model_load(model, NULL, memory), LMD_INPUT);
    assert_non_null(strstr(lmd_status_message(), "'lm_head.weight' differ"));
    lmd_memory_free(memory);
    lmd_model_close(model);
    (void)lmd_file_remove_tree(folder);
}

static void test_not_finite(void **state)
{
    (void)state;
    static const char infinity[] = "\0\0\x80\x7f";
    char folder[MODEL_PATH_SIZE];
    lmd_text bytes = {0};
    lmd_model *model = NULL;
    model_files_make_folder(folder);
    model_files_copy(folder, TINY "wide/config.json", "config.json");
    model_files_read(TINY "wide/model.safetensors", &bytes);
    memcpy(bytes.bytes + bytes.size - 4, infinity, 4);
    model_files_write(folder, "model.safetensors", &bytes);
    lmd_text_clear(&bytes);
    assert_int_equal(lmd_model_open(&model, folder), LMD_OK);
    void *const memory = lmd_memory_new_aligned(lmd_model_bytes(model), 1);
    assert_int_equal(lmd_model_load(model, NULL, memory), LMD_INPUT);
    assert_non_null(strstr(lmd_status_message(), "model.norm.weight"));
    lmd_memory_free(memory);
    lmd_model_close(model);
    (void)lmd_file_remove_tree(folder);
}

static void test_flops(void **state)
{
    (void)state;
    static const int32_t starts[] = {0, 1, 4};
    lmd_model *model = NULL;
    assert_int_equal(lmd_model_open(&model, TINY "wide"), LMD_OK);
    /* Two blocks of width 21 with 3 heads and 1 key/value head of 14, hidden width 33. */
    const double products = 4 * 2.0 * 21 * (2 * 42 + 2 * 14 + 3 * 33);
    const double attention = (1 + 6) * 4.0 * 42;
    assert_true(fabs(lmd_model_flops(model, starts, 2) - 2 * (products + attention)) <
                0.5);
    lmd_model_close(model);
}

/* ---- the template ---- */

extern const lmd_family lmd_family_null;

/* Every state is the embedding. */
static void test_null_family(void **state)
{
    (void)state;
    enum { V = 3, WIDTH = 4, STATES = 3, LONG = 2 };
    static const float rows[V * WIDTH] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    const lmd_family *const family = &lmd_family_null;
    const lmd_batch batch = {LONG, 1, (const uint32_t[]){2, 0}, (const int32_t[]){0, 2}};
    float states[STATES][LONG][WIDTH];
    lmd_arena arena = {0};
    lmd_model *const model = lmd_memory_new(1, family->size);
    void *const memory = lmd_memory_new_aligned(lmd_matrix_bytes(V, WIDTH, LMD_F32), 1);
    model->family = family;
    model->config = family->defaults;
    model->config.N = STATES - 1;
    model->config.d = WIDTH;
    model->config.V = V;
    lmd_matrix_bind(&model->embedding, V, WIDTH, LMD_F32, memory);
    for (int id = 0; id < V; id++) {
        lmd_matrix_put_row(&model->embedding, id, rows + id * WIDTH);
    }
    assert_int_equal(family->complete(&model->config, ""), LMD_OK);
    family->bind(model, &arena);
    assert_int_equal(arena.used, 0);
    assert_int_equal(family->load(model), LMD_OK);
    family->forward(model, NULL, &batch, NULL, &states[0][0][0]);
    for (int l = 0; l < STATES; l++) {
        assert_memory_equal(states[l][0], rows + 2 * WIDTH, sizeof states[l][0]);
        assert_memory_equal(states[l][1], rows, sizeof states[l][1]);
    }
    assert_true(family->flops(model, batch.starts, 1) <= 0);
    family->close(model);
    lmd_memory_free(model);
    lmd_memory_free(memory);
}

int main(void)
{
    const int64_t live = lmd_memory_live();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_formats_agree),
        cmocka_unit_test(test_orders_agree),
        cmocka_unit_test(test_threads_agree),
        cmocka_unit_test(test_config_of_transformers_4),
        cmocka_unit_test(test_names_without_prefix),
        cmocka_unit_test(test_pack),
        cmocka_unit_test(test_attach),
        cmocka_unit_test(test_tied_with_other_head),
        cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_flops),
        cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_null_family),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed != 0 || lmd_memory_live() != live;
}
