/* The vectorised loops for x86-64 with AVX2: 16 registers of 256 bits, 8 of them sums. */
#define LMD_VECTOR_TABLE lmd_vector_avx2
#define LMD_VECTOR_BYTES 32
#define LMD_PANEL_ROWS 4
#include "vector_loops.h"
