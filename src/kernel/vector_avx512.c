/* The vectorised loops for x86-64 with AVX-512: 32 registers of 512 bits. 12 sums hide
 * the latency of an addition (4 cycles, two a cycle). */
#define LMD_VECTOR_TABLE lmd_vector_avx512
#define LMD_VECTOR_BYTES 64
#define LMD_PANEL_ROWS 12
#include "vector_loops.h"
