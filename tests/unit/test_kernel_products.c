/* Products: against fp64, over odd sizes; a row's bits know neither place nor neighbours.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <lmdepth/base/half.h>
#include <lmdepth/base/status.h>
#include "kernel_case.h"

static const char *program;

static const lmd_matrix_type types[] = {LMD_F32, LMD_F16, LMD_BF16};
enum { TYPES = 3 };

static lmd_matrix empty_matrix(int O, int C, lmd_matrix_type type)
{
    lmd_matrix matrix;
    const size_t n_bytes = lmd_matrix_bytes(O, C, type);
    assert_int_equal(n_bytes % 64, 0);
    void *memory = lmd_memory_new_aligned(1, n_bytes);
    memset(memory, 0xff, n_bytes); // NaN: padding must not matter
    lmd_matrix_bind(&matrix, O, C, type, memory);
    return matrix;
}

static lmd_matrix make_matrix(int O, int C, lmd_matrix_type type, const float *W)
{
    lmd_matrix matrix = empty_matrix(O, C, type);
    lmd_matrix_clear_padding(&matrix);
    for (int row = 0; row < O; row++) {
        lmd_matrix_put_row(&matrix, row, W + (size_t)row * (size_t)C);
    }
    return matrix;
}

static float rounded(float value, lmd_matrix_type type)
{
    return type == LMD_F32   ? value
           : type == LMD_F16 ? lmd_half_from_f16(lmd_half_to_f16(value))
                             : lmd_half_from_bf16(lmd_half_to_bf16(value));
}

/* Numbers that a half float has, some of them extreme. */
static float *typed_numbers(size_t n, uint64_t seed, lmd_matrix_type type)
{
    float *x = case_numbers(n, seed, 1.0f);
    for (size_t i = 0; i < n; i++) {
        const float scale = i % 17 == 3 ? 0x1p-20f : i % 17 == 5 ? 0x1p-24f : 1.0f;
        x[i] = rounded(scale * x[i], type);
    }
    return x;
}

/* Values as floats, or as halves of a type. */
static void *stored(const float *values, size_t n, lmd_matrix_type type)
{
    void *out = lmd_memory_new_aligned(n + 1, sizeof(float));
    if (type == LMD_F32) {
        memcpy(out, values, n * sizeof *values);
    } else if (type == LMD_F16) {
        lmd_half_narrow_f16(out, values, n);
    } else {
        lmd_half_narrow_bf16(out, values, n);
    }
    return out;
}

/* Put as channels, in two lots of rows and two of channels: all bytes, padding included,
 * are those of rows put one by one. */
static void check_channels(const lmd_matrix *matrix, const float *W, lmd_matrix_type type)
{
    const int O = matrix->O, C = matrix->C, rows[] = {0, O / 2, O},
              ends[] = {0, C / 3, C};
    lmd_matrix other = empty_matrix(O, C, matrix->type);
    float *in = case_numbers((size_t)O * (size_t)C, 2, 1.0f);
    lmd_matrix_clear_padding(&other);
    for (int lot = 3; lot >= 0; lot--) {
        const int row = rows[lot / 2], n = rows[lot / 2 + 1] - row;
        const int channel = ends[lot % 2], n_channels = ends[lot % 2 + 1] - channel;
        for (int i = 0; i < n * n_channels; i++) {
            in[i] = W[(row + i % n) * C + channel + i / n];
        }
        void *values = stored(in, (size_t)(n * n_channels), type);
        lmd_matrix_put_channels(&other, channel, n_channels, row, n, values, type);
        lmd_memory_free(values);
    }
    assert_same_bits(other.packed, matrix->packed, lmd_matrix_bytes(O, C, matrix->type));
    lmd_memory_free(in);
    lmd_memory_free(other.packed);
}

/* Put as many rows, in order and from the last to the first. */
static void check_rows(const lmd_matrix *matrix, const float *W, lmd_matrix_type type)
{
    const size_t O = (size_t)matrix->O, C = (size_t)matrix->C;
    const size_t n_bytes = lmd_matrix_bytes(matrix->O, matrix->C, matrix->type);
    lmd_matrix other = empty_matrix(matrix->O, matrix->C, matrix->type);
    float *in = case_numbers(O * C, 2, 1.0f);
    int32_t *rows = lmd_memory_new(O, sizeof *rows);
    for (size_t i = 0; i < O; i++) {
        rows[i] = matrix->O - 2 - (int)i;
        memcpy(in + i * C, W + (O - 1 - i) * C, C * sizeof *in);
    }
    void *ahead = stored(W, O * C, type), *back = stored(in, O * C, type);
    lmd_matrix_put_rows(&other, 0, NULL, matrix->O, ahead, type);
    lmd_matrix_clear_padding(&other);
    assert_same_bits(other.packed, matrix->packed, n_bytes);
    memset(other.packed, 0xff, n_bytes);
    lmd_matrix_put_rows(&other, 1, rows, matrix->O, back, type);
    lmd_matrix_clear_padding(&other);
    assert_same_bits(other.packed, matrix->packed, n_bytes);
    lmd_memory_free(back);
    lmd_memory_free(ahead);
    lmd_memory_free(rows);
    lmd_memory_free(in);
    lmd_memory_free(other.packed);
}

static void check_put(int O, int C, lmd_matrix_type type)
{
    const size_t width = (size_t)C;
    float *W = typed_numbers((size_t)O * width, 1, type);
    float *out = case_numbers(width, 3, 1.0f);
    lmd_matrix matrix = make_matrix(O, C, type, W);
    for (int i = 0; i < (type == LMD_F32 ? 1 : 2); i++) {
        check_channels(&matrix, W, i == 0 ? LMD_F32 : type);
        check_rows(&matrix, W, i == 0 ? LMD_F32 : type);
    }
    for (size_t row = 0; row < (size_t)O; row++) {
        lmd_matrix_get_row(&matrix, (int)row, out);
        assert_same_bits(out, W + row * width, width * sizeof *out);
    }
    lmd_memory_free(matrix.packed);
    lmd_memory_free(out);
    lmd_memory_free(W);
}

static void what_is_put_comes_back(void **state)
{
    (void)state;
    const int64_t live = lmd_memory_live();
    static const int sizes[] = {1, 7, 13, 31, 32, 33, 65, 129};
    for (int i = 0; i < 8 * 8 * TYPES; i++) {
        check_put(sizes[i % 8], sizes[i / 8 % 8], types[i / 64]);
    }
    check_put(401, 71, LMD_BF16);
    check_put(3, 513, LMD_F16);
    check_put(3, 513, LMD_BF16);
    assert_int_equal(lmd_matrix_bytes(33, 7, LMD_F32), 64 * 7 * 4);
    assert_int_equal(lmd_matrix_bytes(33, 7, LMD_F16), 64 * 7 * 2);
    assert_int_equal(lmd_matrix_bytes(33, 7, LMD_BF16), 64 * 8 * 2);
    assert_int_equal(lmd_matrix_bytes(128256, 16384, LMD_BF16),
                     (size_t)128256 * 16384 * 2);
    assert_int_equal(lmd_memory_live(), live);
}

static void put_rounds_to_nearest(void **state)
{
    (void)state;
    enum { C = 8 };
    const float in[C] = {1.0f + 0x1p-11f, 1.0f + 0x1p-8f, 1e6f,      -3.4e38f,
                         0x1p-25f,        INFINITY,       -INFINITY, NAN};
    for (int i = 0; i < TYPES; i++) {
        float out[C];
        lmd_matrix matrix = make_matrix(1, C, types[i], in);
        lmd_matrix_get_row(&matrix, 0, out);
        for (int c = 0; c < C - 1; c++) {
            assert_true(out[c] == rounded(in[c], types[i]));
        }
        assert_true(isnan(out[C - 1]));
        lmd_memory_free(matrix.packed);
    }
}

/* Every value there is, by every way this processor has; and no more than is asked for.
 */
static void check_widener(const lmd_widener *widener, lmd_matrix_type type)
{
    enum { N = 2049, PANEL = LMD_PANEL_COLUMNS };
    uint16_t *in = lmd_memory_new_aligned(PANEL * (N + 1), sizeof *in);
    float *out = lmd_memory_new_aligned(PANEL * N + 1, sizeof *out);
    for (size_t c = 0; c < N + 1; c++) {
        for (size_t row = 0; row < PANEL; row++) {
            in[lmd_panel_place(type, N + 1, row, c)] = (uint16_t)(c * PANEL + row);
        }
    }
    static const int n[] = {N, N - 1, 1, 2, 3};
    for (int i = 0; i < 5; i++) {
        out[PANEL * n[i]] = 7.0f;
        widener->from[type](out, in, n[i]);
        for (int at = 0; at < PANEL * n[i]; at++) {
            const uint16_t bits = (uint16_t)at;
            const float expected =
                type == LMD_F16 ? lmd_half_from_f16(bits) : lmd_half_from_bf16(bits);
            if (isnan(expected) ? !isnan(out[at])
                                : memcmp(&out[at], &expected, sizeof expected) != 0) {
                fail_msg("%s: %04x gives %a", widener->name, bits, (double)out[at]);
            }
        }
        assert_true(out[PANEL * n[i]] == 7.0f);
    }
    lmd_memory_free(out);
    lmd_memory_free(in);
}

static void every_half_float_widens_exactly(void **state)
{
    (void)state;
    for (const lmd_widener *const *it = lmd_wideners(); *it != NULL; it++) {
        check_widener(*it, LMD_F16);
        check_widener(*it, LMD_BF16);
    }
}

/* Every upper half of a float, with lower ones that round down, to even and up; the
 * lengths leave some for the end. */
static void rows_round_as_half_does(void **state)
{
    (void)state;
    enum { N = 65536 + 13 };
    static const uint32_t lowers[] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};
    float *in = lmd_memory_new(N, sizeof *in);
    uint16_t *out = lmd_memory_new(N + 1, sizeof *out);
    for (size_t lower = 0; lower < sizeof lowers / sizeof lowers[0]; lower++) {
        for (uint32_t i = 0; i < N; i++) {
            const uint32_t bits = i << 16 | lowers[lower];
            memcpy(&in[i], &bits, sizeof bits);
        }
        for (const lmd_widener *const *it = lmd_wideners(); *it != NULL; it++) {
            out[N] = 7;
            (*it)->to_bf16(out, in, N);
            for (size_t i = 0; i < N; i++) {
                assert_int_equal(out[i], lmd_half_to_bf16(in[i]));
            }
            assert_int_equal(out[N], 7);
        }
    }
    lmd_memory_free(out);
    lmd_memory_free(in);
}

typedef struct linear_case {
    int T, O, C, gap; /* floats between rows of `in` */
    bool has_bias;
    lmd_matrix_type type;
} linear_case;

static void check_linear(lmd_kernel *kernel, const linear_case *it)
{
    const size_t O = (size_t)it->O, C = (size_t)it->C, T = (size_t)it->T;
    const size_t stride = C + (size_t)it->gap;
    float *in = case_numbers(T * stride, 1, 1.0f);
    float *W = typed_numbers(O * C, 2, it->type);
    float *bias = case_numbers(O, 3, 1.0f);
    float *out = case_numbers(T * O, 4, 1.0f), *wide = case_numbers(T * O, 4, 1.0f);
    const float *added = it->has_bias ? bias : NULL;
    for (size_t i = 0; i < T * stride; i++) {
        in[i] = i % stride < C ? in[i] : NAN;
    }
    lmd_matrix matrix = make_matrix(it->O, it->C, it->type, W);
    lmd_matrix floats = make_matrix(it->O, it->C, LMD_F32, W);
    lmd_kernel_linear(kernel, out, in, stride, &matrix, added, it->T);
    lmd_kernel_linear(kernel, wide, in, stride, &floats, added, it->T);
    assert_same_bits(out, wide, T * O * sizeof *out);
    for (size_t t = 0; t < T; t++) {
        for (size_t o = 0; o < O; o++) {
            double sum = it->has_bias ? (double)bias[o] : 0.0;
            for (size_t c = 0; c < C; c++) {
                sum += (double)in[t * stride + c] * (double)W[o * C + c];
            }
            assert_near((double)out[t * O + o], sum, 1e-6 * sqrt((double)C) + 1e-6);
        }
    }
    lmd_memory_free(floats.packed);
    lmd_memory_free(matrix.packed);
    lmd_memory_free(wide);
    lmd_memory_free(out);
    lmd_memory_free(bias);
    lmd_memory_free(W);
    lmd_memory_free(in);
}

/* In all types of W, with the same bits. */
static void check_types(lmd_kernel *kernel, int T, int O, int C, bool has_bias)
{
    for (int i = 0; i < TYPES; i++) {
        const linear_case it = {
            .T = T, .O = O, .C = C, .gap = i * 3, .has_bias = has_bias, .type = types[i]};
        check_linear(kernel, &it);
    }
}

static void linear_is_right_over_odd_sizes(void **state)
{
    (void)state;
    const int64_t live = lmd_memory_live();
    static const int T[] = {1, 13, 257}, O[] = {1, 17, 530}, C[] = {1, 7, 66};
    lmd_kernel *kernel = case_kernel(2, 300);
    for (int i = 0; i < 27; i++) {
        check_types(kernel, T[i % 3], O[i / 3 % 3], C[i / 9], i % 2 == 0);
    }
    static const int odd[] = {1, 13, 31, 32, 33, 65, 193, 289};
    for (int i = 0; i < 64; i++) {
        check_types(kernel, 3, odd[i / 8], odd[i % 8], false);
    }
    for (int n = 12; n < 16; n++) { // about the tiles of rows and panels of columns
        check_types(kernel, n, 2 * n + 3, 300, n % 2 == 0);
        check_types(kernel, 2 * n, n * 5, 2 * n, false);
    }
    check_types(kernel, 1200, 40, 20, true); // packed in parts
    case_free(kernel);
    assert_int_equal(lmd_memory_live(), live);
}

/* The rows [first, first + n) alone give the bits they have among all. */
static void check_rows_alone(lmd_kernel *kernel, const lmd_matrix *W, const float *in,
                             const float *out, int first, int n)
{
    const size_t O = (size_t)W->O;
    float *alone = case_numbers((size_t)n * O, 9, 1.0f);
    const size_t C = (size_t)W->C;
    lmd_kernel_linear(kernel, alone, in + (size_t)first * C, C, W, NULL, n);
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
        lmd_matrix matrix = make_matrix(O, C, types[i], W);
        lmd_kernel_linear(five, out, in, (size_t)C, &matrix, NULL, T);
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

/* 1 to 29 rows, with 1, 2 and 5 threads, from anywhere: about every size of tile. */
static void any_number_of_rows_has_the_same_bits(void **state)
{
    (void)state;
    enum { T = 64, O = 101, C = 70, MOST = 29 };
    static const int threads[] = {1, 2, 5};
    float *in = case_numbers((size_t)T * C, 1, 1.0f);
    float *W = case_numbers((size_t)O * C, 2, 1.0f);
    float *out = case_numbers((size_t)T * O, 3, 1.0f);
    for (int type = 0; type < TYPES; type++) {
        lmd_matrix matrix = make_matrix(O, C, types[type], W);
        for (int i = 0; i < 3; i++) {
            lmd_kernel *kernel = case_kernel(threads[i], C);
            if (i == 0) {
                lmd_kernel_linear(kernel, out, in, C, &matrix, NULL, T);
            }
            for (int M = 1; M <= MOST; M++) {
                check_rows_alone(kernel, &matrix, in, out, M % 3 * 17, M);
            }
            case_free(kernel);
        }
        lmd_memory_free(matrix.packed);
    }
    lmd_memory_free(out);
    lmd_memory_free(W);
    lmd_memory_free(in);
}

/* Blocks of rows and parts of columns are as many as suit the team. */
static void however_it_is_shared_out_bits_are_the_same(void **state)
{
    (void)state;
    enum { C = 40, MOST_T = 300, MOST_O = 530 };
    static const int T[] = {47, 97, 280, 300}, O[] = {32, 230, 530},
                     threads[] = {3, 6, 9};
    float *in = case_numbers((size_t)MOST_T * C, 1, 1.0f);
    float *W = case_numbers((size_t)MOST_O * C, 2, 1.0f);
    float *out = case_numbers((size_t)MOST_T * MOST_O, 3, 1.0f);
    lmd_kernel *one = case_kernel(1, C);
    for (int i = 0; i < 36; i++) {
        const int rows = T[i % 4], columns = O[i / 4 % 3];
        lmd_kernel *many = case_kernel(threads[i / 12], C);
        lmd_matrix matrix = make_matrix(columns, C, LMD_F32, W);
        lmd_kernel_linear(one, out, in, C, &matrix, NULL, rows);
        check_rows_alone(many, &matrix, in, out, 0, rows);
        lmd_memory_free(matrix.packed);
        case_free(many);
    }
    case_free(one);
    lmd_memory_free(out);
    lmd_memory_free(W);
    lmd_memory_free(in);
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
    lmd_matrix matrix = make_matrix(O, C, LMD_BF16, W);
    for (int i = 0; i < 2; i++) {
        outs[i] = case_numbers((size_t)T * O, 3, 1.0f);
        kernel->product = tiles[i];
        lmd_kernel_linear(kernel, outs[i], in, C, &matrix, NULL, T);
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
    assert_int_equal(is_first, strstr(lmd_kernel_choice(kernel), "the fastest") != NULL);
    assert_true(lmd_kernel_measure_peak(kernel, 1.0) > 0.0);
    lmd_kernel_use_plain(kernel);
    assert_string_equal(lmd_kernel_arithmetic(kernel), "f32; plain C, fused exp");
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
    const bool is_it = strcmp(kernel->product->name, name) == 0 &&
                       strstr(lmd_kernel_choice(kernel), "forced") != NULL;
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
        cmocka_unit_test(any_number_of_rows_has_the_same_bits),
        cmocka_unit_test(however_it_is_shared_out_bits_are_the_same),
    };
    const struct CMUnitTest others[] = {
        cmocka_unit_test(what_is_put_comes_back),
        cmocka_unit_test(put_rounds_to_nearest),
        cmocka_unit_test(every_half_float_widens_exactly),
        cmocka_unit_test(rows_round_as_half_does),
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
