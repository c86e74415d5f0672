/* GPT-2: tiny models with every switch flipped against loops in fp64, against themselves
 * (formats, packs, threads), and what their configs and files may hold. */
#include "stacked_case.h"

enum { V = 23, D = 5, H = 3, d = D * H, N = 2, CONTEXT = 16 };

typedef struct variant {
    const char *config; /* more members of config.json */
    lmd_matrix_type type;
    int F;
    bool is_bare; /* names without "transformer.", and the masks of old checkpoints */
    bool is_untied;
    lmd_activation activation;
    double scale; /* of the scores, of block 0 */
    bool is_scaled_by_block;
} variant;

#define SIZES                                                                            \
    "{\"model_type\": \"gpt2\", \"n_embd\": 15, \"n_layer\": 2, \"n_head\": 3, "         \
    "\"vocab_size\": 23, \"n_positions\": 16"

static const double about_one[] = {1, 0.4};
static const double about_zero[] = {0, 0.4};

/* ---- a model ---- */

static void add_layer(made_model *made, const char *prefix, const char *name, int block,
                      const int shape[2])
{
    char pattern[2 * MADE_NAME];
    (void)snprintf(pattern, sizeof pattern, "%sh.#.%s.weight", prefix, name);
    (void)made_add(made, pattern, block, shape, about_zero);
    (void)snprintf(pattern, sizeof pattern, "%sh.#.%s.bias", prefix, name);
    (void)made_add(made, pattern, block, (const int[]){0, shape[1]}, about_zero);
}

static void add_norm(made_model *made, const char *prefix, const char *name, int block)
{
    char pattern[2 * MADE_NAME];
    const int shape[] = {0, d};
    (void)snprintf(pattern, sizeof pattern, "%s%s.weight", prefix, name);
    (void)made_add(made, pattern, block, shape, about_one);
    (void)snprintf(pattern, sizeof pattern, "%s%s.bias", prefix, name);
    (void)made_add(made, pattern, block, shape, about_zero);
}

static void add_masks(made_model *made, int block)
{
    const double ones[] = {1, 0};
    (void)made_add(made, "h.#.attn.bias", block, (const int[]){CONTEXT, CONTEXT}, ones);
    (void)made_add(made, "h.#.attn.masked_bias", block, (const int[]){0, 1}, ones);
}

static made_model make(const variant *it)
{
    made_model made = {.type = it->type, .random = 42};
    const char *const prefix = it->is_bare ? "" : "transformer.";
    char name[MADE_NAME];
    (void)snprintf(name, sizeof name, "%swte.weight", prefix);
    (void)made_add(&made, name, 0, (const int[]){V, d}, about_zero);
    (void)snprintf(name, sizeof name, "%swpe.weight", prefix);
    (void)made_add(&made, name, 0, (const int[]){CONTEXT, d}, about_zero);
    for (int l = 0; l < N; l++) {
        add_norm(&made, prefix, "h.#.ln_1", l);
        add_layer(&made, prefix, "attn.c_attn", l, (const int[]){d, 3 * d});
        add_layer(&made, prefix, "attn.c_proj", l, (const int[]){d, d});
        add_norm(&made, prefix, "h.#.ln_2", l);
        add_layer(&made, prefix, "mlp.c_fc", l, (const int[]){d, it->F});
        add_layer(&made, prefix, "mlp.c_proj", l, (const int[]){it->F, d});
        if (it->is_bare) {
            add_masks(&made, l);
        }
    }
    add_norm(&made, prefix, "ln_f", 0);
    if (it->is_untied) {
        (void)made_add(&made, "lm_head.weight", 0, (const int[]){V, d}, about_zero);
    }
    return made;
}

static made_model make_files(const variant *it)
{
    const made_model made = make(it);
    lmd_text config = {0};
    lmd_text_append_format(&config, SIZES "%s}", it->config);
    made_write(&made, lmd_text_string(&config));
    lmd_text_clear(&config);
    return made;
}

/* ---- the definition ---- */

static const float *values(const made_model *made, const variant *it, const char *name,
                           int block)
{
    char pattern[2 * MADE_NAME];
    (void)snprintf(pattern, sizeof pattern, "%s%s", it->is_bare ? "" : "transformer.",
                   name);
    return made_values(made, pattern, block);
}

/* A Conv1D: its weight is (C, O). */
static void naive_layer(const made_model *made, const variant *it, const char *name,
                        int block, double *out, const double *in, const int size[3])
{
    char weight[2 * MADE_NAME];
    char bias[2 * MADE_NAME];
    (void)snprintf(weight, sizeof weight, "h.#.%s.weight", name);
    (void)snprintf(bias, sizeof bias, "h.#.%s.bias", name);
    naive_linear(out, in, values(made, it, weight, block), (const int[]){1, size[1]},
                 values(made, it, bias, block), size);
}

/* From state l (T, d) to state l + 1. */
static void naive_block(const made_model *made, const variant *it, int l, int T,
                        const double *in, double *out)
{
    double normed[CONTEXT * d];
    double qkv[CONTEXT * 3 * d];
    double mixed[CONTEXT * d];
    double hidden[CONTEXT * 4 * d];
    const double scale = it->is_scaled_by_block ? it->scale / (l + 1) : it->scale;
    naive_norm(normed, in, values(made, it, "h.#.ln_1.weight", l),
               values(made, it, "h.#.ln_1.bias", l), 1e-5, T, d);
    naive_layer(made, it, "attn.c_attn", l, qkv, normed, (const int[]){T, 3 * d, d});
    naive_attention(mixed, qkv, T, H, D, scale);
    naive_layer(made, it, "attn.c_proj", l, normed, mixed, (const int[]){T, d, d});
    naive_add(out, in, normed, T * d);
    naive_norm(normed, out, values(made, it, "h.#.ln_2.weight", l),
               values(made, it, "h.#.ln_2.bias", l), 1e-5, T, d);
    naive_layer(made, it, "mlp.c_fc", l, hidden, normed, (const int[]){T, it->F, d});
    for (int i = 0; i < T * it->F; i++) {
        hidden[i] = naive_activation(hidden[i], it->activation);
    }
    naive_layer(made, it, "mlp.c_proj", l, normed, hidden, (const int[]){T, d, it->F});
    naive_add(out, out, normed, T * d);
}

static void naive_states(const made_model *made, const variant *it, const uint32_t *ids,
                         int T, double *states)
{
    const float *const tokens = values(made, it, "wte.weight", 0);
    const float *const positions = values(made, it, "wpe.weight", 0);
    for (int t = 0; t < T; t++) {
        for (int i = 0; i < d; i++) {
            states[t * d + i] =
                (double)tokens[(int)ids[t] * d + i] + (double)positions[t * d + i];
        }
    }
    for (int l = 0; l < N; l++) {
        naive_block(made, it, l, T, states + l * T * d, states + (l + 1) * T * d);
    }
}

/* ---- forward ---- */

#define PLAIN_SCALE 0.44721359549995794 /* 1 / sqrt(D) */

static const variant variants[] = {
    {"", LMD_F32, 4 * d, false, false, LMD_GELU_TANH, PLAIN_SCALE, false},
    {", \"n_inner\": 11, \"activation_function\": \"relu\", "
     "\"tie_word_embeddings\": false, \"scale_attn_by_inverse_layer_idx\": true",
     LMD_F32, 11, true, true, LMD_RELU, PLAIN_SCALE, true},
    {", \"n_inner\": 7, \"activation_function\": \"silu\", "
     "\"scale_attn_weights\": false, \"reorder_and_upcast_attn\": true",
     LMD_F16, 7, false, false, LMD_SILU, 1, false},
    {", \"n_inner\": null, \"activation_function\": \"gelu\", "
     "\"tie_word_embeddings\": false, \"layer_norm_epsilon\": 1e-05",
     LMD_BF16, 4 * d, false, true, LMD_GELU, PLAIN_SCALE, false},
};

enum { N_VARIANTS = sizeof variants / sizeof *variants };

static void states_are_those_of_the_definition(void **state)
{
    (void)state;
    static const uint32_t ids[] = {22, 3, 3, 0, 17, 9, 4, 4, 11, 1, 19};
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
    naive_norm(should, wide, values(&made, &variants[0], "ln_f.weight", 0),
               values(&made, &variants[0], "ln_f.bias", 0), 1e-5, 1, d);
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

static void half_floats_stay_half(void **state)
{
    (void)state;
    size_t bytes[2];
    for (int i = 0; i < 2; i++) {
        variant it = variants[1];
        it.type = i ? LMD_F16 : LMD_F32;
        made_model made = make_files(&it);
        lmd_model *model = NULL;
        assert_int_equal(lmd_model_open(&model, test_folder), LMD_OK);
        bytes[i] = lmd_model_bytes(model);
        lmd_model_close(model);
        made_free(&made);
    }
    assert_true(10 * bytes[1] < 7 * bytes[0]);
}

/* ---- GGUF ---- */

static const char *const gguf_names[][2] = {
    {"wte", "token_embd"},
    {"wpe", "position_embd"},
    {"ln_f", "output_norm"},
    {"h.#.ln_1", "blk.#.attn_norm"},
    {"h.#.ln_2", "blk.#.ffn_norm"},
    {"h.#.attn.c_attn", "blk.#.attn_qkv"},
    {"h.#.attn.c_proj", "blk.#.attn_output"},
    {"h.#.mlp.c_fc", "blk.#.ffn_up"},
    {"h.#.mlp.c_proj", "blk.#.ffn_down"},
};

/* Adds a tensor as the converter writes it: Conv1D's the other way round. */
static void convert(made_model *out, const made_tensor *from, const char *pattern,
                    int block, bool is_transposed)
{
    const int rows = from->rows, columns = from->columns;
    const int shape[] = {is_transposed ? columns : rows, is_transposed ? rows : columns};
    float *const to = made_add(out, pattern, block, shape, about_zero);
    for (size_t i = 0; i < made_size(from); i++) {
        const size_t row = i / (size_t)columns;
        const size_t column = i % (size_t)columns;
        to[is_transposed ? column * (size_t)rows + row : i] = from->values[i];
    }
}

static made_model to_gguf(made_model *made)
{
    static const char *const ends[] = {".weight", ".bias"};
    made_model out = {.type = made->type};
    for (size_t i = 0; i < sizeof gguf_names / sizeof *gguf_names; i++) {
        for (int k = 0; k < 2 * N; k++) {
            const int block = k / 2;
            char from[MADE_NAME];
            char to[MADE_NAME];
            const char *const rest = strchr(gguf_names[i][0], '#');
            if (rest) {
                (void)snprintf(from, sizeof from, "transformer.h.%d%s%s", block, rest + 1,
                               ends[k % 2]);
            } else {
                (void)snprintf(from, sizeof from, "transformer.%s%s", gguf_names[i][0],
                               ends[k % 2]);
            }
            (void)snprintf(to, sizeof to, "%s%s", gguf_names[i][1], ends[k % 2]);
            const made_tensor *const tensor = made_find(made, from);
            if (tensor && (rest || block == 0)) {
                convert(&out, tensor, to, block,
                        tensor->rows && strstr(from, ".c_") != NULL);
            }
        }
    }
    return out;
}

static int put_gguf_keys(lmd_text *keys)
{
    put_gguf_key(keys, "general.architecture", 8);
    put_gguf_string(keys, "gpt2");
    put_gguf_size(keys, "gpt2.block_count", N);
    put_gguf_size(keys, "gpt2.context_length", CONTEXT);
    put_gguf_size(keys, "gpt2.embedding_length", d);
    put_gguf_size(keys, "gpt2.feed_forward_length", 4 * d);
    put_gguf_size(keys, "gpt2.attention.head_count", H);
    put_gguf_real(keys, "gpt2.attention.layer_norm_epsilon", 1e-5F);
    return 7;
}

/* Values of half floats, so that GGUF's vectors, which are F32, are the same. */
static void gguf_gives_the_same_bits(void **state)
{
    (void)state;
    static const lmd_matrix_type types[] = {LMD_F32, LMD_F16, LMD_BF16};
    for (size_t i = 0; i < 3; i++) {
        variant it = variants[0];
        it.type = types[i];
        made_model made = make_files(&it);
        made_model gguf = to_gguf(&made);
        lmd_text keys = {0};
        char path[PATH_SIZE];
        char original[PATH_SIZE];
        const int n_keys = put_gguf_keys(&keys);
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

/* ---- configs and tensors ---- */

/* The keys of OpenAI's and Hugging Face's published configs, old and new. */
static void published_configs_open(void **state)
{
    (void)state;
    static const char *const configs[] = {
        "{\"activation_function\": \"gelu_new\", \"architectures\": "
        "[\"GPT2LMHeadModel\"], \"attn_pdrop\": 0.1, \"bos_token_id\": 50256, "
        "\"embd_pdrop\": 0.1, \"eos_token_id\": 50256, \"initializer_range\": 0.02, "
        "\"layer_norm_epsilon\": 1e-05, \"model_type\": \"gpt2\", \"n_ctx\": 16, "
        "\"n_embd\": 15, \"n_head\": 3, \"n_layer\": 2, \"n_positions\": 16, "
        "\"output_past\": true, \"resid_pdrop\": 0.1, \"summary_activation\": null, "
        "\"summary_first_dropout\": 0.1, \"summary_proj_to_labels\": true, "
        "\"summary_type\": \"cls_index\", \"summary_use_proj\": true, "
        "\"task_specific_params\": {\"text-generation\": {\"do_sample\": true, "
        "\"max_length\": 50}}, \"vocab_size\": 23}",
        "{\"_num_labels\": 1, \"activation_function\": \"gelu_new\", \"architectures\": "
        "[\"GPT2LMHeadModel\"], \"id2label\": {\"0\": \"LABEL_0\"}, \"label2id\": "
        "{\"LABEL_0\": 0}, \"model_type\": \"gpt2\", \"n_ctx\": 16, \"n_embd\": 15, "
        "\"n_head\": 3, \"n_layer\": 2, \"n_positions\": 16, \"predict_special_tokens\": "
        "true, \"summary_use_proj\": true, \"vocab_size\": 23}",
        SIZES ", \"add_cross_attention\": false, \"dtype\": \"float32\", \"n_inner\": "
              "null, \"pad_token_id\": null, \"reorder_and_upcast_attn\": false, "
              "\"scale_attn_by_inverse_layer_idx\": false, \"scale_attn_weights\": true, "
              "\"tie_word_embeddings\": true, \"transformers_version\": \"5.0.0\", "
              "\"use_cache\": true}",
    };
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        made_model made = make(&variants[0]);
        made_write(&made, configs[i]);
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
    assert_string_equal(shape->family, "gpt2");
    assert_int_equal(shape->N, N);
    assert_int_equal(shape->d, d);
    assert_int_equal(shape->H, H);
    assert_int_equal(shape->K, H);
    assert_int_equal(shape->D, D);
    assert_int_equal(shape->F, 11);
    assert_int_equal(shape->V, V);
    assert_int_equal(shape->context, CONTEXT);
    assert_false(shape->is_tied);
    const int block = 4 * d * d + 4 * d + 2 * 11 * d + 11 + d + 4 * d;
    assert_int_equal(shape->parameters, (2 * V + CONTEXT) * d + 2 * d + N * block);
    /* Products of a prompt of 3 and the pairs that attend in it. */
    static const int32_t starts[] = {0, 3};
    const double flops = N * (2.0 * 3 * (4 * d * d + 2 * 11 * d) + 4.0 * 6 * d);
    assert_true(fabs(lmd_model_flops(model, starts, 1) - flops) < 0.5);
    lmd_model_close(model);
    assert_remarks(test_folder, "scores of block l are divided by l");
    made_free(&made);
}

static void what_is_not_implemented_is_refused_by_name(void **state)
{
    (void)state;
    static const char *const refused[][2] = {
        {"{\"add_cross_attention\": true}", "'add_cross_attention' is true"},
        {"{\"activation_function\": \"quick_gelu\"}", "quick_gelu"},
        {"{\"activation_function\": 3}", "'activation_function' is 3"},
        {"{\"n_head\": 4}", "4 heads"},
        {"{\"n_inner\": 0}", "'n_inner'"},
        {"{\"n_inner\": 12}", "mlp.c_fc.weight"},
        {"{\"n_positions\": 17}", "wpe.weight"},
        {"{\"scale_attn_weights\": 1}", "'scale_attn_weights'"},
        {"{\"layer_norm_epsilon\": 0}", "'layer_norm_epsilon'"},
        {"{\"scale_embedding\": true}", "'scale_embedding'"},
        {"{\"tie_word_embeddings\": false}", "lm_head.weight"},
        {"{\"n_layer\": null}", "'n_layer' is missing"},
        {"{\"n_layer\": 3}", "transformer.h.2.ln_1.weight"},
        {"{\"n_layer\": 1}", "transformer.h.1."},
    };
    made_model made = make(&variants[0]);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        made_write_changed(&made, SIZES "}", refused[i][0]);
        assert_opens(refused[i][1]);
    }
    made_free(&made);
}

static void tensors_are_checked(void **state)
{
    (void)state;
    made_model made = make(&variants[0]);
    made_tensor *const bias = made_find(&made, "transformer.h.1.attn.c_attn.bias");
    (void)snprintf(bias->name, MADE_NAME, "transformer.h.1.attn.q_attn.bias");
    made_write(&made, SIZES "}");
    assert_opens("1 tensor is missing: transformer.h.1.attn.c_attn.bias");
    (void)snprintf(bias->name, MADE_NAME, "transformer.h.1.attn.c_attn.bias");
    made_tensor *const stacked = made_find(&made, "transformer.h.0.attn.c_attn.weight");
    stacked->rows = 3 * d;
    stacked->columns = d;
    made_write(&made, SIZES "}");
    assert_opens("transformer.h.0.attn.c_attn.weight' has shape (45, 15)");
    stacked->rows = d;
    stacked->columns = 3 * d;
    (void)made_add(&made, "transformer.h.#.ln_cross_attn.weight", 0, (const int[]){0, d},
                   about_one);
    made_write(&made, SIZES "}");
    assert_opens("no part of this model: transformer.h.0.ln_cross_attn.weight");
    made_free(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_are_those_of_the_definition),
        cmocka_unit_test(final_norm_is_that_of_the_definition),
        cmocka_unit_test(packs_and_threads_agree),
        cmocka_unit_test(half_floats_stay_half),
        cmocka_unit_test(gguf_gives_the_same_bits),
        cmocka_unit_test(published_configs_open),
        cmocka_unit_test(shape_is_that_of_the_config),
        cmocka_unit_test(what_is_not_implemented_is_refused_by_name),
        cmocka_unit_test(tensors_are_checked),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
