/* The engine room: which product, which vector loops, whose threads and scratch. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <lmdepth/base/memory.h>
#include "kernel_inside.h"
#include "peak.h"

/* Is it the name of a core whose kernels use AVX-512? */
static bool is_wide_core(const char *core)
{
    static const char *const wide[] = {"SkylakeX", "Cooperlake", "SapphireRapids"};
    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++) {
        if (strcmp(core, wide[i]) == 0) {
            return true;
        }
    }
    return false;
}

const char *lmd_kernel_better_core(void)
{
    static const char *const better = "SkylakeX";
    const char *asked = getenv("OPENBLAS_CORETYPE");
    if (!lmd_vector_has_avx512() || is_wide_core(lmd_product_blas_core()) ||
        !lmd_product_blas_can_choose() || (asked != NULL && strcmp(asked, better) == 0)) {
        return NULL;
    }
    return better;
}

/* "OpenBLAS 0.3.21": the first two words of its configuration. */
static void blas_name(char *out, size_t size)
{
    const char *config = lmd_product_blas_version();
    const size_t first = strcspn(config, " ");
    const size_t both =
        config[first] == '\0' ? first : first + 1 + strcspn(config + first + 1, " ");
    snprintf(out, size, "%.*s", (int)both, config);
}

void lmd_kernel_use_plain(lmd_kernel *kernel)
{
    kernel->product = lmd_product_plain;
    snprintf(kernel->arithmetic, sizeof kernel->arithmetic, "f32; plain C");
}

static void choose_product(lmd_kernel *kernel)
{
    char name[64];
    blas_name(name, sizeof name);
    const char *core = lmd_product_blas_core();
    lmd_product_blas_single_thread();
    if (lmd_product_is_fair(lmd_product_blas, kernel->vector, kernel->max_C)) {
        kernel->product = lmd_product_blas;
        snprintf(kernel->arithmetic, sizeof kernel->arithmetic, "f32; %s %.40s", name,
                 core);
        return;
    }
    lmd_kernel_use_plain(kernel);
    snprintf(kernel->remark, sizeof kernel->remark,
             "%s core %.40s fails the place test: plain C product, slower", name, core);
}

size_t lmd_kernel_scratch_floats(int max_C)
{
    return (LMD_LINEAR_ROWS + LMD_LANES) * (size_t)max_C +
           (size_t)LMD_LINEAR_ROWS * LMD_TILE_COLUMNS;
}

lmd_kernel *lmd_kernel_new(lmd_team *team, int max_C)
{
    lmd_kernel *kernel = lmd_memory_new(1, sizeof *kernel);
    kernel->team = team;
    kernel->vector = lmd_vector_tables()[0];
    kernel->max_C = max_C;
    choose_product(kernel);
    kernel->scratch_floats = lmd_kernel_scratch_floats(max_C);
    kernel->scratch = lmd_memory_new_aligned(
        (size_t)lmd_team_size(team) * kernel->scratch_floats, sizeof *kernel->scratch);
    return kernel;
}

void lmd_kernel_free(lmd_kernel *kernel)
{
    if (kernel == NULL) {
        return;
    }
    lmd_memory_free(kernel->scratch);
    lmd_memory_free(kernel);
}

float *lmd_kernel_scratch(const lmd_kernel *kernel, int member)
{
    return kernel->scratch + (size_t)member * kernel->scratch_floats;
}

const char *lmd_kernel_arithmetic(const lmd_kernel *kernel)
{
    return kernel->arithmetic;
}

const char *lmd_kernel_remark(const lmd_kernel *kernel)
{
    return kernel->remark[0] == '\0' ? NULL : kernel->remark;
}

lmd_team *lmd_kernel_team(const lmd_kernel *kernel)
{
    return kernel->team;
}

/* ---- the peak ---- */

enum { PEAK_ITEMS = 16 }; /* of each member, so that the last one's lead is small */

typedef struct peak_run {
    size_t rounds;
    double *operations; /* (items) */
    float *sinks;       /* (items) */
} peak_run;

static void peak_item(void *context, int item, int member)
{
    (void)member;
    const peak_run *run = context;
    run->operations[item] = lmd_peak_rounds(run->rounds, &run->sinks[item]);
}

/* GFLOP/s of one run of all members. */
static double time_peak(lmd_kernel *kernel, peak_run *run, int n_items)
{
    const double start = lmd_team_clock();
    lmd_team_run(kernel->team, n_items, peak_item, run);
    const double seconds = lmd_team_clock() - start;
    double operations = 0.0;
    for (int i = 0; i < n_items; i++) {
        operations += run->operations[i];
    }
    return operations / seconds * 1e-9;
}

double lmd_kernel_measure_peak(lmd_kernel *kernel, double milliseconds)
{
    const int n_items = PEAK_ITEMS * lmd_team_size(kernel->team);
    // An item takes about 0.1 ms. The best run counts: a peak that was disturbed is none.
    peak_run run = {.rounds = 50000,
                    .operations = lmd_memory_new((size_t)n_items, sizeof(double)),
                    .sinks = lmd_memory_new((size_t)n_items, sizeof(float))};
    double best = 0.0;
    const double end = lmd_team_clock() + milliseconds * 1e-3;
    do {
        const double rate = time_peak(kernel, &run, n_items);
        best = rate > best ? rate : best;
    } while (lmd_team_clock() < end);
    lmd_memory_free(run.operations);
    lmd_memory_free(run.sinks);
    return best;
}
