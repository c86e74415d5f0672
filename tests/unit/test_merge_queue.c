/* The queue of merge candidates against a plain search for the least, for words short and
 * long. */
#include <setjmp.h> /* cmocka.h */
#include <stdarg.h> /* cmocka.h */
#include <stddef.h> /* cmocka.h */
#include <stdint.h> /* cmocka.h */
#include <cmocka.h>
#include <lmdepth/base/hash.h>   /* lmd_hash_mix */
#include <lmdepth/base/memory.h> /* lmd_memory_live */
#include "merge_queue.h"

enum { RANKS = 50, ROUNDS = 6000 };

typedef struct plain_queue {
    uint64_t at[4 * ROUNDS];
    size_t count;
} plain_queue;

static uint64_t pop_least(plain_queue *plain)
{
    size_t best = 0;
    for (size_t i = 1; i < plain->count; i++) {
        best = plain->at[i] < plain->at[best] ? i : best;
    }
    const uint64_t least = plain->at[best];
    plain->at[best] = plain->at[--plain->count];
    return least;
}

static void push_both(lmd_merge_queue *queue, plain_queue *plain, uint64_t chance)
{
    const uint32_t rank = (uint32_t)(chance % RANKS);
    const uint32_t place = (uint32_t)(chance >> 32) % 1000;
    lmd_merge_queue_push(queue, rank, place);
    plain->at[plain->count++] = (uint64_t)rank << 32 | place;
}

static void pop_both(lmd_merge_queue *queue, plain_queue *plain)
{
    uint32_t rank = 0;
    uint32_t place = 0;
    assert_true(lmd_merge_queue_pop(queue, &rank, &place));
    assert_int_equal((uint64_t)rank << 32 | place, pop_least(plain));
}

/* Two words through one queue: what the first leaves behind must not be seen. */
static void check_word(lmd_merge_queue *queue, size_t n_symbols, uint64_t seed)
{
    static plain_queue plain;
    plain.count = 0;
    lmd_merge_queue_start(queue, n_symbols, RANKS);
    for (uint64_t i = 0; i < 200; i++) {
        push_both(queue, &plain, lmd_hash_mix(seed + i));
    }
    for (uint64_t i = 0; i < ROUNDS && plain.count > 0; i++) {
        const uint64_t chance = lmd_hash_mix(seed ^ (i << 20));
        pop_both(queue, &plain);
        if (chance % 16 < 12 && i < ROUNDS / 2) {
            push_both(queue, &plain, chance >> 4);
        }
    }
    while (plain.count > 0) {
        pop_both(queue, &plain);
    }
    uint32_t rank = 0;
    uint32_t place = 0;
    assert_false(lmd_merge_queue_pop(queue, &rank, &place));
}

static void test_least_comes_first(void **state)
{
    (void)state;
    const int64_t live = lmd_memory_live();
    static const size_t sizes[] = {10, 100000, 5000, 20, 100000};
    lmd_merge_queue queue = {0};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        check_word(&queue, sizes[i], i);
        assert_int_equal(queue.is_long, sizes[i] > 4096);
    }
    lmd_merge_queue_clear(&queue);
    assert_int_equal(lmd_memory_live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_least_comes_first)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
