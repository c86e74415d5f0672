/* Torch files: those of tests/data/model/formats (made by
 * tests/reference/make_formats.py) against the same tensors in other types and
 * containers, and damaged copies. */
#include "weight_files.h"
#include <zip.h>

#define FORMATS "tests/data/model/formats/"

static lmd_weights *open_path(const char *path)
{
    lmd_weights *weights = NULL;
    if (lmd_weights_open(&weights, path) != LMD_OK) {
        fail_msg("%s", lmd_status_message());
    }
    return weights;
}

/* ---- values ---- */

static float *read_all(const lmd_weights *weights, const lmd_tensor *tensor)
{
    float *const values =
        lmd_memory_new((size_t)(tensor->n_rows * tensor->row_length), sizeof *values);
    assert_int_equal(lmd_weights_read_rows(weights, tensor, 0, tensor->n_rows, values),
                     LMD_OK);
    return values;
}

/* Every tensor of `folder` is in torch/, with the same shape and bits. */
static void assert_same_tensors(const char *folder, const char *format, const char *type)
{
    lmd_weights *const wanted = open_path(FORMATS "torch");
    lmd_weights *const weights = open_path(folder);
    assert_string_equal(lmd_weights_format(weights), format);
    assert_int_equal(lmd_weights_count(weights), lmd_weights_count(wanted) - 1);
    for (int i = 0; i < lmd_weights_count(weights); i++) {
        const lmd_tensor *const is = lmd_weights_at(weights, i);
        const lmd_tensor *const should = lmd_weights_find(wanted, is->name);
        assert_non_null(should);
        assert_string_equal(is->type, type);
        assert_string_equal(should->type, "F32");
        assert_int_equal(is->n_dims, should->n_dims);
        assert_memory_equal(is->shape, should->shape, sizeof is->shape);
        float *const a = read_all(weights, is);
        float *const b = read_all(wanted, should);
        assert_memory_equal(a, b, (size_t)(is->n_rows * is->row_length) * sizeof *a);
        lmd_memory_free(a);
        lmd_memory_free(b);
    }
    lmd_weights_close(weights);
    lmd_weights_close(wanted);
}

static void all_containers_hold_the_same_values(void **state)
{
    (void)state;
    assert_same_tensors(FORMATS "torch16", "torch", "F16");
    assert_same_tensors(FORMATS "torchb16", "torch", "BF16");
    assert_same_tensors(FORMATS "shards", "safetensors", "BF16");
}

static void two_names_may_share_a_storage(void **state)
{
    (void)state;
    lmd_weights *const weights = open_path(FORMATS "torch/pytorch_model.bin");
    const lmd_tensor *const head = lmd_weights_find(weights, "lm_head.weight");
    const lmd_tensor *const embedding =
        lmd_weights_find(weights, "model.embed_tokens.weight");
    float *const a = read_all(weights, head);
    float *const b = read_all(weights, embedding);
    assert_memory_equal(a, b, (size_t)(head->n_rows * head->row_length) * sizeof *a);
    lmd_memory_free(a);
    lmd_memory_free(b);
    lmd_weights_close(weights);
}

/* ---- files made here ---- */

static void add_entry(zip_t *archive, const char *name, const char *bytes, size_t size,
                      int method)
{
    zip_source_t *const source = zip_source_buffer(archive, bytes, size, 0);
    assert_non_null(source);
    const zip_int64_t index = zip_file_add(archive, name, source, 0);
    assert_true(index >= 0);
    assert_int_equal(zip_set_file_compression(archive, (zip_uint64_t)index, method, 0),
                     0);
}

typedef struct parts {
    const char *pickle;
    size_t size;
    const char *order; /* NULL: none */
    const char *values;
    size_t n_bytes;
    int method;
} parts;

static void write_zip(const char *name, const parts *it)
{
    char path[PATH_SIZE];
    int error = 0;
    (void)unlink(path_of(path, name));
    zip_t *const archive = zip_open(path, ZIP_CREATE, &error);
    assert_non_null(archive);
    add_entry(archive, "m/data.pkl", it->pickle, it->size, ZIP_CM_STORE);
    if (it->order != NULL) {
        add_entry(archive, "m/byteorder", it->order, strlen(it->order), ZIP_CM_STORE);
    }
    add_entry(archive, "m/data/0", it->values, it->n_bytes, it->method);
    assert_int_equal(zip_close(archive), 0);
}

#define BYTES(literal) literal, sizeof(literal) - 1

/* {"w": storage "0" of n floats, from `first` on, `shape`, `strides`} */
#define PICKLE(n, first, shape, strides)                                                 \
    "\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n("                          \
    "(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0"                               \
    "0X\x03\0\0\0cpuK" n "tQ"                                                            \
    "K" first shape strides "\x89}tRs."

static const char FLOATS[] =
    "\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40\0\0\x80\x40\0\0\xa0\x40\0\0\xc0\x40";

#define GOOD BYTES(PICKLE("\x06", "\x02", "K\x02K\x02\x86", "K\x02K\x01\x86"))

static void windows_of_a_storage_are_read(void **state)
{
    (void)state;
    float values[4];
    write_zip("w.bin", &(parts){GOOD, "little", FLOATS, 24, ZIP_CM_STORE});
    lmd_weights *const weights = open_file("w.bin");
    const lmd_tensor *const w = lmd_weights_find(weights, "w");
    assert_int_equal(w->n_rows, 2);
    assert_int_equal(lmd_weights_read_rows(weights, w, 0, 2, values), LMD_OK);
    assert_true(values[0] == 3 && values[1] == 4 && values[2] == 5 && values[3] == 6);
    assert_int_equal(lmd_weights_read_rows(weights, w, 1, 1, values), LMD_OK);
    assert_true(values[0] == 5);
    lmd_weights_close(weights);
}

static void expect_bad(const char *pickle, size_t size, size_t n_bytes, const char *part)
{
    write_zip("w.bin", &(parts){pickle, size, NULL, FLOATS, n_bytes, ZIP_CM_STORE});
    expect_refusal("w.bin", part);
}

static void windows_beyond_a_storage_are_refused(void **state)
{
    (void)state;
    expect_bad(GOOD, 20, "tensor 'w': its storage '0' of 6 values of F32 has 20 bytes");
    expect_bad(GOOD, 23, "has 23 bytes");
    expect_bad(GOOD, 0, "has 0 bytes");
    expect_bad(BYTES(PICKLE("\x06", "\x03", "K\x02K\x02\x86", "K\x02K\x01\x86")), 24,
               "tensor 'w': 4 values from value 3 on, but its storage has 6");
    expect_bad(BYTES(PICKLE("\x06", "\x07", "K\0K\x02\x86", "K\x02K\x01\x86")), 24,
               "0 values from value 7 on");
    expect_bad(BYTES(PICKLE("\x06", "\0", "J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86",
                            "J\xff\xff\xff\x7fK\x01\x86")),
               24, "tensor 'w'");
    expect_bad(BYTES(PICKLE("\x06", "\0",
                            "(J\xff\xff\xff\x7fJ\xff\xff\xff\x7fJ\xff\xff\xff\x7ft",
                            "(K\x01K\x01K\x01t")),
               24, "strides");
}

static void views_are_refused_by_name(void **state)
{
    (void)state;
    expect_bad(BYTES(PICKLE("\x06", "\0", "K\x02K\x03\x86", "K\x01K\x02\x86")), 24,
               "tensor 'w': its strides");
    expect_bad(BYTES(PICKLE("\x06", "\0", "K\x02K\x03\x86", "K\0K\x01\x86")), 24,
               "tensor 'w': its strides");
}

static void what_is_no_dictionary_of_tensors_is_refused(void **state)
{
    (void)state;
    expect_bad(BYTES("N."), 24, "w.bin: is None, no dictionary");
    expect_bad(BYTES("}K\x01Ns."), 24, "entry 0 has an integer for a name");
    expect_bad(BYTES("}X\x05\0\0\0epochK\x07s."), 24, "'epoch' is an integer, no tensor");
    expect_bad(BYTES("}X\x01\0\0\0w}s."), 24, "'w' is a dictionary, no tensor");
    expect_bad(BYTES("cposix\nsystem\nX\x02\0\0\0ls\x85R."), 24,
               "pickle, byte 0: 'posix.system' is refused");
    expect_bad(BYTES(""), 24, "truncated");
}

static void the_container_is_checked(void **state)
{
    (void)state;
    write_zip("w.bin", &(parts){GOOD, "big", FLOATS, 24, ZIP_CM_STORE});
    expect_refusal("w.bin", "its byte order is 'big'");
    write_zip("w.bin", &(parts){GOOD, NULL, FLOATS, 24, ZIP_CM_DEFLATE});
    lmd_weights *weights = NULL;
    char path[PATH_SIZE];
    assert_int_equal(lmd_weights_open(&weights, path_of(path, "w.bin")), LMD_INPUT);
    expect_message("w.bin", "entry 'm/data/0' is compressed");
    int error = 0;
    (void)unlink(path_of(path, "other.zip"));
    zip_t *const archive = zip_open(path, ZIP_CREATE, &error);
    add_entry(archive, "readme", "text", 4, ZIP_CM_STORE);
    assert_int_equal(zip_close(archive), 0);
    expect_refusal("other.zip", "not of torch.save: no data.pkl in it");
}

/* ---- damage ---- */

static void copy_model(const char *name, lmd_text *bytes)
{
    assert_int_equal(lmd_file_read_all(FORMATS
                                       "torchb16/pytorch_model-00003-of-00003.bin",
                                       1 << 20, bytes),
                     LMD_OK);
    lmd_text copy = {0};
    lmd_text_append(&copy, bytes->bytes, bytes->size);
    write_file(name, &copy);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    lmd_text bytes = {0};
    copy_model("cut.bin", &bytes);
    expect_refusal_of_every_length("cut.bin", bytes.size);
    lmd_text_clear(&bytes);
}

static void every_changed_byte_is_survived(void **state)
{
    (void)state;
    char path[PATH_SIZE];
    lmd_text bytes = {0};
    copy_model("changed.bin", &bytes);
    for (size_t i = 0; i < bytes.size; i++) {
        lmd_text copy = {0};
        lmd_weights *weights = NULL;
        lmd_text_append(&copy, bytes.bytes, bytes.size);
        copy.bytes[i] = (char)(copy.bytes[i] ^ (1 << i % 8));
        write_file("changed.bin", &copy);
        const lmd_status status =
            lmd_weights_open(&weights, path_of(path, "changed.bin"));
        assert_true(status == LMD_OK || status == LMD_INPUT);
        for (int k = 0; status == LMD_OK && k < lmd_weights_count(weights); k++) {
            const lmd_tensor *const tensor = lmd_weights_at(weights, k);
            float *const values = lmd_memory_new(
                (size_t)(tensor->n_rows * tensor->row_length), sizeof *values);
            (void)lmd_weights_read_rows(weights, tensor, 0, tensor->n_rows, values);
            lmd_memory_free(values);
        }
        lmd_weights_close(weights);
    }
    lmd_text_clear(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_containers_hold_the_same_values),
        cmocka_unit_test(two_names_may_share_a_storage),
        cmocka_unit_test(windows_of_a_storage_are_read),
        cmocka_unit_test(windows_beyond_a_storage_are_refused),
        cmocka_unit_test(views_are_refused_by_name),
        cmocka_unit_test(what_is_no_dictionary_of_tensors_is_refused),
        cmocka_unit_test(the_container_is_checked),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_changed_byte_is_survived),
    };
    return cmocka_run_group_tests_name("torch", tests, make_folder, remove_folder);
}
