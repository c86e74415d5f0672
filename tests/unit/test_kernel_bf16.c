/* Products of bf16, by the processor's own and by fp32 on rounded rows: against fp64 on
 * the same rounded operands; rounding is to nearest, ties to even; a row's bits know
 * neither place nor neighbours; what is not a product stays what it is in f32. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <lmdepth/base/status.h>
#include "kernel_case.h"

static const char *program;

static lmd_matrix make_matrix(int O, int C, const float *W)
{
    lmd_matrix matrix;
    void *memory = lmd_memory_new_aligned(1, lmd_matrix_bytes(O, C, LMD_BF16));
    memset(memory, 0xff, lmd_matrix_bytes(O, C, LMD_BF16)); // NaN where nothing is put
    lmd_matrix_bind(&matrix, O, C, LMD_BF16, memory);
    lmd_matrix_clear_padding(&matrix);
    lmd_matrix_put_rows(&matrix, 0, NULL, O, W, LMD_F32);
    return matrix;
}

static void check_linear(lmd_kernel *kernel, int n_rows, int n_columns, int width)
{
    const size_t T = (size_t)n_rows, O = (size_t)n_columns, C = (size_t)width;
    const size_t stride = C + 3;
    float *in = case_numbers(T * stride, 1, 1.0f), *W = case_numbers(O * C, 2, 1.0f);
    float *bias = case_numbers(O, 3, 1.0f), *out = case_numbers(T * O, 4, 1.0f);
    for (size_t i = 0; i < T * stride; i++) {
        in[i] = i % stride < C ? in[i] : NAN;
    }
    lmd_matrix matrix = make_matrix(n_columns, width, W);
    lmd_kernel_linear(kernel, out, in, stride, &matrix, bias, n_rows);
    for (size_t t = 0; t < T; t++) {
        for (size_t o = 0; o < O; o++) {
            double sum = (double)bias[o];
            for (size_t c = 0; c < C; c++) {
                sum += (double)case_operand(in[t * stride + c]) *
                       (double)case_operand(W[o * C + c]);
            }
            assert_near((double)out[t * O + o], sum, 1e-6 * sqrt((double)C) + 1e-6);
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
    lmd_kernel *kernel = case_kernel(2, 900);
    static const int T[] = {1, 13, 14, 15, 29, 257}, O[] = {1, 31, 33, 530};
    static const int C[] = {1, 2, 7, 66, 127, 129, 255, 385};
    for (int i = 0; i < 24; i++) {
        check_linear(kernel, T[i % 6], O[i / 6], C[i % 8]);
    }
    for (int i = 0; i < 8; i++) {
        check_linear(kernel, 14 + i % 2, 33, C[i]);
        check_linear(kernel, 3, 64, 577 + 40 * i); // more than one part of C
    }
    check_linear(kernel, 1200, 40, 21);
    case_free(kernel);
    assert_int_equal(lmd_memory_live(), live);
}

/* Values and what they are as operands. 1 + 2^-8 lies halfway between two. */
static const float values[][2] = {
    {1.0f, 1.0f},
    {1.0f + 0x1p-8f, 1.0f},
    {1.0f + 0x1.8p-7f, 1.0f + 0x1p-6f},
    {-1.0f - 0x1p-8f, -1.0f},
    {1.0f + 0x1p-8f + 0x1p-23f, 1.0f + 0x1p-7f},
    {0x1.fep+127f, 0x1.fep+127f},
    {0x1.ff8p+127f, INFINITY}, // beyond the largest, by a tie
    {-INFINITY, -INFINITY},
    {NAN, NAN},
    {0x1p-126f, 0x1p-126f},
    {-0.0f, 0.0f},
};
enum { VALUES = sizeof values / sizeof values[0] };

/* The product of one channel with 1; among whole tiles of rows, and with one at the end
 * that is not. */
static void operands_round_to_nearest_even(void **state)
{
    (void)state;
    enum { T = 31, C = 5 };
    lmd_kernel *kernel = case_kernel(1, C);
    for (size_t channel = 0; channel < C; channel++) {
        float in[T * C] = {0}, W[C] = {0}, out[T];
        W[channel] = 1.0f;
        for (size_t t = 0; t < T; t++) {
            in[t * C + channel] = values[t % VALUES][0];
        }
        lmd_matrix matrix = make_matrix(1, C, W);
        lmd_kernel_linear(kernel, out, in, C, &matrix, NULL, T);
        for (size_t t = 0; t < T; t++) {
            const float want = values[t % VALUES][1];
            assert_true(isnan(want) ? isnan(out[t]) : out[t] == want);
        }
        lmd_memory_free(matrix.packed);
    }
    case_free(kernel);
}

static void a_row_has_the_same_bits_anywhere(void **state)
{
    (void)state;
    enum { T = 600, O = 49 };
    static const int widths[] = {7, 64, 577};
    static const int parts[][2] = {{0, 1}, {2, 3}, {13, 14}, {255, 2}, {3, 597}};
    for (int i = 0; i < 3; i++) {
        const size_t C = (size_t)widths[i];
        lmd_kernel *one = case_kernel(1, widths[i]), *five = case_kernel(5, widths[i]);
        float *in = case_numbers(T * C, 1, 1.0f), *W = case_numbers(O * C, 2, 1.0f);
        float *out = case_numbers((size_t)T * O, 3, 1.0f);
        float *alone = case_numbers((size_t)T * O, 4, 1.0f);
        in[C] = NAN; // of row 1, and none but row 1 may notice
        lmd_matrix matrix = make_matrix(O, widths[i], W);
        lmd_kernel_linear(five, out, in, C, &matrix, NULL, T);
        for (size_t p = 0; p < sizeof parts / sizeof parts[0]; p++) {
            const size_t first = (size_t)parts[p][0], n = (size_t)parts[p][1];
            lmd_kernel_linear(one, alone, in + first * C, C, &matrix, NULL, parts[p][1]);
            assert_same_bits(alone, out + first * O, n * O * sizeof *out);
        }
        assert_true(isfinite(out[0]) && isnan(out[O]) && isfinite(out[(size_t)2 * O]));
        lmd_memory_free(matrix.packed);
        lmd_memory_free(alone);
        lmd_memory_free(out);
        lmd_memory_free(W);
        lmd_memory_free(in);
        case_free(five);
        case_free(one);
    }
}

/* Attention has the bits of f32. */
static void attention_stays_wide(void **state)
{
    (void)state;
    enum { T = 45, D = 40 };
    static const int32_t starts[] = {0, 12, T};
    float *x = case_numbers((size_t)3 * T * D, 1, 1.0f), *outs[2];
    const lmd_attention task = {.q = x,
                                .k = x + T * D,
                                .v = x + 2 * T * D,
                                .q_stride = D,
                                .kv_stride = D,
                                .H = 1,
                                .K = 1,
                                .D = D,
                                .scale = 0.3f};
    lmd_kernel *kernel = case_kernel(2, D);
    lmd_kernel *wide = lmd_kernel_new(lmd_team_new(1), D);
    wide->attention = kernel->attention;
    for (int i = 0; i < 2; i++) {
        outs[i] = case_numbers((size_t)T * D, 2, 1.0f);
        lmd_kernel_attention(i == 0 ? kernel : wide, outs[i], &task, starts, 2);
    }
    assert_same_bits(outs[0], outs[1], (size_t)T * D * sizeof *x);
    lmd_memory_free(outs[0]);
    lmd_memory_free(outs[1]);
    lmd_memory_free(x);
    case_free(wide);
    case_free(kernel);
}

static void pair_tiles_are_fair(void **state)
{
    (void)state;
    const lmd_vector_table *vector = lmd_vector_tables()[0];
    const lmd_product *const *tile = lmd_product_pair_tiles();
    if (*tile == NULL) {
        print_message("skipped: this processor has no products of bf16\n");
        skip();
    }
    for (; *tile != NULL; tile++) {
        assert_true(lmd_product_is_fair(*tile, vector, 600));
        assert_true(lmd_product_is_fair(*tile, vector, 33));
    }
    lmd_product rounded = *lmd_product_tiles()[0];
    rounded.rows = LMD_ROWS_ROUNDED;
    assert_true(lmd_product_is_fair(&rounded, vector, 577));
}

static void the_kernel_says_what_it_is(void **state)
{
    (void)state;
    case_is_bf16 = true;
    lmd_kernel *kernel = case_kernel(2, 40);
    lmd_kernel *wide = lmd_kernel_new(lmd_team_new(1), 40);
    assert_int_equal(strncmp(lmd_kernel_arithmetic(kernel), "bf16; ", 6), 0);
    assert_string_not_equal(lmd_kernel_arithmetic(kernel), lmd_kernel_arithmetic(wide));
    assert_true(lmd_kernel_measure_peak(kernel, 1.0) > 0.0);
    lmd_kernel_use_plain(kernel);
    assert_string_equal(lmd_kernel_arithmetic(kernel),
                        "bf16; rounded, plain C, fused exp");
    check_linear(kernel, 15, 33, 39);
    case_is_bf16 = false;
    case_free(wide);
    case_free(kernel);
}

/* This program once more with LMDEPTH_KERNEL=name, for bf16 or not: 10 if that is what it
 * gets, else how it ended. */
static int try_name(const char *name, const char *precision)
{
    char command[1024];
    snprintf(command, sizeof command, "LMDEPTH_KERNEL=%s '%s' %s %s 2>/dev/null", name,
             program, precision, name);
    const int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_kernel_can_be_forced(void **state)
{
    (void)state;
    for (int i = 0; case_product_bf16(i) != NULL; i++) {
        const lmd_product *product = case_product_bf16(i);
        if (product != &lmd_product_blas) { // which may fail the place test
            assert_int_equal(try_name(product->name, "bf16"), 10);
        }
        if (product->rows == LMD_ROWS_PAIRS) {
            assert_int_equal(try_name(product->name, "f32"), LMD_USAGE);
        }
    }
    assert_int_equal(try_name("sse9", "bf16"), LMD_USAGE);
}

static int say_name(const char *precision, const char *name)
{
    case_is_bf16 = strcmp(precision, "bf16") == 0;
    lmd_kernel *kernel = case_kernel(1, 64);
    const bool is_it = strcmp(kernel->product->name, name) == 0 &&
                       strstr(lmd_kernel_choice(kernel), "forced") != NULL;
    case_free(kernel);
    return is_it ? 10 : 11;
}

int main(int argc, char **argv)
{
    program = argv[0];
    if (argc > 2) {
        return say_name(argv[1], argv[2]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_is_right_over_odd_sizes),
        cmocka_unit_test(operands_round_to_nearest_even),
        cmocka_unit_test(a_row_has_the_same_bits_anywhere),
        cmocka_unit_test(attention_stays_wide),
    };
    const struct CMUnitTest once[] = {
        cmocka_unit_test(pair_tiles_are_fair),
        cmocka_unit_test(the_kernel_says_what_it_is),
        cmocka_unit_test(a_kernel_can_be_forced),
    };
    int failures = cmocka_run_group_tests(once, NULL, NULL);
    CASE_RUN_WITH_EACH_PRODUCT_OF_BF16(tests, failures);
    return failures;
}
