/* Norms, rotary pairs and sum against plain fp64. */
#include <float.h>
#include "step_case.h"

enum { T = 37 };

typedef struct norm_case {
    int C;
    float *x, *weight, *bias, *out[N_TEAMS];
} norm_case;

static norm_case new_norm_case(int C, float offset)
{
    norm_case it = {.C = C,
                    .x = case_numbers((size_t)T * (size_t)C, 1, 3.0f),
                    .weight = case_numbers((size_t)C, 2, 1.0f),
                    .bias = case_numbers((size_t)C, 3, 1.0f)};
    for (int i = 0; i < T * C; i++) {
        it.x[i] += offset;
    }
    for (int i = 0; i < N_TEAMS; i++) {
        it.out[i] = case_numbers((size_t)T * (size_t)C, 4, 1.0f);
    }
    return it;
}

static void free_norm_case(norm_case *it)
{
    for (int i = 0; i < N_TEAMS; i++) {
        lmd_memory_free(it->out[i]);
    }
    lmd_memory_free(it->bias);
    lmd_memory_free(it->weight);
    lmd_memory_free(it->x);
}

/* (x - mean) / sqrt(variance + eps), or the same about 0. */
static void normalise(double *out, const float *x, int C, double eps, bool is_centred)
{
    double mean = 0.0, square = 0.0;
    for (int c = 0; is_centred && c < C; c++) {
        mean += (double)x[c] / C;
    }
    for (int c = 0; c < C; c++) {
        out[c] = (double)x[c] - mean;
        square += out[c] * out[c] / C;
    }
    for (int c = 0; c < C; c++) {
        out[c] /= sqrt(square + eps);
    }
}

static void check_rms_norm(int C)
{
    norm_case it = new_norm_case(C, 0.0f);
    float row[128];
    double expected[128];
    for (int i = 0; i < N_TEAMS; i++) {
        lmd_kernel *kernel = case_kernel(case_teams[i], C);
        lmd_kernel_rms_norm(kernel, it.out[i], it.x, it.weight, 1e-5, T, C);
        case_free(kernel);
    }
    case_check_teams(it.out, (size_t)(T * C));
    for (int t = 0; t < T; t++) {
        normalise(expected, it.x + t * C, C, 1e-5, false);
        for (int c = 0; c < C; c++) {
            const double y = expected[c] * (double)it.weight[c];
            assert_near((double)it.out[0][t * C + c], y, 3e-7 * (1.0 + fabs(y)));
        }
        lmd_kernel_rms_norm_row(row, it.x + t * C, it.weight, 1e-5, C);
        assert_same_bits(row, it.out[0] + t * C, (size_t)C * sizeof *row);
    }
    lmd_kernel *kernel = case_kernel(2, C);
    lmd_kernel_rms_norm(kernel, it.x, it.x, it.weight, 1e-5, T, C);
    assert_same_bits(it.x, it.out[0], (size_t)(T * C) * sizeof *it.x);
    case_free(kernel);
    free_norm_case(&it);
}

static void rms_norm_is_right(void **state)
{
    (void)state;
    const int64_t live = lmd_memory_live();
    for (int i = 0; i < N_WIDTHS; i++) {
        check_rms_norm(case_widths[i]);
    }
    assert_true(lmd_memory_live() == live);
}

static void check_layer_norm(int C, float offset, bool has_bias)
{
    norm_case it = new_norm_case(C, offset);
    const float *bias = has_bias ? it.bias : NULL;
    float row[128];
    double expected[128];
    for (int i = 0; i < N_TEAMS; i++) {
        lmd_kernel *kernel = case_kernel(case_teams[i], C);
        lmd_kernel_layer_norm(kernel, it.out[i], it.x, it.weight, bias, 1e-5, T, C);
        case_free(kernel);
    }
    case_check_teams(it.out, (size_t)(T * C));
    for (int t = 0; t < T; t++) {
        normalise(expected, it.x + t * C, C, 1e-5, true);
        for (int c = 0; c < C; c++) {
            const double y = expected[c] * (double)it.weight[c] +
                             (has_bias ? (double)it.bias[c] : 0.0);
            assert_near((double)it.out[0][t * C + c], y, 3e-7 * (1.0 + fabs(y)));
        }
        lmd_kernel_layer_norm_row(row, it.x + t * C, it.weight, bias, 1e-5, C);
        assert_same_bits(row, it.out[0] + t * C, (size_t)C * sizeof *row);
    }
    lmd_kernel *kernel = case_kernel(2, C);
    lmd_kernel_layer_norm(kernel, it.x, it.x, it.weight, bias, 1e-5, T, C);
    assert_same_bits(it.x, it.out[0], (size_t)(T * C) * sizeof *it.x);
    case_free(kernel);
    free_norm_case(&it);
}

static void layer_norm_is_right(void **state)
{
    (void)state;
    for (int i = 0; i < N_WIDTHS; i++) {
        check_layer_norm(case_widths[i], 0.0f, true);
        check_layer_norm(case_widths[i], 0.0f, false);
        check_layer_norm(case_widths[i], 1000.0f, true); // a mean far beyond the spread
    }
}

static void norms_stand_extreme_rows(void **state)
{
    (void)state;
    static const float sizes[] = {0.0f, 1e-42f, 1e-20f, 1e4f, 1e18f, FLT_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        enum { C = 17 };
        float *x = case_numbers(C, 1, sizes[i]), *weight = case_numbers(C, 2, 1.0f);
        float rms[C], layer[C];
        lmd_kernel_rms_norm_row(rms, x, weight, 1e-5, C);
        lmd_kernel_layer_norm_row(layer, x, weight, NULL, 1e-5, C);
        for (int c = 0; c < C; c++) {
            assert_true(fabsf(rms[c]) < 5.0f && fabsf(layer[c]) < 5.0f);
        }
        lmd_memory_free(weight);
        lmd_memory_free(x);
    }
}

/* Heads of D in rows with something else behind them. */
static void check_heads(int H, int D)
{
    enum { BEHIND = 5 };
    const int stride = H * D + BEHIND;
    const size_t n = (size_t)(T * stride);
    float *weight = case_numbers((size_t)D, 2, 1.0f), *old = case_numbers(n, 1, 2.0f);
    float *x[N_TEAMS];
    double expected[128];
    for (int i = 0; i < N_TEAMS; i++) {
        x[i] = case_numbers(n, 1, 2.0f);
        lmd_kernel *kernel = case_kernel(case_teams[i], 8);
        lmd_kernel_rms_norm_heads(kernel, x[i], (size_t)stride, weight, 1e-6, T, H, D);
        case_free(kernel);
    }
    case_check_teams(x, n);
    for (int t = 0; t < T; t++) {
        for (int h = 0; h < H; h++) {
            const int at = t * stride + h * D;
            normalise(expected, old + at, D, 1e-6, false);
            for (int c = 0; c < D; c++) {
                const double y = expected[c] * (double)weight[c];
                assert_near((double)x[0][at + c], y, 3e-7 * (1.0 + fabs(y)));
            }
        }
        assert_same_bits(x[0] + t * stride + H * D, old + t * stride + H * D,
                         BEHIND * sizeof *old);
    }
    for (int i = 0; i < N_TEAMS; i++) {
        lmd_memory_free(x[i]);
    }
    lmd_memory_free(old);
    lmd_memory_free(weight);
}

static void norm_of_heads_is_right(void **state)
{
    (void)state;
    for (int i = 0; i < N_WIDTHS; i++) {
        check_heads(1, case_widths[i]);
        check_heads(3, case_widths[i]);
    }
}

/* ---- rotary embedding ---- */

typedef struct turn {
    int H, D, R, stride;
} turn;

/* Element i of x before the turn, and how it turns. */
static double turned(const turn *it, const float *old, const lmd_rotary *rotary, int i)
{
    const int t = i / it->stride, c = i % it->stride, at = c % it->D, half = it->R / 2;
    if (c >= it->H * it->D || at >= it->R) {
        return (double)old[i];
    }
    const int pair = rotary->place[t] * half + at % half;
    const double other = (double)old[at < half ? i + half : i - half];
    const double sign = at < half ? -1.0 : 1.0;
    return (double)old[i] * (double)rotary->cosines[pair] +
           sign * other * (double)rotary->sines[pair];
}

static void check_rotation(const turn *it)
{
    enum { PLACES = 5 };
    const size_t n = (size_t)(T * it->stride);
    float *old = case_numbers(n, 1, 1.0f), *x[N_TEAMS];
    float *cosines = case_numbers((size_t)(PLACES * it->R), 2, 1.0f);
    float *sines = case_numbers((size_t)(PLACES * it->R), 3, 1.0f);
    int32_t place[T];
    for (int t = 0; t < T; t++) {
        place[t] = t % PLACES;
    }
    const lmd_rotary rotary = {
        .cosines = cosines, .sines = sines, .place = place, .R = it->R};
    for (int i = 0; i < N_TEAMS; i++) {
        x[i] = case_numbers(n, 1, 1.0f);
        lmd_kernel *kernel = case_kernel(case_teams[i], 8);
        lmd_kernel_rotate(kernel, x[i], (size_t)it->stride, &rotary, T, it->H, it->D);
        case_free(kernel);
    }
    case_check_teams(x, n);
    for (int i = 0; i < (int)n; i++) {
        const double y = turned(it, old, &rotary, i);
        assert_near((double)x[0][i], y, 3e-7);
        assert_true(i % it->stride < it->H * it->D || x[0][i] == old[i]);
    }
    for (int i = 0; i < N_TEAMS; i++) {
        lmd_memory_free(x[i]);
    }
    lmd_memory_free(sines);
    lmd_memory_free(cosines);
    lmd_memory_free(old);
}

static void rotation_is_right(void **state)
{
    (void)state;
    static const turn turns[] = {{3, 10, 10, 33},  {3, 10, 4, 30},   {1, 7, 6, 7},
                                 {2, 64, 16, 200}, {2, 64, 64, 128}, {1, 2, 2, 3},
                                 {4, 33, 0, 132}};
    for (size_t i = 0; i < sizeof turns / sizeof turns[0]; i++) {
        check_rotation(&turns[i]);
    }
}

static void sum_is_right(void **state)
{
    (void)state;
    for (int w = 0; w < N_WIDTHS; w++) {
        const int C = case_widths[w];
        const size_t n = (size_t)(T * C);
        float *a = case_numbers(n, 1, 1.0f), *b = case_numbers(n, 2, 1.0f);
        float *out = case_numbers(n, 3, 1.0f);
        lmd_kernel *kernel = case_kernel(2, 8);
        lmd_kernel_add(kernel, out, a, b, T, C);
        for (size_t i = 0; i < n; i++) {
            assert_true(out[i] == a[i] + b[i]);
        }
        lmd_kernel_add(kernel, b, a, b, T, C);
        assert_same_bits(b, out, n * sizeof *out);
        case_free(kernel);
        lmd_memory_free(out);
        lmd_memory_free(b);
        lmd_memory_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rms_norm_is_right),
        cmocka_unit_test(layer_norm_is_right),
        cmocka_unit_test(norms_stand_extreme_rows),
        cmocka_unit_test(norm_of_heads_is_right),
        cmocka_unit_test(rotation_is_right),
        cmocka_unit_test(sum_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
