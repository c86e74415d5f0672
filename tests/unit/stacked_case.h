/* For tests of the families gpt2 and gptneox: tiny models made here, written as
 * safetensors and GGUF, run, and held against loops in fp64. */
#ifndef LMDEPTH_TESTS_STACKED_CASE_H
#define LMDEPTH_TESTS_STACKED_CASE_H

#include "weight_files.h"

#include <jansson.h>
#include <lmdepth/base/half.h>
#include <lmdepth/model.h>
#include <math.h>

/* ---- tensors ---- */

enum { MADE_TENSORS = 64, MADE_NAME = 80 };

typedef struct made_tensor {
    char name[MADE_NAME];
    int rows, columns; /* rows 0: a vector */
    float *values;     /* owned */
} made_tensor;

typedef struct made_model {
    made_tensor items[MADE_TENSORS];
    int count;
    lmd_matrix_type type; /* as which they are written */
    uint64_t random;
} made_model;

static inline size_t made_size(const made_tensor *tensor)
{
    return (size_t)(tensor->rows ? tensor->rows : 1) * (size_t)tensor->columns;
}

/* About evenly in (-1, 1). */
static inline double made_random(made_model *made)
{
    made->random = made->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (double)(made->random >> 11) / (double)(UINT64_C(1) << 52) - 1;
}

static inline uint16_t made_half(lmd_matrix_type type, float value)
{
    return type == LMD_F16 ? lmd_half_to_f16(value) : lmd_half_to_bf16(value);
}

/* A value that the type holds. */
static inline float made_round(lmd_matrix_type type, float value)
{
    if (type == LMD_F32) {
        return value;
    }
    const uint16_t bits = made_half(type, value);
    return type == LMD_F16 ? lmd_half_from_f16(bits) : lmd_half_from_bf16(bits);
}

/* A tensor of values middle +- spread; # in the pattern is the block's number. */
static inline float *made_add(made_model *made, const char *pattern, int block,
                              const int shape[2], const double range[2])
{
    assert_true(made->count < MADE_TENSORS);
    made_tensor *const tensor = &made->items[made->count++];
    const size_t head = strcspn(pattern, "#");
    char number[16] = "";
    if (pattern[head]) {
        (void)snprintf(number, sizeof number, "%d", block);
    }
    (void)snprintf(tensor->name, MADE_NAME, "%.*s%s%s", (int)head, pattern, number,
                   pattern + head + (pattern[head] == '#'));
    tensor->rows = shape[0];
    tensor->columns = shape[1];
    tensor->values = lmd_memory_new(made_size(tensor), sizeof(float));
    for (size_t i = 0; i < made_size(tensor); i++) {
        tensor->values[i] =
            made_round(made->type, (float)(range[0] + range[1] * made_random(made)));
    }
    return tensor->values;
}

static inline made_tensor *made_find(made_model *made, const char *name)
{
    for (int i = 0; i < made->count; i++) {
        if (strcmp(made->items[i].name, name) == 0) {
            return &made->items[i];
        }
    }
    return NULL;
}

/* The values of a tensor that is there; # is the block. */
static inline const float *made_values(const made_model *made, const char *pattern,
                                       int block)
{
    for (int i = 0; i < made->count; i++) {
        const char *const name = made->items[i].name;
        const size_t head = strcspn(pattern, "#");
        char *end = NULL;
        if (strncmp(name, pattern, head) != 0) {
            continue;
        }
        if (pattern[head] == 0 ? name[head] == 0
                               : strtol(name + head, &end, 10) == block &&
                                     strcmp(end, pattern + head + 1) == 0) {
            return made->items[i].values;
        }
    }
    fail_msg("no tensor %s", pattern);
    return NULL;
}

static inline void made_free(made_model *made)
{
    for (int i = 0; i < made->count; i++) {
        lmd_memory_free(made->items[i].values);
    }
    *made = (made_model){0};
}

/* ---- files ---- */

static inline void put_values(lmd_text *out, const made_tensor *tensor,
                              lmd_matrix_type type)
{
    for (size_t i = 0; i < made_size(tensor); i++) {
        if (type == LMD_F32) {
            put_f32(out, tensor->values[i]);
        } else {
            const uint16_t bits = made_half(type, tensor->values[i]);
            lmd_text_append(out, &bits, sizeof bits);
        }
    }
}

/* test_folder/model.safetensors and config.json; the folder held no GGUF file. */
static inline void made_write(const made_model *made, const char *config)
{
    static const char *const types[] = {"F32", "F16", "BF16"};
    const size_t width = made->type == LMD_F32 ? 4 : 2;
    lmd_text header = {0};
    lmd_text file = {0};
    size_t at = 0;
    for (int i = 0; i < made->count; i++) {
        const made_tensor *const tensor = &made->items[i];
        const size_t end = at + made_size(tensor) * width;
        lmd_text_append_format(&header, "%c\"%s\":{\"dtype\":\"%s\",\"shape\":[",
                               i ? ',' : '{', tensor->name, types[made->type]);
        if (tensor->rows) {
            lmd_text_append_format(&header, "%d,", tensor->rows);
        }
        lmd_text_append_format(&header, "%d],\"data_offsets\":[%zu,%zu]}",
                               tensor->columns, at, end);
        at = end;
    }
    lmd_text_append_string(&header, "}");
    put_safetensors(&file, lmd_text_string(&header));
    for (int i = 0; i < made->count; i++) {
        put_values(&file, &made->items[i], made->type);
    }
    write_file("model.safetensors", &file);
    lmd_text_append_string(&file, config);
    write_file("config.json", &file);
    lmd_text_clear(&header);
}

/* The same with the members of the JSON text `changes` put into the config. */
static inline void made_write_changed(const made_model *made, const char *config,
                                      const char *changes)
{
    json_t *const whole = json_loads(config, 0, NULL);
    json_t *const members = json_loads(changes, 0, NULL);
    assert_non_null(whole);
    assert_non_null(members);
    assert_int_equal(json_object_update(whole, members), 0);
    char *const dump = json_dumps(whole, 0);
    made_write(made, dump);
    free(dump);
    json_decref(members);
    json_decref(whole);
}

/* test_folder/<name>: keys and their number come ready made; vectors are F32, as
 * converters write them. */
static inline void made_write_gguf(const made_model *made, const char *name,
                                   const lmd_text *keys, int n_keys)
{
    static const uint32_t types[] = {0, 1, 30};
    lmd_text file = {0};
    lmd_text data = {0};
    put_gguf_start(&file, (uint64_t)made->count, (uint64_t)n_keys);
    lmd_text_append(&file, keys->bytes, keys->size);
    for (int i = 0; i < made->count; i++) {
        const made_tensor *const tensor = &made->items[i];
        const lmd_matrix_type type = tensor->rows ? made->type : LMD_F32;
        const uint64_t dims[] = {(uint64_t)tensor->columns, (uint64_t)tensor->rows};
        put_gguf_tensor(&file, tensor->name, tensor->rows ? 2 : 1, dims, types[type],
                        data.size);
        put_values(&data, tensor, type);
        put_gguf_padding(&data, 32);
    }
    put_gguf_padding(&file, 32);
    lmd_text_append(&file, data.bytes, data.size);
    lmd_text_clear(&data);
    write_file(name, &file);
}

static inline void put_gguf_size(lmd_text *keys, const char *name, int value)
{
    put_gguf_key(keys, name, 4);
    put_u32(keys, (uint32_t)value);
}

static inline void put_gguf_real(lmd_text *keys, const char *name, float value)
{
    put_gguf_key(keys, name, 6);
    put_f32(keys, value);
}

/* ---- running ---- */

typedef struct loaded {
    lmd_model *model;
    lmd_team *team;
    lmd_kernel *kernel;
    void *memory;
    int N, d, V;
} loaded;

static inline loaded load_model(const char *path, int threads)
{
    loaded it = {0};
    if (lmd_model_open(&it.model, path) != LMD_OK) {
        fail_msg("%s", lmd_status_message());
    }
    const lmd_model_shape *const shape = lmd_model_get_shape(it.model);
    it.N = shape->N;
    it.d = shape->d;
    it.V = shape->V;
    it.team = lmd_team_new(threads);
    it.kernel = lmd_kernel_new(it.team, shape->max_C);
    it.memory = lmd_memory_new_aligned(lmd_model_bytes(it.model), 1);
    if (lmd_model_load(it.model, NULL, it.memory) != LMD_OK) {
        fail_msg("%s", lmd_status_message());
    }
    return it;
}

static inline void free_model(loaded *it)
{
    lmd_model_close(it->model);
    lmd_kernel_free(it->kernel);
    lmd_team_free(it->team);
    lmd_memory_free(it->memory);
}

/* states (N + 1, T, d). Caller frees. */
static inline float *run_model(const loaded *it, const uint32_t *ids,
                               const int32_t *starts, int n_prompts)
{
    const lmd_batch batch = {starts[n_prompts], n_prompts, ids, starts};
    const size_t count = (size_t)(it->N + 1) * (size_t)batch.T * (size_t)it->d;
    void *const work =
        lmd_memory_new_aligned(lmd_model_work_bytes(it->model, batch.T), 1);
    float *const states = lmd_memory_new_aligned(count, sizeof *states);
    lmd_model_forward(it->model, it->kernel, &batch, work, states);
    lmd_memory_free(work);
    return states;
}

/* Largest error of any row relative to the root mean square of the reference's row. */
static inline double worst_error(const float *is, const double *should, int rows,
                                 int width)
{
    double worst = 0;
    for (int r = 0; r < rows; r++) {
        double squares = 0;
        double largest = 0;
        for (int i = 0; i < width; i++) {
            const size_t at = (size_t)r * (size_t)width + (size_t)i;
            squares += should[at] * should[at];
            largest = fmax(largest, fabs((double)is[at] - should[at]));
        }
        worst = fmax(worst, largest / sqrt(squares / width));
    }
    return worst;
}

/* Bits of a prompt alone = in a pack, on 1, 2 and 5 threads. */
static inline void assert_packs_and_threads_agree(const char *path)
{
    enum { T = 13, PROMPTS = 4 };
    static const uint32_t ids[T] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9};
    static const int32_t starts[PROMPTS + 1] = {0, 5, 6, 11, T};
    static const int threads[] = {1, 2, 5};
    loaded one = load_model(path, 1);
    const size_t d = (size_t)one.d;
    float *const first = run_model(&one, ids, starts, PROMPTS);
    for (size_t i = 1; i < 3; i++) {
        loaded it = load_model(path, threads[i]);
        float *const states = run_model(&it, ids, starts, PROMPTS);
        assert_memory_equal(states, first, (size_t)(one.N + 1) * T * d * sizeof *first);
        lmd_memory_free(states);
        free_model(&it);
    }
    for (int p = 0; p < PROMPTS; p++) {
        const int32_t alone[] = {0, starts[p + 1] - starts[p]};
        const size_t length = (size_t)alone[1];
        float *const states = run_model(&one, ids + starts[p], alone, 1);
        for (size_t l = 0; l <= (size_t)one.N; l++) {
            assert_memory_equal(first + (l * T + (size_t)starts[p]) * d,
                                states + l * length * d, length * d * sizeof *states);
        }
        lmd_memory_free(states);
    }
    lmd_memory_free(first);
    free_model(&one);
}

/* Two files of the same model give the same bits. */
static inline void assert_files_agree(const char *path_a, const char *path_b)
{
    enum { T = 7 };
    static const uint32_t ids[T] = {2, 7, 1, 8, 2, 8, 1};
    static const int32_t starts[] = {0, T};
    loaded a = load_model(path_a, 1);
    loaded b = load_model(path_b, 1);
    assert_int_equal(lmd_model_bytes(a.model), lmd_model_bytes(b.model));
    float *const states_a = run_model(&a, ids, starts, 1);
    float *const states_b = run_model(&b, ids, starts, 1);
    assert_memory_equal(states_a, states_b,
                        (size_t)(a.N + 1) * T * (size_t)a.d * sizeof *states_a);
    lmd_memory_free(states_a);
    lmd_memory_free(states_b);
    free_model(&a);
    free_model(&b);
}

/* ---- refusals ---- */

/* The model in test_folder opens, or is refused with a message that holds `part`. */
static inline void assert_opens(const char *part)
{
    lmd_model *model = NULL;
    const lmd_status status = lmd_model_open(&model, test_folder);
    if (!part && status != LMD_OK) {
        fail_msg("%s", lmd_status_message());
    }
    if (part && (status != LMD_INPUT || !strstr(lmd_status_message(), part))) {
        fail_msg("'%s' is not in '%s'", part,
                 status == LMD_OK ? "no refusal" : lmd_status_message());
    }
    lmd_model_close(model);
}

/* The remarks on the model in path hold `part`. */
static inline void assert_remarks(const char *path, const char *part)
{
    lmd_model *model = NULL;
    lmd_text remarks = {0};
    assert_int_equal(lmd_model_open(&model, path), LMD_OK);
    lmd_model_remarks(model, &remarks);
    if (!strstr(lmd_text_string(&remarks), part)) {
        fail_msg("'%s' is not in '%s'", part, lmd_text_string(&remarks));
    }
    lmd_text_clear(&remarks);
    lmd_model_close(model);
}

/* ---- the definition, in fp64; rows are positions of one prompt ---- */

static inline void naive_norm(double *out, const double *in, const float *weight,
                              const float *bias, double eps, int T, int d)
{
    for (int t = 0; t < T; t++) {
        const double *const row = in + (size_t)t * (size_t)d;
        double mean = 0;
        double variance = 0;
        for (int i = 0; i < d; i++) {
            mean += row[i] / d;
        }
        for (int i = 0; i < d; i++) {
            variance += (row[i] - mean) * (row[i] - mean) / d;
        }
        for (int i = 0; i < d; i++) {
            out[t * d + i] = (row[i] - mean) / sqrt(variance + eps) * (double)weight[i] +
                             (double)bias[i];
        }
    }
}

/* W (O, C) by `step`: element (o, c) at o * step[0] + c * step[1]. */
static inline void naive_linear(double *out, const double *in, const float *W,
                                const int step[2], const float *bias, const int size[3])
{
    const int T = size[0], O = size[1], C = size[2];
    for (int t = 0; t < T; t++) {
        for (int o = 0; o < O; o++) {
            double sum = bias ? (double)bias[o] : 0;
            for (int c = 0; c < C; c++) {
                sum += in[t * C + c] * (double)W[o * step[0] + c * step[1]];
            }
            out[t * O + o] = sum;
        }
    }
}

/* qkv (T, 3 d) stacked by kind to out (T, d). */
static inline void naive_attention(double *out, const double *qkv, int T, int H, int D,
                                   double scale)
{
    const int d = H * D;
    double weights[64];
    for (int h = 0; h < H; h++) {
        for (int t = 0; t < T; t++) {
            const double *const q = qkv + t * 3 * d + h * D;
            double sum = 0;
            for (int s = 0; s <= t; s++) {
                const double *const k = qkv + s * 3 * d + d + h * D;
                double score = 0;
                for (int i = 0; i < D; i++) {
                    score += q[i] * k[i];
                }
                weights[s] = exp(score * scale);
                sum += weights[s];
            }
            for (int i = 0; i < D; i++) {
                double mixed = 0;
                for (int s = 0; s <= t; s++) {
                    mixed += weights[s] / sum * qkv[s * 3 * d + 2 * d + h * D + i];
                }
                out[t * d + h * D + i] = mixed;
            }
        }
    }
}

static inline double naive_activation(double x, lmd_activation activation)
{
    switch (activation) {
    case LMD_SILU:
        return x / (1 + exp(-x));
    case LMD_GELU:
        return 0.5 * x * (1 + erf(x / sqrt(2)));
    case LMD_GELU_TANH:
        return 0.5 * x * (1 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
    case LMD_RELU:
        return x > 0 ? x : 0;
    }
    return (double)NAN;
}

static inline void naive_add(double *out, const double *a, const double *b, int count)
{
    for (int i = 0; i < count; i++) {
        out[i] = a[i] + b[i];
    }
}

#endif
