/* What both fuzz targets of room weights do with an input: open it, look at every key and
 * read every tensor. Their verdict is the sanitizers'. */
#ifndef LMDEPTH_TESTS_FUZZ_WEIGHTS_H
#define LMDEPTH_TESTS_FUZZ_WEIGHTS_H

#include <stdint.h>              /* uint8_t */
#include <stdio.h>               /* snprintf */
#include <stdlib.h>              /* abort */
#include <sys/mman.h>            /* memfd_create */
#include <unistd.h>              /* write, close */
#include <lmdepth/base/memory.h> /* lmd_memory_live */
#include <lmdepth/weights.h>

static void read_keys(const lmd_weights *weights)
{
    for (int i = 0; i < lmd_weights_key_count(weights); i++) {
        const char *const key = lmd_weights_key_at(weights, i);
        lmd_bytes text = {0};
        const lmd_bytes *texts = NULL;
        size_t n = 0;
        if (lmd_weights_get_string(weights, key, &text) && text.bytes[text.size] != 0) {
            abort();
        }
        if (lmd_weights_get_strings(weights, key, &texts, &n)) {
            for (size_t k = 0; k < n; k++) {
                if (texts[k].bytes[texts[k].size] != 0) {
                    abort();
                }
            }
        }
    }
}

static void read_tensors(const lmd_weights *weights)
{
    for (int i = 0; i < lmd_weights_count(weights); i++) {
        const lmd_tensor *const tensor = lmd_weights_at(weights, i);
        const size_t n = (size_t)(tensor->n_rows * tensor->row_length);
        float *const values = lmd_memory_new(n, sizeof *values);
        int64_t *const integers = lmd_memory_new(n, sizeof *integers);
        (void)lmd_weights_read_rows(weights, tensor, 0, tensor->n_rows, values);
        (void)lmd_weights_read_int64(weights, tensor, integers);
        if (lmd_weights_find(weights, tensor->name) != tensor) {
            abort();
        }
        lmd_memory_free(integers);
        lmd_memory_free(values);
    }
}

/* The input becomes a file without a name on any disk. */
static void try_input(const uint8_t *bytes, size_t n_bytes)
{
    char path[64];
    const int64_t live = lmd_memory_live();
    const int file = memfd_create("fuzz", 0);
    if (file < 0 || write(file, bytes, n_bytes) != (ssize_t)n_bytes) {
        abort();
    }
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    lmd_weights *weights = NULL;
    if (lmd_weights_open(&weights, path) == LMD_OK) {
        read_keys(weights);
        read_tensors(weights);
        lmd_weights_close(weights);
    }
    (void)close(file);
    if (lmd_memory_live() != live) {
        abort();
    }
}

#endif
