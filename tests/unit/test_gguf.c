/* GGUF: what a good file gives, and that no damaged one gets through. */
#include "weight_files.h"

enum {
    UINT8,
    INT8,
    UINT16,
    INT16,
    UINT32,
    INT32,
    FLOAT32,
    BOOL,
    STRING,
    ARRAY,
    UINT64,
    INT64,
    FLOAT64
};

/* ---- a good file ---- */

static void put_scalars(lmd_text *out)
{
    put_gguf_key(out, "u8", UINT8);
    lmd_text_append(out, "\xff", 1);
    put_gguf_key(out, "i8", INT8);
    lmd_text_append(out, "\xff", 1);
    put_gguf_key(out, "u16", UINT16);
    lmd_text_append(out, "\xff\xff", 2);
    put_gguf_key(out, "i16", INT16);
    lmd_text_append(out, "\x00\x80", 2);
    put_gguf_key(out, "u32", UINT32);
    put_u32(out, UINT32_MAX);
    put_gguf_key(out, "i32", INT32);
    put_u32(out, UINT32_MAX);
    put_gguf_key(out, "f32", FLOAT32);
    put_f32(out, 0.5f);
    put_gguf_key(out, "bool", BOOL);
    lmd_text_append(out, "\x01", 1);
    put_gguf_key(out, "u64", UINT64);
    put_u64(out, INT64_MAX);
    put_gguf_key(out, "huge", UINT64);
    put_u64(out, UINT64_C(1) << 63);
    put_gguf_key(out, "i64", INT64);
    put_u64(out, UINT64_C(1) << 63);
    put_gguf_key(out, "f64", FLOAT64);
    const double third = 1.0 / 3;
    lmd_text_append(out, &third, sizeof third);
}

enum { N_SCALARS = 12, N_ARRAYS = 5 };

static void put_arrays(lmd_text *out)
{
    put_gguf_key(out, "text", STRING);
    put_u64(out, 3);
    lmd_text_append(out, "a\0\xff", 3);
    put_gguf_key(out, "tokens", ARRAY);
    put_u32(out, STRING);
    put_u64(out, 2);
    put_gguf_string(out, "");
    put_gguf_string(out, "ab");
    put_gguf_key(out, "types", ARRAY);
    put_u32(out, INT8);
    put_u64(out, 3);
    lmd_text_append(out, "\x01\x80\x7f", 3);
    put_gguf_key(out, "scores", ARRAY);
    put_u32(out, FLOAT32);
    put_u64(out, 2);
    put_f32(out, -1.5f);
    put_f32(out, 2.0f);
    put_gguf_key(out, "none", ARRAY);
    put_u32(out, UINT64);
    put_u64(out, 0);
}

/* Two tensors; the second lies before the first, with a gap between them. */
static void put_good_file(lmd_text *out)
{
    const uint64_t dims_a[3] = {2, 1, 3};
    const uint64_t dims_b[1] = {4};
    put_gguf_start(out, 2, N_SCALARS + N_ARRAYS);
    put_scalars(out);
    put_arrays(out);
    put_gguf_tensor(out, "a.weight", 3, dims_a, 0, 64);
    put_gguf_tensor(out, "b.bias", 1, dims_b, 30, 0);
    put_gguf_padding(out, 32);
    lmd_text_append(out, "\x80\x3f\x00\x40\x40\x40\x80\x40", 8);
    put_zeros(out, 56);
    for (int i = 0; i < 6; i++) {
        put_f32(out, (float)i);
    }
}

static void expect_int(const lmd_weights *weights, const char *key, int64_t expected)
{
    int64_t value = 77;
    assert_true(lmd_weights_get_int(weights, key, &value));
    assert_true(value == expected);
}

static void scalars_of_every_kind_are_read(void **state)
{
    (void)state;
    lmd_text file = {0};
    put_good_file(&file);
    write_file("good.gguf", &file);
    lmd_weights *const weights = open_file("good.gguf");
    assert_string_equal(lmd_weights_format(weights), "GGUF");
    assert_int_equal(lmd_weights_key_count(weights), N_SCALARS + N_ARRAYS);
    assert_string_equal(lmd_weights_key_at(weights, 0), "u8");
    expect_int(weights, "u8", 255);
    expect_int(weights, "i8", -1);
    expect_int(weights, "u16", 65535);
    expect_int(weights, "i16", -32768);
    expect_int(weights, "u32", UINT32_MAX);
    expect_int(weights, "i32", -1);
    expect_int(weights, "u64", INT64_MAX);
    expect_int(weights, "i64", INT64_MIN);
    double real = 0;
    bool boolean = false;
    int64_t integer = 77;
    assert_true(lmd_weights_get_real(weights, "f32", &real) && real == 0.5);
    assert_true(lmd_weights_get_real(weights, "f64", &real) && real == 1.0 / 3);
    assert_true(lmd_weights_get_bool(weights, "bool", &boolean) && boolean);
    assert_true(lmd_weights_has(weights, "huge"));
    assert_false(lmd_weights_get_int(weights, "huge", &integer));
    assert_false(lmd_weights_has(weights, "missing"));
    assert_false(lmd_weights_get_int(weights, "missing", &integer));
    assert_false(lmd_weights_get_int(weights, "bool", &integer));
    assert_false(lmd_weights_get_int(weights, "f32", &integer));
    assert_false(lmd_weights_get_real(weights, "u8", &real));
    assert_false(lmd_weights_get_bool(weights, "u8", &boolean));
    lmd_weights_close(weights);
}

static void strings_and_arrays_are_read(void **state)
{
    (void)state;
    lmd_weights *const weights = open_file("good.gguf");
    lmd_bytes text = {0};
    const lmd_bytes *strings = NULL;
    const int64_t *integers = NULL;
    const double *reals = NULL;
    size_t n = 77;
    assert_true(lmd_weights_get_string(weights, "text", &text));
    assert_int_equal(text.size, 3);
    assert_memory_equal(text.bytes, "a\0\xff", 4);
    assert_true(lmd_weights_get_strings(weights, "tokens", &strings, &n) && n == 2);
    assert_int_equal(strings[0].size, 0);
    assert_string_equal(strings[0].bytes, "");
    assert_string_equal(strings[1].bytes, "ab");
    assert_true(lmd_weights_get_ints(weights, "types", &integers, &n) && n == 3);
    assert_true(integers[0] == 1 && integers[1] == -128 && integers[2] == 127);
    assert_true(lmd_weights_get_reals(weights, "scores", &reals, &n) && n == 2);
    assert_true(reals[0] == -1.5 && reals[1] == 2.0);
    assert_true(lmd_weights_get_ints(weights, "none", &integers, &n) && n == 0);
    assert_false(lmd_weights_get_strings(weights, "types", &strings, &n));
    assert_false(lmd_weights_get_reals(weights, "types", &reals, &n));
    assert_false(lmd_weights_get_string(weights, "tokens", &text));
    lmd_weights_close(weights);
}

static void tensors_are_listed_with_shapes_turned_round(void **state)
{
    (void)state;
    lmd_weights *const weights = open_file("good.gguf");
    assert_int_equal(lmd_weights_count(weights), 2);
    assert_null(lmd_weights_find(weights, "a"));
    const lmd_tensor *const a = lmd_weights_find(weights, "a.weight");
    assert_ptr_equal(a, lmd_weights_at(weights, 0));
    assert_string_equal(a->type, "F32");
    assert_int_equal(a->n_dims, 3);
    assert_true(a->shape[0] == 3 && a->shape[1] == 1 && a->shape[2] == 2);
    assert_true(a->shape[3] == 1);
    assert_true(a->n_rows == 3 && a->row_length == 2 && a->n_bytes == 24);
    float values[6];
    assert_int_equal(lmd_weights_read_rows(weights, a, 1, 2, values), LMD_OK);
    assert_true(values[0] == 2 && values[3] == 5);
    assert_int_equal(lmd_weights_read_rows(weights, a, 3, 0, NULL), LMD_OK);
    const lmd_tensor *const b = lmd_weights_find(weights, "b.bias");
    assert_int_equal(lmd_weights_read_rows(weights, b, 0, 1, values), LMD_OK);
    assert_true(values[0] == 1 && values[1] == 2 && values[2] == 3 && values[3] == 4);
    lmd_weights_close(weights);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    lmd_text file = {0};
    put_good_file(&file);
    const size_t size = file.size;
    write_file("cut.gguf", &file);
    expect_refusal_of_every_length("cut.gguf", size);
}

/* Any one byte changed gives a refusal or a file whose tensors can be read or refused;
 * what must not happen, and sanitizers see, is a step out of bounds. */
static void every_changed_byte_is_survived(void **state)
{
    (void)state;
    static const unsigned char CHANGES[] = {0x01, 0x80, 0xff};
    lmd_text good = {0};
    float values[64];
    put_good_file(&good);
    size_t n_refused = 0;
    for (size_t i = 0; i < 3 * good.size; i++) {
        lmd_text bad = {0};
        char path[PATH_SIZE];
        lmd_text_append(&bad, good.bytes, good.size);
        bad.bytes[i / 3] = (char)(bad.bytes[i / 3] ^ CHANGES[i % 3]);
        write_file("changed.gguf", &bad);
        lmd_weights *weights = NULL;
        n_refused += lmd_weights_open(&weights, path_of(path, "changed.gguf")) != LMD_OK;
        for (int t = 0; weights != NULL && t < lmd_weights_count(weights); t++) {
            const lmd_tensor *const tensor = lmd_weights_at(weights, t);
            assert_true(tensor->n_rows * tensor->row_length <= 64);
            (void)lmd_weights_read_rows(weights, tensor, 0, tensor->n_rows, values);
        }
        lmd_weights_close(weights);
    }
    assert_true(n_refused > good.size / 3);
    lmd_text_clear(&good);
}

/* ---- the start ---- */

static void write_start(const char *magic, uint32_t version, uint64_t n_tensors,
                        uint64_t n_keys)
{
    lmd_text file = {0};
    lmd_text_append(&file, magic, 4);
    put_u32(&file, version);
    put_u64(&file, n_tensors);
    put_u64(&file, n_keys);
    write_file("start.gguf", &file);
}

static void magic_and_version_are_checked(void **state)
{
    (void)state;
    write_start("GGML", 3, 0, 0);
    expect_refusal("start.gguf", "not a GGUF file");
    write_start("GGUF", 1, 0, 0);
    expect_refusal("start.gguf", "version 1");
    write_start("GGUF", 4, 0, 0);
    expect_refusal("start.gguf", "version 4");
    write_start("GGUF", 0x03000000, 0, 0);
    expect_refusal("start.gguf", "big-endian");
    for (uint32_t version = 2; version <= 3; version++) {
        write_start("GGUF", version, 0, 0);
        lmd_weights *const weights = open_file("start.gguf");
        assert_int_equal(lmd_weights_count(weights), 0);
        assert_int_equal(lmd_weights_key_count(weights), 0);
        assert_null(lmd_weights_find(weights, "x"));
        lmd_weights_close(weights);
    }
}

static void huge_counts_are_refused(void **state)
{
    (void)state;
    write_start("GGUF", 3, UINT64_MAX, 0);
    expect_refusal("start.gguf", "18446744073709551615 tensors");
    write_start("GGUF", 3, 1, 0);
    expect_refusal("start.gguf", "1 tensors");
    write_start("GGUF", 3, 0, UINT64_C(1) << 62);
    expect_refusal("start.gguf", "keys");
}

/* ---- keys ---- */

/* One key whose value the caller has put. */
static void write_key(uint32_t kind, const void *value, size_t n_bytes)
{
    lmd_text file = {0};
    put_gguf_start(&file, 0, 1);
    put_gguf_key(&file, "some.key", kind);
    lmd_text_append(&file, value, n_bytes);
    write_file("key.gguf", &file);
}

static void write_array(uint32_t kind, uint64_t n, size_t n_bytes)
{
    lmd_text value = {0};
    put_u32(&value, kind);
    put_u64(&value, n);
    put_zeros(&value, n_bytes);
    write_key(ARRAY, value.bytes, value.size);
    lmd_text_clear(&value);
}

static void bad_values_are_refused_by_key(void **state)
{
    (void)state;
    const uint64_t length = UINT64_MAX;
    write_key(13, "", 1);
    expect_refusal("key.gguf", "key 'some.key': unknown kind of value, number 13");
    write_key(BOOL, "\x02", 1);
    expect_refusal("key.gguf", "neither 0 nor 1");
    write_key(STRING, &length, sizeof length);
    expect_refusal("key.gguf", "key 'some.key': a string of 18446744073709551615 bytes");
    write_array(ARRAY, 1, 64);
    expect_refusal("key.gguf", "an array of arrays");
    write_array(77, 1, 64);
    expect_refusal("key.gguf", "unknown kind of value, number 77");
    write_array(UINT8, 65, 64);
    expect_refusal("key.gguf", "an array of 65 uint8");
    write_array(FLOAT64, UINT64_C(1) << 61, 64); // times 8 it wraps round to 0
    expect_refusal("key.gguf", "float64");
    write_array(STRING, UINT64_MAX, 64);
    expect_refusal("key.gguf", "string");
}

static void bad_names_are_refused(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"", "bell\x07", "caf\xe9"};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        lmd_text file = {0};
        put_gguf_start(&file, 0, 1);
        put_gguf_key(&file, NAMES[i], UINT8);
        put_zeros(&file, 8);
        write_file("name.gguf", &file);
        expect_refusal("name.gguf", "no text");
    }
}

static void duplicate_keys_are_refused(void **state)
{
    (void)state;
    lmd_text file = {0};
    put_gguf_start(&file, 0, 3);
    for (int i = 0; i < 3; i++) {
        put_gguf_key(&file, i == 1 ? "other" : "twice", UINT8);
        put_zeros(&file, 1);
    }
    write_file("twice.gguf", &file);
    expect_refusal("twice.gguf", "key 'twice' is there twice");
}

static void parts_without_the_others_are_refused(void **state)
{
    (void)state;
    lmd_text file = {0};
    put_gguf_start(&file, 0, 1);
    put_gguf_key(&file, "split.count", UINT16);
    lmd_text_append(&file, "\x03\x00", 2);
    write_file("split.gguf", &file);
    expect_refusal("split.gguf", "one of 3 parts of a split model");
}

/* ---- tensors ---- */

/* Two tensors of four floats each at the given offsets, in 64 bytes of data. */
static void write_pair(const char *second, uint64_t offset, uint64_t other)
{
    const uint64_t dims[2] = {2, 2};
    lmd_text file = {0};
    put_gguf_start(&file, 2, 0);
    put_gguf_tensor(&file, "first", 2, dims, 0, offset);
    put_gguf_tensor(&file, second, 2, dims, 0, other);
    put_gguf_padding(&file, 32);
    put_zeros(&file, 64);
    write_file("pair.gguf", &file);
}

static void misplaced_tensors_are_refused_by_name(void **state)
{
    (void)state;
    write_pair("second", 0, 32);
    lmd_weights_close(open_file("pair.gguf"));
    write_pair("second", 32, 32);
    expect_refusal("pair.gguf", "overlaps with tensor");
    write_pair("second", 0, 64);
    expect_refusal("pair.gguf", "tensor 'second': 16 bytes from data byte 64");
    write_pair("second", 0, UINT64_MAX - 31);
    expect_refusal("pair.gguf", "tensor 'second'");
    write_pair("second", 16, 32);
    expect_refusal("pair.gguf", "tensor 'first': its offset 16 is not a multiple");
    write_pair("first", 0, 32);
    expect_refusal("pair.gguf", "tensor 'first': is there twice");
}

static void write_shape(uint32_t n_dims, const uint64_t *dims, uint32_t type)
{
    lmd_text file = {0};
    put_gguf_start(&file, 1, 0);
    put_gguf_tensor(&file, "w", n_dims, dims, type, 0);
    put_gguf_padding(&file, 32);
    put_zeros(&file, 64);
    write_file("shape.gguf", &file);
}

static void shapes_that_overflow_are_refused(void **state)
{
    (void)state;
    const uint64_t five[5] = {1, 1, 1, 1, 1};
    write_shape(5, five, 0);
    expect_refusal("shape.gguf", "5 dimensions");
    const uint64_t wraps[2] = {UINT64_C(1) << 32, UINT64_C(1) << 32};
    write_shape(2, wraps, 0);
    expect_refusal("shape.gguf", "too large");
    const uint64_t wraps_in_bytes[2] = {UINT64_C(1) << 31, UINT64_C(1) << 31};
    write_shape(2, wraps_in_bytes, 0);
    expect_refusal("shape.gguf", "too large");
    const uint64_t rows_wrap[4] = {0, UINT64_C(1) << 32, UINT64_C(1) << 32, 2};
    write_shape(4, rows_wrap, 0);
    expect_refusal("shape.gguf", "too large");
    const uint64_t negative[1] = {UINT64_MAX};
    write_shape(1, negative, 0);
    expect_refusal("shape.gguf", "too large");
    const uint64_t beyond[1] = {17};
    write_shape(1, beyond, 0);
    expect_refusal("shape.gguf", "68 bytes from data byte 0");
    write_shape(0, NULL, 0);
    lmd_weights *const weights = open_file("shape.gguf");
    const lmd_tensor *const scalar = lmd_weights_at(weights, 0);
    assert_true(scalar->n_dims == 1 && scalar->shape[0] == 1 && scalar->n_bytes == 4);
    lmd_weights_close(weights);
}

static void write_alignment(uint32_t kind, uint64_t alignment, uint64_t offset)
{
    const uint64_t dims[1] = {1};
    lmd_text file = {0};
    put_gguf_start(&file, 2, 1);
    put_gguf_key(&file, "general.alignment", kind);
    lmd_text_append(&file, &alignment, kind == UINT32 ? 4 : 8);
    put_gguf_tensor(&file, "w", 1, dims, 0, 0);
    put_gguf_tensor(&file, "x", 1, dims, 0, offset);
    put_gguf_padding(&file, 64);
    put_f32(&file, 1);
    put_zeros(&file, 60);
    put_f32(&file, 2);
    write_file("aligned.gguf", &file);
}

static void the_alignment_key_counts(void **state)
{
    (void)state;
    float value = 0;
    write_alignment(UINT32, 64, 64);
    lmd_weights *const weights = open_file("aligned.gguf");
    const lmd_tensor *const x = lmd_weights_find(weights, "x");
    assert_int_equal(lmd_weights_read_rows(weights, x, 0, 1, &value), LMD_OK);
    assert_true(value == 2);
    lmd_weights_close(weights);
    write_alignment(UINT32, 64, 32);
    expect_refusal("aligned.gguf", "alignment 64");
    write_alignment(UINT32, 0, 64);
    expect_refusal("aligned.gguf", "'general.alignment': not a power of two");
    write_alignment(UINT32, 48, 64);
    expect_refusal("aligned.gguf", "not a power of two");
    write_alignment(UINT64, UINT64_C(1) << 63, 64);
    expect_refusal("aligned.gguf", "not a power of two");
}

/* ---- folders, and a real file ---- */

static void an_only_gguf_in_a_folder_is_found(void **state)
{
    (void)state;
    char path[PATH_SIZE];
    char folder[PATH_SIZE];
    assert_int_equal(lmd_file_make_folders(path_of(folder, "model")), LMD_OK);
    lmd_weights *weights = NULL;
    assert_int_equal(lmd_weights_open(&weights, folder), LMD_INPUT);
    expect_message("model", "no weights");
    lmd_text file = {0};
    put_good_file(&file);
    write_file("model/b.gguf", &file);
    lmd_text_append_string(&file, "not looked at");
    write_file("model/.hidden.gguf", &file);
    assert_int_equal(lmd_weights_open(&weights, folder), LMD_OK);
    assert_string_equal(lmd_weights_path(weights), path_of(path, "model/b.gguf"));
    lmd_weights_close(weights);
    put_good_file(&file);
    write_file("model/a.gguf", &file);
    assert_int_equal(lmd_weights_open(&weights, folder), LMD_INPUT);
    expect_message("model", "a.gguf, b.gguf");
}

static void content_decides_where_the_name_does_not(void **state)
{
    (void)state;
    lmd_text file = {0};
    put_good_file(&file);
    write_file("blob", &file);
    lmd_weights *const weights = open_file("blob");
    assert_string_equal(lmd_weights_format(weights), "GGUF");
    lmd_weights_close(weights);
    lmd_text_append_string(&file, "some text that is no model at all");
    write_file("blob", &file);
    expect_refusal("blob", "neither GGUF nor safetensors");
    lmd_text_append_string(&file, "version https://git-lfs.github.com/spec/v1\noid ...");
    write_file("pointer.gguf", &file);
    expect_refusal("pointer.gguf", "Git LFS pointer");
}

static void a_real_vocabulary_opens(void **state)
{
    (void)state;
    const char *const shared = getenv("LMDEPTH_SHARED");
    char *const path = lmd_file_join(shared != NULL ? shared : "../shared",
                                     "data/vocab/gguf/ggml-vocab-gpt-2.gguf");
    if (!lmd_file_exists(path)) {
        printf("skipped: %s is not there\n", path);
        lmd_memory_free(path);
        skip();
    }
    lmd_weights *weights = NULL;
    assert_int_equal(lmd_weights_open(&weights, path), LMD_OK);
    lmd_memory_free(path);
    const lmd_bytes *strings = NULL;
    const int64_t *types = NULL;
    size_t n = 0;
    assert_int_equal(lmd_weights_count(weights), 0);
    assert_true(lmd_weights_get_strings(weights, "tokenizer.ggml.tokens", &strings, &n));
    assert_int_equal(n, 50257);
    assert_string_equal(strings[50256].bytes, "<|endoftext|>");
    assert_true(lmd_weights_get_strings(weights, "tokenizer.ggml.merges", &strings, &n));
    assert_int_equal(n, 50000);
    assert_true(lmd_weights_get_ints(weights, "tokenizer.ggml.token_type", &types, &n));
    assert_true(n == 50257 && types[50256] == 3);
    lmd_weights_close(weights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_of_every_kind_are_read),
        cmocka_unit_test(strings_and_arrays_are_read),
        cmocka_unit_test(tensors_are_listed_with_shapes_turned_round),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_changed_byte_is_survived),
        cmocka_unit_test(magic_and_version_are_checked),
        cmocka_unit_test(huge_counts_are_refused),
        cmocka_unit_test(bad_values_are_refused_by_key),
        cmocka_unit_test(bad_names_are_refused),
        cmocka_unit_test(duplicate_keys_are_refused),
        cmocka_unit_test(parts_without_the_others_are_refused),
        cmocka_unit_test(misplaced_tensors_are_refused_by_name),
        cmocka_unit_test(shapes_that_overflow_are_refused),
        cmocka_unit_test(the_alignment_key_counts),
        cmocka_unit_test(an_only_gguf_in_a_folder_is_found),
        cmocka_unit_test(content_decides_where_the_name_does_not),
        cmocka_unit_test(a_real_vocabulary_opens),
    };
    return cmocka_run_group_tests_name("gguf", tests, make_folder, remove_folder);
}
