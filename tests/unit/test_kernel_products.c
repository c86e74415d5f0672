/* Products: against fp64, over odd sizes; a row's bits know neither place nor neighbours.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <lmdepth/base/status.h>
#include "kernel_case.h"

static const char *program;

static lmd_matrix make_matrix(int O, int C, const float *W)
{
    lmd_matrix matrix;
    void *memory = lmd_memory_new_aligned(1, lmd_matrix_bytes(O, C));
    memset(memory, 0xff, lmd_matrix_bytes(O, C)); // NaN: padding must not matter
    lmd_matrix_bind(&matrix, O, C, memory);
    lmd_matrix_clear_padding(&matrix);
    for (int row = 0; row < O; row++) {
        lmd_matrix_put_row(&matrix, row, W + (size_t)row * (size_t)C);
    }
    return matrix;
}

static void put_rows_come_back(void **state)
{
    (void)state;
    const int64_t live = lmd_memory_live();
    enum { O = 33, C = 7 };
    float *W = case_numbers((size_t)O * C, 1, 1.0f);
    lmd_matrix matrix = make_matrix(O, C, W);
    assert_int_equal(lmd_matrix_bytes(O, C) % 64, 0);
    for (int row = 0; row < O; row++) {
        float out[C];
        lmd_matrix_get_row(&matrix, row, out);
        assert_same_bits(out, W + (size_t)row * C, sizeof out);
    }
    lmd_memory_free(matrix.packed);
    lmd_memory_free(W);
    assert_int_equal(lmd_memory_live(), live);
}

static void check_linear(lmd_kernel *kernel, int T, int O, int C, bool has_bias)
{
    const size_t width = (size_t)C;
    float *in = case_numbers((size_t)T * width, 1, 1.0f);
    float *W = case_numbers((size_t)O * width, 2, 1.0f);
    float *bias = case_numbers((size_t)O, 3, 1.0f);
    float *out = case_numbers((size_t)T * (size_t)O, 4, 1.0f);
    lmd_matrix matrix = make_matrix(O, C, W);
    lmd_kernel_linear(kernel, out, in, &matrix, has_bias ? bias : NULL, T);
    for (size_t t = 0; t < (size_t)T; t++) {
        for (size_t o = 0; o < (size_t)O; o++) {
            double sum = has_bias ? (double)bias[o] : 0.0;
            for (size_t c = 0; c < width; c++) {
                sum += (double)in[t * width + c] * (double)W[o * width + c];
            }
            assert_near((double)out[t * (size_t)O + o], sum, 1e-6 * sqrt(C) + 1e-6);
        }
    }
    lmd_memory_free(matrix.packed);
    lmd_memory_free(out);
    lmd_memory_free(bias);
    lmd_memory_free(W);
    lmd_memory_free(in);
}

static void linear_is_right_over_odd_sizes(void **state)
{
    (void)state;
    const int64_t live = lmd_memory_live();
    static const int T[] = {1, 13, 257}, O[] = {1, 17, 530}, C[] = {1, 7, 66};
    lmd_kernel *kernel = case_kernel(2, 300);
    for (int i = 0; i < 27; i++) {
        check_linear(kernel, T[i % 3], O[i / 3 % 3], C[i / 9], i % 2 == 0);
    }
    for (int n = 12; n < 16; n++) { // about the tiles of rows and panels of columns
        check_linear(kernel, n, 2 * n + 3, 300, n % 2 == 0);
        check_linear(kernel, 2 * n, n * 5, 2 * n, false);
    }
    check_linear(kernel, 1200, 40, 20, true); // packed in parts
    case_free(kernel);
    assert_int_equal(lmd_memory_live(), live);
}

/* The rows [first, first + n) alone give the bits they have among all. */
static void check_rows_alone(lmd_kernel *kernel, const lmd_matrix *W, const float *in,
                             const float *out, int first, int n)
{
    const size_t O = (size_t)W->O;
    float *alone = case_numbers((size_t)n * O, 9, 1.0f);
    lmd_kernel_linear(kernel, alone, in + (size_t)first * (size_t)W->C, W, NULL, n);
    assert_same_bits(alone, out + (size_t)first * O, (size_t)n * O * sizeof *out);
    lmd_memory_free(alone);
}

static void a_row_has_the_same_bits_anywhere(void **state)
{
    (void)state;
    enum { T = 600, O = 49 };
    static const int widths[] = {7, 64, 576};
    for (int i = 0; i < 3; i++) {
        const int C = widths[i];
        lmd_kernel *one = case_kernel(1, C), *five = case_kernel(5, C);
        float *in = case_numbers((size_t)T * (size_t)C, 1, 1.0f);
        float *W = case_numbers((size_t)O * (size_t)C, 2, 1.0f);
        float *out = case_numbers((size_t)T * O, 3, 1.0f);
        in[(size_t)C] = NAN; // of row 1, and none but row 1 may notice
        lmd_matrix matrix = make_matrix(O, C, W);
        lmd_kernel_linear(five, out, in, &matrix, NULL, T);
        check_rows_alone(one, &matrix, in, out, 0, 1);
        check_rows_alone(one, &matrix, in, out, 2, 3);
        check_rows_alone(one, &matrix, in, out, 255, 2);
        check_rows_alone(one, &matrix, in, out, 3, 597);
        assert_true(isfinite(out[0]) && isnan(out[O]) && isfinite(out[(size_t)2 * O]));
        lmd_memory_free(matrix.packed);
        lmd_memory_free(out);
        lmd_memory_free(W);
        lmd_memory_free(in);
        case_free(five);
        case_free(one);
    }
}

/* A product that adds something at the block's edge, as some libraries' kernels do. */
static void run_unfair(const lmd_vector_table *vector, const lmd_product_block *block)
{
    lmd_product_plain.run(vector, block);
    block->out[(size_t)(block->M - 1) * block->out_stride] *= 1.0f + 0x1p-22f;
}

/* One whose rows feel their neighbours. */
static void run_leaky(const lmd_vector_table *vector, const lmd_product_block *block)
{
    lmd_product_plain.run(vector, block);
    const size_t row = (size_t)(block->M / 3);
    if (block->in[0] != block->in[row * (size_t)block->C]) {
        block->out[row * block->out_stride + (size_t)(block->n / 3)] *= 1.0f + 0x1p-22f;
    }
}

static void the_self_test_finds_unfair_products(void **state)
{
    (void)state;
    const lmd_vector_table *vector = lmd_vector_tables()[0];
    const lmd_product unfair = {.name = "unfair", .run = run_unfair, .tile_rows = 1};
    const lmd_product leaky = {.name = "leaky", .run = run_leaky, .tile_rows = 1};
    assert_true(lmd_product_is_fair(&lmd_product_plain, vector, 33));
    assert_false(lmd_product_is_fair(&unfair, vector, 33));
    assert_false(lmd_product_is_fair(&leaky, vector, 33));
    for (const lmd_product *const *tile = lmd_product_tiles(); *tile != NULL; tile++) {
        assert_true(lmd_product_is_fair(*tile, vector, 600));
    }
}

/* All tile kernels sum in the same order, so ranks on unlike processors may agree. */
static void tile_kernels_give_the_same_bits(void **state)
{
    (void)state;
    const lmd_product *const *tiles = lmd_product_tiles();
    if (tiles[0] == NULL || tiles[1] == NULL) {
        print_message("skipped: this processor runs fewer than two tile kernels\n");
        skip();
    }
    enum { T = 45, O = 101, C = 330 };
    lmd_kernel *kernel = case_kernel(1, C);
    float *in = case_numbers((size_t)T * C, 1, 1.0f);
    float *W = case_numbers((size_t)O * C, 2, 1.0f);
    float *outs[2];
    lmd_matrix matrix = make_matrix(O, C, W);
    for (int i = 0; i < 2; i++) {
        outs[i] = case_numbers((size_t)T * O, 3, 1.0f);
        kernel->product = tiles[i];
        lmd_kernel_linear(kernel, outs[i], in, &matrix, NULL, T);
    }
    assert_same_bits(outs[0], outs[1], (size_t)T * O * sizeof(float));
    lmd_memory_free(matrix.packed);
    lmd_memory_free(outs[0]);
    lmd_memory_free(outs[1]);
    lmd_memory_free(W);
    lmd_memory_free(in);
    case_free(kernel);
}

static void the_kernel_says_what_it_is(void **state)
{
    (void)state;
    lmd_kernel *kernel = lmd_kernel_new(lmd_team_new(2), 40);
    assert_int_equal(strncmp(lmd_kernel_arithmetic(kernel), "f32; ", 5), 0);
    // Either it is the fastest, or there is a remark why not.
    const bool is_first = lmd_product_tiles()[0] == kernel->product;
    assert_true(is_first || lmd_kernel_remark(kernel) != NULL);
    assert_true(lmd_kernel_measure_peak(kernel, 1.0) > 0.0);
    lmd_kernel_use_plain(kernel);
    assert_string_equal(lmd_kernel_arithmetic(kernel), "f32; plain C");
    case_free(kernel);
    lmd_kernel_free(NULL);
}

/* This program once more with LMDEPTH_KERNEL=name: 10 if that is what it gets, else how
 * it ended. */
static int try_name(const char *name)
{
    char command[1024];
    snprintf(command, sizeof command, "LMDEPTH_KERNEL=%s '%s' name %s 2>/dev/null", name,
             program, name);
    const int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_kernel_can_be_forced(void **state)
{
    (void)state;
    for (const lmd_product *const *tile = lmd_product_tiles(); *tile != NULL; tile++) {
        assert_int_equal(try_name((*tile)->name), 10);
    }
    assert_int_equal(try_name("plain"), 10);
    assert_int_equal(try_name("sse9"), LMD_USAGE);
}

static int say_name(const char *name)
{
    lmd_kernel *kernel = lmd_kernel_new(lmd_team_new(1), 64);
    const bool is_it =
        strcmp(kernel->product->name, name) == 0 && lmd_kernel_remark(kernel) != NULL;
    case_free(kernel);
    return is_it ? 10 : 11;
}

/* This program once more, with the core type in its environment: its exit code is whether
 * it wants another. */
static int wants_other_core(const char *core)
{
    char command[1024];
    snprintf(command, sizeof command,
             "LMDEPTH_KERNEL=blas OPENBLAS_CORETYPE=%s '%s' core", core, program);
    return system(command);
}

static void a_slow_core_is_noticed(void **state)
{
    (void)state;
    if (!lmd_vector_has_avx512() || !lmd_product_blas_can_choose()) {
        print_message("skipped: no AVX-512, or a library of one core\n");
        skip();
    }
    assert_int_not_equal(wants_other_core("Haswell"), 0);
    assert_int_equal(wants_other_core("SkylakeX"), 0);
}

int main(int argc, char **argv)
{
    program = argv[0];
    if (argc > 2) {
        return say_name(argv[2]);
    }
    if (argc > 1) {
        return lmd_kernel_better_core() == NULL ? 0 : 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_is_right_over_odd_sizes),
        cmocka_unit_test(a_row_has_the_same_bits_anywhere),
    };
    const struct CMUnitTest others[] = {
        cmocka_unit_test(put_rows_come_back),
        cmocka_unit_test(the_self_test_finds_unfair_products),
        cmocka_unit_test(the_kernel_says_what_it_is),
        cmocka_unit_test(tile_kernels_give_the_same_bits),
        cmocka_unit_test(a_kernel_can_be_forced),
        cmocka_unit_test(a_slow_core_is_noticed),
    };
    int failures = cmocka_run_group_tests(others, NULL, NULL);
    CASE_RUN_WITH_EACH_PRODUCT(tests, failures);
    return failures;
}
