/* Which vectorised loops this processor can run: any but x86-64. */
#include "vector_table.h"

bool lmd_vector_has_avx512(void)
{
    return false;
}

const lmd_vector_table *const *lmd_vector_tables(void)
{
    static const lmd_vector_table *const tables[] = {&lmd_vector_base, NULL};
    return tables;
}
