/* What the tests of single steps share: odd widths, and teams of 1, 2 and 5, which must
 * give the same bits. */
#ifndef STEP_CASE_H
#define STEP_CASE_H

#include "kernel_case.h"

enum { N_TEAMS = 3, N_WIDTHS = 7 };

static const int case_teams[N_TEAMS] = {1, 2, 5};
static const int case_widths[N_WIDTHS] = {1, 7, 15, 16, 17, 33, 100};

/* Every team's output is the first one's. */
static inline void case_check_teams(float *const out[N_TEAMS], size_t n)
{
    for (int i = 1; i < N_TEAMS; i++) {
        assert_same_bits(out[i], out[0], n * sizeof *out[0]);
    }
}

static inline double case_silu(double x)
{
    return x < -700.0 ? 0.0 : x / (1.0 + exp(-x));
}

#endif
