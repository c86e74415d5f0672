/* The vectorised loops for any processor: 128-bit registers (SSE2, NEON). */
#define LMD_VECTOR_TABLE lmd_vector_base
#define LMD_VECTOR_BYTES 16
#define LMD_PANEL_ROWS 2
#include "vector_lanes.h"
#include "vector_loops.h"
