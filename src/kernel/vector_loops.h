/* The vectorised loops, compiled once for each instruction set. The file that includes
 * this sets
 *     LMD_VECTOR_TABLE  the name of the table
 *     LMD_VECTOR_BYTES  the width of a register
 *     LMD_PANEL_ROWS    rows of a panel whose 16 sums fit in the registers
 * defines larger(), smaller(), wider() and fused() (vector_lanes.h has loops), and is
 * compiled with the flags in kernel.mk. */
#ifndef VECTOR_LOOPS_H
#define VECTOR_LOOPS_H

#include "vector_softmax.h"
#include "vector_state_space.h"
#include "vector_steps.h"
#include "vector_sweep.h"

const lmd_vector_table LMD_VECTOR_TABLE = {
    .panel = panel,
    .largest = largest,
    .lowest_id = lowest_id,
    .sweep = {{sweep_mass, sweep_cross}, {sweep_entropy, sweep_all}},
    .sweep_ranks = sweep_ranks,
    .fold_sums = fold_sums,
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
