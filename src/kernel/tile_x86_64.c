/* Which tile kernels this processor can run: x86-64. */
#include "tile_x86_64.h"

const lmd_product *const *lmd_product_tiles(void)
{
    static const lmd_product *const tiles[] = {&lmd_product_avx512, &lmd_product_avx2,
                                               NULL};
    __builtin_cpu_init();
    const bool has_fma = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (lmd_vector_has_avx512() && has_fma) {
        return tiles;
    }
    return has_fma ? tiles + 1 : tiles + 2;
}

const lmd_product *const *lmd_product_pair_tiles(void)
{
    static const lmd_product *const tiles[] = {&lmd_product_amx, &lmd_product_avx512_bf16,
                                               NULL};
    static const lmd_product *const without[] = {&lmd_product_amx, NULL};
    __builtin_cpu_init();
    const bool has_pairs =
        lmd_vector_has_avx512() && __builtin_cpu_supports("avx512bf16");
    if (!has_pairs) {
        return lmd_product_has_amx() ? without : without + 1;
    }
    return lmd_product_has_amx() ? tiles : tiles + 1;
}

bool lmd_product_has_fast_pairs(void)
{
    __builtin_cpu_init();
    return lmd_product_has_amx() ||
           (lmd_product_pair_tiles()[0] != NULL && __builtin_cpu_is("amd"));
}
