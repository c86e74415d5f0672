/* Which vectorised loops this processor can run: x86-64. The compiler's cpuid test also
 * asks whether the system saves the wide registers. */
#include "vector_table.h"

bool lmd_vector_has_avx512(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("fma");
}

const lmd_vector_table *const *lmd_vector_tables(void)
{
    static const lmd_vector_table *const tables[] = {&lmd_vector_avx512, &lmd_vector_avx2,
                                                     &lmd_vector_base, NULL};
    __builtin_cpu_init();
    if (lmd_vector_has_avx512()) {
        return tables;
    }
    const bool has_fma = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    return has_fma ? tables + 1 : tables + 2;
}
