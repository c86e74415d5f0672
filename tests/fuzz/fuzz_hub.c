/* Names of models and the files of a Hugging Face cache that they lead to. */
#include <stdlib.h>   /* setenv, abort */
#include <sys/stat.h> /* mkdir */
#include <lmdepth/base/file.h>
#include <lmdepth/base/memory.h>
#include "fuzz_input.h"

static void make_cache(void)
{
    static const char *const folders[] = {"models--org--name", "models--org--name/refs",
                                          "models--org--name/snapshots",
                                          "models--org--name/snapshots/0123abcd"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char *const path = lmd_file_join(fuzz_folder(), folders[i]);
        (void)mkdir(path, 0700);
        lmd_memory_free(path);
    }
    (void)setenv("HF_HUB_CACHE", fuzz_folder(), 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    static int is_made;
    fuzz_bytes input = {bytes, n_bytes};
    char *path = NULL;
    if (!is_made) {
        make_cache();
        is_made = 1;
    }
    char *const name = fuzz_copy_text(fuzz_next_part(&input));
    (void)fuzz_write("models--org--name/refs/main", input);
    const lmd_status status = lmd_weights_resolve(name, &path);
    if (fuzz_is_read(status) != (path != NULL)) {
        abort();
    }
    lmd_memory_free(path);
    lmd_memory_free(name);
    fuzz_check_memory();
    return 0;
}
