/* The multiply-add peak where no instruction set is known: vectors of 16 bytes, twelve
 * independent sums. */
#include "peak.h"

typedef float vec __attribute__((vector_size(16)));

double lmd_peak_rounds(lmd_peak_kind kind, size_t rounds, float *sink)
{
    (void)kind;
    enum { SUMS = 12 };
    vec sums[SUMS];
    for (int i = 0; i < SUMS; i++) {
        sums[i] = (vec){0} + (float)i;
    }
    for (size_t round = 0; round < rounds; round++) {
        for (int i = 0; i < SUMS; i++) {
            sums[i] = sums[i] * 0.999f + 0.001f;
        }
    }
    vec all = sums[0];
    for (int i = 1; i < SUMS; i++) {
        all += sums[i];
    }
    *sink = all[0];
    return (double)rounds * SUMS * 4 * 2;
}
