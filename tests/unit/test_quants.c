/* Dequantisation, bit for bit against the gguf package (tests/reference/make_quants.py),
 * by the whole way: each record becomes a GGUF file of one tensor. */
#include "weight_files.h"

typedef struct record {
    uint32_t type;
    uint32_t n_values;
    uint32_t n_bytes;
    const char *bytes;    /* borrowed */
    const char *expected; /* borrowed; n_values floats, unaligned */
} record;

static uint32_t take_u32(const char **at)
{
    uint32_t value;
    memcpy(&value, *at, sizeof value);
    *at += sizeof value;
    return value;
}

static record take_record(const char **at)
{
    record taken;
    taken.type = take_u32(at);
    taken.n_values = take_u32(at);
    taken.n_bytes = take_u32(at);
    taken.bytes = *at;
    taken.expected = *at + taken.n_bytes;
    *at = taken.expected + taken.n_values * sizeof(float);
    return taken;
}

/* Rows of 256 values, which is a multiple of every type's block. */
static void write_record(const record *given)
{
    const uint64_t dims[2] = {256, given->n_values / 256};
    lmd_text file = {0};
    put_gguf_start(&file, 1, 0);
    put_gguf_tensor(&file, "blocks", 2, dims, given->type, 0);
    put_gguf_padding(&file, 32);
    lmd_text_append(&file, given->bytes, given->n_bytes);
    write_file("record.gguf", &file);
}

static void check_record(const record *given)
{
    write_record(given);
    lmd_weights *const weights = open_file("record.gguf");
    const lmd_tensor *const tensor = lmd_weights_find(weights, "blocks");
    assert_non_null(tensor);
    assert_int_equal(tensor->n_bytes, given->n_bytes);
    const size_t n = given->n_values;
    float *const values = lmd_memory_new(n, sizeof *values);
    lmd_status status = lmd_weights_read_rows(weights, tensor, 0, tensor->n_rows, values);
    assert_int_equal(status, LMD_OK);
    for (size_t i = 0; i < n; i++) {
        if (memcmp(&values[i], given->expected + 4 * i, sizeof(float)) != 0) {
            fail_msg("%s: value %zu is %a", tensor->type, i, (double)values[i]);
        }
    }
    // The last row alone: blocks are found without those before them.
    status = lmd_weights_read_rows(weights, tensor, tensor->n_rows - 1, 1, values);
    assert_int_equal(status, LMD_OK);
    assert_memory_equal(values, given->expected + 4 * (n - 256), 256 * sizeof(float));
    lmd_memory_free(values);
    lmd_weights_close(weights);
}

static void values_equal_the_reference_bit_for_bit(void **state)
{
    (void)state;
    lmd_text data = {0};
    const lmd_status status = lmd_file_read_all("tests/data/quants.bin", 1 << 20, &data);
    if (status != LMD_OK) {
        fail_msg("%s", lmd_status_message());
    }
    const char *at = data.bytes;
    const uint32_t n_records = take_u32(&at);
    assert_int_equal(n_records, 15);
    for (uint32_t i = 0; i < n_records; i++) {
        const record given = take_record(&at);
        check_record(&given);
    }
    assert_ptr_equal(at, data.bytes + data.size);
    lmd_text_clear(&data);
}

/* A tensor of `type` with plenty of bytes behind it. */
static void write_type(uint32_t type)
{
    const uint64_t dims[1] = {256};
    lmd_text file = {0};
    put_gguf_start(&file, 1, 0);
    put_gguf_tensor(&file, "odd one", 1, dims, type, 0);
    put_gguf_padding(&file, 32);
    put_zeros(&file, 256 * 8);
    write_file("type.gguf", &file);
}

static void other_types_are_refused_by_number_and_name(void **state)
{
    (void)state;
    static const struct {
        uint32_t number;
        const char *name;
    } REFUSED[] = {
        {4, "Q4_2"},        {5, "Q4_3"},        {9, "Q8_1"},        {15, "Q8_K"},
        {16, "IQ2_XXS"},    {17, "IQ2_XS"},     {18, "IQ3_XXS"},    {19, "IQ1_S"},
        {21, "IQ3_S"},      {22, "IQ2_S"},      {29, "IQ1_M"},      {31, "Q4_0_4_4"},
        {32, "Q4_0_4_8"},   {33, "Q4_0_8_8"},   {34, "TQ1_0"},      {35, "TQ2_0"},
        {36, "IQ4_NL_4_4"}, {37, "IQ4_NL_4_8"}, {38, "IQ4_NL_8_8"}, {39, "MXFP4"},
        {40, "NVFP4"},      {41, "Q1_0"},
    };
    for (size_t i = 0; i < sizeof REFUSED / sizeof REFUSED[0]; i++) {
        char expected[64];
        write_type(REFUSED[i].number);
        (void)snprintf(expected, sizeof expected, "type %u, %s, is not supported",
                       REFUSED[i].number, REFUSED[i].name);
        expect_refusal("type.gguf", expected);
        expect_message("type.gguf", "tensor 'odd one'");
    }
    write_type(42);
    expect_refusal("type.gguf", "unknown tensor type, number 42");
    write_type(UINT32_MAX);
    expect_refusal("type.gguf", "number 4294967295");
}

static void numbers_that_are_no_weights_are_listed_but_not_read(void **state)
{
    (void)state;
    static const struct {
        uint32_t number;
        const char *name;
    } LISTED[] = {{24, "I8"}, {25, "I16"}, {26, "I32"}, {27, "I64"}, {28, "F64"}};
    float values[256];
    for (size_t i = 0; i < sizeof LISTED / sizeof LISTED[0]; i++) {
        write_type(LISTED[i].number);
        lmd_weights *const weights = open_file("type.gguf");
        const lmd_tensor *const tensor = lmd_weights_at(weights, 0);
        assert_string_equal(tensor->type, LISTED[i].name);
        const lmd_status status = lmd_weights_read_rows(weights, tensor, 0, 1, values);
        assert_int_equal(status, LMD_INPUT);
        expect_message("type.gguf", LISTED[i].name);
        lmd_weights_close(weights);
    }
}

static void rows_must_be_whole_blocks(void **state)
{
    (void)state;
    const uint64_t dims[2] = {144,
                              16}; // 9 blocks of 256 in all, but no row ends with one
    lmd_text file = {0};
    put_gguf_start(&file, 1, 0);
    put_gguf_tensor(&file, "w", 2, dims, 14, 0);
    put_gguf_padding(&file, 32);
    put_zeros(&file, 210 * 9);
    write_file("rows.gguf", &file);
    expect_refusal("rows.gguf", "rows of 144 values");
}

/* A scale that is infinite makes the block's values infinite or NaN. */
static void scales_that_are_not_finite_are_refused(void **state)
{
    (void)state;
    const uint64_t dims[2] = {32, 3};
    float values[32];
    lmd_text file = {0};
    put_gguf_start(&file, 1, 0);
    put_gguf_tensor(&file, "blk.0.w", 2, dims, 8, 0);
    put_gguf_padding(&file, 32);
    put_zeros(&file, 2 * 34);
    lmd_text_append(&file, "\x00\x7c", 2);
    put_zeros(&file, 32);
    write_file("scale.gguf", &file);
    lmd_weights *const weights = open_file("scale.gguf");
    const lmd_tensor *const tensor = lmd_weights_at(weights, 0);
    assert_int_equal(lmd_weights_read_rows(weights, tensor, 1, 1, values), LMD_OK);
    assert_int_equal(lmd_weights_read_rows(weights, tensor, 2, 1, values), LMD_INPUT);
    expect_message("scale.gguf", "'blk.0.w': value 0 of row 2 is not finite");
    lmd_weights_close(weights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_equal_the_reference_bit_for_bit),
        cmocka_unit_test(other_types_are_refused_by_number_and_name),
        cmocka_unit_test(numbers_that_are_no_weights_are_listed_but_not_read),
        cmocka_unit_test(rows_must_be_whole_blocks),
        cmocka_unit_test(scales_that_are_not_finite_are_refused),
    };
    return cmocka_run_group_tests_name("quants", tests, make_folder, remove_folder);
}
