/* A model folder as the Hugging Face tools and llama.cpp leave it: which of its files are
 * the weights. */
#include "weights_folder.h"

#include <dirent.h>              /* opendir */
#include <errno.h>               /* errno */
#include <stdbool.h>             /* bool */
#include <stddef.h>              /* size_t */
#include <stdlib.h>              /* qsort */
#include <string.h>              /* strcmp, strerror */
#include <lmdepth/base/file.h>   /* lmd_file_join */
#include <lmdepth/base/log.h>    /* lmd_log_warn */
#include <lmdepth/base/memory.h> /* lmd_memory_copy_text */
#include <lmdepth/base/text.h>   /* lmd_text */
#include "weight_parts.h"        /* lmd_weights_is_same_split */

/* In the order of choice; GGUF files come after the first two. */
static const char *const SAFETENSORS[] = {"model.safetensors.index.json",
                                          "model.safetensors"};
static const char *const TORCH[] = {"pytorch_model.bin.index.json", "pytorch_model.bin"};

enum { N_NAMES = 2 };

typedef struct listing {
    char **names; /* owned, each too */
    size_t n;
} listing;

static void clear_listing(listing *found)
{
    for (size_t i = 0; i < found->n; i++) {
        lmd_memory_free(found->names[i]);
    }
    lmd_memory_free(found->names);
}

static int compare_texts(const void *left, const void *right)
{
    const char *const *const a = left;
    const char *const *const b = right;
    return strcmp(*a, *b);
}

/* The folder's files *.gguf in byte order, hidden ones left out. */
static lmd_status list_gguf(const char *folder, listing *found)
{
    DIR *const entries = opendir(folder);
    if (entries == NULL) {
        return lmd_status_set(LMD_INPUT, "%s: the folder can't be read: %s", folder,
                              strerror(errno));
    }
    const struct dirent *entry;
    while ((entry = readdir(entries)) != NULL) {
        if (entry->d_name[0] != '.' && lmd_file_ends_with(entry->d_name, ".gguf")) {
            found->names = lmd_memory_resize(found->names, found->n + 1, sizeof(char *));
            found->names[found->n++] = lmd_memory_copy_text(entry->d_name);
        }
    }
    closedir(entries);
    if (found->n > 1) {
        qsort(found->names, found->n, sizeof(char *), compare_texts);
    }
    return LMD_OK;
}

static lmd_status refuse_several(const char *folder, const listing *found)
{
    enum { SHOWN = 8 };
    lmd_text names = {0};
    for (size_t i = 0; i < found->n && i < SHOWN; i++) {
        lmd_text_append_format(&names, "%s%s", i > 0 ? ", " : "", found->names[i]);
    }
    if (found->n > SHOWN) {
        lmd_text_append_string(&names, ", ...");
    }
    const lmd_status status =
        lmd_status_set(LMD_INPUT, "%s: %zu GGUF files, name one of them: %s", folder,
                       found->n, lmd_text_string(&names));
    lmd_text_clear(&names);
    return status;
}

static bool has_file(const char *folder, const char *name)
{
    char *const path = lmd_file_join(folder, name);
    const bool exists = lmd_file_exists(path);
    lmd_memory_free(path);
    return exists;
}

/* The first of the names that the folder has; NULL when it has none. */
static char *find_name(const char *folder, const char *const names[N_NAMES])
{
    for (int i = 0; i < N_NAMES; i++) {
        if (has_file(folder, names[i])) {
            return lmd_file_join(folder, names[i]);
        }
    }
    return NULL;
}

static bool is_one_split(const listing *found)
{
    for (size_t i = 1; i < found->n; i++) {
        if (!lmd_weights_is_same_split(found->names[0], found->names[i])) {
            return false;
        }
    }
    return found->n > 0;
}

static lmd_status locate_gguf(char **file, const char *folder)
{
    listing found = {0};
    lmd_status status = list_gguf(folder, &found);
    if (lmd_status_is_ok(status) && (found.n == 1 || is_one_split(&found))) {
        *file = lmd_file_join(folder, found.names[0]);
    } else if (lmd_status_is_ok(status) && found.n > 1) {
        status = refuse_several(folder, &found);
    }
    clear_listing(&found);
    return status;
}

lmd_status lmd_weights_locate(char **file, const char *path)
{
    *file = NULL;
    if (!lmd_file_is_folder(path)) {
        *file = lmd_memory_copy_text(path);
        return LMD_OK;
    }
    *file = find_name(path, SAFETENSORS);
    if (*file != NULL) {
        return LMD_OK;
    }
    LMD_TRY(locate_gguf(file, path));
    if (*file != NULL) {
        return LMD_OK;
    }
    *file = find_name(path, TORCH);
    if (*file == NULL) {
        return lmd_status_set(LMD_INPUT,
                              "%s: no weights in this folder (%s, a .gguf file or %s)",
                              path, SAFETENSORS[1], TORCH[1]);
    }
    if (lmd_log_is_root()) {
        lmd_log_warn(
            "%s: torch weights, read for want of safetensors or GGUF in this folder",
            *file);
    }
    return LMD_OK;
}
