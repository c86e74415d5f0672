/* Real vocabularies: the vectors that come with them, texts that tokenizers stumble over,
 * and whole corpora, against the ids of Hugging Face's tokenizers. */
#include "token_case.h"

#include <lmdepth/base/hash.h> /* lmd_sha256_of */

static const char *vocabulary_path(char path[CASE_PATH], const char *name)
{
    if (strcmp(name, "smollm") == 0) {
        const char *const build = getenv("BUILD");
        (void)snprintf(path, CASE_PATH, "%s/models/SmolLM2-135M-Instruct.Q4_1.gguf",
                       build != NULL ? build : "build");
        if (!lmd_file_exists(path)) {
            printf("skipped: %s is not here\n", path);
            skip();
        }
        return path;
    }
    char file[CASE_PATH / 2];
    (void)snprintf(file, sizeof file, "vocab/gguf/ggml-vocab-%s.gguf", name);
    return find_shared(path, file);
}

/* ---- NAME.gguf.inp, NAME.gguf.out ---- */

static const char *find_bytes(const char *text, const char *end, const char *part)
{
    return memmem(text, (size_t)(end - text), part, strlen(part));
}

/* Each text of .inp against its line of .out. */
static void check_vectors(lmd_encoder *encoder, const lmd_text *inputs, char *outputs)
{
    static const char mark[] = "\n__ggml_vocab_test__\n";
    const char *const end = inputs->bytes + inputs->size;
    const char *text = inputs->bytes;
    int count = 0;
    while (*outputs != '\0') {
        char *line = strsep(&outputs, "\n");
        const char *const next = find_bytes(text, end, mark);
        assert_non_null(next);
        line += strspn(line, " ");
        expect_ids(encoder, "vector", text, (size_t)(next - text), line);
        text = next + strlen(mark);
        count++;
    }
    assert_true(count > 40);
}

static void check_vocabulary_vectors(const char *name)
{
    char path[CASE_PATH];
    vocabulary_path(path, name);
    const int64_t live = lmd_memory_live();
    lmd_tokenizer *const tokenizer = open_tokenizer(path);
    lmd_encoder *const encoder = lmd_token_new_encoder(tokenizer);
    lmd_text inputs = {0};
    lmd_text outputs = {0};
    char file[CASE_PATH + 8];
    (void)snprintf(file, sizeof file, "%s.inp", path);
    assert_int_equal(lmd_file_read_all(file, 1 << 20, &inputs), LMD_OK);
    (void)snprintf(file, sizeof file, "%s.out", path);
    assert_int_equal(lmd_file_read_all(file, 1 << 20, &outputs), LMD_OK);
    check_vectors(encoder, &inputs, outputs.bytes);
    lmd_text_clear(&inputs);
    lmd_text_clear(&outputs);
    lmd_token_free_encoder(encoder);
    lmd_token_close(tokenizer);
    assert_int_equal(lmd_memory_live(), live);
}

/* ---- tests/data/token ---- */

static void check_strings(const char *name)
{
    char path[CASE_PATH];
    vocabulary_path(path, name);
    lmd_tokenizer *const tokenizer = open_tokenizer(path);
    lmd_encoder *const encoder = lmd_token_new_encoder(tokenizer);
    json_t *const all = load_json("tests/data/token/strings.json");
    const json_t *const texts = json_object_get(all, "texts");
    const json_t *const ids = json_object_get(json_object_get(all, "ids"), name);
    assert_int_equal(json_array_size(ids), json_array_size(texts));
    for (size_t i = 0; i < json_array_size(texts); i++) {
        const json_t *const text = json_array_get(texts, i);
        expect_ids(encoder, name, json_string_value(text), json_string_length(text),
                   json_string_value(json_array_get(ids, i)));
    }
    json_decref(all);
    lmd_token_free_encoder(encoder);
    lmd_token_close(tokenizer);
}

static void check_corpus_row(lmd_encoder *encoder, char *row)
{
    char file[CASE_PATH / 2];
    char path[CASE_PATH];
    char *rest = NULL;
    (void)snprintf(file, sizeof file, "corpus/%s", strtok_r(row, "\t", &rest));
    const char *const count = strtok_r(NULL, "\t", &rest);
    const char *const expected = strtok_r(NULL, "\t", &rest);
    lmd_text text = {0};
    lmd_ids ids = {0};
    char hex[LMD_SHA256_HEX];
    assert_int_equal(lmd_file_read_all(find_shared(path, file), 1 << 24, &text), LMD_OK);
    assert_int_equal(lmd_token_encode(encoder, text.bytes, text.size, &ids, NULL),
                     LMD_OK);
    lmd_sha256_of(ids.ids, ids.count * sizeof *ids.ids, hex);
    assert_int_equal(ids.count, atoll(count));
    assert_string_equal(hex, expected);
    lmd_ids_clear(&ids);
    lmd_text_clear(&text);
}

static void check_corpus(const char *name)
{
    char path[CASE_PATH];
    lmd_tokenizer *const tokenizer = open_tokenizer(vocabulary_path(path, name));
    lmd_encoder *const encoder = lmd_token_new_encoder(tokenizer);
    lmd_text table = {0};
    assert_int_equal(lmd_file_read_all("tests/data/token/corpus.tsv", 1 << 16, &table),
                     LMD_OK);
    int count = 0;
    char *rest = NULL;
    for (char *line = strtok_r(table.bytes, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == '\t') {
            check_corpus_row(encoder, line + strlen(name) + 1);
            count++;
        }
    }
    assert_int_equal(count, 2);
    lmd_text_clear(&table);
    lmd_token_free_encoder(encoder);
    lmd_token_close(tokenizer);
}

static void check_all(void **state)
{
    const char *const name = *state;
    char path[CASE_PATH];
    find_shared(path, "corpus/wikitext-2-valid.txt");
    const bool has_vectors = strcmp(name, "smollm") != 0 && strcmp(name, "gpt-neox") != 0;
    if (has_vectors) {
        check_vocabulary_vectors(name);
    }
    check_strings(name);
    check_corpus(name);
}

int main(void)
{
    static char names[][12] = {"gpt-2",    "llama-bpe", "starcoder", "falcon", "qwen2",
                               "gpt-neox", "llama-spm", "phi-3",     "smollm"};
    enum { COUNT = sizeof names / sizeof *names };
    struct CMUnitTest tests[COUNT];
    for (int i = 0; i < COUNT; i++) {
        tests[i] = (struct CMUnitTest){names[i], check_all, NULL, NULL, names[i]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
