/* A small job for the tests of metrics and output: 2 folds, 2 groups, 1 lens, states 0,
 * 1, 2 and 4 of a model of 4 blocks, 120 ids in 3 bands (id 0 unranked, ids 1 to 10, the
 * rest), and a reader of single counters by name. */
#ifndef METRIC_CASE_H
#define METRIC_CASE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <lmdepth/base/hash.h>
#include <lmdepth/base/memory.h>
#include <lmdepth/metric.h>

enum { CASE_V = 120, CASE_L = 4, CASE_BANDS = 3 };

static const int32_t case_states[CASE_L] = {0, 1, 2, 4};
static const int32_t case_edges[CASE_BANDS + 1] = {0, 1, 11, 121};
static int32_t case_bands[CASE_V];

/* Counters of the case with these metrics. */
static inline lmd_counters *case_new(const char *metrics)
{
    for (int id = 0; id < CASE_V; id++) {
        case_bands[id] = id == 0 ? 0 : id <= 10 ? 1 : 2;
    }
    const lmd_metric_setup setup = {.folds = 2,
                                    .groups = 2,
                                    .lenses = 1,
                                    .L = CASE_L,
                                    .states = case_states,
                                    .N = 4,
                                    .V = CASE_V,
                                    .n_bands = CASE_BANDS,
                                    .band_edges = case_edges,
                                    .bands = case_bands,
                                    .metrics = metrics};
    lmd_counters *counters = NULL;
    assert_int_equal(lmd_counters_new(&counters, &setup), LMD_OK);
    return counters;
}

/* A readout with these ranks and guess; entropy 1, KL 0.5, logits of chance 1/e. */
static inline lmd_readout case_readout(int32_t top1, int32_t final_rank,
                                       int32_t gold_rank)
{
    return (lmd_readout){.is_finite = true,
                         .top1 = top1,
                         .lse = 2,
                         .entropy = 1,
                         .kl = 0.5,
                         .final_logit = 1,
                         .gold_logit = 1,
                         .final_rank = final_rank,
                         .gold_rank = gold_rank};
}

/* Index of a variable of the schema. */
static inline int case_find(const lmd_counters *counters, const char *name)
{
    size_t offset = 0, n_cells = 0;
    for (int v = 0; v < lmd_counters_variables(counters); v++) {
        if (strcmp(lmd_counters_variable(counters, v, &offset, &n_cells)->name, name) ==
            0) {
            return v;
        }
    }
    fail_msg("no variable %s", name);
    return -1;
}

/* Flat number of the cell at indices given in the order of the schema. */
static inline size_t case_cell(const lmd_counters *counters, const char *name,
                               const int *indices)
{
    size_t offset = 0, n_cells = 0, cell = 0;
    const lmd_variable *variable =
        lmd_counters_variable(counters, case_find(counters, name), &offset, &n_cells);
    for (int d = 0; d < variable->n_dims; d++) {
        const int size = lmd_counters_dim(counters, variable->dims[d]);
        assert_in_range((uintmax_t)indices[d], 0, (uintmax_t)size - 1);
        cell = cell * (size_t)size + (size_t)indices[d];
    }
    return cell;
}

/* Values of a variable: counts or members, then limbs. */
static inline int64_t *case_values(lmd_counters *counters, const char *name,
                                   size_t *n_cells)
{
    size_t offset = 0, n_values = 0;
    (void)lmd_counters_variable(counters, case_find(counters, name), &offset, n_cells);
    return lmd_counters_values(counters, &n_values) + offset;
}

static inline int64_t case_count(lmd_counters *counters, const char *name,
                                 const int *indices)
{
    size_t n_cells = 0;
    return case_values(counters, name, &n_cells)[case_cell(counters, name, indices)];
}

static inline int64_t case_sum(lmd_counters *counters, const char *name)
{
    size_t n_cells = 0;
    const int64_t *values = case_values(counters, name, &n_cells);
    int64_t sum = 0;
    for (size_t i = 0; i < n_cells; i++) {
        sum += values[i];
    }
    return sum;
}

/* AT(counters, "top1_count", fold, group, ...): one count. */
#define AT(counters, name, ...) case_count(counters, name, (const int[]){__VA_ARGS__})

/* The next of a row of numbers below n that look like chance. */
static inline int32_t case_draw(uint64_t *h, int32_t n)
{
    *h = lmd_hash_mix(*h + 0x9e3779b97f4a7c15);
    return (int32_t)(*h % (uint64_t)n);
}

static inline lmd_readout case_random_readout(uint64_t *h, int32_t guess, bool is_last)
{
    const int32_t other = case_draw(h, CASE_V);
    const int32_t final_rank = 1 + case_draw(h, CASE_V);
    const int32_t most = case_draw(h, 2) ? 3 : CASE_V;
    const int32_t gold_rank = 1 + case_draw(h, most);
    const bool is_guess = is_last || case_draw(h, 2);
    lmd_readout readout =
        case_readout(is_guess ? guess : other, is_last ? 1 : final_rank, gold_rank);
    readout.is_finite = case_draw(h, is_last ? 50 : 8) > 0;
    readout.entropy = case_draw(h, 1000000) * 4.7e-6;
    readout.kl = exp(case_draw(h, 1000) * 0.03 - 20);
    readout.gold_logit = -case_draw(h, 1000) * 1e-2;
    return readout;
}

/* A position as chance has it; everything follows from `key`. Some states, rarely the
 * last, are not finite; some positions have no gold, in some it is the output. */
static inline void case_random(uint64_t key, lmd_observation *o,
                               lmd_readout readouts[CASE_L],
                               double mass[CASE_L * CASE_BANDS])
{
    uint64_t h = lmd_hash_mix(key + 1);
    *o = (lmd_observation){.fold = (int)(key % 2), .readouts = readouts, .mass = mass};
    o->group = case_draw(&h, 2);
    o->final_id = case_draw(&h, CASE_V);
    const int32_t gold = case_draw(&h, CASE_V + 30) - 30;
    const bool is_right = case_draw(&h, 3) == 0;
    o->gold_id = gold < 0 ? -1 : is_right ? o->final_id : gold;
    for (int s = 0; s < CASE_L; s++) {
        readouts[s] = case_random_readout(&h, o->final_id, s == CASE_L - 1);
        if (o->gold_id == o->final_id) {
            readouts[s].gold_rank = readouts[s].final_rank;
        }
        for (int b = 0; b < CASE_BANDS; b++) {
            mass[s * CASE_BANDS + b] = case_draw(&h, 1000000) * 1e-6;
        }
    }
}

static inline void case_observe_random(lmd_counters *counters, uint64_t from, uint64_t to)
{
    for (uint64_t key = from; key < to; key++) {
        lmd_observation o;
        lmd_readout readouts[CASE_L];
        double mass[CASE_L * CASE_BANDS];
        case_random(key, &o, readouts, mass);
        lmd_metric_observe(counters, &o);
    }
}

static inline int case_check_memory(void **state)
{
    (void)state;
    return lmd_memory_live() == 0 ? 0 : -1;
}

#endif
