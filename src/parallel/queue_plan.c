/* The fixed table of tickets: guided self-scheduling (Polychronopoulos and Kuck 1987)
 * with a quarter of its run length. A run takes 1 / (4 ranks) of what is left, by cost
 * and by number of items, whichever is reached first; an item is never cut.
 *
 * A quarter, because the first run is the longest and a rank that is slow with it must
 * not be the last to end: a rank may be four times as slow as the others. A half made
 * the tail 15 to 45 % then, at a saving of ten tickets a rank (test_queue_plan).
 *
 * By number, so that a tail of cheap items is not put into one run because of a dear item
 * among them: while fewer than 8 ranks items are left every run is a single item, and
 * with at least 4 ranks items there are at least 4 ranks runs. Everyone adds the same
 * numbers in the same order, so everyone finds the same table. */
#include <lmdepth/parallel.h>

#include <assert.h> /* assert */
#include <math.h>   /* isfinite */

enum { RUNS_A_RANK = 4 }; /* if all were as long as the first */

/* End of the run that begins at `begin`, given the cost of all items from there on; takes
 * the run's cost off it. */
static int64_t end_of_run(int64_t begin, int64_t n_items, const double *costs, int ranks,
                          double *cost_left)
{
    const int64_t most_items = (n_items - begin) / (RUNS_A_RANK * (int64_t)ranks);
    const double most_cost = *cost_left / ((double)RUNS_A_RANK * ranks);
    double cost = costs[begin];
    int64_t end = begin + 1;
    while (end < n_items && end - begin < most_items && cost + costs[end] <= most_cost) {
        cost += costs[end++];
    }
    *cost_left -= cost;
    return end;
}

int64_t lmd_queue_plan(int64_t n_items, const double *costs, int ranks, int64_t *bounds)
{
    assert(n_items >= 0 && ranks >= 1);
    double cost_left = 0;
    for (int64_t i = 0; i < n_items; i++) {
        assert(isfinite(costs[i]) && costs[i] >= 0);
        cost_left += costs[i];
    }
    int64_t n_tickets = 0;
    bounds[0] = 0;
    while (bounds[n_tickets] < n_items) {
        bounds[n_tickets + 1] =
            end_of_run(bounds[n_tickets], n_items, costs, ranks, &cost_left);
        n_tickets++;
    }
    return n_tickets;
}
