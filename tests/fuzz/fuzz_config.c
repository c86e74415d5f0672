/* Configs of models: config.json and, behind the mark, the header of the safetensors file
 * beside it; or a GGUF file alone. What opens and is small is loaded and computes. */
#include <stdlib.h> /* abort */
#include <string.h> /* memcmp */
#include <lmdepth/base/memory.h>
#include <lmdepth/model.h>
#include "fuzz_input.h"

enum { MOST_BYTES = 1 << 22, WIDEST = 4096, LONGEST = 3 };

/* One for all inputs: its self-test takes longer than a model. */
static lmd_kernel *get_kernel(void)
{
    static lmd_kernel *kernel;
    if (!kernel) {
        (void)setenv("LMDEPTH_KERNEL", "plain", 1);
        kernel = lmd_kernel_new(lmd_team_new(1), WIDEST);
    }
    return kernel;
}

/* Two prompts, as long as the context allows, of first and last id. */
static void forward(const lmd_model *model)
{
    const lmd_model_shape *const shape = lmd_model_get_shape(model);
    const int n =
        shape->context > 0 && shape->context < LONGEST ? shape->context : LONGEST;
    const uint32_t ids[2 * LONGEST] = {0, (uint32_t)shape->V - 1};
    const int32_t starts[] = {0, n, 2 * n};
    const lmd_batch batch = {2 * n, 2, ids, starts};
    const size_t n_work = lmd_model_work_bytes(model, batch.T);
    const size_t n_states = (size_t)(shape->N + 1) * (size_t)batch.T * (size_t)shape->d;
    if (n_work > 4 * MOST_BYTES || n_states > MOST_BYTES) {
        return;
    }
    void *const work = lmd_memory_new_aligned(n_work, 1);
    float *const states = lmd_memory_new(n_states, sizeof *states);
    lmd_model_forward(model, get_kernel(), &batch, work, states);
    lmd_model_final_norm(model, states + n_states - shape->d, states);
    if (!(lmd_model_flops(model, starts, 2) > 0)) {
        abort();
    }
    lmd_memory_free(states);
    lmd_memory_free(work);
}

static void use(lmd_model *model)
{
    const lmd_model_shape *const shape = lmd_model_get_shape(model);
    lmd_text remarks = {0};
    lmd_model_remarks(model, &remarks);
    lmd_text_clear(&remarks);
    if (shape->N < 1 || shape->d < 1 || shape->V < 1 || shape->parameters < 1 ||
        shape->bos >= shape->V) {
        abort();
    }
    const size_t n_bytes = lmd_model_bytes(model);
    if (n_bytes <= MOST_BYTES && shape->max_C <= WIDEST) {
        void *const memory = lmd_memory_new_aligned(n_bytes, 1);
        if (fuzz_is_read(lmd_model_load(model, NULL, memory))) {
            forward(model);
        }
        lmd_memory_free(memory);
    }
}

static const char *write_files(fuzz_bytes input)
{
    if (input.n >= 4 && memcmp(input.at, "GGUF", 4) == 0) {
        return fuzz_write("model.gguf", input);
    }
    (void)fuzz_write("config.json", fuzz_next_part(&input));
    return fuzz_write_safetensors("model.safetensors", input);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    lmd_model *model = NULL;
    (void)get_kernel();
    fuzz_check_memory();
    if (fuzz_is_read(lmd_model_open(&model, write_files((fuzz_bytes){bytes, n_bytes})))) {
        use(model);
        lmd_model_close(model);
    }
    fuzz_check_memory();
    return 0;
}
