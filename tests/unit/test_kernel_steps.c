/* Norm, rotary pairs, gate, sum and attention against plain fp64. */
#include "kernel_case.h"

static void norm_is_right(void **state)
{
    (void)state;
    enum { T = 37, C = 45 };
    lmd_kernel *kernel = case_kernel(3, C);
    float *x = case_numbers((size_t)T * C, 1, 3.0f), *weight = case_numbers(C, 2, 1.0f);
    float *out = case_numbers((size_t)T * C, 3, 1.0f);
    lmd_kernel_rms_norm(kernel, out, x, weight, 1e-5, T, C);
    for (size_t t = 0; t < T; t++) {
        double square = 0.0;
        for (size_t c = 0; c < C; c++) {
            square += (double)x[t * C + c] * (double)x[t * C + c];
        }
        for (size_t c = 0; c < C; c++) {
            const double expected =
                (double)x[t * C + c] / sqrt(square / C + 1e-5) * (double)weight[c];
            assert_near((double)out[t * C + c], expected, 3e-7 * (1.0 + fabs(expected)));
        }
        float row[C];
        lmd_kernel_rms_norm_row(row, x + t * C, weight, 1e-5, C);
        assert_same_bits(row, out + t * C, sizeof row);
    }
    lmd_kernel_rms_norm(kernel, x, x, weight, 1e-5, T, C);
    assert_same_bits(x, out, (size_t)T * C * sizeof *x);
    lmd_memory_free(out);
    lmd_memory_free(weight);
    lmd_memory_free(x);
    case_free(kernel);
}

static void rotation_is_right(void **state)
{
    (void)state;
    enum { T = 19, H = 3, D = 10, STRIDE = 33, PLACES = 5 };
    lmd_kernel *kernel = case_kernel(2, 8);
    float *x = case_numbers((size_t)T * STRIDE, 1, 1.0f);
    float *old = case_numbers((size_t)T * STRIDE, 1, 1.0f);
    float *cosines = case_numbers(PLACES * D / 2, 2, 1.0f);
    float *sines = case_numbers(PLACES * D / 2, 3, 1.0f);
    int32_t place[T];
    for (int t = 0; t < T; t++) {
        place[t] = t % PLACES;
    }
    lmd_kernel_rotate(kernel, x, STRIDE, cosines, sines, place, T, H, D);
    for (int i = 0; i < T * STRIDE; i++) {
        const int t = i / STRIDE, c = i % STRIDE, at = c % D;
        if (c >= H * D) {
            assert_true(x[i] == old[i]);
            continue;
        }
        const int pair = place[t] * (D / 2) + at % (D / 2);
        const double other = (double)old[at < D / 2 ? i + D / 2 : i - D / 2];
        const double sign = at < D / 2 ? -1.0 : 1.0;
        assert_near((double)x[i],
                    (double)old[i] * (double)cosines[pair] +
                        sign * other * (double)sines[pair],
                    3e-7);
    }
    lmd_memory_free(sines);
    lmd_memory_free(cosines);
    lmd_memory_free(old);
    lmd_memory_free(x);
    case_free(kernel);
}

static void gate_and_sum_are_right(void **state)
{
    (void)state;
    enum { T = 33, F = 21 };
    lmd_kernel *kernel = case_kernel(2, 8);
    float *gate = case_numbers((size_t)T * F, 1, 30.0f);
    float *up = case_numbers((size_t)T * F, 2, 1.0f);
    gate[5] = -200.0f;
    gate[6] = 200.0f;
    gate[7] = NAN;
    float *old = case_numbers((size_t)T * F, 1, 30.0f);
    memcpy(old, gate, (size_t)T * F * sizeof *gate);
    lmd_kernel_silu_gate(kernel, gate, up, T, F);
    for (int i = 0; i < T * F; i++) {
        const double x = (double)old[i], expected = x / (1.0 + exp(-x)) * (double)up[i];
        if (i == 7) {
            assert_true(isnan(gate[i]));
        } else {
            assert_near((double)gate[i], expected, 1e-6 * (fabs(expected) + 1e-3));
        }
    }
    lmd_kernel_add(kernel, up, up, old, T, F);
    float *first = case_numbers((size_t)T * F, 2, 1.0f);
    for (int i = 0; i < T * F; i++) {
        assert_true(i == 7 || up[i] == first[i] + old[i]);
    }
    lmd_memory_free(first);
    lmd_memory_free(old);
    lmd_memory_free(up);
    lmd_memory_free(gate);
    case_free(kernel);
}

/* ---- attention ---- */

typedef struct pack {
    int T, H, K, D;
    float *q, *k, *v, *out;
} pack;

static pack make_pack(int T, const int heads[3])
{
    const size_t rows = (size_t)T;
    const size_t wide = (size_t)(heads[0] * heads[2]),
                 narrow = (size_t)(heads[1] * heads[2]);
    return (pack){.T = T,
                  .H = heads[0],
                  .K = heads[1],
                  .D = heads[2],
                  .q = case_numbers(rows * wide, 1, 1.0f),
                  .k = case_numbers(rows * narrow, 2, 1.5f),
                  .v = case_numbers(rows * narrow, 3, 1.0f),
                  .out = case_numbers(rows * wide, 4, 1.0f)};
}

static void free_pack(pack *p)
{
    lmd_memory_free(p->q);
    lmd_memory_free(p->k);
    lmd_memory_free(p->v);
    lmd_memory_free(p->out);
}

static double score(const pack *p, int t, int s, int h, double scale)
{
    const float *q = p->q + ((size_t)t * (size_t)p->H + (size_t)h) * (size_t)p->D;
    const int g = h / (p->H / p->K);
    const float *k = p->k + ((size_t)s * (size_t)p->K + (size_t)g) * (size_t)p->D;
    double sum = 0.0;
    for (int c = 0; c < p->D; c++) {
        sum += (double)q[c] * (double)k[c];
    }
    return sum * scale;
}

/* Row t of a prompt that begins at `first`, head h, channel by channel. */
static void check_attention(const pack *p, int first, int t, int h, double scale)
{
    double weights[1024], sum = 0.0;
    for (int s = first; s <= t; s++) {
        weights[s - first] = exp(score(p, t, s, h, scale) - score(p, t, t, h, scale));
        sum += weights[s - first];
    }
    const size_t D = (size_t)p->D;
    for (size_t c = 0; c < D; c++) {
        double expected = 0.0;
        for (int s = first; s <= t; s++) {
            const size_t g = (size_t)(h / (p->H / p->K));
            expected += weights[s - first] / sum *
                        (double)p->v[((size_t)s * (size_t)p->K + g) * D + c];
        }
        const float found = p->out[((size_t)t * (size_t)p->H + (size_t)h) * D + c];
        assert_near((double)found, expected, 3e-6);
    }
}

static void attention_is_right(void **state)
{
    (void)state;
    static const int all_heads[][3] = {{1, 1, 64}, {6, 2, 10}, {4, 4, 17}};
    static const int32_t starts[] = {0, 1, 64, 65, 64 + 130, 200, 200};
    for (int i = 0; i < 3; i++) {
        lmd_kernel *kernel = case_kernel(2, 64);
        pack p = make_pack(200, all_heads[i]);
        lmd_kernel_attention(kernel, p.out, p.q, p.k, p.v, starts, 6, all_heads[i], 0.3f);
        for (int prompt = 0; prompt < 6; prompt++) {
            for (int t = starts[prompt]; t < starts[prompt + 1]; t++) {
                for (int h = 0; h < p.H; h++) {
                    check_attention(&p, starts[prompt], t, h, (double)0.3f);
                }
            }
        }
        free_pack(&p);
        case_free(kernel);
    }
}

static void a_prompt_alone_has_the_bits_it_has_in_a_pack(void **state)
{
    (void)state;
    static const int heads[] = {6, 2, 10};
    static const int32_t starts[] = {0, 3, 3 + 77, 3 + 77 + 129};
    lmd_kernel *one = case_kernel(1, 60), *five = case_kernel(5, 60);
    pack p = make_pack(starts[3], heads);
    p.k[0] = NAN; // of the first prompt, and no other may notice
    lmd_kernel_attention(five, p.out, p.q, p.k, p.v, starts, 3, heads, 0.3f);
    assert_true(isnan(p.out[0]));
    for (int prompt = 1; prompt < 3; prompt++) {
        const int32_t alone[] = {0, starts[prompt + 1] - starts[prompt]};
        const size_t wide = (size_t)starts[prompt] * 60,
                     narrow = (size_t)starts[prompt] * 20;
        float *out = case_numbers((size_t)alone[1] * 60, 5, 1.0f);
        lmd_kernel_attention(one, out, p.q + wide, p.k + narrow, p.v + narrow, alone, 1,
                             heads, 0.3f);
        assert_same_bits(out, p.out + wide, (size_t)alone[1] * 60 * sizeof *out);
        lmd_memory_free(out);
    }
    free_pack(&p);
    case_free(five);
    case_free(one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(norm_is_right),
        cmocka_unit_test(rotation_is_right),
        cmocka_unit_test(gate_and_sum_are_right),
        cmocka_unit_test(attention_is_right),
        cmocka_unit_test(a_prompt_alone_has_the_bits_it_has_in_a_pack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
