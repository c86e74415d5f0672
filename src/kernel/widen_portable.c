/* How half floats can be widened: any processor but x86-64. */
#include <stddef.h>
#include "widen.h"

const lmd_widener *const *lmd_wideners(void)
{
    static const lmd_widener *const wideners[] = {&lmd_widener_base, NULL};
    return wideners;
}
