/* The widest multiply-add loops of this processor. */
#ifndef PEAK_H
#define PEAK_H

#include <stddef.h> /* size_t */

typedef enum lmd_peak_kind {
    LMD_PEAK_FLOATS,
    LMD_PEAK_PAIRS, /* of bf16, in vectors */
    LMD_PEAK_TILES  /* of bf16, in matrix registers */
} lmd_peak_kind;

/* Of what is asked for where the processor has it, else of floats. Does a number of
 * operations in proportion to `rounds` on the calling thread, 50,000 in about 0.1 ms;
 * returns how many (a multiply-add is two). *sink keeps the compiler from leaving the
 * loop out. */
double lmd_peak_rounds(lmd_peak_kind kind, size_t rounds, float *sink);

#endif
