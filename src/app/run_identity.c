/* Which job a run is: hashes of all that it reads, and what follows from them. */

#include <stdio.h>

#include <lmdepth/kernel.h>

#include "run.h"

lmd_status lmd_run_hash_model(lmd_run *run)
{
    const lmd_model *model = run->inputs.model;
    lmd_model_hashes *hashes = &run->model_hashes;
    lmd_status status = LMD_OK;
    if (lmd_parallel_is_root(run->session)) {
        status = lmd_locate_sha256(model, hashes->weights);
        if (status == LMD_OK && lmd_model_config_path(model) != NULL) {
            status = lmd_file_sha256(lmd_model_config_path(model), hashes->config);
        }
    }
    LMD_TRY(lmd_parallel_agree(run->session, status));
    lmd_parallel_broadcast(run->session, hashes, sizeof *hashes);
    return LMD_OK;
}

lmd_status lmd_run_hash_corpus(lmd_run *run)
{
    if (run->corpus_hashes == NULL) {
        const size_t files = (size_t)lmd_corpus_files(run->inputs.corpus);
        run->corpus_hashes = lmd_memory_new(files, sizeof *run->corpus_hashes);
        return lmd_prepare_hash(run->session, &run->inputs, run->corpus_hashes);
    }
    return LMD_OK;
}

char *lmd_run_identity(const lmd_run *run, char (*hashes)[LMD_SHA256_HEX], bool has_names)
{
    return lmd_provenance_identity(&run->inputs, &run->model_hashes, hashes,
                                   lmd_kernel_arithmetic(run->kernel), has_names);
}

void lmd_run_set_fingerprints(lmd_run *run, char (*hashes)[LMD_SHA256_HEX])
{
    char part[32];
    char *identity = lmd_run_identity(run, hashes, false);
    (void)snprintf(part, sizeof part, "%d/%d", run->arguments->part.part,
                   run->arguments->part.parts);
    lmd_memory_free(run->job_fingerprint);
    lmd_memory_free(run->fingerprint);
    run->job_fingerprint = lmd_provenance_fingerprint(identity);
    run->fingerprint = lmd_provenance_share(run->job_fingerprint, part);
    lmd_memory_free(identity);
}

lmd_status lmd_run_check_existing(lmd_run *run)
{
    lmd_session *session = run->session;
    const bool exists = lmd_file_exists(run->inputs.job->output);
    if (lmd_parallel_max_int64(session, exists) == 0 || run->arguments->is_fresh) {
        return LMD_OK;
    }
    LMD_TRY(lmd_run_hash_corpus(run));
    lmd_status status = LMD_OK;
    if (lmd_parallel_is_root(session)) {
        lmd_run_set_fingerprints(run, run->corpus_hashes);
        status = lmd_place_judge(run->inputs.job->output, run->fingerprint,
                                 &run->is_complete_already);
    }
    LMD_TRY(lmd_parallel_agree(session, status));
    run->is_complete_already =
        lmd_parallel_max_int64(session, run->is_complete_already) != 0;
    return LMD_OK;
}
