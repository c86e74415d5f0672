/* Vocabularies in GGUF files: kinds, types of tokens, BOS rules, folders. */
#include "token_case.h"

enum gguf_kind {
    GGUF_INT32 = 5,
    GGUF_FLOAT32 = 6,
    GGUF_BOOL = 7,
    GGUF_STRING = 8,
    GGUF_ARRAY = 9
};

typedef struct gguf_case {
    const char *model; /* NULL: no such key */
    const char *pre;   /* NULL: no such key */
    const char *merge; /* the only one */
    int bos;           /* -1: no such key */
    int adds_bos;      /* -1: no such key */
    uint32_t n_types;  /* 0: no such key */
} gguf_case;

static const gguf_case usual = {"gpt2", "gpt-2", "a b", -1, -1, 7};

static const char *const pieces[] = {"a", "b", "ab", "<s>", "<u>", "[PAD5]", "<z>"};
static const uint32_t types[] = {1, 1, 1, 3, 4, 4, 2};

static void put_number(lmd_text *out, uint64_t value, size_t size)
{
    lmd_text_append(out, &value, size); // little-endian
}

static void put_string(lmd_text *out, const char *string)
{
    put_number(out, strlen(string), 8);
    lmd_text_append_string(out, string);
}

static void put_key(lmd_text *out, const char *key, enum gguf_kind kind, uint64_t *n_keys)
{
    put_string(out, key);
    put_number(out, (uint64_t)kind, 4);
    ++*n_keys;
}

static void put_array(lmd_text *out, enum gguf_kind kind, size_t n)
{
    put_number(out, (uint64_t)kind, 4);
    put_number(out, n, 8);
}

static void put_lists(lmd_text *out, const gguf_case *values, uint64_t *n_keys)
{
    const size_t n = sizeof pieces / sizeof *pieces;
    put_key(out, "tokenizer.ggml.tokens", GGUF_ARRAY, n_keys);
    put_array(out, GGUF_STRING, n);
    for (size_t i = 0; i < n; i++) {
        put_string(out, pieces[i]);
    }
    if (values->n_types > 0) {
        put_key(out, "tokenizer.ggml.token_type", GGUF_ARRAY, n_keys);
        put_array(out, GGUF_INT32, values->n_types);
        lmd_text_append(out, types, values->n_types * sizeof *types);
    }
    put_key(out, "tokenizer.ggml.merges", GGUF_ARRAY, n_keys);
    put_array(out, GGUF_STRING, 1);
    put_string(out, values->merge);
    put_key(out, "tokenizer.ggml.scores", GGUF_ARRAY, n_keys);
    put_array(out, GGUF_FLOAT32, n);
    for (size_t i = 0; i < n; i++) {
        put_number(out, 0, 4);
    }
}

/* Version 3, no tensors, and the keys. */
static void put_header(lmd_text *file, const lmd_text *keys, uint64_t n_keys)
{
    lmd_text_append_string(file, "GGUF");
    put_number(file, 3, 4);
    put_number(file, 0, 8);
    put_number(file, n_keys, 8);
    lmd_text_append(file, keys->bytes, keys->size);
}

static void write_gguf(const char *name, const gguf_case *values)
{
    lmd_text keys = {0};
    lmd_text file = {0};
    uint64_t n_keys = 0;
    if (values->model != NULL) {
        put_key(&keys, "tokenizer.ggml.model", GGUF_STRING, &n_keys);
        put_string(&keys, values->model);
    }
    if (values->pre != NULL) {
        put_key(&keys, "tokenizer.ggml.pre", GGUF_STRING, &n_keys);
        put_string(&keys, values->pre);
    }
    put_lists(&keys, values, &n_keys);
    if (values->bos >= 0) {
        put_key(&keys, "tokenizer.ggml.bos_token_id", GGUF_INT32, &n_keys);
        put_number(&keys, (uint64_t)values->bos, 4);
    }
    if (values->adds_bos >= 0) {
        put_key(&keys, "tokenizer.ggml.add_bos_token", GGUF_BOOL, &n_keys);
        put_number(&keys, (uint64_t)values->adds_bos, 1);
    }
    put_header(&file, &keys, n_keys);
    write_case_bytes(name, file.bytes, file.size);
    lmd_text_clear(&keys);
    lmd_text_clear(&file);
}

static void test_types_of_tokens(void **state)
{
    (void)state;
    write_gguf("v.gguf", &usual);
    lmd_tokenizer *const tokenizer = open_tokenizer(case_folder); // its only .gguf
    lmd_encoder *const encoder = lmd_token_new_encoder(tokenizer);
    expect_ids(encoder, "types", "ab<s>a<u>b<z>", 13, "2 3 0 4 1 6");
    assert_true(lmd_token_is_special(tokenizer, 3));
    assert_false(lmd_token_is_special(tokenizer, 4));
    assert_true(lmd_token_is_special(tokenizer, 6));
    assert_int_equal(lmd_token_vocab(tokenizer), 7);
    size_t size = 1;
    (void)lmd_token_piece(tokenizer, 5, &size); // a converter's filling is no token
    assert_int_equal(size, 0);
    assert_string_equal(lmd_token_describe(tokenizer), "byte-level BPE, 7 ids, gpt-2");
    lmd_token_free_encoder(encoder);
    lmd_token_close(tokenizer);
}

static void expect_bos(const char *model, int bos, int adds_bos, int expected,
                       bool expected_adds)
{
    gguf_case values = usual;
    values.model = model;
    values.bos = bos;
    values.adds_bos = adds_bos;
    values.n_types = 0;
    char path[CASE_PATH];
    write_gguf("v.gguf", &values);
    lmd_tokenizer *const tokenizer = open_tokenizer(case_path(path, "v.gguf"));
    assert_int_equal(lmd_token_bos(tokenizer), expected);
    assert_int_equal(lmd_token_adds_bos(tokenizer), expected_adds);
    lmd_token_close(tokenizer);
}

static void test_bos_rules(void **state)
{
    (void)state;
    expect_bos("gpt2", -1, -1, -1, false);
    expect_bos("gpt2", 3, -1, 3, false); // no, when the key is missing
    expect_bos("gpt2", 3, 1, 3, true);
    expect_bos("gpt2", 3, 0, 3, false);
    expect_bos("gpt2", -1, 0, -1, false);
    expect_bos("llama", -1, -1, 1, true); // yes, when the key is missing
    expect_bos("llama", 3, -1, 3, true);
    expect_bos("llama", 3, 1, 3, true);
    expect_bos("llama", 3, 0, 3, false);
}

static void expect_bad(gguf_case values, const char *part)
{
    char path[CASE_PATH];
    write_gguf("bad.gguf", &values);
    expect_refusal(case_path(path, "bad.gguf"), LMD_INPUT, path, part);
}

static void test_refusals_name_the_key(void **state)
{
    (void)state;
    gguf_case values = usual;
    values.pre = "no-such-cut";
    expect_bad(values, "no-such-cut");
    values = usual;
    values.model = "t5";
    expect_bad(values, "kind t5");
    values.model = NULL;
    expect_bad(values, "tokenizer.ggml.model");
    values = usual;
    values.merge = "a x";
    expect_bad(values, "x is not in the vocabulary");
    values.merge = "b a";
    expect_bad(values, "ba is not in the vocabulary");
    values = usual;
    values.n_types = 6;
    expect_bad(values, "tokenizer.ggml.token_type");
    values = usual;
    values.adds_bos = 1;
    expect_bad(values, "bos_token_id");
    values.bos = 7;
    expect_bad(values, "BOS 7");
}

static void test_two_files_are_no_choice(void **state)
{
    (void)state;
    write_gguf("a.gguf", &usual);
    write_gguf("b.gguf", &usual);
    expect_refusal(case_folder, LMD_INPUT, case_folder, "more than one");
}

/* The parts of one split file are a choice; its first part has the vocabulary. */
static void test_parts_of_one_file(void **state)
{
    (void)state;
    char path[CASE_PATH];
    gguf_case other = usual;
    other.model = NULL;
    write_gguf("m-00002-of-00003.gguf", &other);
    write_gguf("m-00001-of-00003.gguf", &usual);
    write_gguf("m-00003-of-00003.gguf", &other);
    lmd_tokenizer *const tokenizer = open_tokenizer(case_folder);
    assert_string_equal(lmd_token_path(tokenizer),
                        case_path(path, "m-00001-of-00003.gguf"));
    lmd_token_close(tokenizer);
    write_gguf("m-00001-of-00004.gguf", &usual);
    expect_refusal(case_folder, LMD_INPUT, case_folder, "more than one");
}

/* ---- pre-tokenizers ---- */

static void put_strings(lmd_text *out, const char *key, const json_t *list,
                        uint64_t *n_keys)
{
    put_key(out, key, GGUF_ARRAY, n_keys);
    put_array(out, GGUF_STRING, json_array_size(list));
    for (size_t i = 0; i < json_array_size(list); i++) {
        put_string(out, json_string_value(json_array_get(list, i)));
    }
}

/* {"piece": id, ...} as a list, {{"a", "b"}, ...} as lines. */
static json_t *list_pieces(json_t *vocab)
{
    json_t *const list = json_array();
    const char *piece = NULL;
    json_t *id = NULL;
    for (size_t i = 0; i < json_object_size(vocab); i++) {
        json_array_append_new(list, json_string(""));
    }
    json_object_foreach(vocab, piece, id)
    {
        json_array_set_new(list, (size_t)json_integer_value(id), json_string(piece));
    }
    return list;
}

static json_t *list_merges(const json_t *merges)
{
    json_t *const list = json_array();
    for (size_t i = 0; i < json_array_size(merges); i++) {
        const json_t *const pair = json_array_get(merges, i);
        json_array_append_new(
            list, json_sprintf("%s %s", json_string_value(json_array_get(pair, 0)),
                               json_string_value(json_array_get(pair, 1))));
    }
    return list;
}

/* The tiny tokenizer of variants.json; without the key when `pre` is empty. */
static void write_tiny(const json_t *model, const char *pre)
{
    lmd_text keys = {0};
    lmd_text file = {0};
    uint64_t n_keys = 0;
    json_t *const tokens = list_pieces(json_object_get(model, "vocab"));
    json_t *const merges = list_merges(json_object_get(model, "merges"));
    put_key(&keys, "tokenizer.ggml.model", GGUF_STRING, &n_keys);
    put_string(&keys, "gpt2");
    if (pre[0] != '\0') {
        put_key(&keys, "tokenizer.ggml.pre", GGUF_STRING, &n_keys);
        put_string(&keys, pre);
    }
    put_strings(&keys, "tokenizer.ggml.tokens", tokens, &n_keys);
    put_strings(&keys, "tokenizer.ggml.merges", merges, &n_keys);
    put_header(&file, &keys, n_keys);
    write_case_bytes("v.gguf", file.bytes, file.size);
    json_decref(tokens);
    json_decref(merges);
    lmd_text_clear(&keys);
    lmd_text_clear(&file);
}

static void check_name(const json_t *texts, const char *pre, const json_t *expected)
{
    char path[CASE_PATH];
    lmd_tokenizer *const tokenizer = open_tokenizer(case_path(path, "v.gguf"));
    lmd_encoder *const encoder = lmd_token_new_encoder(tokenizer);
    assert_int_equal(json_array_size(texts), json_array_size(expected));
    for (size_t i = 0; i < json_array_size(texts); i++) {
        const json_t *const text = json_array_get(texts, i);
        expect_ids(encoder, pre, json_string_value(text), json_string_length(text),
                   json_string_value(json_array_get(expected, i)));
    }
    lmd_token_free_encoder(encoder);
    lmd_token_close(tokenizer);
}

/* Every name of gguf_splits.def cuts as the published tokenizer.json after which it is
 * named; a vocabulary of few merges shows where. */
static void test_pretokenizers_by_name(void **state)
{
    (void)state;
    static const char *const names[] = {
#define GGUF_SPLIT(pre, ...) pre,
#include "gguf_splits.def"
#undef GGUF_SPLIT
    };
    json_t *const base = load_json("tests/data/token/variants.json");
    json_t *const splits = load_json("tests/data/token/gguf_splits.json");
    const json_t *const model = json_object_get(json_object_get(base, "base"), "model");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        write_tiny(model, names[i]);
        check_name(json_object_get(splits, "texts"), names[i],
                   json_object_get(json_object_get(splits, "ids"), names[i]));
    }
    assert_int_equal(sizeof names / sizeof *names,
                     json_object_size(json_object_get(splits, "ids")));
    json_decref(base);
    json_decref(splits);
}

/* The digest is of the vocabulary alone. */
static void test_digest(void **state)
{
    (void)state;
    char digests[3][LMD_SHA256_HEX];
    gguf_case values = usual;
    for (int i = 0; i < 3; i++) {
        char path[CASE_PATH];
        values.pre = i < 2 ? "gpt-2" : "default";
        write_gguf("v.gguf", &values);
        lmd_tokenizer *const tokenizer = open_tokenizer(case_path(path, "v.gguf"));
        (void)snprintf(digests[i], sizeof digests[i], "%s", lmd_token_sha256(tokenizer));
        lmd_token_close(tokenizer);
    }
    assert_string_equal(digests[0], digests[1]);
    assert_string_not_equal(digests[0], digests[2]);
}

int main(void)
{
#define IN_FOLDER(test)                                                                  \
    cmocka_unit_test_setup_teardown(test, make_case_folder, remove_case_folder)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_types_of_tokens),
        IN_FOLDER(test_bos_rules),
        IN_FOLDER(test_refusals_name_the_key),
        IN_FOLDER(test_two_files_are_no_choice),
        IN_FOLDER(test_parts_of_one_file),
        IN_FOLDER(test_pretokenizers_by_name),
        IN_FOLDER(test_digest),
    };
#undef IN_FOLDER
    return cmocka_run_group_tests(tests, NULL, NULL);
}
