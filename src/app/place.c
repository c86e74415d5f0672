/* The place of a result: may a file be put there, and is it there already? */

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app.h"

/* What runs that were killed while they wrote have left. */
static void sweep(const char *path, const char *probe)
{
    (void)lmd_file_sweep(probe);
    const int n = lmd_file_sweep(path);
    if (n > 0) {
        lmd_log_warn(
            "beside %s there %s that a program on another host has not finished, "
            "or is writing now: %s.tmp.*",
            path, n == 1 ? "is a file" : "are files", path);
    }
}

lmd_status lmd_place_check(const char *path)
{
    if (lmd_file_is_folder(path)) {
        return lmd_status_set(LMD_USAGE, "output: %s is a folder", path);
    }
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) {
        return lmd_status_set(LMD_USAGE, "output: %s is not a regular file", path);
    }
    char *folder = lmd_file_folder_of(path);
    lmd_status status = lmd_file_make_folders(folder);
    char *probe = lmd_file_join(folder, ".lmdepth.probe");
    if (status == LMD_OK) {
        status = lmd_status_within(lmd_file_write(probe, "", 0), "output");
        unlink(probe);
        sweep(path, probe);
    }
    lmd_memory_free(probe);
    lmd_memory_free(folder);
    return status;
}

bool lmd_place_is_same(const char *path, const char *other)
{
    struct stat a, b;
    return other != NULL && stat(path, &a) == 0 && stat(other, &b) == 0 &&
           a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static bool is_input(const char *path, const lmd_inputs *inputs)
{
    const lmd_job *job = inputs->job;
    const char *const names[] = {job->path, job->model_path, job->tokenizer,
                                 job->frequency_from};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (lmd_place_is_same(path, names[i])) {
            return true;
        }
    }
    for (int i = 0; i < job->n_lenses; i++) {
        if (lmd_place_is_same(path, job->lenses[i].path) ||
            lmd_place_is_same(path, job->lenses[i].index)) {
            return true;
        }
    }
    for (int f = 0; f < lmd_corpus_files(inputs->corpus); f++) {
        if (lmd_place_is_same(path, lmd_corpus_file(inputs->corpus, f))) {
            return true;
        }
    }
    return false;
}

lmd_status lmd_place_check_job(const lmd_inputs *inputs)
{
    const char *output = inputs->job->output;
    LMD_TRY(lmd_place_check(output));
    return is_input(output, inputs)
               ? lmd_status_set(LMD_USAGE, "output: %s is a file that the job reads",
                                output)
               : LMD_OK;
}

/* An existing file stays, unless it is this very one or may be replaced. */
static lmd_status judge_bytes(const char *path, const lmd_text *bytes, const char *what)
{
    lmd_text old = {0};
    const lmd_status status = lmd_file_read_all(path, bytes->size, &old);
    const bool is_same = status == LMD_OK && old.size == bytes->size &&
                         memcmp(lmd_text_string(&old), bytes->bytes, old.size) == 0;
    lmd_text_clear(&old);
    if (!is_same) {
        return lmd_status_set(LMD_USAGE,
                              "output: %s is there and is not %s; --fresh replaces it",
                              path, what);
    }
    lmd_log_say("%s holds %s already", path, what);
    return LMD_OK;
}

lmd_status lmd_place_write(const char *path, const lmd_text *bytes, const char *what,
                           bool is_fresh, bool *is_there)
{
    *is_there = lmd_file_exists(path) && !is_fresh;
    return *is_there ? judge_bytes(path, bytes, what)
                     : lmd_file_write(path, bytes->bytes, bytes->size);
}

lmd_status lmd_place_judge(const char *path, const char *fingerprint, bool *is_complete)
{
    lmd_text found = {0};
    bool has_one = false;
    const lmd_status status =
        lmd_output_read_attribute(path, "lmdepth_fingerprint", &found, &has_one);
    *is_complete =
        status == LMD_OK && has_one && strcmp(lmd_text_string(&found), fingerprint) == 0;
    lmd_text_clear(&found);
    if (!*is_complete) {
        return lmd_status_set(LMD_USAGE,
                              "output: %s is there and is not this job's result; --fresh "
                              "replaces it",
                              path);
    }
    lmd_log_say("%s holds this job's result already (same fingerprint)", path);
    return LMD_OK;
}
