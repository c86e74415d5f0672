/* The widest multiply-add loop of this processor. */
#ifndef PEAK_H
#define PEAK_H

#include <stdbool.h> /* bool */
#include <stddef.h>  /* size_t */

/* Of pairs of bf16, where the processor has them, or of floats. Does `rounds` rounds on
 * the calling thread; returns how many operations (a multiply-add is two) they were.
 * *sink keeps the compiler from leaving the loop out. */
double lmd_peak_rounds(bool is_bf16, size_t rounds, float *sink);

#endif
