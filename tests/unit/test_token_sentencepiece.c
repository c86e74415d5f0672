/* tokenizer.model against SentencePiece's ids, damaged ones, and the folders whose
 * tokenizer is no tokenizer.json. */
#include "token_case.h"

#include "tokenizer.h"

static unsigned digit_of(char digit)
{
    return digit <= '9' ? (unsigned)(digit - '0') : (unsigned)(digit - 'a') + 10;
}

static void read_model(const json_t *model, lmd_text *bytes)
{
    const char *const hex = json_string_value(json_object_get(model, "bytes"));
    for (size_t i = 0; hex[i] != '\0'; i += 2) {
        const unsigned char byte =
            (unsigned char)(digit_of(hex[i]) << 4 | digit_of(hex[i + 1]));
        lmd_text_append(bytes, &byte, 1);
    }
}

static void check_ids(const json_t *model, const json_t *texts)
{
    lmd_tokenizer *const tokenizer = open_tokenizer(case_folder);
    lmd_encoder *const encoder = lmd_token_new_encoder(tokenizer);
    const json_t *const ids = json_object_get(model, "ids");
    const char *const name = json_string_value(json_object_get(model, "name"));
    assert_int_equal(json_array_size(ids), json_array_size(texts));
    for (size_t i = 0; i < json_array_size(texts); i++) {
        const json_t *const text = json_array_get(texts, i);
        expect_ids(encoder, name, json_string_value(text), json_string_length(text),
                   json_string_value(json_array_get(ids, i)));
    }
    assert_int_equal(lmd_token_bos(tokenizer), 1);
    assert_true(lmd_token_is_special(tokenizer, 2));
    lmd_token_free_encoder(encoder);
    lmd_token_close(tokenizer);
}

/* Opens what may be damaged; every outcome but a crash or a leak is good. */
static void open_and_encode(const char *bytes, size_t size)
{
    lmd_tokenizer *tokenizer = NULL;
    if (lmd_tokenizer_open_model_bytes(&tokenizer, bytes, size) != LMD_OK) {
        assert_null(tokenizer);
        return;
    }
    lmd_encoder *const encoder = lmd_token_new_encoder(tokenizer);
    lmd_ids ids = {0};
    (void)lmd_token_encode(encoder, "J Qab \xC3\xA9", 8, &ids, NULL);
    lmd_ids_clear(&ids);
    lmd_token_free_encoder(encoder);
    lmd_token_close(tokenizer);
}

/* Cut at every byte, and with every byte altered. */
static void check_damage(const lmd_text *model)
{
    for (size_t n = 0; n < model->size; n++) {
        char *const copy = lmd_memory_copy_bytes(model->bytes, n);
        open_and_encode(copy, n);
        lmd_memory_free(copy);
    }
    for (size_t i = 0; i < model->size; i++) {
        model->bytes[i] = (char)(model->bytes[i] ^ 0x55);
        open_and_encode(model->bytes, model->size);
        model->bytes[i] = (char)(model->bytes[i] ^ 0x55);
    }
}

static void test_models_give_sentencepiece_ids(void **state)
{
    (void)state;
    json_t *const all = load_json("tests/data/token/sentencepiece.json");
    const json_t *const models = json_object_get(all, "models");
    assert_int_equal(json_array_size(models), 2);
    for (size_t i = 0; i < json_array_size(models); i++) {
        lmd_text bytes = {0};
        read_model(json_array_get(models, i), &bytes);
        write_case_bytes("tokenizer.model", bytes.bytes, bytes.size);
        check_ids(json_array_get(models, i), json_object_get(all, "texts"));
        check_damage(&bytes);
        lmd_text_clear(&bytes);
    }
    json_decref(all);
}

static bool folder_adds_bos(void)
{
    lmd_tokenizer *const tokenizer = open_tokenizer(case_folder);
    const bool adds_bos = lmd_token_adds_bos(tokenizer);
    assert_int_equal(lmd_token_bos(tokenizer), 1);
    lmd_token_close(tokenizer);
    return adds_bos;
}

/* Without a tokenizer_config.json the model's config.json tells the class; a byte-pair
 * model that is all there is is Llama's. */
static void test_class_of_a_bare_model(void **state)
{
    (void)state;
    char path[CASE_PATH];
    json_t *const all = load_json("tests/data/token/sentencepiece.json");
    for (size_t i = 0; i < 2; i++) { // BPE; Unigram with a character map
        lmd_text bytes = {0};
        read_model(json_array_get(json_object_get(all, "models"), i), &bytes);
        write_case_bytes("tokenizer.model", bytes.bytes, bytes.size);
        lmd_text_clear(&bytes);
        assert_int_equal(folder_adds_bos(), i == 0);
        write_case("config.json", "{\"model_type\":\"gpt_neox\"}");
        assert_false(folder_adds_bos());
        write_case("config.json", "{\"model_type\":\"mistral\"}");
        if (i == 0) {
            assert_true(folder_adds_bos());
            write_case("tokenizer_config.json", "{\"add_bos_token\":false}");
            assert_false(folder_adds_bos());
            (void)remove(case_path(path, "tokenizer_config.json"));
            write_case("config.json", "{\"model_type\":\"llama\","
                                      "\"tokenizer_class\":\"OddTokenizer\"}");
            expect_refusal(case_folder, LMD_INPUT, "tokenizer.model", "OddTokenizer");
        } else {
            expect_refusal(case_folder, LMD_INPUT, "tokenizer.model", "normalizer_spec");
        }
        (void)remove(case_path(path, "config.json"));
    }
    json_decref(all);
}

static void test_config_beside_a_model(void **state)
{
    (void)state;
    char path[CASE_PATH];
    json_t *const all = load_json("tests/data/token/sentencepiece.json");
    lmd_text bytes = {0};
    read_model(json_array_get(json_object_get(all, "models"), 0), &bytes);
    write_case_bytes("tokenizer.model", bytes.bytes, bytes.size);
    write_case("tokenizer_config.json",
               "{\"tokenizer_class\":\"LlamaTokenizer\",\"add_bos_token\":true,"
               "\"added_tokens_decoder\":{\"7000\":{\"content\":\"<new>\"}}}");
    lmd_tokenizer *const tokenizer = open_tokenizer(case_path(path, "tokenizer.model"));
    assert_true(lmd_token_adds_bos(tokenizer));
    assert_int_equal(lmd_token_vocab(tokenizer), 7001);
    lmd_token_close(tokenizer);
    write_case("tokenizer_config.json", "{\"tokenizer_class\":\"OddTokenizer\"}");
    expect_refusal(path, LMD_INPUT, path, "OddTokenizer");
    write_case("tokenizer_config.json", "{}");
    write_case("added_tokens.json", "{}");
    expect_refusal(path, LMD_INPUT, "added_tokens.json", "not supported");
    lmd_text_clear(&bytes);
    json_decref(all);
}

/* Spaces by `legacy` and `add_prefix_space`; a BOS unless add_bos_token says no. */
static void test_class_llama_tokenizer(void **state)
{
    (void)state;
    json_t *const all = load_json("tests/data/token/sentencepiece.json");
    const json_t *const llama = json_object_get(all, "llama");
    const json_t *const texts = json_object_get(llama, "texts");
    const json_t *const rows = json_object_get(llama, "rows");
    lmd_text bytes = {0};
    read_model(json_array_get(json_object_get(all, "models"), 0), &bytes);
    write_case_bytes("tokenizer.model", bytes.bytes, bytes.size);
    assert_int_equal(json_array_size(rows), 6);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *const row = json_array_get(rows, i);
        const json_t *const ids = json_object_get(row, "ids");
        char *const config = json_dumps(json_object_get(row, "config"), 0);
        write_case("tokenizer_config.json", config);
        lmd_tokenizer *const tokenizer = open_tokenizer(case_folder);
        lmd_encoder *const encoder = lmd_token_new_encoder(tokenizer);
        for (size_t k = 0; k < json_array_size(texts); k++) {
            const json_t *const text = json_array_get(texts, k);
            expect_ids(encoder, config, json_string_value(text), json_string_length(text),
                       json_string_value(json_array_get(ids, k)));
        }
        assert_int_equal(lmd_token_bos(tokenizer), 1);
        assert_true(lmd_token_adds_bos(tokenizer));
        lmd_token_free_encoder(encoder);
        lmd_token_close(tokenizer);
        free(config);
    }
    write_case("tokenizer_config.json",
               "{\"tokenizer_class\":\"LlamaTokenizer\",\"add_bos_token\":false}");
    lmd_tokenizer *const tokenizer = open_tokenizer(case_folder);
    assert_false(lmd_token_adds_bos(tokenizer));
    lmd_token_close(tokenizer);
    lmd_text_clear(&bytes);
    json_decref(all);
}

static void test_vocab_and_merges(void **state)
{
    (void)state;
    char path[CASE_PATH];
    write_case("vocab.json", "{\"a\":0,\"b\":1,\"ab\":2,\"\xC4\xA0\":3,"
                             "\"\xC4\xA0"
                             "ab\":4,\"<|endoftext|>\":5}");
    write_case("merges.txt", "#version: 0.2\na b\r\n\xC4\xA0 ab\n");
    lmd_tokenizer *const tokenizer = open_tokenizer(case_folder);
    lmd_encoder *const encoder = lmd_token_new_encoder(tokenizer);
    expect_ids(encoder, "vocab.json", "ab ab<|endoftext|> b", 20, "2 4 5 3 1");
    assert_int_equal(lmd_token_bos(tokenizer), 5);
    lmd_token_free_encoder(encoder);
    lmd_token_close(tokenizer);
    write_case("tokenizer_config.json", "{\"tokenizer_class\":\"CLIPTokenizer\"}");
    expect_refusal(case_folder, LMD_INPUT, case_path(path, "vocab.json"),
                   "CLIPTokenizer");
}

int main(void)
{
#define IN_FOLDER(test)                                                                  \
    cmocka_unit_test_setup_teardown(test, make_case_folder, remove_case_folder)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_models_give_sentencepiece_ids),
        IN_FOLDER(test_class_of_a_bare_model),
        IN_FOLDER(test_config_beside_a_model),
        IN_FOLDER(test_class_llama_tokenizer),
        IN_FOLDER(test_vocab_and_merges),
    };
#undef IN_FOLDER
    return cmocka_run_group_tests(tests, NULL, NULL);
}
