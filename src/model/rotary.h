/* Angles of the rotary embedding. */
#ifndef LMDEPTH_MODEL_ROTARY_H
#define LMDEPTH_MODEL_ROTARY_H

/* cosines, sines (positions, D/2) of position * base^(-2i / D). */
void lmd_model_fill_rotary(float *cosines, float *sines, int positions, int D,
                           double base);

#endif
