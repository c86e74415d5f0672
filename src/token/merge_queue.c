/* A binary heap; but one over millions of candidates misses the cache at every level, and
 * in a word of megabytes that is most of the time. There candidates wait in lists, one a
 * rank; the list of the least rank becomes a batch of ascending places; and the heap
 * holds only what comes about meanwhile at that rank or before it, which is little. */
#include "merge_queue.h"

#include <stdlib.h>              /* qsort */
#include <lmdepth/base/memory.h> /* lmd_memory_resize */

enum { LONG_WORD = 4096 };

/* ---- heap ---- */

static void push_number(lmd_number_heap *heap, uint64_t value)
{
    if (heap->count == heap->capacity) {
        heap->capacity = heap->capacity == 0 ? 128 : 2 * heap->capacity;
        heap->at = lmd_memory_resize(heap->at, heap->capacity, sizeof *heap->at);
    }
    uint64_t *const at = heap->at;
    size_t i = heap->count++;
    while (i > 0 && value < at[(i - 1) / 2]) {
        at[i] = at[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    at[i] = value;
}

static uint64_t pop_number(lmd_number_heap *heap)
{
    uint64_t *const at = heap->at;
    const uint64_t least = at[0];
    const uint64_t value = at[--heap->count];
    const size_t n = heap->count;
    size_t i = 0;
    for (size_t child = 1; child < n; child = 2 * i + 1) {
        if (child + 1 < n && at[child + 1] < at[child]) {
            child++;
        }
        if (value <= at[child]) {
            break;
        }
        at[i] = at[child];
        i = child;
    }
    at[i] = value;
    return least;
}

/* ---- lists ---- */

static uint32_t new_node(lmd_merge_queue *queue)
{
    const uint32_t number = queue->free_nodes;
    if (number != 0) {
        queue->free_nodes = queue->nodes[number - 1].next;
        return number;
    }
    if (queue->node_count == queue->node_capacity) {
        queue->node_capacity += queue->node_capacity / 2 + LONG_WORD;
        queue->nodes =
            lmd_memory_resize(queue->nodes, queue->node_capacity, sizeof *queue->nodes);
    }
    return (uint32_t)++queue->node_count;
}

static void add_to_list(lmd_merge_queue *queue, uint32_t rank, uint32_t place)
{
    uint32_t number = queue->lists[rank];
    if (number == 0) {
        push_number(&queue->ranks, rank);
    }
    if (number == 0 || queue->nodes[number - 1].count == LMD_NODE_PLACES) {
        const uint32_t next = number;
        number = new_node(queue);
        queue->nodes[number - 1].next = next;
        queue->nodes[number - 1].count = 0;
        queue->lists[rank] = number;
    }
    lmd_place_node *const node = &queue->nodes[number - 1];
    node->places[node->count++] = place;
}

static int compare_places(const void *left, const void *right)
{
    const uint32_t a = *(const uint32_t *)left;
    const uint32_t b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

/* Lists are most often in order, the last first. */
static void sort_batch(lmd_merge_queue *queue)
{
    uint32_t *const batch = queue->batch;
    const size_t n = queue->batch_count;
    bool is_sorted = true;
    for (size_t i = 0; i < n / 2; i++) {
        const uint32_t place = batch[i];
        batch[i] = batch[n - 1 - i];
        batch[n - 1 - i] = place;
    }
    for (size_t i = 1; i < n && is_sorted; i++) {
        is_sorted = batch[i - 1] <= batch[i];
    }
    if (!is_sorted) {
        qsort(batch, n, sizeof *batch, compare_places);
    }
}

/* For the places of one more node. */
static void make_batch_room(lmd_merge_queue *queue)
{
    if (queue->batch_count + LMD_NODE_PLACES > queue->batch_capacity) {
        queue->batch_capacity += queue->batch_capacity / 2 + LONG_WORD;
        queue->batch =
            lmd_memory_resize(queue->batch, queue->batch_capacity, sizeof *queue->batch);
    }
}

/* The list of the least rank becomes the batch. */
static void take_list(lmd_merge_queue *queue)
{
    queue->rank = (uint32_t)pop_number(&queue->ranks);
    queue->has_rank = true;
    queue->batch_next = 0;
    queue->batch_count = 0;
    uint32_t last = 0;
    for (uint32_t number = queue->lists[queue->rank]; number != 0;) {
        const lmd_place_node *const node = &queue->nodes[number - 1];
        make_batch_room(queue);
        for (uint32_t i = node->count; i-- > 0;) {
            queue->batch[queue->batch_count++] = node->places[i];
        }
        last = number;
        number = node->next;
    }
    queue->nodes[last - 1].next = queue->free_nodes;
    queue->free_nodes = queue->lists[queue->rank];
    queue->lists[queue->rank] = 0;
    sort_batch(queue);
}

/* ---- queue ---- */

void lmd_merge_queue_clear(lmd_merge_queue *queue)
{
    lmd_memory_free(queue->heap.at);
    lmd_memory_free(queue->batch);
    lmd_memory_free(queue->ranks.at);
    lmd_memory_free(queue->lists);
    lmd_memory_free(queue->nodes);
    *queue = (lmd_merge_queue){0};
}

void lmd_merge_queue_start(lmd_merge_queue *queue, size_t n, size_t n_ranks)
{
    // At most two candidates a symbol wait at once, and their numbers have 32 bits.
    queue->is_long = n >= LONG_WORD && n < UINT32_MAX / 4;
    if (!queue->is_long) {
        return;
    }
    queue->has_rank = false;
    queue->node_count = 0;
    queue->free_nodes = 0;
    if (n_ranks > queue->n_ranks) {
        lmd_memory_free(queue->lists);
        queue->lists = lmd_memory_new(n_ranks, sizeof *queue->lists);
        queue->n_ranks = n_ranks;
    }
}

void lmd_merge_queue_push(lmd_merge_queue *queue, uint32_t rank, uint32_t place)
{
    if (!queue->is_long || (queue->has_rank && rank <= queue->rank)) {
        push_number(&queue->heap, (uint64_t)rank << 32 | place);
    } else {
        add_to_list(queue, rank, place);
    }
}

bool lmd_merge_queue_pop(lmd_merge_queue *queue, uint32_t *rank, uint32_t *place)
{
    if (queue->heap.count == 0 && queue->batch_next == queue->batch_count) {
        if (queue->ranks.count == 0) {
            return false;
        }
        take_list(queue);
    }
    uint64_t least = UINT64_MAX;
    if (queue->batch_next < queue->batch_count) {
        least = (uint64_t)queue->rank << 32 | queue->batch[queue->batch_next];
    }
    if (queue->heap.count > 0 && queue->heap.at[0] < least) {
        least = pop_number(&queue->heap);
    } else {
        queue->batch_next++;
    }
    *rank = (uint32_t)(least >> 32);
    *place = (uint32_t)least;
    return true;
}
