/* Fuzz target: a job file of any bytes is read or refused, and what was read reads back
 * after it was written. Build: clang -fsanitize=fuzzer,address,undefined */
#include <stdlib.h> /* abort */
#include <lmdepth/job.h>

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n_bytes)
{
    const lmd_job_override output = {"output", "x.nc", "-o"};
    lmd_job *job;
    if (lmd_job_parse(&job, "fuzz.yaml", (const char *)bytes, n_bytes, &output, 1) ==
        LMD_OK) {
        lmd_text text = {0};
        lmd_job *again;
        lmd_job_write(job, &text);
        if (lmd_job_parse(&again, "fuzz.yaml", text.bytes, text.size, &output, 1) !=
            LMD_OK) {
            abort();
        }
        lmd_job_free(again);
        lmd_text_clear(&text);
        lmd_job_free(job);
    }
    return 0;
}
