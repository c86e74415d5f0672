/* safetensors: what a good file gives, and that no damaged one gets through. */
#include <math.h> /* NAN */
#include "weight_files.h"

#define ENTRY(name, dtype, shape, offsets)                                               \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape                             \
    ",\"data_offsets\":" offsets "}"

/* `header` and `n_data` zero bytes after it. */
static void write_header(const char *header, size_t n_data)
{
    lmd_text file = {0};
    put_safetensors(&file, header);
    put_zeros(&file, n_data);
    write_file("x.safetensors", &file);
}

static void expect_bad_header(const char *header, size_t n_data, const char *part)
{
    write_header(header, n_data);
    expect_refusal("x.safetensors", part);
}

/* ---- a good file ---- */

/* Listed in another order than they lie in. */
static const char *const GOOD_ENTRIES[] = {
    "\"__metadata__\":{\"format\":\"pt\",\"nul\":\"a\\u0000b\"}",
    ENTRY("b", "F16", "[2,2]", "[24,32]"),
    ENTRY("a", "F32", "[3,2]", "[0,24]"),
    ENTRY("ids", "I64", "[2]", "[32,48]"),
    ENTRY("few", "I32", "[]", "[48,52]"),
    ENTRY("mask", "BOOL", "[1,4]", "[52,56]"),
    ENTRY("nothing", "BF16", "[0,3]", "[56,56]"),
};

static void put_good_file(lmd_text *out)
{
    lmd_text header = {0};
    for (size_t i = 0; i < sizeof GOOD_ENTRIES / sizeof GOOD_ENTRIES[0]; i++) {
        lmd_text_append_string(&header, i == 0 ? "{" : ",");
        lmd_text_append_string(&header, GOOD_ENTRIES[i]);
    }
    lmd_text_append_string(&header, "}   "); // padded as the writers do it
    put_safetensors(out, lmd_text_string(&header));
    lmd_text_clear(&header);
    for (int i = 0; i < 6; i++) {
        put_f32(out, (float)i);
    }
    lmd_text_append(out, "\x00\x3c\x00\x40\x00\xc2\x01\x00", 8);
    put_u64(out, UINT64_C(1) << 40);
    put_u64(out, UINT64_MAX);
    put_u32(out, UINT32_MAX - 1);
    lmd_text_append(out, "\1\0\1\0", 4);
}

static void tensors_and_metadata_are_read(void **state)
{
    (void)state;
    lmd_text file = {0};
    put_good_file(&file);
    write_file("good.safetensors", &file);
    lmd_weights *const weights = open_file("good.safetensors");
    assert_string_equal(lmd_weights_format(weights), "safetensors");
    assert_int_equal(lmd_weights_count(weights), 6);
    assert_string_equal(lmd_weights_at(weights, 0)->name, "b");
    const lmd_tensor *const a = lmd_weights_find(weights, "a");
    assert_true(a->n_dims == 2 && a->shape[0] == 3 && a->shape[1] == 2);
    assert_true(a->shape[2] == 1 && a->n_rows == 3 && a->row_length == 2);
    float values[6];
    assert_int_equal(lmd_weights_read_rows(weights, a, 1, 2, values), LMD_OK);
    assert_true(values[0] == 2 && values[1] == 3 && values[2] == 4 && values[3] == 5);
    const lmd_tensor *const b = lmd_weights_find(weights, "b");
    assert_string_equal(b->type, "F16");
    assert_int_equal(lmd_weights_read_rows(weights, b, 0, 2, values), LMD_OK);
    assert_true(values[0] == 1 && values[1] == 2 && values[2] == -3);
    assert_true(values[3] == 0x1p-24f);
    uint16_t halves[2];
    assert_int_equal(lmd_weights_read_halves(weights, b, 1, 1, halves), LMD_OK);
    assert_true(halves[0] == 0xc200 && halves[1] == 0x0001);
    const lmd_tensor *const nothing = lmd_weights_find(weights, "nothing");
    assert_true(nothing->n_rows == 0 && nothing->row_length == 3);
    assert_int_equal(lmd_weights_read_rows(weights, nothing, 0, 0, NULL), LMD_OK);
    lmd_bytes text = {0};
    assert_int_equal(lmd_weights_key_count(weights), 2);
    assert_true(lmd_weights_get_string(weights, "format", &text));
    assert_string_equal(text.bytes, "pt");
    assert_true(lmd_weights_get_string(weights, "nul", &text) && text.size == 3);
    assert_memory_equal(text.bytes, "a\0b", 4);
    lmd_weights_close(weights);
}

static void integers_are_read_as_integers_only(void **state)
{
    (void)state;
    lmd_weights *const weights = open_file("good.safetensors");
    const lmd_tensor *const ids = lmd_weights_find(weights, "ids");
    const lmd_tensor *const few = lmd_weights_find(weights, "few");
    const lmd_tensor *const mask = lmd_weights_find(weights, "mask");
    const lmd_tensor *const real = lmd_weights_find(weights, "a");
    int64_t integers[2];
    float values[8];
    assert_int_equal(lmd_weights_read_int64(weights, ids, integers), LMD_OK);
    assert_true(integers[0] == INT64_C(1) << 40 && integers[1] == -1);
    assert_int_equal(few->n_dims, 1);
    assert_int_equal(lmd_weights_read_int64(weights, few, integers), LMD_OK);
    assert_true(integers[0] == -2);
    assert_int_equal(lmd_weights_read_int64(weights, real, integers), LMD_INPUT);
    expect_message("good.safetensors", "tensor 'a': I64 or I32 is wanted here");
    assert_int_equal(lmd_weights_read_rows(weights, ids, 0, 1, values), LMD_INPUT);
    expect_message("good.safetensors", "tensor 'ids': weights of type I64");
    assert_int_equal(lmd_weights_read_rows(weights, mask, 0, 1, values), LMD_INPUT);
    expect_message("good.safetensors", "BOOL");
    lmd_weights_close(weights);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    lmd_text file = {0};
    put_good_file(&file);
    const size_t size = file.size;
    write_file("cut.safetensors", &file);
    expect_refusal_of_every_length("cut.safetensors", size);
}

static void every_changed_byte_is_survived(void **state)
{
    (void)state;
    static const unsigned char CHANGES[] = {0x01, 0x0f, 0x80};
    lmd_text good = {0};
    float values[128];
    put_good_file(&good);
    size_t n_refused = 0;
    for (size_t i = 0; i < 3 * good.size; i++) {
        lmd_text bad = {0};
        char path[PATH_SIZE];
        lmd_text_append(&bad, good.bytes, good.size);
        bad.bytes[i / 3] = (char)(bad.bytes[i / 3] ^ CHANGES[i % 3]);
        write_file("changed.safetensors", &bad);
        lmd_weights *weights = NULL;
        path_of(path, "changed.safetensors");
        n_refused += lmd_weights_open(&weights, path) != LMD_OK;
        for (int t = 0; weights != NULL && t < lmd_weights_count(weights); t++) {
            const lmd_tensor *const tensor = lmd_weights_at(weights, t);
            assert_true(tensor->n_rows * tensor->row_length <= 128);
            (void)lmd_weights_read_rows(weights, tensor, 0, tensor->n_rows, values);
        }
        lmd_weights_close(weights);
    }
    assert_true(n_refused > good.size);
    lmd_text_clear(&good);
}

/* ---- bad headers ---- */

static void header_lengths_are_checked(void **state)
{
    (void)state;
    static const uint64_t LENGTHS[] = {3, 100000001, UINT64_MAX, UINT64_MAX - 7};
    for (size_t i = 0; i < sizeof LENGTHS / sizeof LENGTHS[0]; i++) {
        lmd_text file = {0};
        put_u64(&file, LENGTHS[i]);
        lmd_text_append_string(&file, "{}");
        write_file("x.safetensors", &file);
        expect_refusal("x.safetensors", "a header of");
    }
    expect_bad_header("", 0, "header, byte");
}

static void bad_json_is_refused(void **state)
{
    (void)state;
    expect_bad_header("{\"a\":", 0, "header, byte");
    expect_bad_header("[]", 0, "no JSON object");
    expect_bad_header("{} {}", 0, "header, byte");
    expect_bad_header("{\"a\xff\":{}}", 0, "header, byte");
    expect_bad_header("{\"a\":7}", 0, "tensor 'a': 'dtype'");
    expect_bad_header("{\"\":{}}", 0, "a tensor's name");
    expect_bad_header("{\"__metadata__\":{\"a\":1}}", 0, "__metadata__");
    expect_bad_header("{\"__metadata__\":[]}", 0, "__metadata__");
    expect_bad_header(
        "{" ENTRY("a", "F32", "[1]", "[0,4]") "," ENTRY("a", "F32", "[1]", "[0,4]") "}",
        4, "duplicate");
}

static void bad_entries_are_refused_by_tensor(void **state)
{
    (void)state;
    expect_bad_header("{" ENTRY("w", "F8_E4M3", "[4]", "[0,4]") "}", 4,
                      "tensor 'w': dtype 'F8_E4M3' is not supported");
    expect_bad_header("{" ENTRY("w", "f32", "[1]", "[0,4]") "}", 4, "dtype 'f32'");
    expect_bad_header("{" ENTRY("w", "F32", "[-1]", "[0,4]") "}", 4, "'shape'");
    expect_bad_header("{" ENTRY("w", "F32", "[1.0]", "[0,4]") "}", 4, "'shape'");
    expect_bad_header("{" ENTRY("w", "F32", "1", "[0,4]") "}", 4, "'shape'");
    expect_bad_header("{" ENTRY("w", "F32", "[1,1,1,1,1]", "[0,4]") "}", 4, "'shape'");
    expect_bad_header("{" ENTRY("w", "F32", "[1]", "[0]") "}", 4, "'data_offsets'");
    expect_bad_header("{" ENTRY("w", "F32", "[1]", "[4,0]") "}", 4, "'data_offsets'");
    expect_bad_header("{" ENTRY("w", "F32", "[1]", "[0,4,8]") "}", 4, "'data_offsets'");
    expect_bad_header("{" ENTRY("w", "F32", "[1]", "[-4,0]") "}", 4, "'data_offsets'");
    expect_bad_header("{" ENTRY("w", "F32", "[2]", "[0,4]") "}", 4, "make 8 bytes");
    expect_bad_header("{" ENTRY("w", "F32", "[99999999999999999999]", "[0,4]") "}", 4,
                      "too big");
    expect_bad_header("{" ENTRY("w", "F32", "[4294967296,4294967296]", "[0,0]") "}", 0,
                      "too large");
    expect_bad_header("{" ENTRY("w", "F32", "[4611686018427387904]", "[0,0]") "}", 0,
                      "too large");
    expect_bad_header("{\"w\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "'data_offsets'");
}

static void overlaps_holes_and_ends_are_checked(void **state)
{
    (void)state;
    expect_bad_header(
        "{" ENTRY("w", "F32", "[2]", "[0,8]") "," ENTRY("x", "F32", "[2]", "[4,12]") "}",
        12, "tensor 'x': overlaps with tensor 'w'");
    expect_bad_header(
        "{" ENTRY("w", "F32", "[2]", "[0,8]") "," ENTRY("x", "F32", "[2]", "[0,8]") "}",
        8, "overlaps");
    expect_bad_header(
        "{" ENTRY("w", "F32", "[1]", "[0,4]") "," ENTRY("x", "F32", "[1]", "[8,12]") "}",
        12, "tensor 'x': the 4 data bytes before it");
    expect_bad_header("{" ENTRY("w", "F32", "[1]", "[4,8]") "}", 8, "4 data bytes");
    expect_bad_header("{" ENTRY("w", "F32", "[1]", "[0,4]") "}", 5, "last 1 bytes");
    expect_bad_header("{" ENTRY("w", "F32", "[2]", "[0,8]") "}", 7,
                      "tensor 'w': 8 bytes from data byte 0");
    expect_bad_header(
        "{" ENTRY("w", "U8", "[0]", "[9223372036854775807,9223372036854775807]") "}", 0,
        "tensor 'w'");
    write_header("{}", 0);
    lmd_weights *const weights = open_file("x.safetensors");
    assert_int_equal(lmd_weights_count(weights), 0);
    lmd_weights_close(weights);
}

/* ---- reading ---- */

/* Larger than one request, so that parts have to meet without a seam. */
static void large_tensors_are_read_in_parts(void **state)
{
    (void)state;
    enum { ROWS = 1500, LENGTH = 1001 };
    char header[160];
    lmd_text file = {0};
    (void)snprintf(header, sizeof header, "{" ENTRY("w", "F32", "[%d,%d]", "[0,%zu]") "}",
                   ROWS, LENGTH, (size_t)ROWS * LENGTH * sizeof(float));
    put_safetensors(&file, header);
    for (int i = 0; i < ROWS * LENGTH; i++) {
        put_f32(&file, i == 1400 * LENGTH + 7 ? NAN : (float)i);
    }
    write_file("large.safetensors", &file);
    lmd_weights *const weights = open_file("large.safetensors");
    const lmd_tensor *const tensor = lmd_weights_at(weights, 0);
    float *const values = lmd_memory_new((size_t)ROWS * LENGTH, sizeof *values);
    assert_int_equal(lmd_weights_read_rows(weights, tensor, 1, 1399, values), LMD_OK);
    for (int i = 0; i < 1399 * LENGTH; i++) {
        assert_true(values[i] == (float)(i + LENGTH));
    }
    assert_int_equal(lmd_weights_read_rows(weights, tensor, 0, ROWS, values), LMD_INPUT);
    expect_message("large.safetensors", "tensor 'w': value 7 of row 1400 is not finite");
    assert_int_equal(lmd_weights_read_rows(weights, tensor, 1401, 99, values), LMD_OK);
    lmd_memory_free(values);
    lmd_weights_close(weights);
}

static void infinities_are_refused_by_name(void **state)
{
    (void)state;
    static const char *const BYTES[] = {"\x00\x7c", "\x00\xfc", "\x01\x7e"};
    float value = 0;
    for (size_t i = 0; i < sizeof BYTES / sizeof BYTES[0]; i++) {
        lmd_text file = {0};
        put_safetensors(&file, "{" ENTRY("norm", "F16", "[1]", "[0,2]") "}");
        lmd_text_append(&file, BYTES[i], 2);
        write_file("infinite.safetensors", &file);
        lmd_weights *const weights = open_file("infinite.safetensors");
        const lmd_tensor *const tensor = lmd_weights_at(weights, 0);
        const lmd_status status = lmd_weights_read_rows(weights, tensor, 0, 1, &value);
        assert_int_equal(status, LMD_INPUT);
        expect_message("infinite.safetensors", "tensor 'norm'");
        lmd_weights_close(weights);
    }
}

/* ---- folders and other files ---- */

/* As stored, values just below infinity pass, and no other. */
static void half_floats_that_are_not_finite_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *type, *bytes;
        bool is_good;
    } CASES[] = {{"F16", "\xff\x7b\x00\x80\xff\xfb", true},
                 {"F16", "\x00\x00\x00\x7c\x00\x00", false},
                 {"F16", "\x00\x00\x01\xfc\x00\x00", false},
                 {"BF16", "\x7f\x7f\x00\x7c\x7f\xff", true},
                 {"BF16", "\x00\x00\x80\xff\x00\x00", false},
                 {"BF16", "\x00\x00\xc0\x7f\x00\x00", false}};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        lmd_text header = {0}, file = {0};
        lmd_text_append_format(&header,
                               "{\"w\":{\"dtype\":\"%s\",\"shape\":[3,1],"
                               "\"data_offsets\":[0,6]}}",
                               CASES[i].type);
        put_safetensors(&file, lmd_text_string(&header));
        lmd_text_append(&file, CASES[i].bytes, 6);
        lmd_text_clear(&header);
        write_file("halves.safetensors", &file);
        lmd_weights *const weights = open_file("halves.safetensors");
        const lmd_tensor *const tensor = lmd_weights_find(weights, "w");
        uint16_t out[3];
        const bool is_ok =
            lmd_status_is_ok(lmd_weights_read_halves(weights, tensor, 0, 3, out));
        assert_int_equal(is_ok, CASES[i].is_good);
        if (is_ok) {
            assert_memory_equal(out, CASES[i].bytes, 6);
        } else {
            expect_message("halves.safetensors",
                           "tensor 'w': value 0 of row 1 is not finite");
        }
        lmd_weights_close(weights);
    }
}

static void expect_folder_refusal(const char *file_name, const char *part)
{
    char folder[PATH_SIZE];
    lmd_text file = {0};
    lmd_weights *weights = NULL;
    lmd_text_append_string(&file, "{}");
    write_file(file_name, &file);
    assert_int_equal(lmd_weights_open(&weights, path_of(folder, "model")), LMD_INPUT);
    assert_null(weights);
    expect_message("model", part);
}

static void a_model_folder_is_searched(void **state)
{
    (void)state;
    char path[PATH_SIZE];
    char folder[PATH_SIZE];
    assert_int_equal(lmd_file_make_folders(path_of(folder, "model")), LMD_OK);
    expect_folder_refusal("model/config.json", "no weights in this folder");
    expect_folder_refusal("model/pytorch_model.bin", "pytorch_model.bin: neither");
    expect_folder_refusal("model/pytorch_model.bin.index.json",
                          "pytorch_model.bin.index.json: 'weight_map' is missing");
    lmd_text file = {0};
    put_good_file(&file);
    write_file("model/model.safetensors", &file);
    lmd_weights *weights = NULL;
    assert_int_equal(lmd_weights_open(&weights, folder), LMD_OK);
    assert_string_equal(lmd_weights_path(weights),
                        path_of(path, "model/model.safetensors"));
    lmd_weights_close(weights);
    expect_folder_refusal("model/model.safetensors.index.json",
                          "model.safetensors.index.json: 'weight_map' is missing");
}

static void what_is_not_there_is_a_matter_of_usage(void **state)
{
    (void)state;
    char path[PATH_SIZE];
    lmd_weights *weights = NULL;
    path_of(path, "missing.safetensors");
    assert_int_equal(lmd_weights_open(&weights, path), LMD_USAGE);
    assert_null(weights);
    expect_message("missing.safetensors", "");
    lmd_weights_close(NULL);
}

static void lookalikes_are_called_by_their_names(void **state)
{
    (void)state;
    lmd_text file = {0};
    lmd_text_append_string(&file, "version https://git-lfs.github.com/spec/v1\noid ...");
    write_file("model.safetensors", &file);
    expect_refusal("model.safetensors", "Git LFS pointer");
    lmd_text_append(&file, "PK\x03\x04 and so on", 14);
    write_file("weights.bin", &file);
    expect_refusal("weights.bin", "no readable zip file");
    lmd_text_append_string(&file, "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19.");
    write_file("old.bin", &file);
    expect_refusal("old.bin", "a torch file of a version before 1.6");
    put_good_file(&file);
    write_file("blob", &file);
    lmd_weights *const weights = open_file("blob");
    assert_string_equal(lmd_weights_format(weights), "safetensors");
    lmd_weights_close(weights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_and_metadata_are_read),
        cmocka_unit_test(integers_are_read_as_integers_only),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_changed_byte_is_survived),
        cmocka_unit_test(header_lengths_are_checked),
        cmocka_unit_test(bad_json_is_refused),
        cmocka_unit_test(bad_entries_are_refused_by_tensor),
        cmocka_unit_test(overlaps_holes_and_ends_are_checked),
        cmocka_unit_test(large_tensors_are_read_in_parts),
        cmocka_unit_test(infinities_are_refused_by_name),
        cmocka_unit_test(half_floats_that_are_not_finite_are_refused),
        cmocka_unit_test(a_model_folder_is_searched),
        cmocka_unit_test(what_is_not_there_is_a_matter_of_usage),
        cmocka_unit_test(lookalikes_are_called_by_their_names),
    };
    return cmocka_run_group_tests_name("safetensors", tests, make_folder, remove_folder);
}
