/* How many threads a rank takes (interface 3). The number changes no bit of a result. */

#include <stdlib.h>

#include "app.h"

static int from_environment(const char *name)
{
    const char *text = getenv(name);
    int64_t value;
    if (text == NULL || !lmd_text_to_int64(text, &value) || value < 1 || value > 4096) {
        return 0;
    }
    return (int)value;
}

int lmd_threads_choose(int asked, int share)
{
    if (asked > 0) {
        return asked;
    }
    const int openmp = from_environment("OMP_NUM_THREADS");
    if (openmp > 0) {
        return openmp;
    }
    const int slurm = from_environment("SLURM_CPUS_PER_TASK");
    return slurm > 0 && slurm < share ? slurm : share;
}

int lmd_threads_processors(void)
{
    lmd_places *places = lmd_places_new();
    const int n = lmd_places_cores(places);
    lmd_places_free(places);
    return n;
}
