/* Activations and gates against plain fp64, and at their limits. */
#include <float.h>
#include "step_case.h"

enum { T = 37 };

static double gelu_of(double x)
{
    return x * 0.5 * erfc(-x * 0.70710678118654752);
}

static double gelu_tanh_of(double x)
{
    return case_silu(2.0 * 0.79788456080286536 * (x + 0.044715 * x * x * x)) /
           (2.0 * 0.79788456080286536 * (1.0 + 0.044715 * x * x));
}

static double relu_of(double x)
{
    return x > 0.0 ? x : 0.0;
}

static double (*const definitions[LMD_ACTIVATIONS])(double) = {
    [LMD_SILU] = case_silu,
    [LMD_GELU] = gelu_of,
    [LMD_GELU_TANH] = gelu_tanh_of,
    [LMD_RELU] = relu_of};

static void check_activation(lmd_activation activation, int C)
{
    const size_t n = (size_t)(T * C);
    float *old = case_numbers(n, 1, 12.0f), *x[N_TEAMS];
    for (int i = 0; i < N_TEAMS; i++) {
        x[i] = case_numbers(n, 1, 12.0f);
        lmd_kernel *kernel = case_kernel(case_teams[i], 8);
        lmd_kernel_activate(kernel, x[i], activation, T, C);
        case_free(kernel);
    }
    case_check_teams(x, n);
    for (size_t i = 0; i < n; i++) {
        const double y = definitions[activation]((double)old[i]);
        assert_near((double)x[0][i], y, 4e-7 * fmax(1.0, fabs(y)));
    }
    for (int i = 0; i < N_TEAMS; i++) {
        lmd_memory_free(x[i]);
    }
    lmd_memory_free(old);
}

static void activations_are_right(void **state)
{
    (void)state;
    for (int a = 0; a < LMD_ACTIVATIONS; a++) {
        for (int i = 0; i < N_WIDTHS; i++) {
            check_activation((lmd_activation)a, case_widths[i]);
        }
    }
}

static void check_gate(lmd_activation activation, int F)
{
    const size_t n = (size_t)(T * 2 * F);
    float *old = case_numbers(n, 1, 5.0f), *x[N_TEAMS];
    for (int i = 0; i < N_TEAMS; i++) {
        x[i] = case_numbers(n, 1, 5.0f);
        lmd_kernel *kernel = case_kernel(case_teams[i], 8);
        lmd_kernel_gate(kernel, x[i], activation, T, F);
        case_free(kernel);
    }
    case_check_teams(x, n);
    for (int i = 0; i < (int)n; i++) {
        if (i % (2 * F) >= F) {
            assert_true(x[0][i] == old[i]);
            continue;
        }
        const double y = definitions[activation]((double)old[i]) * (double)old[i + F];
        assert_near((double)x[0][i], y, 2e-6 * fmax(1.0, fabs(y)));
    }
    for (int i = 0; i < N_TEAMS; i++) {
        lmd_memory_free(x[i]);
    }
    lmd_memory_free(old);
}

static void gates_are_right(void **state)
{
    (void)state;
    for (int a = 0; a < LMD_ACTIVATIONS; a++) {
        for (int i = 0; i < N_WIDTHS; i++) {
            check_gate((lmd_activation)a, case_widths[i]);
        }
    }
}

/* What is finite stays finite, and NaN stays NaN. */
static void activations_have_their_limits(void **state)
{
    (void)state;
    static const float given[] = {1e4f,    -1e4f,    88.5f,   -88.5f, 1e-42f,  -1e-42f,
                                  FLT_MAX, -FLT_MAX, -104.0f, 1e19f,  -1e19f,  0.0f,
                                  -0.0f,   -5.9f,    -13.5f,  -20.0f, FLT_MIN, NAN};
    enum { N = sizeof given / sizeof given[0] };
    for (int a = 0; a < LMD_ACTIVATIONS; a++) {
        float x[N];
        memcpy(x, given, sizeof x);
        lmd_kernel *kernel = case_kernel(1, 8);
        lmd_kernel_activate(kernel, x, (lmd_activation)a, 1, N);
        case_free(kernel);
        assert_true(isnan(x[N - 1]));
        for (int i = 0; i < N - 1; i++) {
            const double big = fmax(1.0, fabs((double)given[i]));
            const double y = given[i] > 1e4f    ? (double)given[i]
                             : given[i] < -1e4f ? 0.0
                                                : definitions[a]((double)given[i]);
            assert_near((double)x[i], y, given[i] < -1e3f ? 1e-30 : 2e-7 * big);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(activations_are_right),
        cmocka_unit_test(gates_are_right),
        cmocka_unit_test(activations_have_their_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
