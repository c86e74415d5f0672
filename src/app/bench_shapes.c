/* Sizes of the models that `bench` times. Pythia-6.9B's and Llama-3-8B's forward passes
 * are left out: they would be a matter of minutes on few cores and say the same. */
#include "bench.h"

static const lmd_bench_shape shapes[] = {
    {"gpt2-124m", 768, 50257, 12, 12, 12, 3072, "gpt2", true, true},
    {"smollm2-135m", 576, 49152, 30, 9, 3, 1536, "llama", true, true},
    {"pythia-6.9b", 4096, 50432, 32, 0, 0, 0, "gptneox", false, true},
    {"llama-3-8b", 4096, 128256, 32, 0, 0, 0, "llama", false, true},
    {"tiny", 48, 500, 2, 4, 2, 96, "llama", false, false}, // for tests
};

const lmd_bench_shape *lmd_bench_shapes(int *n)
{
    *n = (int)(sizeof shapes / sizeof shapes[0]);
    return shapes;
}

const char *lmd_bench_type_name(lmd_matrix_type type)
{
    return type == LMD_F32 ? "f32" : type == LMD_BF16 ? "bf16" : "f16";
}

float *lmd_bench_noise(size_t n, float limit)
{
    float *values = lmd_memory_new_aligned(n, sizeof *values);
    for (size_t i = 0; i < n; i++) {
        const int64_t bits = (int64_t)(lmd_hash_mix(i + 1) >> 40); // 24 of them
        values[i] = (float)(bits - (1 << 23)) * 0x1p-23f * limit;
    }
    return values;
}
