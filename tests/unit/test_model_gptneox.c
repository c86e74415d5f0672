/* GPT-NeoX: tiny models with every switch flipped against loops in fp64, against
 * themselves (formats, packs, threads), and what their configs and files may hold. */
#include "stacked_case.h"

enum { V = 26, D = 8, H = 3, d = D * H, F = 19, N = 2, CONTEXT = 16 };

typedef struct variant {
    const char *config; /* members of config.json to put in */
    lmd_matrix_type type;
    bool
        is_bare; /* names without "gpt_neox.", masks and frequencies of old checkpoints */
    bool is_tied, is_serial, has_no_bias;
    lmd_activation activation;
    int R;
    double base, factor; /* of the angles */
} variant;

#define SIZES                                                                            \
    "{\"model_type\": \"gpt_neox\", \"hidden_size\": 24, \"intermediate_size\": 19, "    \
    "\"num_hidden_layers\": 2, \"num_attention_heads\": 3, \"vocab_size\": 26, "         \
    "\"max_position_embeddings\": 16}"

static const double about_one[] = {1, 0.4};
static const double about_zero[] = {0, 0.4};

/* ---- a model ---- */

static void add(made_model *made, const variant *it, const char *name, int block,
                const int shape[2], const double range[2])
{
    char pattern[2 * MADE_NAME];
    (void)snprintf(pattern, sizeof pattern, "%s%s", it->is_bare ? "" : "gpt_neox.", name);
    (void)made_add(made, pattern, block, shape, range);
}

static void add_norm(made_model *made, const variant *it, const char *name, int block)
{
    char full[MADE_NAME];
    (void)snprintf(full, sizeof full, "%s.weight", name);
    add(made, it, full, block, (const int[]){0, d}, about_one);
    (void)snprintf(full, sizeof full, "%s.bias", name);
    add(made, it, full, block, (const int[]){0, d}, about_zero);
}

static void add_layer(made_model *made, const variant *it, const char *name, int block,
                      const int shape[2])
{
    char full[MADE_NAME];
    (void)snprintf(full, sizeof full, "layers.#.%s.weight", name);
    add(made, it, full, block, shape, about_zero);
    if (!it->has_no_bias || !strstr(name, "attention")) {
        (void)snprintf(full, sizeof full, "layers.#.%s.bias", name);
        add(made, it, full, block, (const int[]){0, shape[0]}, about_zero);
    }
}

static void add_relics(made_model *made, const variant *it, int block)
{
    const int one[] = {0, 1};
    add(made, it, "layers.#.attention.bias", block, (const int[]){CONTEXT, CONTEXT},
        about_one);
    add(made, it, "layers.#.attention.masked_bias", block, one, about_one);
    add(made, it, "layers.#.attention.rotary_emb.inv_freq", block, one, about_one);
}

static made_model make(const variant *it)
{
    made_model made = {.type = it->type, .random = 43};
    add(&made, it, "embed_in.weight", 0, (const int[]){V, d}, about_zero);
    for (int l = 0; l < N; l++) {
        add_norm(&made, it, "layers.#.input_layernorm", l);
        add_layer(&made, it, "attention.query_key_value", l, (const int[]){3 * d, d});
        add_layer(&made, it, "attention.dense", l, (const int[]){d, d});
        add_norm(&made, it, "layers.#.post_attention_layernorm", l);
        add_layer(&made, it, "mlp.dense_h_to_4h", l, (const int[]){F, d});
        add_layer(&made, it, "mlp.dense_4h_to_h", l, (const int[]){d, F});
        if (it->is_bare) {
            add_relics(&made, it, l);
        }
    }
    add_norm(&made, it, "final_layer_norm", 0);
    if (!it->is_tied) {
        (void)made_add(&made, "embed_out.weight", 0, (const int[]){V, d}, about_zero);
    }
    return made;
}

static made_model make_files(const variant *it)
{
    const made_model made = make(it);
    made_write_changed(&made, SIZES, it->config);
    return made;
}

/* ---- the definition ---- */

static const float *values(const made_model *made, const variant *it, const char *name,
                           int block)
{
    char pattern[2 * MADE_NAME];
    (void)snprintf(pattern, sizeof pattern, "%s%s", it->is_bare ? "" : "gpt_neox.", name);
    return made_values(made, pattern, block);
}

static void naive_layer(const made_model *made, const variant *it, const char *name,
                        int block, double *out, const double *in, const int size[3])
{
    char weight[2 * MADE_NAME];
    char bias[2 * MADE_NAME];
    const bool has_bias = !it->has_no_bias || !strstr(name, "attention");
    (void)snprintf(weight, sizeof weight, "layers.#.%s.weight", name);
    (void)snprintf(bias, sizeof bias, "layers.#.%s.bias", name);
    naive_linear(out, in, values(made, it, weight, block), (const int[]){size[2], 1},
                 has_bias ? values(made, it, bias, block) : NULL, size);
}

/* The first R of each head of x (H, D), queries or keys of one row, turn. */
static void naive_rotate(double *x, const variant *it, int position)
{
    for (int h = 0; h < H; h++) {
        for (int i = 0; i < it->R / 2; i++) {
            double *const a = x + h * D + i;
            double *const b = a + it->R / 2;
            const double angle = position / it->factor * pow(it->base, -2.0 * i / it->R);
            const double turned = *a * cos(angle) - *b * sin(angle);
            *b = *b * cos(angle) + *a * sin(angle);
            *a = turned;
        }
    }
}

/* The product keeps query, key and value of each head together: put them apart. */
static void naive_mix(const made_model *made, const variant *it, int l, int T,
                      const double *in, double *out)
{
    double normed[CONTEXT * d];
    double fused[CONTEXT * 3 * d];
    double qkv[CONTEXT * 3 * d];
    naive_norm(normed, in, values(made, it, "layers.#.input_layernorm.weight", l),
               values(made, it, "layers.#.input_layernorm.bias", l), 1e-5, T, d);
    naive_layer(made, it, "attention.query_key_value", l, fused, normed,
                (const int[]){T, 3 * d, d});
    for (int t = 0; t < T; t++) {
        for (int h = 0; h < H; h++) {
            for (int kind = 0; kind < 3; kind++) {
                memcpy(qkv + t * 3 * d + kind * d + h * D,
                       fused + t * 3 * d + h * 3 * D + kind * D, D * sizeof *qkv);
            }
        }
        naive_rotate(qkv + t * 3 * d, it, t);
        naive_rotate(qkv + t * 3 * d + d, it, t);
    }
    naive_attention(normed, qkv, T, H, D, 1 / sqrt(D));
    naive_layer(made, it, "attention.dense", l, out, normed, (const int[]){T, d, d});
}

static void naive_mlp(const made_model *made, const variant *it, int l, int T,
                      const double *in, double *out)
{
    double normed[CONTEXT * d];
    double hidden[CONTEXT * F];
    naive_norm(normed, in,
               values(made, it, "layers.#.post_attention_layernorm.weight", l),
               values(made, it, "layers.#.post_attention_layernorm.bias", l), 1e-5, T, d);
    naive_layer(made, it, "mlp.dense_h_to_4h", l, hidden, normed, (const int[]){T, F, d});
    for (int i = 0; i < T * F; i++) {
        hidden[i] = naive_activation(hidden[i], it->activation);
    }
    naive_layer(made, it, "mlp.dense_4h_to_h", l, out, hidden, (const int[]){T, d, F});
}

static void naive_states(const made_model *made, const variant *it, const uint32_t *ids,
                         int T, double *states)
{
    const float *const tokens = values(made, it, "embed_in.weight", 0);
    double added[CONTEXT * d];
    for (int i = 0; i < T * d; i++) {
        states[i] = (double)tokens[(int)ids[i / d] * d + i % d];
    }
    for (int l = 0; l < N; l++) {
        const double *const in = states + l * T * d;
        double *const out = states + (l + 1) * T * d;
        naive_mix(made, it, l, T, in, added);
        naive_add(out, in, added, T * d);
        naive_mlp(made, it, l, T, it->is_serial ? out : in, added);
        naive_add(out, out, added, T * d);
    }
}

/* ---- forward ---- */

static const variant variants[] = {
    {.config = "{}", .activation = LMD_GELU, .R = 2, .base = 10000, .factor = 1},
    {.config = "{\"use_parallel_residual\": false, \"attention_bias\": false, "
               "\"hidden_act\": \"relu\", \"tie_word_embeddings\": true, "
               "\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 50.0, "
               "\"partial_rotary_factor\": 1.0}}",
     .is_bare = true,
     .is_tied = true,
     .is_serial = true,
     .has_no_bias = true,
     .activation = LMD_RELU,
     .R = 8,
     .base = 50,
     .factor = 1},
    {.config = "{\"hidden_act\": \"gelu_fast\", \"rotary_pct\": 0.5, "
               "\"rotary_emb_base\": 300, \"rope_scaling\": {\"type\": \"linear\", "
               "\"factor\": 2.0}, \"rope_theta\": 300, \"partial_rotary_factor\": 0.5}",
     .type = LMD_F16,
     .activation = LMD_GELU_TANH,
     .R = 4,
     .base = 300,
     .factor = 2},
    {.config = "{\"hidden_act\": \"silu\", \"use_parallel_residual\": false, "
               "\"rope_parameters\": {\"rope_type\": \"dynamic\", \"factor\": 4, "
               "\"partial_rotary_factor\": 0.75}}",
     .type = LMD_BF16,
     .is_serial = true,
     .activation = LMD_SILU,
     .R = 6,
     .base = 10000,
     .factor = 1},
};

enum { N_VARIANTS = sizeof variants / sizeof *variants };

static void states_are_those_of_the_definition(void **state)
{
    (void)state;
    static const uint32_t ids[] = {25, 3, 3, 0, 17, 9, 4, 4, 11, 1, 19};
    enum { T = sizeof ids / sizeof *ids };
    static const int32_t starts[] = {0, T};
    for (size_t i = 0; i < N_VARIANTS; i++) {
        made_model made = make_files(&variants[i]);
        loaded it = load_model(test_folder, 1);
        double should[(N + 1) * T * d];
        naive_states(&made, &variants[i], ids, T, should);
        float *const is = run_model(&it, ids, starts, 1);
        const double worst = worst_error(is, should, (N + 1) * T, d);
        if (!(worst < 3e-6)) {
            fail_msg("variant %zu: %.1e of a row's rms", i, worst);
        }
        lmd_memory_free(is);
        free_model(&it);
        made_free(&made);
    }
}

static void final_norm_is_that_of_the_definition(void **state)
{
    (void)state;
    made_model made = make_files(&variants[0]);
    loaded it = load_model(test_folder, 1);
    float in[d];
    float is[d];
    double wide[d];
    double should[d];
    for (int i = 0; i < d; i++) {
        in[i] = (float)made_random(&made);
        wide[i] = (double)in[i];
    }
    naive_norm(should, wide, values(&made, &variants[0], "final_layer_norm.weight", 0),
               values(&made, &variants[0], "final_layer_norm.bias", 0), 1e-5, 1, d);
    lmd_model_final_norm(it.model, in, is);
    assert_true(worst_error(is, should, 1, d) < 1e-6);
    free_model(&it);
    made_free(&made);
}

static void packs_and_threads_agree(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_VARIANTS; i++) {
        made_model made = make_files(&variants[i]);
        assert_packs_and_threads_agree(test_folder);
        made_free(&made);
    }
}

/* ---- GGUF ---- */

static const char *const gguf_names[][2] = {
    {"embed_in", "token_embd"},
    {"final_layer_norm", "output_norm"},
    {"layers.#.input_layernorm", "blk.#.attn_norm"},
    {"layers.#.attention.query_key_value", "blk.#.attn_qkv"},
    {"layers.#.attention.dense", "blk.#.attn_output"},
    {"layers.#.post_attention_layernorm", "blk.#.ffn_norm"},
    {"layers.#.mlp.dense_h_to_4h", "blk.#.ffn_up"},
    {"layers.#.mlp.dense_4h_to_h", "blk.#.ffn_down"},
};

/* Adds a tensor as the converter writes it: the fused one's rows by kind. */
static void convert(made_model *out, const made_tensor *from, const char *pattern,
                    int block)
{
    const bool is_fused = strstr(from->name, "query_key_value") != NULL;
    float *const to = made_add(out, pattern, block,
                               (const int[]){from->rows, from->columns}, about_zero);
    const int width = from->rows ? from->columns : 1;
    for (int i = 0; i < (int)made_size(from); i++) {
        const int row = i / width;
        const int moved = row / D % 3 * d + row / (3 * D) * D + row % D;
        to[is_fused ? moved * width + i % width : i] = from->values[i];
    }
}

static made_model to_gguf(made_model *made)
{
    static const char *const ends[] = {".weight", ".bias"};
    made_model out = {.type = made->type};
    for (size_t i = 0; i < sizeof gguf_names / sizeof *gguf_names; i++) {
        const char *const rest = strchr(gguf_names[i][0], '#');
        for (int k = 0; k < (rest ? 2 * N : 2); k++) {
            char from[MADE_NAME];
            char to[MADE_NAME];
            if (rest) {
                (void)snprintf(from, sizeof from, "gpt_neox.layers.%d%s%s", k / 2,
                               rest + 1, ends[k % 2]);
            } else {
                (void)snprintf(from, sizeof from, "gpt_neox.%s%s", gguf_names[i][0],
                               ends[k % 2]);
            }
            (void)snprintf(to, sizeof to, "%s%s", gguf_names[i][1], ends[k % 2]);
            const made_tensor *const tensor = made_find(made, from);
            if (tensor) {
                convert(&out, tensor, to, k / 2);
            }
        }
    }
    const made_tensor *const head = made_find(made, "embed_out.weight");
    if (head) {
        convert(&out, head, "output.weight", 0);
    }
    return out;
}

static int put_gguf_keys(lmd_text *keys, const variant *it)
{
    put_gguf_key(keys, "general.architecture", 8);
    put_gguf_string(keys, "gptneox");
    put_gguf_size(keys, "gptneox.block_count", N);
    put_gguf_size(keys, "gptneox.context_length", CONTEXT);
    put_gguf_size(keys, "gptneox.embedding_length", d);
    put_gguf_size(keys, "gptneox.feed_forward_length", F);
    put_gguf_size(keys, "gptneox.attention.head_count", H);
    put_gguf_size(keys, "gptneox.rope.dimension_count", it->R);
    put_gguf_real(keys, "gptneox.attention.layer_norm_epsilon", 1e-5F);
    return 8;
}

static int put_gguf_residual(lmd_text *keys, const variant *it)
{
    put_gguf_key(keys, "gptneox.use_parallel_residual", 7);
    lmd_text_append(keys, it->is_serial ? "\0" : "\1", 1);
    return 1;
}

static void gguf_gives_the_same_bits(void **state)
{
    (void)state;
    static const variant cases[] = {
        {.config = "{}", .R = 2},
        {.config = "{\"rotary_pct\": 1.0, \"tie_word_embeddings\": true, "
                   "\"attention_bias\": false, \"use_parallel_residual\": false}",
         .type = LMD_F16,
         .is_tied = true,
         .is_serial = true,
         .has_no_bias = true,
         .R = 8},
        {.config = "{\"rotary_pct\": 0.5}", .type = LMD_BF16, .R = 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        made_model made = make_files(&cases[i]);
        made_model gguf = to_gguf(&made);
        lmd_text keys = {0};
        char path[PATH_SIZE];
        char original[PATH_SIZE];
        const int n_keys =
            put_gguf_keys(&keys, &cases[i]) + put_gguf_residual(&keys, &cases[i]);
        made_write_gguf(&gguf, "model.gguf", &keys, n_keys);
        assert_files_agree(path_of(path, "model.gguf"),
                           path_of(original, "model.safetensors"));
        assert_remarks(path, "GGUF does not name the activation");
        assert_int_equal(remove(path), 0);
        lmd_text_clear(&keys);
        made_free(&gguf);
        made_free(&made);
    }
}

/* A model that says nothing of its residual could be either. */
static void gguf_must_name_the_residual(void **state)
{
    (void)state;
    made_model made = make_files(&variants[0]);
    made_model gguf = to_gguf(&made);
    lmd_text keys = {0};
    char path[PATH_SIZE];
    lmd_model *model = NULL;
    const int n_keys = put_gguf_keys(&keys, &variants[0]);
    made_write_gguf(&gguf, "model.gguf", &keys, n_keys);
    assert_int_equal(lmd_model_open(&model, path_of(path, "model.gguf")), LMD_INPUT);
    expect_message(path, "'gptneox.use_parallel_residual' is missing");
    assert_int_equal(remove(path), 0);
    lmd_text_clear(&keys);
    made_free(&gguf);
    made_free(&made);
}

/* ---- configs and tensors ---- */

/* The keys of Pythia's and GPT-NeoX-20B's published configs, and of transformers 4 and 5
 * when they save such a model. */
static void published_configs_open(void **state)
{
    (void)state;
    static const char *const changes[] = {
        "{\"architectures\": [\"GPTNeoXForCausalLM\"], \"bos_token_id\": 0, "
        "\"eos_token_id\": 0, \"hidden_act\": \"gelu\", \"initializer_range\": 0.02, "
        "\"layer_norm_eps\": 1e-05, \"rotary_emb_base\": 10000, \"rotary_pct\": 0.25, "
        "\"tie_word_embeddings\": false, \"torch_dtype\": \"float16\", "
        "\"transformers_version\": \"4.24.0\", \"use_cache\": true, "
        "\"use_parallel_residual\": true}",
        "{\"attention_probs_dropout_prob\": 0, \"hidden_dropout_prob\": 0, "
        "\"hidden_act\": \"gelu_fast\", \"rotary_emb_base\": 10000, \"rotary_pct\": "
        "0.25, \"use_cache\": true, \"bos_token_id\": 0, \"eos_token_id\": 0}",
        "{\"attention_bias\": true, \"attention_dropout\": 0.0, \"classifier_dropout\": "
        "0.1, \"hidden_dropout\": 0.0, \"partial_rotary_factor\": 0.25, "
        "\"rope_scaling\": null, \"rope_theta\": 10000, \"rotary_emb_base\": 10000, "
        "\"rotary_pct\": 0.25}",
        "{\"attention_bias\": true, \"classifier_dropout\": 0.1, \"dtype\": \"float32\", "
        "\"is_decoder\": false, \"pad_token_id\": null, \"rope_parameters\": "
        "{\"partial_rotary_factor\": 0.25, \"rope_theta\": 10000.0, \"rope_type\": "
        "\"default\"}, \"use_parallel_residual\": true}",
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        made_model made = make(&variants[0]);
        made_write_changed(&made, SIZES, changes[i]);
        assert_opens(NULL);
        made_free(&made);
    }
}

static void shape_is_that_of_the_config(void **state)
{
    (void)state;
    made_model made = make_files(&variants[1]);
    lmd_model *model = NULL;
    assert_int_equal(lmd_model_open(&model, test_folder), LMD_OK);
    const lmd_model_shape *const shape = lmd_model_get_shape(model);
    assert_string_equal(shape->family, "gptneox");
    assert_int_equal(shape->N, N);
    assert_int_equal(shape->d, d);
    assert_int_equal(shape->H, H);
    assert_int_equal(shape->K, H);
    assert_int_equal(shape->D, D);
    assert_int_equal(shape->F, F);
    assert_int_equal(shape->V, V);
    assert_int_equal(shape->context, CONTEXT);
    assert_true(shape->is_tied);
    const int block = 4 * d * d + 2 * F * d + F + d + 4 * d;
    assert_int_equal(shape->parameters, V * d + 2 * d + N * block);
    lmd_model_close(model);
    assert_remarks(test_folder, "attention and MLP one after the other");
    assert_remarks(test_folder, "attention has no biases");
    made_free(&made);
}

/* The share of a head that turns is multiplied in fp64, as Python does it: what fp32
 * would round up to 3 of 8 remains 2. */
static void rotary_share_is_not_rounded(void **state)
{
    (void)state;
    made_model made = make(&variants[0]);
    made_write_changed(&made, SIZES, "{\"rotary_pct\": 0.375}");
    assert_opens("3 rotary dimensions of heads of 8");
    made_write_changed(&made, SIZES, "{\"rotary_pct\": 0.37499999999}");
    assert_opens(NULL);
    made_free(&made);
}

static void what_is_not_implemented_is_refused_by_name(void **state)
{
    (void)state;
    static const char *const refused[][2] = {
        {"{\"hidden_act\": \"quick_gelu\"}", "quick_gelu"},
        {"{\"rotary_pct\": 1.5}", "'rotary_pct'"},
        {"{\"rotary_pct\": 0.1}", "0 rotary dimensions"},
        {"{\"rotary_pct\": \"all\"}", "'rotary_pct'"},
        {"{\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2.0}}", "yarn"},
        {"{\"rope_scaling\": {\"type\": \"linear\"}}", "'factor'"},
        {"{\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2, \"beta\": 3}}",
         "'rope_scaling.beta'"},
        {"{\"head_dim\": 4}", "3 heads of size 4"},
        {"{\"num_attention_heads\": 5}", "5 heads"},
        {"{\"num_attention_heads\": null}", "'num_attention_heads' is missing"},
        {"{\"use_parallel_residual\": \"yes\"}", "'use_parallel_residual'"},
        {"{\"attention_bias\": false}", "no part of this model"},
        {"{\"vocab_size\": 25}", "embed_in.weight"},
        {"{\"intermediate_size\": 18}", "dense_h_to_4h.weight"},
        {"{\"num_key_value_heads\": 1}", "'num_key_value_heads'"},
        {"{\"model_type\": \"gpt_neox_japanese\"}", "gpt_neox_japanese"},
    };
    made_model made = make(&variants[0]);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        made_write_changed(&made, SIZES, refused[i][0]);
        assert_opens(refused[i][1]);
    }
    made_free(&made);
}

static void tensors_are_checked(void **state)
{
    (void)state;
    made_model made = make(&variants[0]);
    made_tensor *const bias =
        made_find(&made, "gpt_neox.layers.1.attention.query_key_value.bias");
    (void)snprintf(bias->name, MADE_NAME, "gpt_neox.layers.1.attention.query.bias");
    made_write(&made, SIZES);
    assert_opens("1 tensor is missing: "
                 "gpt_neox.layers.1.attention.query_key_value.bias");
    (void)snprintf(bias->name, MADE_NAME,
                   "gpt_neox.layers.1.attention.query_key_value.bias");
    (void)made_add(&made, "gpt_neox.layers.#.attention.q_norm.weight", 0,
                   (const int[]){0, D}, about_one);
    made_write(&made, SIZES);
    assert_opens("no part of this model: gpt_neox.layers.0.attention.q_norm.weight");
    made_free(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_are_those_of_the_definition),
        cmocka_unit_test(final_norm_is_that_of_the_definition),
        cmocka_unit_test(packs_and_threads_agree),
        cmocka_unit_test(gguf_gives_the_same_bits),
        cmocka_unit_test(gguf_must_name_the_residual),
        cmocka_unit_test(published_configs_open),
        cmocka_unit_test(shape_is_that_of_the_config),
        cmocka_unit_test(rotary_share_is_not_rounded),
        cmocka_unit_test(what_is_not_implemented_is_refused_by_name),
        cmocka_unit_test(tensors_are_checked),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
