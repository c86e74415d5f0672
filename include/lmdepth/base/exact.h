/* Exact sums of real values: integers, so that order, ranks and threads do not matter.
 *
 * A value is rounded once to a multiple of 2^-64 and added into three limbs of 32 bits,
 * each carried in an int64:
 *     sum = (limb[0] + limb[1] 2^32 + limb[2] 2^64) 2^-64
 * Between two calls of lmd_exact_carry limbs 0 and 1 may exceed 32 bits; each addition
 * adds less than 2^32 to each, so 2^30 additions, or the sum of 2^30 carried values, fit.
 * After a carry 0 <= limb[0], limb[1] < 2^32 and limb[2] holds the sign. Carried sums of
 * ranks are added limb by limb and carried again (design: exactness). */
#ifndef LMDEPTH_BASE_EXACT_H
#define LMDEPTH_BASE_EXACT_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* int64_t */

enum { LMD_EXACT_LIMBS = 3 };

/* Adds x. False, and nothing added, when x is not finite or |x| >= 2^31. */
bool lmd_exact_add(int64_t limb[LMD_EXACT_LIMBS], double x);

/* Propagates carries; the value is unchanged. */
void lmd_exact_carry(int64_t limb[LMD_EXACT_LIMBS]);

/* The sum as a double, correctly rounded to nearest even. Limbs must be carried. */
double lmd_exact_value(const int64_t limb[LMD_EXACT_LIMBS]);

/* sum / n, and the population deviation sqrt((n sum(x^2) - (sum x)^2) / n^2), the
 * difference taken exactly in wide integers. NaN when n is 0. Limbs must be carried. */
double lmd_exact_mean(const int64_t sum[LMD_EXACT_LIMBS], int64_t n);
double lmd_exact_deviation(const int64_t sum[LMD_EXACT_LIMBS],
                           const int64_t square_sum[LMD_EXACT_LIMBS], int64_t n);

#endif
