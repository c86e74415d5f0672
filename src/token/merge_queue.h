/* Candidates of a byte-pair merge: of those pushed the one of least rank comes first, of
 * equals the leftmost. */
#ifndef LMDEPTH_TOKEN_MERGE_QUEUE_H
#define LMDEPTH_TOKEN_MERGE_QUEUE_H

#include <stdbool.h> /* bool */
#include <stddef.h>  /* size_t */
#include <stdint.h>  /* uint32_t */

typedef struct lmd_number_heap {
    uint64_t *at; /* (capacity) owned; the least first */
    size_t count;
    size_t capacity;
} lmd_number_heap;

/* A cache line of places. */
enum { LMD_NODE_PLACES = 14 };
typedef struct lmd_place_node {
    uint32_t next; /* number of the node filled before this one + 1; 0: none */
    uint32_t count;
    uint32_t places[LMD_NODE_PLACES]; /* (count) */
} lmd_place_node;

/* {0} is an empty one. */
typedef struct lmd_merge_queue {
    lmd_number_heap heap; /* rank << 32 | place */
    /* For long words; see merge_queue.c. */
    bool is_long;
    bool has_rank;
    uint32_t rank;     /* of the batch */
    uint32_t *batch;   /* (batch_capacity) owned; places, ascending */
    size_t batch_next; /* first that has not been popped */
    size_t batch_count;
    size_t batch_capacity;
    lmd_number_heap ranks; /* those that have a list */
    uint32_t *lists; /* (n_ranks) owned; number of the list's node that is filled + 1 */
    size_t n_ranks;
    lmd_place_node *nodes; /* (node_capacity) owned */
    size_t node_count;
    size_t node_capacity;
    uint32_t free_nodes; /* number of the first + 1 */
} lmd_merge_queue;

void lmd_merge_queue_clear(lmd_merge_queue *queue);

/* For a word of n symbols and merges of ranks below n_ranks. The queue is empty. */
void lmd_merge_queue_start(lmd_merge_queue *queue, size_t n, size_t n_ranks);
void lmd_merge_queue_push(lmd_merge_queue *queue, uint32_t rank, uint32_t place);
/* False when it is empty. */
bool lmd_merge_queue_pop(lmd_merge_queue *queue, uint32_t *rank, uint32_t *place);

#endif
