/* The Mamba family against a naive twin in fp64, straight from the paper's formulas, and
 * against itself: packs, threads, orders of the unembedding, formats. The models are made
 * here, with odd sizes and every switch of the config; tests/conformance holds the family
 * against transformers. */
#include <jansson.h>
#include <lmdepth/base/half.h>
#include <lmdepth/model.h>
#include <math.h>
#include "weight_files.h"

#define TOLERANCE 2e-5 /* of a row's root mean square */

enum { LENGTH = 23, N_PROMPTS = 4, MOST_TENSORS = 40 };
static const int32_t prompts[N_PROMPTS + 1] = {0, 9, 10, 12, LENGTH};
static const int32_t whole[2] = {0, LENGTH};

typedef struct variant {
    const char *config;
    int N, d, V, inner, n_states, width, rank;
    bool has_mixer_bias, has_conv_bias, is_tied;
    lmd_matrix_type type; /* of all tensors in the folder */
    double eps;
} variant;

static const variant plain = {
    .config = "{\"model_type\": \"mamba\", \"hidden_size\": 34, \"num_hidden_layers\": 2,"
              " \"vocab_size\": 37, \"state_size\": 5, \"time_step_rank\": \"auto\","
              " \"rms_norm\": true, \"hidden_act\": \"silu\", \"d_inner\": 1}",
    .N = 2,
    .d = 34,
    .V = 37,
    .inner = 68,
    .n_states = 5,
    .width = 4,
    .rank = 3,
    .has_conv_bias = true,
    .is_tied = true,
    .eps = 1e-5};

static const variant switched = {
    .config = "{\"model_type\": \"mamba\", \"hidden_size\": 20, \"num_hidden_layers\": 2,"
              " \"vocab_size\": 41, \"expand\": 2, \"intermediate_size\": 33,"
              " \"conv_kernel\": 3, \"time_step_rank\": 7, \"use_bias\": true,"
              " \"use_conv_bias\": false, \"tie_word_embeddings\": false,"
              " \"layer_norm_epsilon\": 1e-3, \"residual_in_fp32\": false}",
    .N = 2,
    .d = 20,
    .V = 41,
    .inner = 33,
    .n_states = 16,
    .width = 3,
    .rank = 7,
    .has_mixer_bias = true,
    .type = LMD_BF16,
    .eps = 1e-3};

/* A rank wider than all else, a convolution and a scan of one. */
static const variant narrow = {
    .config = "{\"model_type\": \"mamba\", \"hidden_size\": 7, \"num_hidden_layers\": 1,"
              " \"vocab_size\": 5, \"expand\": 3, \"state_size\": 1, \"conv_kernel\": 1,"
              " \"time_step_rank\": 50, \"hidden_act\": \"swish\"}",
    .N = 1,
    .d = 7,
    .V = 5,
    .inner = 21,
    .n_states = 1,
    .width = 1,
    .rank = 50,
    .has_conv_bias = true,
    .is_tied = true,
    .type = LMD_F16,
    .eps = 1e-5};

static const variant *const variants[] = {&plain, &switched, &narrow};
enum { N_VARIANTS = sizeof variants / sizeof *variants };

/* ---- weights ---- */

typedef struct tensor {
    char name[64], gguf[64];
    int n_dims;
    int shape[3];
    size_t n;
    float *values; /* owned */
} tensor;

typedef struct twin {
    const variant *of;
    tensor tensors[MOST_TENSORS];
    int n_tensors;
    uint64_t random;
} twin;

/* Even in (-1, 1). */
static double next_random(twin *it)
{
    it->random = it->random * 6364136223846793005U + 1442695040888963407U;
    return (double)(int32_t)(it->random >> 32) * 0x1p-31;
}

static float round_to(lmd_matrix_type type, double value)
{
    const float rounded = (float)value;
    return type == LMD_F16    ? lmd_half_from_f16(lmd_half_to_f16(rounded))
           : type == LMD_BF16 ? lmd_half_from_bf16(lmd_half_to_bf16(rounded))
                              : rounded;
}

/* "layers.#.x" with the block's number. */
static void fill_name(char out[64], const char *pattern, int block)
{
    const size_t head = strcspn(pattern, "#");
    if (pattern[head]) {
        (void)snprintf(out, 64, "%.*s%d%s", (int)head, pattern, block,
                       pattern + head + 1);
    } else {
        (void)snprintf(out, 64, "%s", pattern);
    }
}

/* (rows, columns), or (columns) when rows is 0: mean + even in (-scale, scale). */
static void add(twin *it, const char *name, const char *gguf, int block,
                const int shape[2], double mean, double scale)
{
    tensor *const out = &it->tensors[it->n_tensors++];
    assert_true(it->n_tensors <= MOST_TENSORS);
    fill_name(out->name, name, block);
    fill_name(out->gguf, gguf, block);
    out->n_dims = shape[0] ? 2 : 1;
    out->shape[0] = shape[0] ? shape[0] : shape[1];
    out->shape[1] = shape[1];
    out->n = (size_t)out->shape[0] * (size_t)(shape[0] ? shape[1] : 1);
    out->values = lmd_memory_new(out->n, sizeof *out->values);
    const bool is_decay = strstr(name, "A_log") != NULL;
    for (size_t i = 0; i < out->n; i++) {
        const double start = is_decay ? log(1.0 + (double)(i % (size_t)shape[1])) : mean;
        out->values[i] = round_to(it->of->type, start + scale * next_random(it));
    }
}

#define MIXER "backbone.layers.#.mixer."

static void add_block(twin *it, int l)
{
    const variant *const v = it->of;
    const int d = v->d, inner = v->inner, projected = v->rank + 2 * v->n_states;
    add(it, "backbone.layers.#.norm.weight", "blk.#.attn_norm.weight", l, (int[]){0, d},
        1, 0.2);
    add(it, MIXER "in_proj.weight", "blk.#.ssm_in.weight", l, (int[]){2 * inner, d}, 0,
        2 / sqrt(d));
    add(it, MIXER "conv1d.weight", "blk.#.ssm_conv1d.weight", l, (int[]){inner, v->width},
        0, 2 / sqrt(v->width));
    add(it, MIXER "x_proj.weight", "blk.#.ssm_x.weight", l, (int[]){projected, inner}, 0,
        2 / sqrt(inner));
    add(it, MIXER "dt_proj.weight", "blk.#.ssm_dt.weight", l, (int[]){inner, v->rank}, 0,
        1 / sqrt(v->rank));
    add(it, MIXER "dt_proj.bias", "blk.#.ssm_dt.bias", l, (int[]){0, inner}, -2, 2);
    add(it, MIXER "A_log", "blk.#.ssm_a", l, (int[]){inner, v->n_states}, 0, 0.2);
    add(it, MIXER "D", "blk.#.ssm_d", l, (int[]){0, inner}, 1, 0.3);
    add(it, MIXER "out_proj.weight", "blk.#.ssm_out.weight", l, (int[]){d, inner}, 0,
        2 / sqrt(inner));
    if (v->has_mixer_bias) {
        add(it, MIXER "in_proj.bias", "blk.#.ssm_in.bias", l, (int[]){0, 2 * inner}, 0,
            0.3);
        add(it, MIXER "out_proj.bias", "blk.#.ssm_out.bias", l, (int[]){0, d}, 0, 0.3);
    }
    if (v->has_conv_bias) {
        add(it, MIXER "conv1d.bias", "blk.#.ssm_conv1d.bias", l, (int[]){0, inner}, 0,
            0.3);
    }
}

static void make_twin(twin *it, const variant *of)
{
    *it = (twin){.of = of, .random = (uint64_t)of->d};
    add(it, "backbone.embeddings.weight", "token_embd.weight", 0, (int[]){of->V, of->d},
        0, 1);
    for (int l = 0; l < of->N; l++) {
        add_block(it, l);
    }
    add(it, "backbone.norm_f.weight", "output_norm.weight", 0, (int[]){0, of->d}, 1, 0.2);
    if (!of->is_tied) {
        add(it, "lm_head.weight", "output.weight", 0, (int[]){of->V, of->d}, 0, 1);
    }
}

static void clear_twin(twin *it)
{
    for (int i = 0; i < it->n_tensors; i++) {
        lmd_memory_free(it->tensors[i].values);
    }
}

/* NULL: it has none. */
static const float *find(const twin *it, const char *pattern, int block)
{
    char name[64];
    fill_name(name, pattern, block);
    for (int i = 0; i < it->n_tensors; i++) {
        if (strcmp(it->tensors[i].name, name) == 0) {
            return it->tensors[i].values;
        }
    }
    return NULL;
}

/* ---- its files ---- */

static void put_values(lmd_text *out, const tensor *from, lmd_matrix_type type)
{
    for (size_t i = 0; i < from->n; i++) {
        const uint16_t half = type == LMD_F16 ? lmd_half_to_f16(from->values[i])
                                              : lmd_half_to_bf16(from->values[i]);
        if (type == LMD_F32) {
            put_f32(out, from->values[i]);
        } else {
            lmd_text_append(out, &half, sizeof half);
        }
    }
}

static void write_folder(const twin *it)
{
    static const char *const types[] = {"F32", "F16", "BF16"};
    lmd_text header = {0};
    lmd_text bytes = {0};
    lmd_text config = {0};
    size_t at = 0;
    lmd_text_append_string(&header, "{");
    for (int i = 0; i < it->n_tensors; i++) {
        const tensor *const from = &it->tensors[i];
        const size_t size = from->n * (it->of->type == LMD_F32 ? 4 : 2);
        const bool is_conv = strstr(from->name, "conv1d.weight") != NULL;
        lmd_text_append_format(&header, "%s\"%s\": {\"dtype\": \"%s\", \"shape\": [%d",
                               i ? ", " : "", from->name, types[it->of->type],
                               from->shape[0]);
        if (from->n_dims > 1) {
            lmd_text_append_format(&header, is_conv ? ", 1, %d" : ", %d", from->shape[1]);
        }
        lmd_text_append_format(&header, "], \"data_offsets\": [%zu, %zu]}", at,
                               at + size);
        at += size;
    }
    lmd_text_append_string(&header, "}");
    put_safetensors(&bytes, lmd_text_string(&header));
    for (int i = 0; i < it->n_tensors; i++) {
        put_values(&bytes, &it->tensors[i], it->of->type);
    }
    lmd_text_append_string(&config, it->of->config);
    write_file("model.safetensors", &bytes);
    write_file("config.json", &config);
    lmd_text_clear(&header);
}

static void put_sizes(lmd_text *out, const variant *v)
{
    const struct {
        const char *key;
        int value;
    } sizes[] = {
        {"mamba.context_length", 1 << 20},     {"mamba.embedding_length", v->d},
        {"mamba.feed_forward_length", 0},      {"mamba.attention.head_count", 0},
        {"mamba.block_count", v->N},           {"mamba.ssm.conv_kernel", v->width},
        {"mamba.ssm.inner_size", v->inner},    {"mamba.ssm.state_size", v->n_states},
        {"mamba.ssm.time_step_rank", v->rank},
    };
    enum { N_SIZES = sizeof sizes / sizeof *sizes };
    assert_int_equal(N_SIZES, 9);
    for (int i = 0; i < N_SIZES; i++) {
        put_gguf_key(out, sizes[i].key, 4);
        put_u32(out, (uint32_t)sizes[i].value);
    }
}

/* Matrices of products as stored in the folder, all else F32, A without its
 * logarithm. */
static lmd_matrix_type type_in_gguf(const twin *it, const tensor *from)
{
    const bool is_product = from->n_dims == 2 && strstr(from->name, "A_log") == NULL &&
                            strstr(from->name, "conv1d") == NULL;
    return is_product ? it->of->type : LMD_F32;
}

static void write_gguf(const twin *it, bool has_inner_norms)
{
    static const uint32_t numbers[] = {0, 1, 30};
    lmd_text bytes = {0};
    uint64_t at = 0;
    put_gguf_start(&bytes, (uint64_t)it->n_tensors, 12);
    put_gguf_key(&bytes, "general.architecture", 8);
    put_gguf_string(&bytes, "mamba");
    put_sizes(&bytes, it->of);
    put_gguf_key(&bytes, "mamba.attention.layer_norm_rms_epsilon", 6);
    put_f32(&bytes, (float)it->of->eps);
    put_gguf_key(&bytes, "mamba.ssm.dt_b_c_rms", 7);
    lmd_text_append(&bytes, has_inner_norms ? "\1" : "\0", 1);
    for (int i = 0; i < it->n_tensors; i++) {
        const tensor *const from = &it->tensors[i];
        const lmd_matrix_type type = type_in_gguf(it, from);
        const uint64_t dims[2] = {(uint64_t)from->shape[from->n_dims - 1],
                                  (uint64_t)from->shape[0]};
        put_gguf_tensor(&bytes, from->gguf, (uint32_t)from->n_dims, dims, numbers[type],
                        at);
        at += (from->n * (type == LMD_F32 ? 4 : 2) + 31) / 32 * 32;
    }
    put_gguf_padding(&bytes, 32);
    for (int i = 0; i < it->n_tensors; i++) {
        const tensor *const from = &it->tensors[i];
        for (size_t k = 0; k < from->n && strstr(from->name, "A_log"); k++) {
            from->values[k] = -(float)exp((double)from->values[k]);
        }
        put_values(&bytes, from, type_in_gguf(it, from));
        put_gguf_padding(&bytes, 32);
    }
    write_file("model.gguf", &bytes);
}

/* ---- the twin's arithmetic ---- */

/* out (rows) = W (rows, columns) in + bias (or NULL). */
static void multiply(double *out, const float *W, const float *bias, const double *in,
                     int rows, int columns)
{
    for (int r = 0; r < rows; r++) {
        double sum = bias ? (double)bias[r] : 0;
        for (int c = 0; c < columns; c++) {
            sum += (double)W[(size_t)r * (size_t)columns + (size_t)c] * in[c];
        }
        out[r] = sum;
    }
}

static void norm(double *out, const double *in, const float *weight, const variant *v)
{
    double squares = 0;
    for (int i = 0; i < v->d; i++) {
        squares += in[i] * in[i];
    }
    const double factor = 1 / sqrt(squares / v->d + (double)(float)v->eps);
    for (int i = 0; i < v->d; i++) {
        out[i] = in[i] * factor * (double)weight[i];
    }
}

static double silu(double x)
{
    return x / (1 + exp(-x));
}

/* What channel c of one position's scan gives; h (n_states) is its state. */
static double scan(const twin *it, int l, int c, double x, const double *p, double *h)
{
    const variant *const v = it->of;
    const float *const rows = find(it, MIXER "dt_proj.weight", l);
    const float *const A_log = find(it, MIXER "A_log", l);
    double delta = (double)find(it, MIXER "dt_proj.bias", l)[c];
    for (int r = 0; r < v->rank; r++) {
        delta += (double)rows[c * v->rank + r] * p[r];
    }
    delta = log1p(exp(delta));
    double y = (double)find(it, MIXER "D", l)[c] * x;
    for (int n = 0; n < v->n_states; n++) {
        const double A = -exp((double)A_log[c * v->n_states + n]);
        h[n] = exp(delta * A) * h[n] + delta * p[v->rank + n] * x;
        y += p[v->rank + v->n_states + n] * h[n];
    }
    return y;
}

/* out, in (T, d): block l of one prompt. */
static void run_block(const twin *it, int l, const double *in, double *out, int T)
{
    const variant *const v = it->of;
    const int d = v->d, inner = v->inner;
    const int projected = v->rank + 2 * v->n_states;
    const float *const taps = find(it, MIXER "conv1d.weight", l);
    const float *const tap_bias = find(it, MIXER "conv1d.bias", l);
    double *const normed = lmd_memory_new((size_t)d, sizeof *normed);
    double *const pairs = lmd_memory_new((size_t)(2 * inner * T), sizeof *pairs);
    double *const x = lmd_memory_new((size_t)inner, sizeof *x);
    double *const p = lmd_memory_new((size_t)projected, sizeof *p);
    double *const h = lmd_memory_new((size_t)(inner * v->n_states), sizeof *h);
    for (int t = 0; t < T; t++) {
        double *const pair = pairs + 2 * inner * t;
        norm(normed, in + t * d, find(it, "backbone.layers.#.norm.weight", l), v);
        multiply(pair, find(it, MIXER "in_proj.weight", l),
                 find(it, MIXER "in_proj.bias", l), normed, 2 * inner, d);
        for (int c = 0; c < inner; c++) {
            double sum = tap_bias ? (double)tap_bias[c] : 0;
            for (int j = 0; j < v->width && j <= t; j++) {
                sum += (double)taps[c * v->width + v->width - 1 - j] *
                       pairs[2 * inner * (t - j) + c];
            }
            x[c] = silu(sum);
        }
        multiply(p, find(it, MIXER "x_proj.weight", l), NULL, x, projected, inner);
        for (int c = 0; c < inner; c++) {
            x[c] = scan(it, l, c, x[c], p, h + c * v->n_states) * silu(pair[inner + c]);
        }
        multiply(normed, find(it, MIXER "out_proj.weight", l),
                 find(it, MIXER "out_proj.bias", l), x, d, inner);
        for (int i = 0; i < d; i++) {
            out[t * d + i] = in[t * d + i] + normed[i];
        }
    }
    lmd_memory_free(normed);
    lmd_memory_free(pairs);
    lmd_memory_free(x);
    lmd_memory_free(p);
    lmd_memory_free(h);
}

/* states (N + 1, LENGTH, d) of the prompts of a pack; caller frees. */
static double *run_twin(const twin *it, const uint32_t *ids, const int32_t *starts, int n)
{
    const int d = it->of->d;
    const float *const embedding = find(it, "backbone.embeddings.weight", 0);
    double *const states =
        lmd_memory_new((size_t)((it->of->N + 1) * LENGTH * d), sizeof *states);
    for (int t = 0; t < LENGTH; t++) {
        for (int i = 0; i < d; i++) {
            states[t * d + i] = (double)embedding[(int)ids[t] * d + i];
        }
    }
    for (int l = 0; l < it->of->N; l++) {
        for (int p = 0; p < n; p++) {
            const double *const in = states + (l * LENGTH + starts[p]) * d;
            double *const out = states + ((l + 1) * LENGTH + starts[p]) * d;
            run_block(it, l, in, out, starts[p + 1] - starts[p]);
        }
    }
    return states;
}

/* ---- the model ---- */

typedef struct loaded {
    lmd_model *model;
    lmd_team *team;
    lmd_kernel *kernel;
    void *memory;
    int32_t *order; /* NULL: by id */
} loaded;

static void open_model(loaded *it, const char *name, int threads, bool is_shuffled)
{
    char path[PATH_SIZE];
    *it = (loaded){0};
    if (lmd_model_open(&it->model, path_of(path, name)) != LMD_OK) {
        fail_msg("%s", lmd_status_message());
    }
    const lmd_model_shape *const shape = lmd_model_get_shape(it->model);
    it->team = lmd_team_new(threads);
    it->kernel = lmd_kernel_new(it->team, shape->max_C);
    it->memory = lmd_memory_new_aligned(lmd_model_bytes(it->model), 1);
    if (is_shuffled) {
        /* No V here is a multiple of 3, so this meets every id once. */
        it->order = lmd_memory_new((size_t)shape->V, sizeof *it->order);
        for (int row = 0; row < shape->V; row++) {
            it->order[row] = (3 * row + 1) % shape->V;
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

/* states (N + 1, T, d) of a pack; caller frees. */
static float *run(const loaded *it, const uint32_t *ids, const int32_t *starts, int n)
{
    const lmd_model_shape *const shape = lmd_model_get_shape(it->model);
    const lmd_batch batch = {starts[n], n, ids, starts};
    const size_t rows = (size_t)(shape->N + 1) * (size_t)batch.T;
    void *const work =
        lmd_memory_new_aligned(lmd_model_work_bytes(it->model, batch.T), 1);
    float *const out = lmd_memory_new_aligned(rows * (size_t)shape->d, sizeof *out);
    lmd_model_forward(it->model, it->kernel, &batch, work, out);
    lmd_memory_free(work);
    return out;
}

static void fill_ids(uint32_t ids[LENGTH], int V)
{
    for (int t = 0; t < LENGTH; t++) {
        ids[t] = (uint32_t)((t * t + 3 * t) % V);
    }
}

/* ---- tests ---- */

/* Largest error of any row relative to the root mean square of the twin's. */
static double worst_error(const float *is, const double *should, int rows, int width)
{
    double worst = 0;
    for (int r = 0; r < rows; r++) {
        double squares = 0;
        double largest = 0;
        for (int i = r * width; i < (r + 1) * width; i++) {
            squares += should[i] * should[i];
            largest = fmax(largest, fabs((double)is[i] - should[i]));
        }
        worst = fmax(worst, largest / sqrt(squares / width));
    }
    return worst;
}

/* Final norm and unembedding of the last position, whose rows are in `order`. */
static void assert_logits(const loaded *it, const twin *its, const float *last,
                          const double *should)
{
    const variant *const v = its->of;
    const char *const head = v->is_tied ? "backbone.embeddings.weight" : "lm_head.weight";
    float *const normed = lmd_memory_new((size_t)v->d, sizeof *normed);
    double *const expected = lmd_memory_new((size_t)v->d, sizeof *expected);
    double *const logits = lmd_memory_new((size_t)v->V, sizeof *logits);
    float *const is = lmd_memory_new((size_t)v->V, sizeof *is);
    float *const row = lmd_memory_new((size_t)v->d, sizeof *row);
    norm(expected, should, find(its, "backbone.norm_f.weight", 0), v);
    multiply(logits, find(its, head, 0), NULL, expected, v->V, v->d);
    lmd_model_final_norm(it->model, last, normed);
    for (int i = 0; i < v->V; i++) {
        double sum = 0;
        lmd_matrix_get_row(lmd_model_unembedding(it->model), i, row);
        for (int c = 0; c < v->d; c++) {
            sum += (double)row[c] * (double)normed[c];
        }
        is[it->order ? it->order[i] : i] = (float)sum;
    }
    assert_true(worst_error(is, logits, 1, v->V) < TOLERANCE);
    lmd_memory_free(normed);
    lmd_memory_free(expected);
    lmd_memory_free(logits);
    lmd_memory_free(is);
    lmd_memory_free(row);
}

static void assert_twin(const variant *v, bool is_shuffled)
{
    twin its;
    loaded it;
    uint32_t ids[LENGTH];
    make_twin(&its, v);
    write_folder(&its);
    open_model(&it, "", 2, is_shuffled);
    fill_ids(ids, v->V);
    float *const states = run(&it, ids, prompts, N_PROMPTS);
    double *const expected = run_twin(&its, ids, prompts, N_PROMPTS);
    const double worst = worst_error(states, expected, (v->N + 1) * LENGTH, v->d);
    print_message("width %d: %.1e of a row's rms\n", v->d, worst);
    assert_true(worst < TOLERANCE);
    const int last = ((v->N + 1) * LENGTH - 1) * v->d;
    assert_logits(&it, &its, states + last, expected + last);
    lmd_memory_free(states);
    lmd_memory_free(expected);
    close_model(&it);
    clear_twin(&its);
}

static void test_twin(void **state)
{
    (void)state;
    for (int i = 0; i < N_VARIANTS; i++) {
        assert_twin(variants[i], false);
        assert_twin(variants[i], true);
    }
}

/* The same bits from the same ids by another way: `name` in the folder, threads. */
static void assert_same(const variant *v, const char *name, int threads)
{
    loaded a;
    loaded b;
    uint32_t ids[LENGTH];
    open_model(&a, "", 1, false);
    open_model(&b, name, threads, true);
    fill_ids(ids, v->V);
    float *const states_a = run(&a, ids, whole, 1);
    float *const states_b = run(&b, ids, whole, 1);
    assert_memory_equal(states_a, states_b,
                        (size_t)((v->N + 1) * LENGTH * v->d) * sizeof *states_a);
    lmd_memory_free(states_a);
    lmd_memory_free(states_b);
    close_model(&a);
    close_model(&b);
}

static void test_threads_and_formats_agree(void **state)
{
    (void)state;
    for (int i = 0; i < N_VARIANTS; i++) {
        twin its;
        make_twin(&its, variants[i]);
        write_folder(&its);
        assert_same(variants[i], "", 2);
        assert_same(variants[i], "", 5);
        write_gguf(&its, false);
        assert_same(variants[i], "model.gguf", 1);
        clear_twin(&its);
    }
}

/* Convolution and scan start anew: each prompt of a pack has the bits it has alone. */
static void test_pack(void **state)
{
    (void)state;
    for (int i = 0; i < N_VARIANTS; i++) {
        twin its;
        loaded it;
        uint32_t ids[LENGTH];
        const size_t d = (size_t)variants[i]->d;
        make_twin(&its, variants[i]);
        write_folder(&its);
        open_model(&it, "", 2, false);
        fill_ids(ids, variants[i]->V);
        float *const packed = run(&it, ids, prompts, N_PROMPTS);
        for (int p = 0; p < N_PROMPTS; p++) {
            const int32_t length = prompts[p + 1] - prompts[p];
            float *const alone = run(&it, ids + prompts[p], (int32_t[]){0, length}, 1);
            for (size_t l = 0; l <= (size_t)variants[i]->N; l++) {
                assert_memory_equal(packed + (l * LENGTH + (size_t)prompts[p]) * d,
                                    alone + l * (size_t)length * d,
                                    (size_t)length * d * sizeof *alone);
            }
            lmd_memory_free(alone);
        }
        lmd_memory_free(packed);
        close_model(&it);
        clear_twin(&its);
    }
}

static void test_shape(void **state)
{
    (void)state;
    char path[PATH_SIZE];
    twin its;
    lmd_model *model = NULL;
    lmd_text remarks = {0};
    make_twin(&its, &narrow);
    write_folder(&its);
    assert_int_equal(lmd_model_open(&model, path_of(path, "")), LMD_OK);
    const lmd_model_shape *const shape = lmd_model_get_shape(model);
    assert_string_equal(shape->family, "mamba");
    assert_int_equal(shape->context, 0);
    assert_int_equal(shape->max_C, 50);
    assert_int_equal(shape->H, 0);
    const int block = 7 + 42 * 7 + 21 + 21 + 52 * 21 + 21 * 50 + 21 + 21 + 21 + 7 * 21;
    assert_int_equal(shape->parameters, 5 * 7 + 7 + block);
    /* Four positions: products, and of each of 21 channels a tap and one state. */
    const double flops = 4 * 2.0 * (42 * 7 + 52 * 21 + 21 * 50 + 7 * 21 + 21 * (1 + 3));
    assert_true(fabs(lmd_model_flops(model, (int32_t[]){0, 1, 4}, 2) - flops) < 0.5);
    lmd_model_remarks(model, &remarks);
    assert_non_null(strstr(lmd_text_string(&remarks), "21 channels with 1 states"));
    lmd_text_clear(&remarks);
    lmd_model_close(model);
    clear_twin(&its);
}

/* ---- what is refused, by name ---- */

typedef struct refusal {
    const char *changes;
    const char *says;
} refusal;

static void assert_refused(const char *name, const char *says)
{
    char path[PATH_SIZE];
    lmd_model *model = NULL;
    if (lmd_model_open(&model, path_of(path, name)) != LMD_INPUT) {
        fail_msg("not refused: %s", says);
    }
    if (strstr(lmd_status_message(), says) == NULL) {
        fail_msg("'%s' is not in: %s", says, lmd_status_message());
    }
}

static void test_refused_configs(void **state)
{
    (void)state;
    static const refusal refused[] = {
        {"{\"hidden_act\": \"relu\"}", "'hidden_act' is relu"},
        {"{\"rms_norm\": false}", "'rms_norm' is false"},
        {"{\"ssm_cfg\": {\"layer\": \"Mamba2\"}}", "'ssm_cfg.layer' is Mamba2"},
        {"{\"time_step_rank\": \"half\"}", "'time_step_rank' is half"},
        {"{\"time_step_rank\": 0}", "'time_step_rank' is 0"},
        {"{\"time_step_rank\": 4}", "mixer.x_proj.weight' has shape (13, 68)"},
        {"{\"state_size\": 1025}", "more than 1024"},
        {"{\"expand\": 1000000}", "too wide"},
        {"{\"intermediate_size\": 67}", "mixer.in_proj.weight' has shape (136, 34)"},
        {"{\"use_bias\": true}",
         "4 tensors are missing: backbone.layers.0.mixer.in_proj"},
        {"{\"use_conv_bias\": false}", "2 tensors are no part of this model"},
        {"{\"tie_word_embeddings\": false}", "1 tensor is missing: lm_head.weight"},
        {"{\"mixer_rms_eps\": 1e-6}", "'mixer_rms_eps' is 1e-06"},
        {"{\"model_type\": \"falcon_mamba\"}", "'model_type' is falcon_mamba"},
    };
    twin its;
    make_twin(&its, &plain);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        write_folder(&its);
        json_t *const config = json_loads(plain.config, 0, NULL);
        json_t *const changes = json_loads(refused[i].changes, 0, NULL);
        assert_int_equal(json_object_update(config, changes), 0);
        char *const dump = json_dumps(config, 0);
        lmd_text text = {0};
        lmd_text_append_string(&text, dump);
        write_file("config.json", &text);
        free(dump);
        json_decref(config);
        json_decref(changes);
        assert_refused("", refused[i].says);
    }
    clear_twin(&its);
}

static void test_refused_gguf(void **state)
{
    (void)state;
    twin its;
    make_twin(&its, &switched);
    write_gguf(&its, true);
    assert_refused("model.gguf", "'mamba.ssm.dt_b_c_rms' is true");
    clear_twin(&its);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_twin, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_threads_and_formats_agree, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_pack, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_shape, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_refused_configs, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_refused_gguf, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
