/* Which tile kernels this processor can run: any but x86-64. */
#include "kernel_inside.h"

const lmd_product *const *lmd_product_tiles(void)
{
    static const lmd_product *const tiles[] = {NULL};
    return tiles;
}

const lmd_product *const *lmd_product_pair_tiles(void)
{
    return lmd_product_tiles();
}

bool lmd_product_has_fast_pairs(void)
{
    return false;
}
