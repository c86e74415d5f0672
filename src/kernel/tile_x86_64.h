/* The tile kernels of x86-64. */
#ifndef TILE_X86_64_H
#define TILE_X86_64_H

#include "kernel_inside.h"

extern const lmd_product lmd_product_amx;
extern const lmd_product lmd_product_avx512;
extern const lmd_product lmd_product_avx512_bf16;
extern const lmd_product lmd_product_avx2;

/* Has the processor AMX, and may this process use it? Asks for it at the first call,
 * which shall be made while there is nobody else to make it. */
bool lmd_product_has_amx(void);

/* lmd_peak_rounds of AMX: rounds of four products of tiles. */
double lmd_peak_amx_rounds(size_t rounds, float *sink);

#endif
