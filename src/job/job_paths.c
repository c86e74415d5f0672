/* Paths of a job. What is expanded: a leading ~ and ${NAME} anywhere; a dollar sign
 * without a brace is a letter like others. */
#include "job_paths.h"

#include <stdbool.h>             /* bool */
#include <stdlib.h>              /* getenv */
#include <string.h>              /* strchr */
#include <lmdepth/base/file.h>   /* lmd_file_join */
#include <lmdepth/base/memory.h> /* lmd_memory_copy_text */
#include <lmdepth/base/text.h>   /* lmd_text */

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
static const char digits[] = "0123456789";

/* Length of the name at the start of `text`. */
static size_t name_length(const char *text)
{
    size_t n = strspn(text, letters);
    while (n > 0 && text[n] && (strchr(letters, text[n]) || strchr(digits, text[n]))) {
        n++;
    }
    return n;
}

/* The variable whose ${ stands before `name`; *end is behind its brace. */
static lmd_status append_variable(const char *name, const char **end, lmd_text *out)
{
    const size_t n = name_length(name);
    if (n == 0 || name[n] != '}') {
        return lmd_status_set(LMD_USAGE, "'${' without a name and a closing '}'");
    }
    char *const copy = lmd_memory_copy_bytes(name, n);
    const char *const value = getenv(copy);
    const lmd_status status =
        value ? LMD_OK
              : lmd_status_set(LMD_USAGE, "the environment has no variable %s", copy);
    if (value) {
        lmd_text_append_string(out, value);
    }
    lmd_memory_free(copy);
    *end = name + n + 1;
    return status;
}

static lmd_status expand(const char *written, lmd_text *out)
{
    const char *at = written;
    if (at[0] == '~' && (at[1] == '/' || at[1] == 0)) {
        const char *const home = getenv("HOME");
        if (!home) {
            return lmd_status_set(LMD_USAGE, "'~', but the environment has no HOME");
        }
        lmd_text_append_string(out, home);
        at++;
    }
    while (*at) {
        if (at[0] == '$' && at[1] == '{') {
            LMD_TRY(append_variable(at + 2, &at, out));
        } else {
            lmd_text_append(out, at++, 1);
        }
    }
    return LMD_OK;
}

/* The expanded path, the caller's; never empty. */
static lmd_status expand_whole(const char *written, char **out)
{
    lmd_text text = {0};
    lmd_status status = expand(written, &text);
    if (status == LMD_OK && text.size == 0) {
        status = lmd_status_set(LMD_USAGE, "an empty path");
    }
    *out = status == LMD_OK ? lmd_memory_copy_text(lmd_text_string(&text)) : NULL;
    lmd_text_clear(&text);
    return status;
}

static lmd_status resolve(const char *written, const char *folder, char **out)
{
    char *expanded;
    *out = NULL;
    LMD_TRY(expand_whole(written, &expanded));
    *out = lmd_file_join(folder, expanded);
    lmd_memory_free(expanded);
    return LMD_OK;
}

/* Without "./" before what lies in the current folder: the path is shown to people. */
lmd_status job_paths_resolve(const char *written, const char *folder, char **out)
{
    const bool is_here = folder != NULL && strcmp(folder, ".") == 0;
    return resolve(written, is_here ? NULL : folder, out);
}

static char *quote_glob(const char *folder)
{
    lmd_text quoted = {0};
    for (const char *at = folder; *at; at++) {
        if (strchr("*?[\\", *at)) {
            lmd_text_append(&quoted, "\\", 1);
        }
        lmd_text_append(&quoted, at, 1);
    }
    char *const copy = lmd_memory_copy_text(lmd_text_string(&quoted));
    lmd_text_clear(&quoted);
    return copy;
}

/* A file of that very name is meant before any pattern. */
lmd_status job_paths_resolve_glob(const char *written, const char *folder, char **out)
{
    LMD_TRY(job_paths_resolve(written, folder, out));
    if (lmd_file_exists(*out)) {
        return LMD_OK;
    }
    lmd_memory_free(*out);
    *out = NULL;
    char *const quoted = quote_glob(folder);
    const lmd_status status = job_paths_resolve(written, quoted, out);
    lmd_memory_free(quoted);
    return status;
}

/* Length of a part of a repository's name; "." and ".." are none. */
static size_t part_length(const char *text)
{
    size_t n = 0;
    bool is_dots = true;
    while (text[n] && (strchr(letters, text[n]) || strchr(digits, text[n]) ||
                       strchr("-.", text[n]))) {
        is_dots = is_dots && text[n] == '.';
        n++;
    }
    return is_dots ? 0 : n;
}

static bool is_repository(const char *path)
{
    const size_t n_owner = part_length(path);
    if (n_owner == 0 || path[n_owner] != '/' || lmd_file_ends_with(path, ".gguf") ||
        lmd_file_ends_with(path, ".safetensors")) {
        return false;
    }
    const char *const name = path + n_owner + 1;
    const size_t n_name = part_length(name);
    const char end = name[n_name];
    return n_name > 0 && (end == 0 || (end == '@' && name[n_name + 1] != 0));
}

/* With "./", so that a file that is missing is not taken for a repository. */
lmd_status job_paths_resolve_model(const char *written, const char *folder, char **out)
{
    LMD_TRY(resolve(written, folder, out));
    if (!lmd_file_exists(*out) && is_repository(written)) {
        lmd_memory_free(*out);
        *out = lmd_memory_copy_text(written);
    }
    return LMD_OK;
}
