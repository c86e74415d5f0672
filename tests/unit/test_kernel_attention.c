/* Attention against its definition in fp64: heads, strides, windows; several prompts in
 * a pack, teams of 1, 2 and 5. */
#include "kernel_case.h"

enum { BEHIND = 3 }; /* floats between the rows of q, k, v */

typedef struct pack {
    lmd_attention task;
    int T;
    float *q, *kv, *out; /* keys, then values in a row of kv */
} pack;

static pack new_pack(int T, const int heads[3], int window)
{
    const int H = heads[0], K = heads[1], D = heads[2];
    const size_t rows = (size_t)T;
    const size_t q_stride = (size_t)(H * D + BEHIND),
                 stride = (size_t)(2 * K * D + BEHIND);
    pack p = {.T = T,
              .q = case_numbers(rows * q_stride, 1, 1.0f),
              .kv = case_numbers(rows * stride, 2, 1.5f),
              .out = case_numbers(rows * (size_t)(H * D), 4, 1.0f)};
    p.task = (lmd_attention){.q = p.q,
                             .k = p.kv,
                             .v = p.kv + K * D,
                             .q_stride = q_stride,
                             .kv_stride = stride,
                             .H = H,
                             .K = K,
                             .D = D,
                             .window = window,
                             .scale = 0.3f};
    return p;
}

static void free_pack(pack *p)
{
    lmd_memory_free(p->q);
    lmd_memory_free(p->kv);
    lmd_memory_free(p->out);
}

/* Head h of row t of keys or values. */
static const float *shared_head(const lmd_attention *task, const float *x, int t, int h)
{
    return x + (size_t)t * task->kv_stride + (size_t)(h / (task->H / task->K) * task->D);
}

static double score(const lmd_attention *task, int t, int s, int h)
{
    const float *q = task->q + (size_t)t * task->q_stride + (size_t)(h * task->D);
    const float *k = shared_head(task, task->k, s, h);
    double sum = 0.0;
    for (int c = 0; c < task->D; c++) {
        sum += (double)q[c] * (double)k[c];
    }
    return sum * (double)task->scale;
}

/* Row t of a prompt that begins at `first`, head h, channel by channel. */
static void check_row(const pack *p, int first, int t, int h)
{
    const lmd_attention *task = &p->task;
    double weights[1024], sum = 0.0;
    const int low =
        task->window > 0 && t - task->window + 1 > first ? t - task->window + 1 : first;
    for (int s = low; s <= t; s++) {
        weights[s - low] = exp(score(task, t, s, h) - score(task, t, t, h));
        sum += weights[s - low];
    }
    const float *found = p->out + (size_t)(t * task->H + h) * (size_t)task->D;
    for (int c = 0; c < task->D; c++) {
        double expected = 0.0;
        for (int s = low; s <= t; s++) {
            expected +=
                weights[s - low] / sum * (double)shared_head(task, task->v, s, h)[c];
        }
        assert_near((double)found[c], expected, 3e-6);
    }
}

static void check_pack(const int heads[3], int window, const int32_t *starts,
                       int n_prompts)
{
    lmd_kernel *kernel = case_kernel(2, 300);
    pack p = new_pack(starts[n_prompts], heads, window);
    lmd_kernel_attention(kernel, p.out, &p.task, starts, n_prompts);
    for (int prompt = 0; prompt < n_prompts; prompt++) {
        for (int t = starts[prompt]; t < starts[prompt + 1]; t++) {
            for (int h = 0; h < heads[0]; h++) {
                check_row(&p, starts[prompt], t, h);
            }
        }
    }
    free_pack(&p);
    case_free(kernel);
}

static const int32_t starts[] = {0, 1, 64, 65, 64 + 130, 200, 200};

static void attention_is_right(void **state)
{
    (void)state;
    static const int all_heads[][3] = {{1, 1, 64}, {6, 2, 10}, {4, 4, 17},  {2, 1, 1},
                                       {3, 1, 33}, {8, 1, 7},  {1, 1, 300}, {2, 1, 80}};
    for (size_t i = 0; i < sizeof all_heads / sizeof all_heads[0]; i++) {
        check_pack(all_heads[i], 0, starts, 6);
    }
}

/* More prompts than fit a block, and one in their midst that needs several. */
static void short_prompts_are_right(void **state)
{
    (void)state;
    static const int heads[3] = {2, 1, 6};
    int32_t many[303] = {0};
    for (int p = 0; p < 302; p++) {
        many[p + 1] = many[p] + (p == 200 ? 300 : p % 3);
    }
    check_pack(heads, 0, many, 302);
    check_pack(heads, 2, many, 302);
}

static void windows_are_right(void **state)
{
    (void)state;
    static const int heads[3] = {4, 2, 9};
    static const int32_t one[] = {0, 333};
    static const int windows[] = {1,   2,   63,  64,  65,  127,
                                  128, 129, 200, 332, 333, 1 << 30};
    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        check_pack(heads, windows[i], one, 1);
        check_pack(heads, windows[i], starts, 6);
    }
}

/* A window that hides nothing changes no bit, and one that hides a key does. */
static void a_wide_window_is_none(void **state)
{
    (void)state;
    static const int heads[3] = {2, 2, 16};
    static const int32_t one[] = {0, 150};
    lmd_kernel *kernel = case_kernel(2, 64);
    pack none = new_pack(150, heads, 0), wide = new_pack(150, heads, 150),
         narrow = new_pack(150, heads, 149);
    lmd_kernel_attention(kernel, none.out, &none.task, one, 1);
    lmd_kernel_attention(kernel, wide.out, &wide.task, one, 1);
    lmd_kernel_attention(kernel, narrow.out, &narrow.task, one, 1);
    assert_same_bits(wide.out, none.out, (size_t)150 * 32 * sizeof *none.out);
    assert_same_bits(narrow.out, none.out, (size_t)149 * 32 * sizeof *none.out);
    assert_memory_not_equal(narrow.out + 149 * 32, none.out + 149 * 32,
                            32 * sizeof *none.out);
    free_pack(&narrow);
    free_pack(&wide);
    free_pack(&none);
    case_free(kernel);
}

/* With the given window; the first prompt is full of NaN, and no other may notice. */
static void check_alone(int window)
{
    static const int heads[] = {6, 2, 10};
    static const int32_t three[] = {0, 3, 3 + 77, 3 + 77 + 129};
    lmd_kernel *one = case_kernel(1, 60), *five = case_kernel(5, 60);
    pack p = new_pack(three[3], heads, window);
    for (size_t i = 0; i < 3 * p.task.kv_stride; i++) {
        p.kv[i] = NAN;
    }
    lmd_kernel_attention(five, p.out, &p.task, three, 3);
    assert_true(isnan(p.out[0]));
    for (int prompt = 1; prompt < 3; prompt++) {
        const int32_t alone[] = {0, three[prompt + 1] - three[prompt]};
        float *out = case_numbers((size_t)alone[1] * 60, 5, 1.0f);
        lmd_attention task = p.task;
        task.q += (size_t)three[prompt] * task.q_stride;
        task.k += (size_t)three[prompt] * task.kv_stride;
        task.v += (size_t)three[prompt] * task.kv_stride;
        lmd_kernel_attention(one, out, &task, alone, 1);
        assert_same_bits(out, p.out + (size_t)three[prompt] * 60,
                         (size_t)alone[1] * 60 * sizeof *out);
        lmd_memory_free(out);
    }
    free_pack(&p);
    case_free(five);
    case_free(one);
}

static void a_prompt_alone_has_the_bits_it_has_in_a_pack(void **state)
{
    (void)state;
    check_alone(0);
    check_alone(1);
    check_alone(50);
    check_alone(100);
}

/* Scores of +-1e8: all weight on the largest, nothing overflows. */
static void attention_stands_large_scores(void **state)
{
    (void)state;
    static const int heads[3] = {1, 1, 4};
    static const int32_t one[] = {0, 130};
    lmd_kernel *kernel = case_kernel(1, 64);
    pack p = new_pack(130, heads, 0);
    p.task.scale = 1e8f;
    lmd_kernel_attention(kernel, p.out, &p.task, one, 1);
    for (int i = 0; i < 130 * 4; i++) {
        assert_true(fabsf(p.out[i]) <= 1.5f);
    }
    free_pack(&p);
    case_free(kernel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attention_is_right),
        cmocka_unit_test(short_prompts_are_right),
        cmocka_unit_test(windows_are_right),
        cmocka_unit_test(a_wide_window_is_none),
        cmocka_unit_test(a_prompt_alone_has_the_bits_it_has_in_a_pack),
        cmocka_unit_test(attention_stands_large_scores),
    };
    int failures = 0;
    CASE_RUN_WITH_EACH_PRODUCT(tests, failures);
    return failures;
}
