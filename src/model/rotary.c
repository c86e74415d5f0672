/* Rotary position embedding (Su et al. 2021): pair i of a head turns by the position
 * times base^(-2i / D). Every step is rounded to fp32 in the order in which transformers
 * rounds it, because the angles grow with the position: at position 8000 one unit in the
 * last place of a frequency is 5e-4 in the angle. */
#include "rotary.h"

#include <math.h>   /* powf, cosf, sinf */
#include <stddef.h> /* size_t */

void lmd_model_fill_rotary(float *cosines, float *sines, int positions, int D,
                           double base)
{
    const int half = D / 2;
    for (int i = 0; i < half; i++) {
        const float exponent = (float)(2 * i) / (float)D;
        const float frequency = 1.0F / powf((float)base, exponent);
        for (int t = 0; t < positions; t++) {
            const float angle = (float)t * frequency;
            const size_t at = (size_t)t * (size_t)half + (size_t)i;
            cosines[at] = cosf(angle);
            sines[at] = sinf(angle);
        }
    }
}
