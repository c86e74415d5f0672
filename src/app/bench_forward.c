/* The forward pass alone, over windows of 512 tokens as a job has them. The model's files
 * are gone before the clock starts. */
#include <stdio.h>

#include "bench.h"

enum { WINDOW = 512, PACK_WINDOWS = 4 };

typedef struct bench_pass {
    lmd_model *model;
    lmd_kernel *kernel;
    lmd_batch batch;
    void *work;
    float *states;
} bench_pass;

static void run_pass(void *context)
{
    const bench_pass *pass = context;
    lmd_model_forward(pass->model, pass->kernel, &pass->batch, pass->work, pass->states);
}

static lmd_bench_row time_windows(bench_pass *pass, const lmd_bench_plan *plan,
                                  int windows, int length)
{
    const lmd_model_shape *shape = lmd_model_get_shape(pass->model);
    const int T = windows * length;
    uint32_t *ids = lmd_memory_new((size_t)T, sizeof *ids);
    int32_t starts[PACK_WINDOWS + 1];
    for (int t = 0; t < T; t++) {
        ids[t] = (uint32_t)(lmd_hash_mix((uint64_t)t + 1) % (unsigned)shape->V);
    }
    for (int p = 0; p <= windows; p++) {
        starts[p] = p * length;
    }
    pass->batch = (lmd_batch){.T = T, .n_prompts = windows, .ids = ids, .starts = starts};
    pass->work = lmd_memory_new_aligned(lmd_model_work_bytes(pass->model, T), 1);
    pass->states = lmd_memory_new_aligned(
        (size_t)(shape->N + 1) * (size_t)T * (size_t)shape->d, sizeof *pass->states);
    const lmd_bench_task task = {.kernel = pass->kernel,
                                 .work = run_pass,
                                 .context = pass,
                                 .flops = lmd_model_flops(pass->model, starts, windows)};
    const lmd_bench_timing timing = lmd_bench_time(&task, plan->repeats);
    lmd_bench_row row = {.is_forward = true,
                         .shape = plan->shape,
                         .tokens = T,
                         .stored = lmd_bench_type_name(plan->stored),
                         .precision = plan->precision->name,
                         .threads = plan->threads,
                         .per_second = T / timing.seconds,
                         .gflops = task.flops / timing.seconds * 1e-9,
                         .timing = timing};
    snprintf(row.kernel, sizeof row.kernel, "%s", lmd_kernel_arithmetic(pass->kernel));
    lmd_memory_free(pass->states);
    lmd_memory_free(pass->work);
    lmd_memory_free(ids);
    return row;
}

static lmd_status load_model(const lmd_bench_plan *plan, lmd_model **model, void **memory)
{
    char *folder;
    LMD_TRY(lmd_bench_make_model(plan->shape, plan->stored, &folder));
    lmd_status status = lmd_model_open(model, folder);
    if (status == LMD_OK) {
        if (plan->precision->takes_bf16_only) {
            lmd_model_use_bf16(*model);
        }
        *memory = lmd_memory_new_aligned(lmd_model_bytes(*model), 1);
        status = lmd_model_load(*model, NULL, *memory);
    }
    const lmd_status removed = lmd_file_remove_tree(folder);
    lmd_memory_free(folder);
    return status == LMD_OK ? removed : status;
}

lmd_status lmd_bench_forward(const lmd_bench_plan *plan, lmd_bench_row rows[2], int *n)
{
    bench_pass pass = {0};
    void *memory = NULL;
    *n = 0;
    const lmd_status status = load_model(plan, &pass.model, &memory);
    if (status == LMD_OK) {
        lmd_team *team = lmd_team_new(plan->threads);
        pass.kernel =
            plan->precision->new_kernel(team, lmd_model_get_shape(pass.model)->max_C);
        rows[(*n)++] = time_windows(&pass, plan, 1, plan->is_quick ? 64 : WINDOW);
        if (!plan->is_quick) {
            rows[(*n)++] = time_windows(&pass, plan, PACK_WINDOWS, WINDOW);
        }
        lmd_kernel_free(pass.kernel);
        lmd_team_free(team);
    }
    lmd_model_close(pass.model);
    lmd_memory_free(memory);
    return status;
}
