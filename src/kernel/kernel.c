/* The engine room: which product, which vector loops, whose threads and scratch. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <lmdepth/base/log.h>
#include <lmdepth/base/memory.h>
#include <lmdepth/base/status.h>
#include <lmdepth/base/text.h>
#include "kernel_inside.h"

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

static const char *forced_name(void)
{
    const char *name = getenv("LMDEPTH_KERNEL");
    return name != NULL && name[0] != '\0' ? name : NULL;
}

/* Will the library's product be tried first? */
static bool is_library_wanted(void)
{
    const char *forced = forced_name();
    return forced != NULL ? strcmp(forced, lmd_product_blas.name) == 0
                          : lmd_product_tiles()[0] == NULL;
}

const char *lmd_kernel_better_core(void)
{
    static const char *const better = "SkylakeX";
    const char *asked = getenv("OPENBLAS_CORETYPE");
    if (!is_library_wanted() || !lmd_vector_has_avx512() ||
        is_wide_core(lmd_product_blas_core()) || !lmd_product_blas_can_choose() ||
        (asked != NULL && strcmp(asked, better) == 0)) {
        return NULL;
    }
    return better;
}

double lmd_kernel_library_space(void)
{
    return is_library_wanted() ? lmd_product_blas_space() : 0.0;
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

/* "fused sums of 96" and the like, without the precision. */
static void name_product(const lmd_product *product, char *out, size_t size)
{
    if (product->arithmetic != NULL) {
        snprintf(out, size, "%s", strchr(product->arithmetic, ' ') + 1);
        return;
    }
    char name[64];
    blas_name(name, sizeof name);
    snprintf(out, size, "%s %.40s", name, lmd_product_blas_core());
}

/* Weights take `product`, or a product of fp32 on rounded rows where it is one and the
 * kernel is for bf16; attention takes `attention`. */
static void use_products(lmd_kernel *kernel, const lmd_product *product,
                         const lmd_product *attention)
{
    static const char vectors[] = LMD_VECTOR_ARITHMETIC;
    char name[120], wide[120];
    name_product(product, name, sizeof name);
    name_product(attention, wide, sizeof wide);
    const size_t size = sizeof kernel->arithmetic;
    kernel->product = product;
    kernel->attention = attention;
    if (!kernel->is_bf16) {
        snprintf(kernel->arithmetic, size, "f32; %s, %s", name, vectors);
    } else if (product->rows == LMD_ROWS_PAIRS) {
        snprintf(kernel->arithmetic, size, "bf16; %s, attention f32 %s, %s", name, wide,
                 vectors);
    } else {
        snprintf(kernel->arithmetic, size, "bf16; rounded, %s, %s", name, vectors);
        kernel->rounded = *product;
        kernel->rounded.rows = LMD_ROWS_ROUNDED;
        kernel->product = &kernel->rounded;
    }
    const char *others = product == attention ? "" : ", attention by ";
    snprintf(kernel->choice, sizeof kernel->choice, "by %s%s%s: %s", product->name,
             others, product == attention ? "" : attention->name, kernel->why);
}

void lmd_kernel_use_plain(lmd_kernel *kernel)
{
    snprintf(kernel->why, sizeof kernel->why, "the same on every processor");
    use_products(kernel, &lmd_product_plain, &lmd_product_plain);
}

enum { MAX_PRODUCTS = 8 };

/* All products of fp32 of this processor, the fastest first; returns how many. */
static int list_products(const lmd_product *list[MAX_PRODUCTS])
{
    int n = 0;
    for (const lmd_product *const *tile = lmd_product_tiles(); *tile != NULL; tile++) {
        list[n++] = *tile;
    }
    list[n++] = &lmd_product_blas;
    list[n++] = &lmd_product_plain;
    return n;
}

/* The product of bf16 that is forced, or without `forced` the fastest unless those of
 * fp32 are faster; else NULL. */
static const lmd_product *find_pairs(const char *forced)
{
    if (forced == NULL && !lmd_product_has_fast_pairs()) {
        return NULL;
    }
    const lmd_product *const *tile = lmd_product_pair_tiles();
    while (*tile != NULL && forced != NULL && strcmp((*tile)->name, forced) != 0) {
        tile++;
    }
    return *tile;
}

/* The place of the forced product in the list; LMD_USAGE when it is not there. */
static lmd_status find_forced(const lmd_product *const *list, int n, bool is_bf16,
                              const char *forced, int *place)
{
    lmd_text names = {0};
    for (*place = 0; *place < n; ++*place) {
        if (strcmp(list[*place]->name, forced) == 0) {
            lmd_text_clear(&names);
            return LMD_OK;
        }
        lmd_text_append_format(&names, " %s", list[*place]->name);
    }
    const lmd_product *const *tile = lmd_product_pair_tiles();
    for (; is_bf16 && *tile != NULL; tile++) {
        lmd_text_append_format(&names, " %s", (*tile)->name);
    }
    const lmd_status status = lmd_status_set(
        LMD_USAGE, "LMDEPTH_KERNEL=%s: this processor has no such kernel%s, only%s",
        forced, is_bf16 ? " for bf16" : " for f32", lmd_text_string(&names));
    lmd_text_clear(&names);
    return status;
}

lmd_status lmd_kernel_check_choice(bool is_bf16)
{
    const lmd_product *list[MAX_PRODUCTS];
    const char *forced = forced_name();
    int place;
    if (forced == NULL || (is_bf16 && find_pairs(forced) != NULL)) {
        return LMD_OK;
    }
    return find_forced(list, list_products(list), is_bf16, forced, &place);
}

/* From list[i] on, the first product that passes the place test. */
static const lmd_product *find_fair(lmd_kernel *kernel, const lmd_product *const *list,
                                    int n, int i)
{
    for (; i < n - 1; i++) {
        if (lmd_product_is_fair(list[i], kernel->vector, kernel->max_C)) {
            return list[i];
        }
        char name[120];
        name_product(list[i], name, sizeof name);
        snprintf(kernel->why, sizeof kernel->why,
                 "%.100s fails the place test: a slower product", name);
    }
    return list[n - 1];
}

static void choose_products(lmd_kernel *kernel)
{
    const lmd_product *list[MAX_PRODUCTS];
    const int n = list_products(list);
    const char *forced = forced_name();
    const lmd_product *pairs = kernel->is_bf16 ? find_pairs(forced) : NULL;
    lmd_product_blas_single_thread();
    int i = 0;
    snprintf(kernel->why, sizeof kernel->why, "the fastest that this processor has");
    if (forced != NULL) {
        if (pairs == NULL &&
            find_forced(list, n, kernel->is_bf16, forced, &i) != LMD_OK) {
            lmd_log_fatal(LMD_USAGE, "%s", lmd_status_message());
        }
        snprintf(kernel->why, sizeof kernel->why, "forced by LMDEPTH_KERNEL=%s", forced);
    } else if (kernel->is_bf16 && pairs == NULL) {
        snprintf(
            kernel->why, sizeof kernel->why,
            "this processor has no fast products of bf16: those of f32 on rounded rows");
    } else if (list[0] == &lmd_product_blas) {
        snprintf(kernel->why, sizeof kernel->why,
                 "no tile kernel for this processor: the library's product, slower");
    }
    const lmd_product *wide = find_fair(kernel, list, n, i);
    const bool is_fair =
        pairs != NULL && lmd_product_is_fair(pairs, kernel->vector, kernel->max_C);
    use_products(kernel, is_fair ? pairs : wide, wide);
}

size_t lmd_kernel_scratch_floats(int max_C)
{
    const size_t steps[] = {lmd_attention_scratch_floats(max_C),
                            lmd_scan_scratch_floats()};
    size_t most = LMD_PRODUCT_SCRATCH;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        most = steps[i] > most ? steps[i] : most;
    }
    return (most + LMD_LANES - 1) / LMD_LANES * LMD_LANES; // members' parts are aligned
}

static lmd_kernel *new_kernel(lmd_team *team, int max_C, bool is_bf16)
{
    lmd_kernel *kernel = lmd_memory_new(1, sizeof *kernel);
    kernel->team = team;
    kernel->vector = lmd_vector_tables()[0];
    kernel->widener = lmd_wideners()[0];
    kernel->max_C = max_C;
    kernel->is_bf16 = is_bf16;
    choose_products(kernel);
    kernel->scratch_floats = lmd_kernel_scratch_floats(max_C);
    kernel->scratch = lmd_memory_new_aligned(
        (size_t)lmd_team_size(team) * kernel->scratch_floats, sizeof *kernel->scratch);
    kernel->rows =
        lmd_memory_new_aligned(lmd_kernel_rows_floats(max_C), sizeof *kernel->rows);
    return kernel;
}

lmd_kernel *lmd_kernel_new(lmd_team *team, int max_C)
{
    return new_kernel(team, max_C, false);
}

lmd_kernel *lmd_kernel_new_bf16(lmd_team *team, int max_C)
{
    return new_kernel(team, max_C, true);
}

void lmd_kernel_free(lmd_kernel *kernel)
{
    if (kernel == NULL) {
        return;
    }
    lmd_memory_free(kernel->rows);
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

const char *lmd_kernel_choice(const lmd_kernel *kernel)
{
    return kernel->choice;
}

lmd_team *lmd_kernel_team(const lmd_kernel *kernel)
{
    return kernel->team;
}

/* ---- the peak ---- */

enum { PEAK_ITEMS = 16 }; /* of each member, so that the last one's lead is small */

typedef struct peak_run {
    lmd_peak_kind kind;
    size_t rounds;
    double *operations; /* (items) */
    float *sinks;       /* (items) */
} peak_run;

static void peak_item(void *context, int item, int member)
{
    (void)member;
    const peak_run *run = context;
    run->operations[item] = lmd_peak_rounds(run->kind, run->rounds, &run->sinks[item]);
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

static int compare_rates(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

double lmd_kernel_measure_peak(lmd_kernel *kernel, double milliseconds)
{
    enum { MOST_RUNS = 512 };
    const int n_items = PEAK_ITEMS * lmd_team_size(kernel->team);
    // An item takes about 0.1 ms. The median run counts: a faster one has met a moment of
    // higher clock, a slower one another program, and so would the work between two
    // peaks.
    peak_run run = {.kind = kernel->product->peak,
                    .rounds = 50000,
                    .operations = lmd_memory_new((size_t)n_items, sizeof(double)),
                    .sinks = lmd_memory_new((size_t)n_items, sizeof(float))};
    double rates[MOST_RUNS];
    int n = 0;
    const double end = lmd_team_clock() + milliseconds * 1e-3;
    do {
        rates[n++] = time_peak(kernel, &run, n_items);
    } while (n < MOST_RUNS && lmd_team_clock() < end);
    lmd_memory_free(run.operations);
    lmd_memory_free(run.sinks);
    qsort(rates, (size_t)n, sizeof *rates, compare_rates);
    return rates[n / 2];
}

double lmd_kernel_usual_share(const lmd_kernel *kernel)
{
    return kernel->product->peak == LMD_PEAK_TILES ? 0.15 : 0.5;
}
