/* What a folder holds of unfinished work, for people: nothing is changed. */

#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "store.h"

/* Takes one file into the view; false when it can't be read. */
static bool look_at(const char *folder, const lmd_saved_name *name, lmd_store_view *view)
{
    char *const path = lmd_store_path(folder, name);
    lmd_snapshot found;
    lmd_text story = {0};
    struct stat info;
    const bool is_good = lmd_snapshot_peek(path, &found, &story) == LMD_OK;
    if (is_good) {
        view->files++;
        view->packs += found.effort.packs;
        view->n_packs = found.n_packs;
        if (story.size > 0 &&
            (!view->story.bytes || !strstr(view->story.bytes, story.bytes))) {
            lmd_text_append_format(&view->story, "%s\n", story.bytes);
        }
    } else {
        view->damaged++;
    }
    if (is_good && stat(path, &info) == 0) {
        const double age = difftime(time(NULL), info.st_mtime);
        view->age = view->files == 1 || age < view->age ? age : view->age;
    }
    lmd_text_clear(&story);
    lmd_memory_free(path);
    return is_good;
}

/* As an attempt would: the newest base that can be read, and the states since. */
lmd_store_view lmd_store_look(const char *folder)
{
    size_t n;
    lmd_saved_name *const names = lmd_store_list(folder, &n);
    lmd_store_view view = {.attempt = n > 0 ? names[0].attempt : 0};
    int first = 0;
    for (size_t i = 0; i < n && first == 0; i++) {
        if (names[i].rank == LMD_SNAPSHOT_BASE && look_at(folder, &names[i], &view)) {
            first = names[i].attempt;
        }
    }
    for (size_t i = n; i-- > 0;) { // oldest attempt first
        if (names[i].rank != LMD_SNAPSHOT_BASE && names[i].attempt >= first) {
            (void)look_at(folder, &names[i], &view);
        }
    }
    lmd_memory_free(names);
    return view;
}

void lmd_store_view_clear(lmd_store_view *view)
{
    lmd_text_clear(&view->story);
}
