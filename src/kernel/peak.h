/* The widest multiply-add loop of this processor. */
#ifndef PEAK_H
#define PEAK_H

#include <stddef.h> /* size_t */

/* Does `rounds` rounds on the calling thread; returns how many operations (a multiply-add
 * is two) they were. *sink keeps the compiler from leaving the loop out. */
double lmd_peak_rounds(size_t rounds, float *sink);

#endif
