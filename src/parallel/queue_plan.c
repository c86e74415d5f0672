/* The fixed table of tickets: guided self-scheduling (Polychronopoulos and Kuck 1987)
 * with an eighth of its run length. A run takes 1 / (8 ranks) of what is left, by cost
 * and by number of items, whichever is reached first; an item is never cut.
 *
 * An eighth, for ranks that are slower than the others, by another job on their cores or
 * a lower clock. Share of the time that ranks wait at the end, 16 ranks, 200 items a
 * rank, all of one cost, the last rank slower (computed, with 5 % of chance in each run):
 *
 *     that rank takes    1x      2x      4x      8x as long
 *     half             0.2 %   0.6 %    15 %    54 %
 *     a quarter        0.2 %   0.6 %   2.0 %    31 %
 *     an eighth        0.2 %   0.6 %   1.8 %   4.3 %
 *
 * and still no more than 38 requests a rank. `time_ranks packs` (bench/) measures it.
 *
 * By number, so that a tail of cheap items is not put into one run because of a dear item
 * among them: while fewer than 16 ranks items are left every run is a single item.
 * Everyone adds the same numbers in the same order, so everyone finds the same table. */
#include <lmdepth/parallel.h>

#include <assert.h> /* assert */
#include <math.h>   /* isfinite */

enum { PARTS = 8 };

/* End of the run that begins at `begin`, given the cost of all items from there on; takes
 * the run's cost off it. */
static int64_t end_of_run(int64_t begin, int64_t n_items, const double *costs, int ranks,
                          double *cost_left)
{
    const int64_t most_items = (n_items - begin) / (PARTS * (int64_t)ranks);
    const double most_cost = *cost_left / ((double)PARTS * ranks);
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
