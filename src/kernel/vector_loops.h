/* The vectorised loops, compiled once for each instruction set. The file that includes
 * this sets
 *     LMD_VECTOR_TABLE  the name of the table
 *     LMD_VECTOR_BYTES  the width of a register
 *     LMD_PANEL_ROWS    rows of a panel whose 16 sums fit in the registers
 * and is compiled with the flags in kernel.mk. */
#ifndef VECTOR_LOOPS_H
#define VECTOR_LOOPS_H

#include "vector_softmax.h"
#include "vector_state_space.h"
#include "vector_steps.h"
#include "vector_sweep.h"

const lmd_vector_table LMD_VECTOR_TABLE = {
    .panel = panel,
    .scan = scan,
    .lowest_id = lowest_id,
    .sums = {{sums_plain, sums_cross}, {sums_entropy, sums_both}},
    .total = total,
    .exponentials = exponentials,
    .soften = soften,
    .carry = carry,
    .rms_norm = rms_norm,
    .layer_norm = layer_norm,
    .rotate = rotate,
    .activate = {[LMD_SILU] = activate_silu,
                 [LMD_GELU] = activate_gelu,
                 [LMD_GELU_TANH] = activate_gelu_tanh,
                 [LMD_RELU] = activate_relu},
    .convolve = convolve,
    .selective_scan = selective_scan,
    .add = add,
    .multiply = multiply,
};

#endif
