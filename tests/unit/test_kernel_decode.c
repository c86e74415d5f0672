/* The decoder against its naive twin, and its promises of equal bits.
 *
 * The twin reads logits that linear computed from the same states; where the decoder's
 * product rounds otherwise, numbers may differ by rounding and near ties may fall either
 * way. So most cases use small whole numbers, for which every product is exact and ranks,
 * ids and ties must agree exactly. */
#include <float.h>
#include "decode_case.h"

static lmd_head head_of(const decode_case *c)
{
    return (lmd_head){.matrix = &c->matrix,
                      .ids = c->ids,
                      .places = c->places,
                      .band_rows = c->edges,
                      .n_bands = c->n_bands};
}

/* Packs W anew; rows become what the type can hold. */
static void set_type(decode_case *c, lmd_matrix_type type)
{
    lmd_memory_free(c->matrix.packed);
    c->type = type;
    make_matrix(c);
    for (int id = 0; id < c->V; id++) {
        lmd_matrix_get_row(&c->matrix, c->places[id], c->W + (size_t)id * (size_t)c->d);
    }
}

static const int everything = LMD_DECODE_ENTROPY | LMD_DECODE_KL | LMD_DECODE_MASS;

static void run_case(lmd_kernel *kernel, decode_case *c, int wants)
{
    const lmd_head head = head_of(c);
    lmd_decoder *decoder = lmd_decoder_new(kernel, &head, c->L, wants);
    lmd_decode(decoder, fill, c, c->S, c->L, c->gold, c->readouts,
               (wants & LMD_DECODE_MASS) != 0 ? c->mass : NULL);
    lmd_decoder_free(decoder);
}

/* Logits by id of one row, fp64 rounded once: exact for whole numbers. */
static void naive_logits(const decode_case *c, int state, int s, float *out)
{
    const size_t d = (size_t)c->d;
    const float *x = c->states + ((size_t)state * (size_t)c->S + (size_t)s) * d;
    for (size_t id = 0; id < (size_t)c->V; id++) {
        double sum = 0.0;
        for (size_t i = 0; i < d; i++) {
            sum += (double)case_operand(x[i]) * (double)case_operand(c->W[id * d + i]);
        }
        out[id] = (float)sum;
    }
}

static void check_row(const decode_case *c, int state, int s, const float *z,
                      const float *out)
{
    const size_t at = (size_t)state * (size_t)c->S + (size_t)s;
    const lmd_readout *got = &c->readouts[at];
    double mass[16];
    lmd_readout want;
    lmd_decode_naive(z, out, c->V, c->bands, c->n_bands, c->gold[s], &want, mass);
    assert_int_equal(got->is_finite, want.is_finite);
    if (!want.is_finite) {
        return;
    }
    assert_int_equal(got->top1, want.top1);
    assert_true(got->margin == want.margin);
    assert_int_equal(got->final_rank, want.final_rank);
    assert_int_equal(got->gold_rank, want.gold_rank);
    assert_true(got->final_logit == want.final_logit);
    assert_true(c->gold[s] < 0 ? isnan(got->gold_logit)
                               : got->gold_logit == want.gold_logit);
    assert_near(got->lse, want.lse, 2e-5);
    assert_near(got->entropy, want.entropy, 2e-5);
    assert_near(got->kl, want.kl, 2e-5 + 1e-6 * want.kl);
    for (int b = 0; b < c->n_bands; b++) {
        assert_near(c->mass[at * (size_t)c->n_bands + (size_t)b], mass[b], 2e-6);
    }
}

/* The rows of some tokens against the twin. */
static void check_case(const decode_case *c)
{
    float *z = case_numbers((size_t)c->V, 1, 1.0f),
          *out = case_numbers((size_t)c->V, 1, 1.0f);
    for (int s = 0; s < c->S; s += s < 3 ? 1 : 9) {
        naive_logits(c, c->L - 1, s, out);
        for (int state = 0; state < c->L; state++) {
            naive_logits(c, state, s, z);
            check_row(c, state, s, z, out);
        }
        const lmd_readout *last =
            &c->readouts[(size_t)(c->L - 1) * (size_t)c->S + (size_t)s];
        assert_true(last->kl == 0.0 && last->final_rank == 1);
    }
    lmd_memory_free(out);
    lmd_memory_free(z);
}

static void decode_equals_the_naive_twin(void **state)
{
    (void)state;
    const int64_t live = lmd_memory_live();
    static const int sizes[][4] = {{1, 1, 1, 1},     {2, 7, 13, 2},     {31, 64, 112, 5},
                                   {513, 7, 13, 5},  {5000, 64, 1, 2},  {5000, 7, 112, 2},
                                   {512, 64, 13, 1}, {1100, 9, 29, 33}, {40, 3, 3, 600}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const int *n = sizes[i];
        lmd_kernel *kernel = case_kernel(1 + (int)i % 3, n[1]);
        decode_case c = make_case(n[0], n[1], n[2], n[3], 0.5f);
        set_type(&c, case_type((lmd_matrix_type)(i % 3)));
        run_case(kernel, &c, everything);
        check_case(&c);
        free_case(&c);
        case_free(kernel);
    }
    assert_int_equal(lmd_memory_live(), live);
}

/* Numbers with full mantissas: statistics to 2e-5, ranks but for near ties. */
static void decode_is_accurate_on_ordinary_numbers(void **state)
{
    (void)state;
    lmd_kernel *kernel = case_kernel(2, 64);
    decode_case c = make_case(5000, 64, 13, 4, 0.0f);
    run_case(kernel, &c, everything);
    float *z = case_numbers(5000, 1, 1.0f), *out = case_numbers(5000, 1, 1.0f);
    for (int row = 0; row < c.S * c.L; row++) {
        naive_logits(&c, row / c.S, row % c.S, z);
        naive_logits(&c, c.L - 1, row % c.S, out);
        lmd_readout want;
        lmd_decode_naive(z, out, c.V, c.bands, c.n_bands, c.gold[row % c.S], &want, NULL);
        const lmd_readout *got = &c.readouts[row];
        assert_int_equal(got->top1, want.top1);
        assert_near(got->final_rank, want.final_rank, 2.0);
        assert_near(got->gold_rank, want.gold_rank, 2.0);
        assert_near(got->lse, want.lse, 2e-5);
        assert_near(got->entropy, want.entropy, 2e-5);
        assert_near(got->kl, want.kl, 2e-5);
    }
    lmd_memory_free(out);
    lmd_memory_free(z);
    free_case(&c);
    case_free(kernel);
}

/* Unembeddings of half floats give the bits that the same values give as floats. */
static void half_floats_decode_as_floats_do(void **state)
{
    (void)state;
    static const lmd_matrix_type types[] = {LMD_F16, LMD_BF16};
    static const int sizes[][4] = {
        {33, 13, 7, 3}, {513, 65, 31, 2}, {1100, 301, 40, 3}, {40, 3, 3, 600}};
    for (int i = 0; i < 8; i++) {
        const int *n = sizes[i / 2];
        lmd_kernel *kernel = case_kernel(2, n[1]);
        decode_case half = make_case(n[0], n[1], n[2], n[3], 0.0f),
                    wide = make_case(n[0], n[1], n[2], n[3], 0.0f);
        set_type(&half, types[i % 2]);
        memcpy(wide.W, half.W, (size_t)n[0] * (size_t)n[1] * sizeof *wide.W);
        set_type(&wide, LMD_F32);
        run_case(kernel, &half, everything);
        run_case(kernel, &wide, everything);
        const size_t rows = (size_t)n[2] * (size_t)n[3];
        assert_same_bits(half.readouts, wide.readouts, rows * sizeof *half.readouts);
        assert_same_bits(half.mass, wide.mass, rows * 7 * sizeof *half.mass);
        free_case(&wide);
        free_case(&half);
        case_free(kernel);
    }
}

/* A case whose logits are what `shape` says: d = 2, W = (1, value of the id). */
static void check_shape(lmd_kernel *kernel, float offset, float (*shape)(int id))
{
    decode_case c = make_case(1500, 2, 5, 3, 1.0f);
    for (int id = 0; id < c.V; id++) {
        c.W[2 * id] = 1.0f;
        c.W[2 * id + 1] = shape(id);
    }
    for (int row = 0; row < c.S * c.L; row++) {
        c.states[2 * row] = offset;
        c.states[2 * row + 1] = row % 2 == 0 ? 1.0f : 0.5f;
    }
    lmd_memory_free(c.matrix.packed);
    make_matrix(&c);
    run_case(kernel, &c, everything);
    check_case(&c);
    free_case(&c);
}

static float all_equal(int id)
{
    (void)id;
    return 4.0f;
}

static float ordinary(int id)
{
    return (float)(id * 37 % 101) * 0.125f;
}

static float spread(int id)
{
    return (float)(id * 37 % 101 - 50) * 200.0f;
}

static void extreme_logits_are_right(void **state)
{
    (void)state;
    lmd_kernel *kernel = case_kernel(2, 2);
    static const float offsets[] = {0.0f, 1e4f, -1e4f};
    for (int i = 0; i < 3; i++) {
        check_shape(kernel, offsets[i], all_equal);
        check_shape(kernel, offsets[i], ordinary);
        check_shape(kernel, offsets[i], spread);
    }
    case_free(kernel);
}

static void equal_rows_tie_to_the_lowest_id(void **state)
{
    (void)state;
    lmd_kernel *kernel = case_kernel(1, 64);
    decode_case c = make_case(1300, 64, 7, 3, 0.0f);
    // Ids in different tiles and bands share one row of large numbers.
    static const int twins[] = {1290, 700, 333, 41};
    for (int i = 0; i < 4 * 64; i++) {
        c.W[(size_t)twins[i / 64] * 64 + (size_t)(i % 64)] = c.W[i % 64] * 50.0f;
    }
    lmd_memory_free(c.matrix.packed);
    make_matrix(&c);
    for (int s = 0; s < c.S; s++) {
        c.gold[s] = 1290;
    }
    run_case(kernel, &c, everything);
    int ties = 0;
    for (int row = 0; row < c.S * c.L; row++) {
        if (c.readouts[row].gold_rank == 1) {
            assert_int_equal(c.readouts[row].top1, 41);
            assert_true(c.readouts[row].margin == 0.0f);
            ties++;
        }
    }
    assert_true(ties > 0);
    free_case(&c);
    case_free(kernel);
}

static void rows_that_are_not_finite_touch_no_other(void **state)
{
    (void)state;
    lmd_kernel *kernel = case_kernel(2, 7);
    decode_case clean = make_case(600, 7, 9, 4, 0.5f), c = make_case(600, 7, 9, 4, 0.5f);
    static const float strange[] = {NAN, INFINITY, -INFINITY, 3e38f};
    // Token 2 at state 1, token 3 at state 0, token 4 at state 2; token 5's output.
    static const int rows[] = {1 * 9 + 2, 0 * 9 + 3, 2 * 9 + 4, 3 * 9 + 5};
    for (int i = 0; i < 4; i++) {
        c.states[rows[i] * 7] = strange[i];
        c.states[rows[i] * 7 + 1] = strange[i];
    }
    run_case(kernel, &clean, everything);
    run_case(kernel, &c, everything);
    for (int row = 0; row < 36; row++) {
        bool is_strange = false;
        for (int i = 0; i < 4; i++) {
            is_strange = is_strange || row == rows[i];
        }
        assert_int_equal(c.readouts[row].is_finite, !is_strange);
        if (!is_strange && row % 9 != 5) {
            assert_same_bits(&c.readouts[row], &clean.readouts[row], sizeof(lmd_readout));
            assert_same_bits(&c.mass[row * 7], &clean.mass[row * 7], 7 * sizeof(double));
        }
        if (!is_strange && row % 9 == 5) { // theirs, though sums refer to another logit
            const double change = c.readouts[row].lse - clean.readouts[row].lse;
            assert_true(fabs(change) < 4e-6);
            assert_int_equal(c.readouts[row].top1, clean.readouts[row].top1);
            assert_int_equal(c.readouts[row].gold_rank, clean.readouts[row].gold_rank);
        }
    }
    free_case(&c);
    free_case(&clean);
    case_free(kernel);
}

static void wants_change_nothing_else(void **state)
{
    (void)state;
    lmd_kernel *kernel = case_kernel(2, 16);
    decode_case all = make_case(1100, 16, 11, 4, 0.0f),
                c = make_case(1100, 16, 11, 4, 0.0f);
    run_case(kernel, &all, everything);
    for (int wants = 0; wants < 8; wants++) {
        run_case(kernel, &c, wants);
        for (int row = 0; row < 44; row++) {
            const lmd_readout *a = &c.readouts[row], *b = &all.readouts[row];
            const bool is_last = row >= 33;
            assert_int_equal(a->top1, b->top1);
            assert_int_equal(a->final_rank, b->final_rank);
            assert_int_equal(a->gold_rank, b->gold_rank);
            assert_true(a->margin == b->margin && a->final_logit == b->final_logit);
            assert_true(wants == 0 ? isnan(a->lse) : a->lse == b->lse);
            assert_true((wants & LMD_DECODE_ENTROPY) == 0 || a->entropy == b->entropy);
            assert_true((wants & LMD_DECODE_KL) == 0 && !is_last ? isnan(a->kl)
                                                                 : a->kl == b->kl);
        }
        if ((wants & LMD_DECODE_MASS) != 0) {
            assert_same_bits(c.mass, all.mass, 44 * 7 * sizeof(double));
        }
    }
    free_case(&c);
    free_case(&all);
    case_free(kernel);
}

/* Token s of a case alone, or among others, on any team: the same bits. */
static void bits_know_neither_team_nor_place(void **state)
{
    (void)state;
    enum { V = 1600, D = 48, S = 112, L = 6 };
    decode_case all = make_case(V, D, S, L, 0.0f), few = make_case(V, D, S, L, 0.0f);
    lmd_kernel *one = case_kernel(1, D);
    run_case(one, &all, everything);
    static const int teams[] = {2, 5};
    for (int i = 0; i < 2; i++) {
        lmd_kernel *kernel = case_kernel(teams[i], D);
        run_case(kernel, &few, everything);
        assert_same_bits(few.readouts, all.readouts, S * L * sizeof(lmd_readout));
        assert_same_bits(few.mass, all.mass, S * L * 7 * sizeof(double));
        case_free(kernel);
    }
    // Tokens 70 .. 70 + n alone.
    for (int n = 1; n < 40; n += 19) {
        few.S = n;
        for (int state_index = 0; state_index < L; state_index++) {
            memcpy(few.states + (size_t)(state_index * n) * D,
                   all.states + (size_t)(state_index * S + 70) * D,
                   (size_t)n * D * sizeof(float));
        }
        memcpy(few.gold, all.gold + 70, (size_t)n * sizeof *few.gold);
        run_case(one, &few, everything);
        for (int row = 0; row < n * L; row++) {
            const int there = row / n * S + 70 + row % n;
            assert_same_bits(&few.readouts[row], &all.readouts[there],
                             sizeof(lmd_readout));
            assert_same_bits(&few.mass[row * 7], &all.mass[there * 7],
                             7 * sizeof(double));
        }
    }
    case_free(one);
    free_case(&few);
    free_case(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decode_equals_the_naive_twin),
        cmocka_unit_test(decode_is_accurate_on_ordinary_numbers),
        cmocka_unit_test(half_floats_decode_as_floats_do),
        cmocka_unit_test(extreme_logits_are_right),
        cmocka_unit_test(equal_rows_tie_to_the_lowest_id),
        cmocka_unit_test(rows_that_are_not_finite_touch_no_other),
        cmocka_unit_test(wants_change_nothing_else),
        cmocka_unit_test(bits_know_neither_team_nor_place),
    };
    // Without the comparison with weights of other types.
    const struct CMUnitTest tests_bf16[] = {
        cmocka_unit_test(decode_equals_the_naive_twin),
        cmocka_unit_test(decode_is_accurate_on_ordinary_numbers),
        cmocka_unit_test(extreme_logits_are_right),
        cmocka_unit_test(equal_rows_tie_to_the_lowest_id),
        cmocka_unit_test(rows_that_are_not_finite_touch_no_other),
        cmocka_unit_test(wants_change_nothing_else),
        cmocka_unit_test(bits_know_neither_team_nor_place),
    };
    int failures = 0;
    CASE_RUN_WITH_EACH_PRODUCT(tests, failures);
    CASE_RUN_WITH_EACH_PRODUCT_OF_BF16(tests_bf16, failures);
    return failures;
}
