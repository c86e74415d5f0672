/* Every component of a tokenizer.json, in variants of a tiny byte-level BPE, against the
 * ids of Hugging Face's tokenizers (tests/reference/make_token_references.py). */
#include "token_case.h"

/* Sets the variant's parts in a copy of the base; those of the model one by one. */
static json_t *merge_parts(const json_t *base, json_t *variant)
{
    json_t *const merged = json_deep_copy(base);
    json_object_update_existing(merged, variant);
    json_object_set(merged, "model", json_object_get(base, "model"));
    json_t *const model = json_copy(json_object_get(base, "model"));
    if (json_object_get(variant, "model") != NULL) {
        json_object_update(model, json_object_get(variant, "model"));
    }
    json_object_set_new(merged, "model", model);
    return merged;
}

static void write_merged(const json_t *merged)
{
    char *const text = json_dumps(merged, JSON_COMPACT);
    write_case("tokenizer.json", text);
    free(text);
}

static void check_variant(const json_t *base, const json_t *texts, json_t *variant)
{
    json_t *const merged = merge_parts(base, variant);
    write_merged(merged);
    json_decref(merged);
    lmd_tokenizer *const tokenizer = open_tokenizer(case_folder);
    lmd_encoder *const encoder = lmd_token_new_encoder(tokenizer);
    const char *const name = json_string_value(json_object_get(variant, "name"));
    const json_t *const expected = json_object_get(variant, "ids");
    assert_int_equal(json_array_size(expected), json_array_size(texts));
    for (size_t i = 0; i < json_array_size(texts); i++) {
        const json_t *const text = json_array_get(texts, i);
        expect_ids(encoder, name, json_string_value(text), json_string_length(text),
                   json_string_value(json_array_get(expected, i)));
    }
    lmd_token_free_encoder(encoder);
    lmd_token_close(tokenizer);
}

static void check_file(const char *path, size_t at_least)
{
    json_t *const all = load_json(path);
    json_t *const variants = json_object_get(all, "variants");
    assert_true(json_array_size(variants) >= at_least);
    for (size_t i = 0; i < json_array_size(variants); i++) {
        check_variant(json_object_get(all, "base"), json_object_get(all, "texts"),
                      json_array_get(variants, i));
    }
    json_decref(all);
}

static void test_variants_give_hugging_face_ids(void **state)
{
    (void)state;
    check_file("tests/data/token/variants.json", 56);
}

static void test_unigram_variants_do_too(void **state)
{
    (void)state;
    check_file("tests/data/token/unigram.json", 36);
}

/* Merges are written as pairs or as strings. */
static void test_merges_as_strings_are_the_same(void **state)
{
    (void)state;
    json_t *const all = load_json("tests/data/token/variants.json");
    json_t *const base = json_object_get(all, "base");
    json_t *const model = json_object_get(base, "model");
    const json_t *const pairs = json_object_get(model, "merges");
    json_t *const lines = json_array();
    for (size_t i = 0; i < json_array_size(pairs); i++) {
        const json_t *const pair = json_array_get(pairs, i);
        json_array_append_new(
            lines, json_sprintf("%s %s", json_string_value(json_array_get(pair, 0)),
                                json_string_value(json_array_get(pair, 1))));
    }
    json_object_set_new(model, "merges", lines);
    json_t *const last = json_array_get(json_object_get(all, "variants"), 0);
    check_variant(base, json_object_get(all, "texts"), last);
    json_decref(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_variants_give_hugging_face_ids,
                                        make_case_folder, remove_case_folder),
        cmocka_unit_test_setup_teardown(test_unigram_variants_do_too, make_case_folder,
                                        remove_case_folder),
        cmocka_unit_test_setup_teardown(test_merges_as_strings_are_the_same,
                                        make_case_folder, remove_case_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
