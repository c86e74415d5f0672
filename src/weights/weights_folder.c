/* A model folder as the Hugging Face tools and llama.cpp leave it: which of its files are
 * the weights, and a clear word about those we can't read. */
#include "weights_folder.h"

#include <dirent.h>              /* opendir */
#include <errno.h>               /* errno */
#include <stdbool.h>             /* bool */
#include <stddef.h>              /* size_t */
#include <stdlib.h>              /* qsort */
#include <string.h>              /* strcmp, strerror */
#include <lmdepth/base/file.h>   /* lmd_file_join */
#include <lmdepth/base/memory.h> /* lmd_memory_copy_text */
#include <lmdepth/base/text.h>   /* lmd_text */

static const char PREFERRED[] = "model.safetensors";

/* Weights that are recognised to be refused by name, in the order of a look for them. */
static const struct {
    const char *file;
    const char *what;
} REFUSALS[] = {
    {"model.safetensors.index.json", "safetensors in several files"},
    {"pytorch_model.bin", "the torch format"},
    {"pytorch_model.bin.index.json", "the torch format"},
};

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

static lmd_status refuse_unreadable(const char *folder)
{
    for (size_t i = 0; i < sizeof REFUSALS / sizeof REFUSALS[0]; i++) {
        if (has_file(folder, REFUSALS[i].file)) {
            return lmd_status_set(LMD_INPUT, "%s: %s: %s is not supported yet", folder,
                                  REFUSALS[i].file, REFUSALS[i].what);
        }
    }
    return lmd_status_set(LMD_INPUT, "%s: no weights in this folder (%s or a .gguf file)",
                          folder, PREFERRED);
}

lmd_status lmd_weights_locate(char **file, const char *path)
{
    *file = NULL;
    if (!lmd_file_is_folder(path)) {
        *file = lmd_memory_copy_text(path);
        return LMD_OK;
    }
    if (has_file(path, PREFERRED)) {
        *file = lmd_file_join(path, PREFERRED);
        return LMD_OK;
    }
    listing found = {0};
    lmd_status status = list_gguf(path, &found);
    if (lmd_status_is_ok(status)) {
        if (found.n == 1) {
            *file = lmd_file_join(path, found.names[0]);
        } else {
            status = found.n > 1 ? refuse_several(path, &found) : refuse_unreadable(path);
        }
    }
    clear_listing(&found);
    return status;
}
