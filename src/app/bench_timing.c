/* Speed as a share of what the processor can do in the same moments. Clocks drift and
 * other programs come and go, so the peak is measured before and after each repetition,
 * and the median over the repetitions counts. */
#include <stdlib.h>
#include <time.h>

#include "bench.h"

static const lmd_bench_precision precisions[] = {
    {"f32", lmd_kernel_new, false},
    {"bf16", lmd_kernel_new_bf16, true},
};

const lmd_bench_precision *lmd_bench_precisions(int *n)
{
    *n = (int)(sizeof precisions / sizeof precisions[0]);
    return precisions;
}

static int compare_values(const void *left, const void *right)
{
    const double a = *(const double *)left;
    const double b = *(const double *)right;
    return (a > b) - (a < b);
}

double lmd_bench_median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, compare_values);
    return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

/* Of all threads of this process. */
static double cpu_clock(void)
{
    struct timespec time = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* times[i] and peaks[i], peaks[i + 1] around it to the share of the peak. */
static void find_shares(const lmd_bench_task *task, const double *times,
                        const double *peaks, int repeats, double *shares)
{
    for (int i = 0; i < repeats; i++) {
        const double peak = (peaks[i] + peaks[i + 1]) / 2;
        shares[i] = task->flops / times[i] / (peak * 1e9);
    }
}

lmd_bench_timing lmd_bench_time(const lmd_bench_task *task, int repeats)
{
    enum { PEAK_MILLISECONDS = 100 };
    double times[LMD_BENCH_REPEATS] = {0};
    double shares[LMD_BENCH_REPEATS] = {0};
    double on_cpu[LMD_BENCH_REPEATS] = {0};
    double peaks[LMD_BENCH_REPEATS + 1];
    const lmd_team *team = lmd_kernel_team(task->kernel);
    task->work(task->context);
    peaks[0] = lmd_kernel_measure_peak(task->kernel, PEAK_MILLISECONDS);
    for (int i = 0; i < repeats; i++) {
        const double cpu_start = cpu_clock();
        const double start = lmd_team_clock();
        task->work(task->context);
        times[i] = lmd_team_clock() - start;
        on_cpu[i] = (cpu_clock() - cpu_start) / (times[i] * lmd_team_size(team));
        peaks[i + 1] = lmd_kernel_measure_peak(task->kernel, PEAK_MILLISECONDS);
    }
    find_shares(task, times, peaks, repeats, shares);
    const double of_peak = lmd_bench_median(shares, repeats);
    return (lmd_bench_timing){
        .seconds = lmd_bench_median(times, repeats),
        .of_peak = of_peak,
        .least_of_peak = shares[0],
        .greatest_of_peak = shares[repeats - 1],
        .on_cpu = lmd_bench_median(on_cpu, repeats),
    };
}
