/* The convolution and the selective scan against their definitions in fp64: odd sizes,
 * strides, several prompts in a pack, teams of 1, 2 and 5, extreme inputs. */
#include <float.h>
#include "step_case.h"

static const int32_t starts[] = {0, 1, 8, 8, 40, 77};

enum { N_PROMPTS = 5, T = 77, BEHIND = 3 };

static double softplus_of(double x)
{
    return fmax(x, 0.0) + log1p(exp(-fabs(x)));
}

/* ---- convolution ---- */

/* Row t of the prompt that begins at `first`, channel c. */
static double convolved(const lmd_convolution *it, const float *in, size_t stride,
                        int first, int t, int c)
{
    double sum = it->bias == NULL ? 0.0 : (double)it->bias[c];
    for (int j = 0; j < it->width; j++) {
        const int s = t - it->width + 1 + j;
        if (s >= first) {
            sum += (double)it->weight[j * it->C + c] *
                   (double)in[(size_t)s * stride + (size_t)c];
        }
    }
    return case_silu(sum);
}

static void check_convolution(int C, int width, bool has_bias)
{
    const size_t stride = (size_t)(C + BEHIND), n = (size_t)(T * C);
    float *in = case_numbers(T * stride, 1, 2.0f),
          *bias = case_numbers((size_t)C, 2, 1.0f);
    float *weight = case_numbers((size_t)(width * C), 3, 1.0f), *out[N_TEAMS];
    const lmd_convolution it = {
        .weight = weight, .bias = has_bias ? bias : NULL, .width = width, .C = C};
    in[0] = NAN; // of the first prompt, which is one row long
    for (int i = 0; i < N_TEAMS; i++) {
        out[i] = case_numbers(n, 4, 1.0f);
        lmd_kernel *kernel = case_kernel(case_teams[i], 8);
        lmd_kernel_convolve(kernel, out[i], in, stride, &it, starts, N_PROMPTS);
        assert_same_bits(out[i], out[0], n * sizeof(float));
        case_free(kernel);
    }
    assert_true(isnan(out[0][0]));
    for (int p = 1; p < N_PROMPTS; p++) {
        for (int i = starts[p] * C; i < starts[p + 1] * C; i++) {
            const double y = convolved(&it, in, stride, starts[p], i / C, i % C);
            assert_near((double)out[0][i], y, 1e-6 * (1.0 + fabs(y)));
        }
    }
    for (int i = 0; i < N_TEAMS; i++) {
        lmd_memory_free(out[i]);
    }
    lmd_memory_free(weight);
    lmd_memory_free(bias);
    lmd_memory_free(in);
}

static void convolution_is_right(void **state)
{
    (void)state;
    for (int i = 0; i < N_WIDTHS; i++) {
        check_convolution(case_widths[i], 1, true);
        check_convolution(case_widths[i], 4, true);
        check_convolution(case_widths[i], 4, false);
        check_convolution(case_widths[i], 40, true); // longer than the prompts
    }
}

/* ---- selective scan ---- */

typedef struct scan_case {
    lmd_selective_scan scan;
    int T;
    float *A, *skip, *bias, *x, *delta, *bc, *gate, *out;
} scan_case;

static scan_case new_scan_case(int width, int N, int rows)
{
    const size_t wide = (size_t)width, n = (size_t)rows * wide;
    const size_t bc_stride = (size_t)(2 * N + BEHIND), gate_stride = wide + BEHIND;
    scan_case it = {.T = rows,
                    .A = case_numbers((size_t)N * wide, 1, 4.0f),
                    .skip = case_numbers(wide, 2, 1.0f),
                    .bias = case_numbers(wide, 3, 1.0f),
                    .x = case_numbers(n, 4, 1.0f),
                    .delta = case_numbers(n, 5, 4.0f),
                    .bc = case_numbers((size_t)rows * bc_stride, 6, 1.0f),
                    .gate = case_numbers((size_t)rows * gate_stride, 7, 3.0f),
                    .out = case_numbers(n, 8, 1.0f)};
    for (size_t i = 0; i < (size_t)N * wide; i++) {
        it.A[i] = -fabsf(it.A[i]);
    }
    it.scan = (lmd_selective_scan){.A = it.A,
                                   .skip = it.skip,
                                   .delta_bias = it.bias,
                                   .x = it.x,
                                   .delta = it.delta,
                                   .B = it.bc,
                                   .C = it.bc + N,
                                   .gate = it.gate,
                                   .bc_stride = bc_stride,
                                   .gate_stride = gate_stride,
                                   .width = width,
                                   .n_states = N};
    return it;
}

static void free_scan_case(scan_case *it)
{
    float *const all[] = {it->A,     it->skip, it->bias, it->x,
                          it->delta, it->bc,   it->gate, it->out};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        lmd_memory_free(all[i]);
    }
}

/* One channel of rows [first, end) by the definition. `size` is what the rounding errors
 * of a row are relative to: the sum of the magnitudes of all that was added. */
static void check_channel(const scan_case *it, int first, int end, int c,
                          double tolerance)
{
    const lmd_selective_scan *scan = &it->scan;
    double h[64] = {0}, sizes[64] = {0};
    for (int t = first; t < end; t++) {
        const size_t at = (size_t)t * (size_t)scan->width + (size_t)c;
        const float *B = scan->B + (size_t)t * scan->bc_stride;
        const float *C = scan->C + (size_t)t * scan->bc_stride;
        const double x = (double)it->x[at];
        const double s = softplus_of((double)(it->delta[at] + it->bias[c]));
        double y = (double)it->skip[c] * x, size = fabs(y);
        for (int n = 0; n < scan->n_states; n++) {
            const double e = exp(s * (double)it->A[n * scan->width + c]);
            h[n] = e * h[n] + s * (double)B[n] * x;
            sizes[n] = e * sizes[n] + fabs(s * (double)B[n] * x);
            y += (double)C[n] * h[n];
            size += fabs((double)C[n]) * sizes[n];
        }
        const double gate =
            case_silu((double)scan->gate[(size_t)t * scan->gate_stride + (size_t)c]);
        assert_near((double)it->out[at], y * gate, tolerance * size * fabs(gate) + 1e-30);
    }
}

static void check_scan(int width, int N)
{
    scan_case it = new_scan_case(width, N, T);
    const size_t n = (size_t)(T * width);
    float *first = case_numbers(n, 9, 1.0f);
    for (int i = 0; i < N_TEAMS; i++) {
        lmd_kernel *kernel = case_kernel(case_teams[i], 8);
        lmd_kernel_scan(kernel, it.out, &it.scan, starts, N_PROMPTS);
        memcpy(first, i == 0 ? it.out : first, n * sizeof *first);
        assert_same_bits(it.out, first, n * sizeof *first);
        case_free(kernel);
    }
    for (int p = 0; p < N_PROMPTS; p++) {
        for (int c = 0; c < width; c++) {
            check_channel(&it, starts[p], starts[p + 1], c, 2e-6);
        }
    }
    lmd_kernel *kernel = case_kernel(2, 8); // in place
    lmd_kernel_scan(kernel, it.x, &it.scan, starts, N_PROMPTS);
    assert_same_bits(it.x, it.out, n * sizeof *it.x);
    case_free(kernel);
    lmd_memory_free(first);
    free_scan_case(&it);
}

static void scan_is_right(void **state)
{
    (void)state;
    const int64_t live = lmd_memory_live();
    for (int i = 0; i < N_WIDTHS; i++) {
        check_scan(case_widths[i], 1);
        check_scan(case_widths[i], 3);
        check_scan(case_widths[i], 16);
        check_scan(case_widths[i], 33);
    }
    assert_true(lmd_memory_live() == live);
}

static void a_prompt_alone_has_the_bits_it_has_in_a_pack(void **state)
{
    (void)state;
    enum { WIDTH_ = 50, N = 5 };
    scan_case it = new_scan_case(WIDTH_, N, T);
    it.x[0] = NAN; // of the first prompt, and no other may notice
    lmd_kernel *one = case_kernel(1, 8), *five = case_kernel(5, 8);
    lmd_kernel_scan(five, it.out, &it.scan, starts, N_PROMPTS);
    assert_true(isnan(it.out[0]));
    for (int p = 1; p < N_PROMPTS; p++) {
        const size_t first = (size_t)starts[p], wide = WIDTH_;
        const int32_t alone[] = {0, starts[p + 1] - starts[p]};
        lmd_selective_scan scan = it.scan;
        scan.x += first * wide;
        scan.delta += first * wide;
        scan.B += first * scan.bc_stride;
        scan.C += first * scan.bc_stride;
        scan.gate += first * scan.gate_stride;
        float *out = case_numbers((size_t)alone[1] * wide, 9, 1.0f);
        lmd_kernel_scan(one, out, &scan, alone, 1);
        assert_same_bits(out, it.out + first * wide,
                         (size_t)alone[1] * wide * sizeof *out);
        lmd_memory_free(out);
    }
    case_free(five);
    case_free(one);
    free_scan_case(&it);
}

/* Steps so small that a state lives for thousands of rows: its decay must not drift. */
static void slow_states_do_not_drift(void **state)
{
    (void)state;
    enum { ROWS = 5000, WIDTH_ = 16, N = 2 };
    scan_case it = new_scan_case(WIDTH_, N, ROWS);
    for (int i = 0; i < ROWS * WIDTH_; i++) {
        it.delta[i] = -9.0f + it.delta[i] / 4.0f;
        it.x[i] = fabsf(it.x[i]);
    }
    const int32_t one[] = {0, ROWS};
    lmd_kernel *kernel = case_kernel(2, 8);
    lmd_kernel_scan(kernel, it.out, &it.scan, one, 1);
    for (int c = 0; c < WIDTH_; c++) {
        check_channel(&it, 0, ROWS, c, 2e-5);
    }
    case_free(kernel);
    free_scan_case(&it);
}

/* softplus by itself: one row, one state, A 0, B 1, C 1, x 1, no skip, gate 64, whose
 * silu is 64. */
static void softplus_is_accurate(void **state)
{
    (void)state;
    enum { WIDTH_ = 4000 };
    static const float odd[] = {0.0f,  -0.0f,  1e4f,    -1e4f,   1e-42f, 20.0f,
                                16.7f, -86.9f, FLT_MIN, -200.0f, 1e30f,  -1e30f};
    scan_case it = new_scan_case(WIDTH_, 1, 1);
    for (int c = 0; c < WIDTH_; c++) {
        it.A[c] = it.skip[c] = it.bias[c] = 0.0f;
        it.x[c] = 1.0f;
        it.gate[c] = 64.0f;
        it.delta[c] = -80.0f + 0.03f * (float)c;
    }
    memcpy(it.delta, odd, sizeof odd);
    it.bc[0] = it.bc[1] = 1.0f;
    const int32_t one[] = {0, 1};
    lmd_kernel *kernel = case_kernel(1, 8);
    lmd_kernel_scan(kernel, it.out, &it.scan, one, 1);
    for (int c = 0; c < WIDTH_; c++) {
        const double y = softplus_of((double)it.delta[c]);
        assert_near((double)it.out[c] / 64.0, y, 2.5e-7 * y + 1e-37);
    }
    case_free(kernel);
    free_scan_case(&it);
}

static void scan_stands_extreme_inputs(void **state)
{
    (void)state;
    enum { ROWS = 40, WIDTH_ = 36, N = 4 };
    static const float odd[] = {1e4f, -1e4f, 0.0f, -0.0f, 1e-42f, -1e-42f, 80.0f, -80.0f};
    scan_case it = new_scan_case(WIDTH_, N, ROWS);
    for (int i = 0; i < ROWS * WIDTH_; i++) {
        it.delta[i] = odd[i % 8];
        it.x[i] = odd[i / 8 % 8];
        it.gate[i] = odd[i / 64 % 8];
    }
    for (int i = 0; i < N * WIDTH_; i++) {
        it.A[i] = -fabsf(odd[i % 7]);
    }
    const int32_t one[] = {0, ROWS};
    lmd_kernel *kernel = case_kernel(2, 8);
    lmd_kernel_scan(kernel, it.out, &it.scan, one, 1);
    for (int i = 0; i < ROWS * WIDTH_; i++) {
        assert_true(isfinite(it.out[i]));
    }
    for (int c = 0; c < WIDTH_; c++) {
        check_channel(&it, 0, ROWS, c, 4e-6);
    }
    case_free(kernel);
    free_scan_case(&it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolution_is_right),
        cmocka_unit_test(scan_is_right),
        cmocka_unit_test(a_prompt_alone_has_the_bits_it_has_in_a_pack),
        cmocka_unit_test(slow_states_do_not_drift),
        cmocka_unit_test(softplus_is_accurate),
        cmocka_unit_test(scan_stands_extreme_inputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
