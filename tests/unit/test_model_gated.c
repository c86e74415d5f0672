/* The gated decoders (llama, mistral, qwen2, qwen3) against a naive twin: tiny models
 * with every switch, written here, whose states are computed a second time in fp64
 * straight from the formulas. What transformers makes of such models is the conformance
 * suite's; this one needs no references and holds what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <lmdepth/base/hash.h>
#include <lmdepth/model.h>
#include <lmdepth/weights.h>
#include <math.h>
#include "model_files.h"

enum { T = 13, MAX_WIDTH = 64 };

#define TOLERANCE 2e-5 /* of a row's root mean square */

/* ---- configs ---- */

/* Keys of published members with smaller sizes. */
#define SIZES                                                                            \
    "\"hidden_size\": 12, \"intermediate_size\": 9, \"num_hidden_layers\": 3, "          \
    "\"num_attention_heads\": 6, \"num_key_value_heads\": 2, \"vocab_size\": 37, "       \
    "\"max_position_embeddings\": 64, \"rms_norm_eps\": 1e-5, \"bos_token_id\": 1, "     \
    "\"eos_token_id\": [2, 3], \"hidden_act\": \"silu\", \"initializer_range\": 0.02, "  \
    "\"use_cache\": true, \"torch_dtype\": \"bfloat16\", "                               \
    "\"transformers_version\": \"4.43.0.dev0\", \"attention_dropout\": 0.0, "

static const char llama[] =
    "{\"model_type\": \"llama\", \"architectures\": [\"LlamaForCausalLM\"], " SIZES
    "\"attention_bias\": false, \"mlp_bias\": false, \"pretraining_tp\": 1, "
    "\"rope_scaling\": null, \"rope_theta\": 500.0, \"tie_word_embeddings\": false}";

static const char mistral[] =
    "{\"model_type\": \"mistral\", " SIZES
    "\"rope_theta\": 10000.0, \"sliding_window\": 4096, \"tie_word_embeddings\": false}";

static const char qwen2[] =
    "{\"model_type\": \"qwen2\", " SIZES
    "\"max_window_layers\": 24, \"rope_theta\": 1000000.0, \"sliding_window\": 5, "
    "\"use_mrope\": false, \"use_sliding_window\": false, \"tie_word_embeddings\": true}";

static const char qwen3[] =
    "{\"model_type\": \"qwen3\", " SIZES
    "\"attention_bias\": false, \"head_dim\": 10, \"max_window_layers\": 28, "
    "\"rope_scaling\": null, \"rope_theta\": 1000000, \"sliding_window\": null, "
    "\"use_sliding_window\": false, \"tie_word_embeddings\": true}";

/* `config` with the members of `changes` put in. Caller's to free. */
static json_t *new_config(const char *config, const char *changes)
{
    json_t *const root = json_loads(config, 0, NULL);
    json_t *const members = json_loads(changes, 0, NULL);
    assert_non_null(root);
    assert_non_null(members);
    assert_int_equal(json_object_update(root, members), 0);
    json_decref(members);
    return root;
}

/* ---- what a config means, read a second time ---- */

typedef struct tiny {
    int N, d, H, K, D, F, V;
    bool is_tied, has_qkv_bias, has_o_bias, has_mlp_bias, has_norms;
    int window, window_start;
    const json_t *layer_types;
    const char *act;
    double eps, base;
    const json_t *rope; /* NULL: plain */
} tiny;

static int integer(const json_t *config, const char *key, int otherwise)
{
    const json_t *const value = json_object_get(config, key);
    return json_is_integer(value) ? (int)json_integer_value(value) : otherwise;
}

static bool flag(const json_t *config, const char *key)
{
    return json_is_true(json_object_get(config, key));
}

static tiny read_tiny(const json_t *config)
{
    const char *const type = json_string_value(json_object_get(config, "model_type"));
    const bool is_qwen = strncmp(type, "qwen", 4) == 0;
    const bool has_bias = flag(config, "attention_bias");
    tiny it = {
        .N = integer(config, "num_hidden_layers", 0),
        .d = integer(config, "hidden_size", 0),
        .H = integer(config, "num_attention_heads", 0),
        .F = integer(config, "intermediate_size", 0),
        .V = integer(config, "vocab_size", 0),
        .is_tied = flag(config, "tie_word_embeddings"),
        .has_qkv_bias = has_bias || strcmp(type, "qwen2") == 0,
        .has_o_bias = has_bias,
        .has_mlp_bias = flag(config, "mlp_bias"),
        .has_norms = strcmp(type, "qwen3") == 0,
        .window = integer(config, "sliding_window", 0),
        .window_start = is_qwen ? integer(config, "max_window_layers", 28) : 0,
        .layer_types = json_object_get(config, "layer_types"),
        .act = json_string_value(json_object_get(config, "hidden_act")),
        .eps = json_number_value(json_object_get(config, "rms_norm_eps")),
        .base = json_number_value(json_object_get(config, "rope_theta")),
        .rope = json_object_get(config, "rope_scaling"),
    };
    it.K = integer(config, "num_key_value_heads", it.H);
    it.D = integer(config, "head_dim", it.d / it.H);
    it.window = is_qwen && !flag(config, "use_sliding_window") ? 0 : it.window;
    return it;
}

/* ---- writing ---- */

typedef struct writer {
    const char *type; /* F32, F16, BF16; NULL: all three by turns */
    json_t *header;   /* owned */
    lmd_text data;    /* owned */
    int count;
} writer;

/* Multiples of 1/32 in [-1, 1), or about 1: what every type holds exactly. */
static void put_value(lmd_text *out, const char *type, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (strcmp(type, "F32") == 0) {
        lmd_text_append(out, &bits, 4);
    } else if (strcmp(type, "BF16") == 0) {
        const uint16_t half = (uint16_t)(bits >> 16);
        lmd_text_append(out, &half, 2);
    } else {
        const uint32_t sign = bits >> 31;
        const uint32_t exponent = bits >> 23 & 255;
        const uint32_t half =
            exponent < 113 ? 0 : (exponent - 112) << 10 | (bits >> 13 & 1023);
        const uint16_t both = (uint16_t)(sign << 15 | half);
        lmd_text_append(out, &both, 2);
    }
}

static void put_tensor(writer *out, const char *name, int rows, int columns)
{
    static const char *const turns[] = {"F32", "BF16", "F16"};
    const char *const type = out->type ? out->type : turns[out->count % 3];
    const bool is_norm = strstr(name, "norm") != NULL;
    const size_t begin = out->data.size;
    const int n = (rows ? rows : 1) * columns;
    for (int i = 0; i < n; i++) {
        const uint64_t key = (uint64_t)(out->count * 100000 + i + 1);
        const int step = (int)(lmd_hash_mix(key) % 64) - 32;
        put_value(&out->data, type, (float)step / 32 + (is_norm ? 1.25F : 0));
    }
    json_t *const shape = rows ? json_pack("[i, i]", rows, columns) : json_pack("[i]", n);
    json_object_set_new(out->header, name,
                        json_pack("{s:s, s:o, s:[I, I]}", "dtype", type, "shape", shape,
                                  "data_offsets", (json_int_t)begin,
                                  (json_int_t)out->data.size));
    out->count++;
}

/* One layer of a block and, if wanted, its bias. */
static void put_layer(writer *out, int l, const char *name, int rows, int columns,
                      bool has_bias)
{
    char full[128];
    (void)snprintf(full, sizeof full, "model.layers.%d.%s.weight", l, name);
    put_tensor(out, full, rows, columns);
    (void)snprintf(full, sizeof full, "model.layers.%d.%s.bias", l, name);
    if (has_bias) {
        put_tensor(out, full, 0, rows);
    }
}

static void put_block(writer *out, const tiny *it, int l)
{
    const int HD = it->H * it->D, KD = it->K * it->D;
    put_layer(out, l, "input_layernorm", 0, it->d, false);
    put_layer(out, l, "self_attn.k_proj", KD, it->d, it->has_qkv_bias);
    put_layer(out, l, "self_attn.o_proj", it->d, HD, it->has_o_bias);
    put_layer(out, l, "self_attn.q_proj", HD, it->d, it->has_qkv_bias);
    put_layer(out, l, "self_attn.v_proj", KD, it->d, it->has_qkv_bias);
    if (it->has_norms) {
        put_layer(out, l, "self_attn.q_norm", 0, it->D, false);
        put_layer(out, l, "self_attn.k_norm", 0, it->D, false);
    }
    put_layer(out, l, "post_attention_layernorm", 0, it->d, false);
    put_layer(out, l, "mlp.gate_proj", it->F, it->d, it->has_mlp_bias);
    put_layer(out, l, "mlp.up_proj", it->F, it->d, it->has_mlp_bias);
    put_layer(out, l, "mlp.down_proj", it->d, it->F, it->has_mlp_bias);
}

static void write_weights(const char *folder, const tiny *it, const char *type)
{
    writer out = {.type = type, .header = json_object()};
    put_tensor(&out, "model.embed_tokens.weight", it->V, it->d);
    put_tensor(&out, "model.norm.weight", 0, it->d);
    if (!it->is_tied) {
        put_tensor(&out, "lm_head.weight", it->V, it->d);
    }
    for (int l = 0; l < it->N; l++) {
        put_block(&out, it, l);
    }
    char *const header = json_dumps(out.header, 0);
    const uint64_t length = strlen(header);
    lmd_text file = {0};
    lmd_text_append(&file, &length, sizeof length);
    lmd_text_append_string(&file, header);
    lmd_text_append(&file, out.data.bytes, out.data.size);
    model_files_write(folder, "model.safetensors", &file);
    lmd_text_clear(&file);
    lmd_text_clear(&out.data);
    json_decref(out.header);
    free(header);
}

static void write_config(const char *folder, const json_t *config)
{
    char *const dump = json_dumps(config, 0);
    const lmd_text text = {dump, strlen(dump), 0};
    model_files_write(folder, "config.json", &text);
    free(dump);
}

/* ---- the naive twin ---- */

/* A tensor's values; NULL when there is none. Caller frees. */
static float *read_values(const lmd_weights *file, const char *name)
{
    const lmd_tensor *const tensor = lmd_weights_find(file, name);
    if (!tensor) {
        return NULL;
    }
    float *const out =
        lmd_memory_new((size_t)(tensor->n_rows * tensor->row_length), sizeof *out);
    assert_int_equal(lmd_weights_read_rows(file, tensor, 0, tensor->n_rows, out), LMD_OK);
    return out;
}

static float *read_of_block(const lmd_weights *file, int l, const char *name)
{
    char full[128];
    (void)snprintf(full, sizeof full, "model.layers.%d.%s", l, name);
    return read_values(file, full);
}

static void twin_norm(const lmd_weights *file, int l, const char *name, double eps, int n,
                      const double *in, double *out)
{
    float *const weight = read_of_block(file, l, name);
    double squares = 0;
    for (int i = 0; i < n; i++) {
        squares += in[i] * in[i];
    }
    for (int i = 0; i < n; i++) {
        out[i] = in[i] / sqrt(squares / n + eps) * (double)weight[i];
    }
    lmd_memory_free(weight);
}

static void twin_layer(const lmd_weights *file, int l, const char *name, int O, int C,
                       const double *in, double *out)
{
    char full[64];
    (void)snprintf(full, sizeof full, "%s.weight", name);
    float *const weight = read_of_block(file, l, full);
    (void)snprintf(full, sizeof full, "%s.bias", name);
    float *const bias = read_of_block(file, l, full);
    for (int o = 0; o < O; o++) {
        out[o] = bias ? (double)bias[o] : 0;
        for (int c = 0; c < C; c++) {
            out[o] += (double)weight[o * C + c] * in[c];
        }
    }
    lmd_memory_free(weight);
    lmd_memory_free(bias);
}

static double twin_frequency(const tiny *it, int i)
{
    const double frequency = pow(it->base, -2.0 * i / it->D);
    const json_t *const rope = it->rope;
    const char *kind = json_string_value(json_object_get(rope, "rope_type"));
    kind = kind ? kind : json_string_value(json_object_get(rope, "type"));
    const double factor = json_number_value(json_object_get(rope, "factor"));
    if (!kind || strcmp(kind, "dynamic") == 0 || strcmp(kind, "default") == 0) {
        return frequency;
    }
    if (strcmp(kind, "linear") == 0) {
        return frequency / factor;
    }
    const double low = json_number_value(json_object_get(rope, "low_freq_factor"));
    const double high = json_number_value(json_object_get(rope, "high_freq_factor"));
    const double turns = integer(rope, "original_max_position_embeddings", 0) *
                         frequency / (2 * acos(-1.0)); // within the original context
    const double share = fmin(1, fmax(0, (turns - low) / (high - low)));
    return (1 - share) * frequency / factor + share * frequency;
}

/* Norm and rotation of heads, in place. */
static void twin_turn(const lmd_weights *file, const tiny *it, int l, const char *norm,
                      int t, int heads, double *x)
{
    for (int h = 0; h < heads; h++, x += it->D) {
        if (it->has_norms) {
            twin_norm(file, l, norm, it->eps, it->D, x, x);
        }
        for (int i = 0; i < it->D / 2; i++) {
            const double angle = t * twin_frequency(it, i);
            const double a = x[i], b = x[i + it->D / 2];
            x[i] = a * cos(angle) - b * sin(angle);
            x[i + it->D / 2] = b * cos(angle) + a * sin(angle);
        }
    }
}

static int twin_window(const tiny *it, int l)
{
    const char *const type =
        json_string_value(json_array_get(it->layer_types, (size_t)l));
    const bool is_bound =
        type ? strcmp(type, "sliding_attention") == 0 : l >= it->window_start;
    return is_bound && it->window > 0 ? it->window : T;
}

typedef struct twin_rows {
    double q[T][MAX_WIDTH], k[T][MAX_WIDTH], v[T][MAX_WIDTH];
} twin_rows;

/* out (H D) of position t. */
static void twin_mix(const tiny *it, const twin_rows *rows, int t, int window,
                     double *out)
{
    const int D = it->D;
    for (int h = 0; h < it->H; h++, out += D) {
        const int at = h / (it->H / it->K) * D;
        double sum = 0;
        memset(out, 0, (size_t)D * sizeof *out);
        for (int j = t - window + 1 > 0 ? t - window + 1 : 0; j <= t; j++) {
            double score = 0;
            for (int i = 0; i < D; i++) {
                score += rows->q[t][h * D + i] * rows->k[j][at + i];
            }
            const double weight = exp(score / sqrt(D));
            sum += weight;
            for (int i = 0; i < D; i++) {
                out[i] += weight * rows->v[j][at + i];
            }
        }
        for (int i = 0; i < D; i++) {
            out[i] /= sum;
        }
    }
}

static double twin_activation(const char *name, double x)
{
    if (strcmp(name, "silu") == 0) {
        return x / (1 + exp(-x));
    }
    if (strcmp(name, "relu") == 0) {
        return x > 0 ? x : 0;
    }
    return strcmp(name, "gelu") == 0
               ? x * 0.5 * erfc(-x / sqrt(2))
               : 0.5 * x * (1 + tanh(sqrt(2 / acos(-1.0)) * (x + 0.044715 * x * x * x)));
}

static void twin_mlp(const lmd_weights *file, const tiny *it, int l, double *x)
{
    double in[MAX_WIDTH], gate[MAX_WIDTH], up[MAX_WIDTH], out[MAX_WIDTH];
    twin_norm(file, l, "post_attention_layernorm.weight", it->eps, it->d, x, in);
    twin_layer(file, l, "mlp.gate_proj", it->F, it->d, in, gate);
    twin_layer(file, l, "mlp.up_proj", it->F, it->d, in, up);
    for (int i = 0; i < it->F; i++) {
        gate[i] = twin_activation(it->act, gate[i]) * up[i];
    }
    twin_layer(file, l, "mlp.down_proj", it->d, it->F, gate, out);
    for (int i = 0; i < it->d; i++) {
        x[i] += out[i];
    }
}

/* x (T, d): one block over one prompt. */
static void twin_block(const lmd_weights *file, const tiny *it, int l, double *x)
{
    const int d = it->d, HD = it->H * it->D, KD = it->K * it->D;
    twin_rows rows;
    double in[MAX_WIDTH], mixed[MAX_WIDTH];
    for (int t = 0; t < T; t++) {
        twin_norm(file, l, "input_layernorm.weight", it->eps, d, x + t * d, in);
        twin_layer(file, l, "self_attn.q_proj", HD, d, in, rows.q[t]);
        twin_layer(file, l, "self_attn.k_proj", KD, d, in, rows.k[t]);
        twin_layer(file, l, "self_attn.v_proj", KD, d, in, rows.v[t]);
        twin_turn(file, it, l, "self_attn.q_norm.weight", t, it->H, rows.q[t]);
        twin_turn(file, it, l, "self_attn.k_norm.weight", t, it->K, rows.k[t]);
    }
    for (int t = 0; t < T; t++) {
        twin_mix(it, &rows, t, twin_window(it, l), mixed);
        twin_layer(file, l, "self_attn.o_proj", d, HD, mixed, in);
        for (int i = 0; i < d; i++) {
            x[t * d + i] += in[i];
        }
        twin_mlp(file, it, l, x + t * d);
    }
}

static const uint32_t ids[T] = {1, 5, 36, 0, 5, 17, 30, 2, 2, 9, 21, 35, 8};

/* Largest error of the model's states (N + 1, T, d), relative to a row's rms. */
static double error_of(const char *path, const tiny *it, const float *states)
{
    lmd_weights *file = NULL;
    double x[T * MAX_WIDTH];
    double worst = 0;
    const int d = it->d;
    assert_int_equal(lmd_weights_open(&file, path), LMD_OK);
    float *const embedding = read_values(file, "model.embed_tokens.weight");
    for (int i = 0; i < T * d; i++) {
        x[i] = (double)embedding[(int)ids[i / d] * d + i % d];
    }
    for (int l = 0; l <= it->N; l++) {
        if (l > 0) {
            twin_block(file, it, l - 1, x);
        }
        for (int t = 0; t < T; t++) {
            double squares = 0, largest = 0;
            for (int i = t * d; i < (t + 1) * d; i++) {
                squares += x[i] * x[i];
                largest = fmax(largest, fabs((double)states[l * T * d + i] - x[i]));
            }
            worst = fmax(worst, largest / sqrt(squares / d));
        }
    }
    lmd_memory_free(embedding);
    lmd_weights_close(file);
    return worst;
}

/* ---- states ---- */

/* Caller frees. */
static float *run(lmd_model *model)
{
    const lmd_model_shape *const shape = lmd_model_get_shape(model);
    const lmd_batch batch = {T, 1, ids, (const int32_t[]){0, T}};
    lmd_team *const team = lmd_team_new(2);
    lmd_kernel *const kernel = lmd_kernel_new(team, shape->max_C);
    void *const memory = lmd_memory_new_aligned(lmd_model_bytes(model), 1);
    void *const work = lmd_memory_new_aligned(lmd_model_work_bytes(model, T), 1);
    float *const states =
        lmd_memory_new((size_t)((shape->N + 1) * T * shape->d), sizeof *states);
    memset(memory, 0xff, lmd_model_bytes(model)); // NaN wherever nothing is put
    assert_int_equal(lmd_model_load(model, NULL, memory), LMD_OK);
    lmd_model_forward(model, kernel, &batch, work, states);
    lmd_memory_free(memory);
    lmd_memory_free(work);
    lmd_kernel_free(kernel);
    lmd_team_free(team);
    return states;
}

typedef struct variant {
    const char *config, *changes;
    const char *type;   /* of the tensors; NULL: mixed */
    const char *remark; /* that must be among the remarks; NULL: none at all */
} variant;

#define LLAMA3_ROPE                                                                      \
    "{\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0, "                   \
    "\"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, "                              \
    "\"original_max_position_embeddings\": 64}, \"head_dim\": 10}"

static const variant variants[] = {
    {llama, "{}", "F32", NULL},
    {llama, "{}", "F16", NULL},
    {llama, "{}", "BF16", NULL},
    {llama, "{}", NULL, NULL},
    {llama, "{\"attention_bias\": true, \"head_dim\": 4}", "F32", "heads of size 4"},
    {llama, "{\"attention_bias\": true}", "BF16",
     "biases on queries, keys, values, attention's output\n"},
    {llama, "{\"mlp_bias\": true, \"num_key_value_heads\": 1}", "F32", "biases on MLP\n"},
    {llama, "{\"attention_bias\": true, \"mlp_bias\": true}", NULL, "output, MLP\n"},
    {llama, "{\"num_key_value_heads\": null, \"tie_word_embeddings\": true}", "F32",
     "(tied)"},
    {llama, "{\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.5}}", "F32",
     "divided by 2.5 (linear)"},
    {llama, "{\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2.0}}", "F32",
     "dynamic rotary scaling by 2 begins beyond 64 tokens"},
    {llama, LLAMA3_ROPE, "F32", "8 beyond a context of 64 (llama3)"},
    {llama, "{\"hidden_act\": \"gelu\"}", "F32", NULL},
    {llama, "{\"hidden_act\": \"gelu_new\"}", "F32", NULL},
    {llama, "{\"hidden_act\": \"gelu_pytorch_tanh\"}", "F32", NULL},
    {llama, "{\"hidden_act\": \"relu\"}", "F16", NULL},
    {mistral, "{}", "F32", "all of the longest prompt"},
    {mistral, "{\"sliding_window\": null}", "BF16", NULL},
    {mistral, "{\"sliding_window\": 1}", "F32", "last 1 tokens in every block"},
    {mistral, "{\"sliding_window\": 5, \"head_dim\": 8}", "F16",
     "fewer than the longest prompt has (64)"},
    {qwen2, "{}", "F32", "biases on queries, keys, values\n"},
    {qwen2, "{\"tie_word_embeddings\": false}", "BF16", "biases on"},
    {qwen2, "{\"use_sliding_window\": true, \"max_window_layers\": 1}", "F32",
     "last 5 tokens in 2 of 3 blocks"},
    {qwen2, "{\"use_sliding_window\": true, \"max_window_layers\": 0}", "F32",
     "in every block"},
    {qwen2,
     "{\"use_sliding_window\": true, \"layer_types\": [\"sliding_attention\", "
     "\"full_attention\", \"full_attention\"]}",
     "F32", "in 1 of 3 blocks"},
    {qwen3, "{}", "F32", "normed head by head"},
    {qwen3, "{\"attention_bias\": true, \"head_dim\": 2}", NULL, "biases on"},
    {qwen3, "{\"tie_word_embeddings\": false, \"head_dim\": 6}", "BF16", "normed"},
};

static void check_variant(const variant *it)
{
    char folder[MODEL_PATH_SIZE];
    json_t *const config = new_config(it->config, it->changes);
    const tiny sizes = read_tiny(config);
    lmd_model *model = NULL;
    lmd_text remarks = {0};
    model_files_make_folder(folder);
    write_config(folder, config);
    write_weights(folder, &sizes, it->type);
    if (lmd_model_open(&model, folder) != LMD_OK) {
        fail_msg("%s: %s", it->changes, lmd_status_message());
    }
    float *const states = run(model);
    const double error = error_of(folder, &sizes, states);
    if (!(error < TOLERANCE)) {
        fail_msg("%.50s %s: error %g", it->config, it->changes, error);
    }
    lmd_model_remarks(model, &remarks);
    if (it->remark ? !strstr(lmd_text_string(&remarks), it->remark) : remarks.size > 0) {
        fail_msg("%s: remarks are: %s", it->changes, lmd_text_string(&remarks));
    }
    lmd_text_clear(&remarks);
    lmd_memory_free(states);
    lmd_model_close(model);
    json_decref(config);
    (void)lmd_file_remove_tree(folder);
}

static void test_variants(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        check_variant(&variants[i]);
    }
}

/* Weights take the memory that they take in the file, but for padding. */
static void test_memory(void **state)
{
    (void)state;
    static const char *const types[] = {"F32", "F16", "BF16"};
    size_t bytes[3];
    for (size_t i = 0; i < 3; i++) {
        char folder[MODEL_PATH_SIZE];
        json_t *const config = new_config(llama, "{}");
        const tiny sizes = read_tiny(config);
        lmd_model *model = NULL;
        model_files_make_folder(folder);
        write_config(folder, config);
        write_weights(folder, &sizes, types[i]);
        assert_int_equal(lmd_model_open(&model, folder), LMD_OK);
        bytes[i] = lmd_model_bytes(model);
        lmd_model_close(model);
        json_decref(config);
        (void)lmd_file_remove_tree(folder);
    }
    assert_true(bytes[1] < bytes[0] * 6 / 10);
    assert_true(bytes[2] < bytes[0] * 6 / 10);
}

/* ---- what is refused ---- */

typedef struct refusal {
    const char *config, *changes;
    const char *written; /* what is changed in the weights alone */
    const char *says;
} refusal;

static const refusal refusals[] = {
    {llama, "{\"attention_bias\": true}", "{\"attention_bias\": false}",
     "12 tensors are missing: model.layers.0.self_attn.q_proj.bias"},
    {llama, "{}", "{\"attention_bias\": true}",
     "12 tensors are no part of this model: model.layers.0.self_attn.k_proj.bias"},
    {llama, "{}", "{\"mlp_bias\": true}", "9 tensors are no part of this model"},
    {llama, "{}", "{\"model_type\": \"qwen3\"}", "6 tensors are no part of this model"},
    {llama, "{\"layer_types\": [\"full_attention\"]}", "{}", "'layer_types' is [...]"},
    {mistral, "{}", "{\"attention_bias\": true}", "12 tensors are no part"},
    {mistral, "{\"attention_bias\": true}", "{}", "'attention_bias' is true"},
    {mistral, "{\"sliding_window\": 0}", "{}", "'sliding_window' is 0"},
    {mistral, "{\"sliding_window\": 4.5}", "{}", "'sliding_window' is 4.5"},
    {qwen2, "{}", "{\"model_type\": \"llama\"}",
     "9 tensors are missing: model.layers.0.self_attn.q_proj.bias"},
    {qwen2, "{}", "{\"attention_bias\": true}", "3 tensors are no part"},
    {qwen2, "{\"max_window_layers\": -1}", "{}", "'max_window_layers' is -1"},
    {qwen2, "{\"use_sliding_window\": 1}", "{}", "'use_sliding_window' is 1"},
    {qwen2, "{\"layer_types\": [\"full_attention\"]}", "{}", "lists 1 of 3 blocks"},
    {qwen2, "{\"layer_types\": [\"full_attention\", \"chunked_attention\"]}", "{}",
     "'layer_types' holds chunked_attention for block 1"},
    {qwen2, "{\"layer_types\": [1, 2, 3]}", "{}", "'layer_types' is [...]"},
    {qwen2,
     "{\"layer_types\": [\"full_attention\", \"sliding_attention\", \"full_attention\"]}",
     "{}", "for block 1, but no sliding window is in use"},
    {qwen2, "{\"use_mrope\": true, \"rope_scaling\": {\"type\": \"mrope\"}}", "{}",
     "'rope_scaling.type' is mrope"},
    {qwen3, "{}", "{\"model_type\": \"llama\"}",
     "6 tensors are missing: model.layers.0.self_attn.q_norm.weight"},
    {qwen3, "{\"head_dim\": null}", "{}", "model.layers.0.self_attn.q_proj.weight"},
    {qwen3, "{\"num_experts\": 8}", "{}", "'num_experts' is 8"},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const refusal *const it = &refusals[i];
        char folder[MODEL_PATH_SIZE];
        json_t *const config = new_config(it->config, it->changes);
        json_t *const written = new_config(it->config, it->written);
        const tiny sizes = read_tiny(written);
        lmd_model *model = NULL;
        model_files_make_folder(folder);
        write_config(folder, config);
        write_weights(folder, &sizes, "F32");
        if (lmd_model_open(&model, folder) != LMD_INPUT ||
            !strstr(lmd_status_message(), it->says)) {
            fail_msg("%s: '%s' is not in: %s", it->changes, it->says,
                     lmd_status_message());
        }
        assert_null(model);
        json_decref(config);
        json_decref(written);
        (void)lmd_file_remove_tree(folder);
    }
}

int main(void)
{
    const int64_t live = lmd_memory_live();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_variants),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_refusals),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed != 0 || lmd_memory_live() != live;
}
