/* What lmd_model_open takes and what it refuses, by name: config.json of transformers 4
 * and 5, GGUF metadata, tensors that are missing, misshapen or not wanted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <lmdepth/model.h>
#include "model_files.h"

#define GROUPED TINY "grouped/config.json"
#define GROUPED_V4 TINY "grouped/config_v4.json"

/* Opens the tiny model `grouped` with a changed config. */
static lmd_status open_changed(const char *config, const char *changes)
{
    char folder[MODEL_PATH_SIZE];
    model_files_make_folder(folder);
    model_files_copy(folder, TINY "grouped/model.safetensors", "model.safetensors");
    model_files_change_config(folder, config, changes);
    lmd_model *model = NULL;
    const lmd_status status = lmd_model_open(&model, folder);
    assert_true((status == LMD_OK) == (model != NULL));
    lmd_model_close(model);
    (void)lmd_file_remove_tree(folder);
    return status;
}

static void assert_says(const char *what)
{
    if (!strstr(lmd_status_message(), what)) {
        fail_msg("'%s' is not in: %s", what, lmd_status_message());
    }
}

static void test_shape(void **state)
{
    (void)state;
    lmd_model *model = NULL;
    assert_int_equal(lmd_model_open(&model, TINY "grouped"), LMD_OK);
    const lmd_model_shape *const shape = lmd_model_get_shape(model);
    assert_string_equal(shape->family, "llama");
    assert_int_equal(shape->N, 3);
    assert_int_equal(shape->d, 36);
    assert_int_equal(shape->H, 6);
    assert_int_equal(shape->K, 2);
    assert_int_equal(shape->D, 6);
    assert_int_equal(shape->F, 30);
    assert_int_equal(shape->V, 53);
    assert_int_equal(shape->context, 64);
    assert_int_equal(shape->max_C, 36);
    assert_int_equal(shape->bos, 1);
    assert_false(shape->is_tied);
    const int64_t block = 2 * 36 + 2 * 36 * 36 + 2 * 12 * 36 + 3 * 30 * 36;
    assert_int_equal(shape->parameters, 2 * 53 * 36 + 36 + 3 * block);
    assert_string_equal(lmd_model_describe(model), "safetensors, F32");
    assert_string_equal(lmd_model_weights_path(model), TINY "grouped/model.safetensors");
    assert_int_equal(lmd_model_bytes(model) % 64, 0);
    lmd_model_close(model);
}

static void test_shape_of_gguf(void **state)
{
    (void)state;
    lmd_model *model = NULL;
    assert_int_equal(lmd_model_open(&model, TINY "quantised/model.gguf"), LMD_OK);
    const lmd_model_shape *const shape = lmd_model_get_shape(model);
    assert_int_equal(shape->D, 8);
    assert_int_equal(shape->context, 2048);
    assert_int_equal(shape->bos, -1);
    assert_string_equal(lmd_model_describe(model), "GGUF, Q8_0 F32 F16");
    lmd_text remarks = {0};
    lmd_model_remarks(model, &remarks);
    assert_non_null(strstr(lmd_text_string(&remarks), "quantised"));
    lmd_text_clear(&remarks);
    lmd_model_close(model);
}

static void test_remarks_of_tied_model(void **state)
{
    (void)state;
    lmd_model *model = NULL;
    lmd_text remarks = {0};
    assert_int_equal(lmd_model_open(&model, TINY "wide/model.safetensors"), LMD_OK);
    assert_true(lmd_model_get_shape(model)->is_tied);
    assert_int_equal(lmd_model_get_shape(model)->max_C, 42);
    lmd_model_remarks(model, &remarks);
    assert_non_null(strstr(lmd_text_string(&remarks), "tied"));
    assert_non_null(strstr(lmd_text_string(&remarks), "heads of size 14"));
    lmd_text_clear(&remarks);
    lmd_model_close(model);
}

/* Keys and values that change nothing, in both forms of the config. */
static void test_harmless_keys(void **state)
{
    (void)state;
    static const char *const harmless[] = {
        "{}",
        "{\"_name_or_path\": \"a/b\", \"pad_token_id\": 5}",
        "{\"torch_dtype\": \"bfloat16\", \"dtype\": null}",
        "{\"attention_dropout\": 0.1, \"use_cache\": false, \"rope_interleaved\": false}",
        "{\"transformers.js_config\": {\"kv_cache_dtype\": {\"q4f16\": \"float16\"}}}",
        "{\"some_new_switch\": false, \"some_new_scale\": null, \"some_new_list\": []}",
        "{\"some_new_count\": 0, \"some_new_share\": 0.0, \"some_new_name\": \"\"}",
        "{\"sliding_window\": null, \"rope_scaling\": null, \"pretraining_tp\": 1}",
        "{\"rope_scaling\": {\"rope_type\": \"default\"}}",
        "{\"rope_scaling\": {\"type\": \"default\"}, \"partial_rotary_factor\": 1.0}",
        "{\"attention_bias\": false, \"mlp_bias\": null, \"pretraining_tp\": 2}",
        "{\"bos_token_id\": [1, 2], \"hidden_act\": \"swish\", \"head_dim\": null}",
        "{\"id2label\": {\"0\": \"A\", \"1\": \"B\"}, \"temperature\": 0.6}",
        "{\"model_max_length\": 1e30, \"num_hidden_layers\": 3.0}",
    };
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++) {
        for (int form = 0; form < 2; form++) {
            if (open_changed(form ? GROUPED : GROUPED_V4, harmless[i]) != LMD_OK) {
                fail_msg("%s: %s", harmless[i], lmd_status_message());
            }
        }
    }
}

typedef struct refusal {
    const char *changes;
    const char *says;
} refusal;

static void assert_refused(const char *config, const refusal *refused, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (open_changed(config, refused[i].changes) != LMD_INPUT) {
            fail_msg("not refused: %s", refused[i].changes);
        }
        assert_says("config.json");
        assert_says(refused[i].says);
    }
}

/* Keys and values that do change the arithmetic, or may. */
static void test_refused_keys(void **state)
{
    (void)state;
    static const refusal both[] = {
        {"{\"attention_bias\": 1}", "'attention_bias' is 1"},
        {"{\"hidden_act\": \"quick_gelu\"}", "'hidden_act' is quick_gelu"},
        {"{\"hidden_act\": \"quick_gelu\"}", "silu, swish, gelu, "},
        {"{\"hidden_act\": 3}", "'hidden_act' is 3"},
        {"{\"sliding_window\": 4096}", "'sliding_window' is 4096"},
        {"{\"logit_scale\": 0.0625}", "'logit_scale' is 0.0625"},
        {"{\"final_logit_softcapping\": 30.0}", "'final_logit_softcapping' is 30"},
        {"{\"rope_interleaved\": true}", "'rope_interleaved' is true"},
        {"{\"partial_rotary_factor\": 0.5}", "'partial_rotary_factor' is 0.5"},
        {"{\"quantization_config\": {\"bits\": 4}}", "'quantization_config.bits' is 4"},
        {"{\"some_new_scale\": 2}", "'some_new_scale' is 2"},
        {"{\"auto_map\": {\"AutoModel\": \"x.Y\"}}", "'auto_map.AutoModel' is x.Y"},
        {"{\"layer_types\": [\"full\"]}", "'layer_types' is [...]"},
        {"{\"model_type\": \"gemma3\"}", "'model_type' is gemma3"},
        {"{\"model_type\": null}", "'model_type' is missing"},
        {"{\"hidden_size\": null}", "'hidden_size' is missing"},
        {"{\"hidden_size\": 36.5}", "'hidden_size' is 36.5"},
        {"{\"hidden_size\": -36}", "'hidden_size' is -36"},
        {"{\"vocab_size\": 99999999999}", "'vocab_size' is 99999999999"},
        {"{\"num_hidden_layers\": \"3\"}", "'num_hidden_layers' is \"3\""},
        {"{\"rms_norm_eps\": 1e-60}", "'rms_norm_eps' is 1e-60"},
        {"{\"rms_norm_eps\": \"small\"}", "'rms_norm_eps' is small"},
        {"{\"rope_theta\": -1}", "'rope_theta' is -1"},
        {"{\"tie_word_embeddings\": 1}", "'tie_word_embeddings' is 1"},
        {"{\"num_key_value_heads\": 4}", "6 heads can't share 4 key/value heads"},
        {"{\"head_dim\": 7}", "odd size 7"},
        {"{\"head_dim\": null, \"num_attention_heads\": 5}", "no multiple of 5 heads"},
        {"{\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0}}",
         "'low_freq_factor' and 'high_freq_factor'"},
        {"{\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0, "
         "\"low_freq_factor\": 4.0, \"high_freq_factor\": 4.0}}",
         "'high_freq_factor' is 4"},
        {"{\"rope_scaling\": {\"type\": \"linear\"}}", "needs a key 'factor'"},
        {"{\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2.0}}",
         "'rope_scaling.type' is yarn"},
        {"{\"rope_scaling\": {\"rope_type\": \"longrope\", \"factor\": 2.0}}",
         "'rope_scaling.rope_type' is longrope"},
        {"{\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2, \"mscale\": 1}}",
         "'rope_scaling.mscale' is 1"},
        {"{\"rope_scaling\": {\"factor\": 2.0}}", "'factor' of 2 but no kind"},
        {"{\"rope_theta\": 1e5, \"rope_parameters\": {\"rope_theta\": 2e5}}",
         "'rope_theta' is 100000, but"},
    };
    static const refusal new[] = {
        {"{\"rope_parameters\": {\"rope_type\": \"yarn\", \"factor\": 4.0}}",
         "'rope_parameters.rope_type' is yarn"},
        {"{\"rope_parameters\": {\"rope_theta\": 1e4, \"partial_rotary_factor\": 0.25}}",
         "'rope_parameters.partial_rotary_factor' is 0.25"},
        {"{\"rope_parameters\": {\"full_attention\": {\"rope_theta\": 1e4}}}",
         "'rope_parameters.full_attention' is {...}"},
    };
    assert_refused(GROUPED, both, sizeof both / sizeof *both);
    assert_refused(GROUPED_V4, both, sizeof both / sizeof *both);
    assert_refused(GROUPED, new, sizeof new / sizeof *new);
}

/* ---- tensors ---- */

static void test_missing_tensors(void **state)
{
    (void)state;
    assert_int_equal(open_changed(GROUPED, "{\"num_hidden_layers\": 4}"), LMD_INPUT);
    assert_says("model.safetensors: 9 tensors are missing: ");
    assert_says("model.layers.3.input_layernorm.weight, ");
    assert_says("model.layers.3.self_attn.q_proj.weight, ");
    assert_says(", model.layers.3.mlp.down_proj.weight");
    assert_int_equal(open_changed(GROUPED, "{\"num_hidden_layers\": 29}"), LMD_INPUT);
    assert_says("234 tensors are missing: ");
    assert_says("model.layers.{3-28}.mlp.down_proj.weight");
    assert_int_equal(open_changed(GROUPED, "{\"num_hidden_layers\": 16000000}"),
                     LMD_INPUT);
    assert_says("30 tensors");
}

static void test_wrong_shape(void **state)
{
    (void)state;
    assert_int_equal(open_changed(GROUPED, "{\"intermediate_size\": 31}"), LMD_INPUT);
    assert_says("'model.layers.0.mlp.gate_proj.weight' has shape (30, 36), the config "
                "makes it (31, 36)");
    assert_int_equal(open_changed(GROUPED, "{\"head_dim\": 8}"), LMD_INPUT);
    assert_says("q_proj.weight' has shape (36, 36), the config makes it (48, 36)");
    assert_int_equal(open_changed(GROUPED, "{\"hidden_size\": 30}"), LMD_INPUT);
    assert_says("'model.embed_tokens.weight' has shape (53, 36)");
}

static void test_unwanted_tensors(void **state)
{
    (void)state;
    assert_int_equal(open_changed(GROUPED, "{\"num_hidden_layers\": 2}"), LMD_INPUT);
    assert_says("9 tensors are no part of this model: ");
    assert_says("model.layers.2.mlp.up_proj.weight");
}

/* `wide` without a word on tying has no unembedding. */
static void test_missing_head(void **state)
{
    (void)state;
    char folder[MODEL_PATH_SIZE];
    lmd_model *model = NULL;
    model_files_make_folder(folder);
    model_files_copy(folder, TINY "wide/model.safetensors", "model.safetensors");
    model_files_change_config(folder, TINY "wide/config.json",
                              "{\"tie_word_embeddings\": null}");
    assert_int_equal(lmd_model_open(&model, folder), LMD_INPUT);
    assert_null(model);
    assert_says("1 tensor is missing: lm_head.weight");
    (void)lmd_file_remove_tree(folder);
}

/* Old conversions hold rotary frequencies, which are no weights. A second final norm,
 * say, is no part of the model. */
static void test_renamed_tensors(void **state)
{
    (void)state;
    static const char old[] = "model.layers.1.mlp.down_proj.weight";
    static const char new[] = "model.layers.1.mlp.down_prox.weight";
    char folder[MODEL_PATH_SIZE];
    lmd_text bytes = {0};
    lmd_model *model = NULL;
    model_files_make_folder(folder);
    model_files_copy(folder, TINY "grouped/config.json", "config.json");
    model_files_read(TINY "grouped/model.safetensors", &bytes);
    assert_int_equal(model_files_replace(&bytes, old, new), 1);
    model_files_write(folder, "model.safetensors", &bytes);
    assert_int_equal(lmd_model_open(&model, folder), LMD_INPUT);
    assert_says("1 tensor is missing: model.layers.1.mlp.down_proj.weight");
    lmd_text_clear(&bytes);
    (void)lmd_file_remove_tree(folder);
}

/* Before any rank starts, not when the tensor is read. */
static void test_types(void **state)
{
    (void)state;
    static const char tensor[] = "model.norm.weight\":{\"dtype\":\"";
    static const char *const types[] = {"I32", "U32"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char folder[MODEL_PATH_SIZE];
        char old[64], new[64];
        lmd_text bytes = {0};
        lmd_model *model = NULL;
        (void)snprintf(old, sizeof old, "%sF32", tensor);
        (void)snprintf(new, sizeof new, "%s%s", tensor, types[i]);
        model_files_make_folder(folder);
        model_files_copy(folder, TINY "grouped/config.json", "config.json");
        model_files_read(TINY "grouped/model.safetensors", &bytes);
        assert_int_equal(model_files_replace(&bytes, old, new), 1);
        model_files_write(folder, "model.safetensors", &bytes);
        assert_int_equal(lmd_model_open(&model, folder), LMD_INPUT);
        assert_says("tensor 'model.norm.weight': ");
        assert_says(types[i]);
        lmd_text_clear(&bytes);
        (void)lmd_file_remove_tree(folder);
    }
}

/* ---- files ---- */

static void test_files(void **state)
{
    (void)state;
    char folder[MODEL_PATH_SIZE];
    lmd_model *model = NULL;
    assert_int_equal(lmd_model_open(&model, TINY "nowhere"), LMD_USAGE);
    assert_says("nowhere");
    model_files_make_folder(folder);
    assert_int_equal(lmd_model_open(&model, folder), LMD_INPUT);
    model_files_copy(folder, TINY "grouped/model.safetensors", "model.safetensors");
    assert_int_equal(lmd_model_open(&model, folder), LMD_INPUT);
    assert_says("config.json: is missing");
    static const char *const bad[] = {"{\"hidden_size\": 3,\n", "[1, 2]",      "", "\xff",
                                      "{\"a\": 1, \"a\": 2}",   "{\"a\": NaN}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        lmd_text text = {0};
        lmd_text_append_string(&text, bad[i]);
        model_files_write(folder, "config.json", &text);
        lmd_text_clear(&text);
        assert_int_equal(lmd_model_open(&model, folder), LMD_INPUT);
        assert_says("config.json");
    }
    assert_null(model);
    (void)lmd_file_remove_tree(folder);
}

static void assert_gguf_says(const char *old, const char *new, const char *says)
{
    char folder[MODEL_PATH_SIZE];
    lmd_text bytes = {0};
    lmd_model *model = NULL;
    model_files_make_folder(folder);
    model_files_read(TINY "quantised/model.gguf", &bytes);
    assert_true(model_files_replace(&bytes, old, new) > 0);
    model_files_write(folder, "model.gguf", &bytes);
    const lmd_status status = lmd_model_open(&model, folder);
    assert_int_equal(status, says ? LMD_INPUT : LMD_OK);
    if (says) {
        assert_says("model.gguf: ");
        assert_says(says);
    }
    lmd_model_close(model);
    lmd_text_clear(&bytes);
    (void)lmd_file_remove_tree(folder);
}

static void test_gguf_keys(void **state)
{
    (void)state;
    assert_gguf_says("llama.rope.freq_base", "llama.rope.freq_bass",
                     "'llama.rope.freq_bass' is 10000");
    assert_gguf_says("llama.block_count", "llama.block_cound",
                     "'llama.block_count' is missing");
    assert_gguf_says("llama.attention.head_count_kv", "llama.attention.sliding_windw",
                     "'llama.attention.sliding_windw' is 2");
    assert_gguf_says("llama.rope.dimension_count", "llama.attention.key_length", NULL);
    assert_gguf_says("llama.vocab_size", "llama.exp__count", "'llama.exp__count' is 64");
    assert_gguf_says("llama.vocab_size", "other.vocab_size", NULL);
    assert_gguf_says("general.architecture", "general.architectura",
                     "'general.architecture' is missing");
    assert_gguf_says("llama", "llomb", "'general.architecture' is llomb");
}

/* A family that GGUF knows under another name is not taken under its own. */
static void test_gguf_family(void **state)
{
    (void)state;
    static const char key[] = "\x14\0\0\0\0\0\0\0general.architecture\x08\0\0\0"
                              "\x07\0\0\0\0\0\0\0mistral";
    char folder[MODEL_PATH_SIZE];
    lmd_text bytes = {0};
    lmd_model *model = NULL;
    model_files_make_folder(folder);
    lmd_text_append(&bytes, "GGUF\3\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0", 24);
    lmd_text_append(&bytes, key, sizeof key - 1);
    model_files_write(folder, "model.gguf", &bytes);
    assert_int_equal(lmd_model_open(&model, folder), LMD_INPUT);
    assert_says("'general.architecture' is mistral, which is not supported: ");
    lmd_text_clear(&bytes);
    (void)lmd_file_remove_tree(folder);
}

/* Where no key tells the size of the vocabulary, an embedding without a row does not.
 * Found by fuzzing. */
static void test_gguf_empty_vocabulary(void **state)
{
    (void)state;
    static const char name[] = "token_embd.weight";
    char folder[MODEL_PATH_SIZE];
    lmd_text bytes = {0};
    lmd_model *model = NULL;
    model_files_make_folder(folder);
    model_files_read(TINY "quantised/model.gguf", &bytes);
    assert_int_equal(model_files_replace(&bytes, "llama.vocab_size", "other.vocab_size"),
                     1);
    char *const at = memmem(bytes.bytes, bytes.size, name, sizeof name - 1);
    assert_non_null(at);
    memset(at + sizeof name - 1 + 4 + 8, 0, 8); // behind n_dims and the row's length
    model_files_write(folder, "model.gguf", &bytes);
    assert_int_equal(lmd_model_open(&model, folder), LMD_INPUT);
    assert_says("'token_embd.weight' has 0 rows");
    lmd_text_clear(&bytes);
    (void)lmd_file_remove_tree(folder);
}

static void test_gguf_tensors(void **state)
{
    (void)state;
    assert_gguf_says("blk.1.ffn_up.weight", "blk.1.ffn_uq.weight",
                     "1 tensor is missing: blk.1.ffn_up.weight");
    assert_gguf_says("blk.1.ffn", "blk.7.ffn", "4 tensors are missing: ");
}

int main(void)
{
    const int64_t live = lmd_memory_live();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shape),
        cmocka_unit_test(test_shape_of_gguf),
        cmocka_unit_test(test_remarks_of_tied_model),
        cmocka_unit_test(test_harmless_keys),
        cmocka_unit_test(test_refused_keys),
        cmocka_unit_test(test_missing_tensors),
        cmocka_unit_test(test_wrong_shape),
        cmocka_unit_test(test_unwanted_tensors),
        cmocka_unit_test(test_missing_head),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_renamed_tensors),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_gguf_keys),
        cmocka_unit_test(test_gguf_family),
        cmocka_unit_test(test_gguf_tensors),
        cmocka_unit_test(test_gguf_empty_vocabulary),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed != 0 || lmd_memory_live() != live;
}
