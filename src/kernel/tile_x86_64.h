/* The tile kernels of x86-64. */
#ifndef TILE_X86_64_H
#define TILE_X86_64_H

#include "kernel_inside.h"

extern const lmd_product lmd_product_avx512;
extern const lmd_product lmd_product_avx512_bf16;
extern const lmd_product lmd_product_avx2;

#endif
