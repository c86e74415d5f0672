/* The cache of the Hugging Face tools (huggingface_hub, guides/manage-cache.md), read and
 * never written; nothing is fetched:
 *
 *     <cache>/models--<org>--<name>/refs/<revision>     holds a commit
 *     <cache>/models--<org>--<name>/snapshots/<commit>/ the model's folder
 */
#include <dirent.h>              /* opendir */
#include <stdlib.h>              /* getenv, qsort */
#include <string.h>              /* strchr, strcmp */
#include <lmdepth/base/file.h>   /* lmd_file_join */
#include <lmdepth/base/memory.h> /* lmd_memory_copy_text */
#include <lmdepth/base/text.h>   /* lmd_text */
#include <lmdepth/weights.h>     /* lmd_weights_resolve */

static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                              "0123456789._-";
static const char HEX[] = "0123456789abcdef";

enum { LONGEST_COMMIT = 64, SHOWN = 1000 };

/* ---- names ---- */

typedef struct hub_name {
    char *repository; /* owned: org/name */
    char *revision;   /* owned: "main" when none was given */
    bool is_default;
} hub_name;

static void clear_name(hub_name *name)
{
    lmd_memory_free(name->repository);
    lmd_memory_free(name->revision);
}

/* Length of one part of a repository's name; 0 when it is none. */
static size_t part_length(const char *text)
{
    const size_t n = strspn(text, LETTERS);
    return text[0] == '.' || text[0] == '-' ? 0 : n;
}

/* org/name or org/name@revision? A revision may hold slashes but leads nowhere else. */
static bool read_name(const char *text, hub_name *out)
{
    const size_t organisation = part_length(text);
    if (organisation == 0 || text[organisation] != '/') {
        return false;
    }
    const char *const rest = text + organisation + 1;
    const size_t repository = part_length(rest);
    const char end = rest[repository];
    const char *const revision = rest + repository + 1;
    if (repository == 0 || (end != 0 && end != '@') ||
        (end == '@' &&
         (revision[0] == 0 || revision[0] == '/' || strstr(revision, "..") != NULL))) {
        return false;
    }
    *out = (hub_name){
        .repository = lmd_memory_copy_bytes(text, organisation + 1 + repository),
        .revision = lmd_memory_copy_text(end == '@' ? revision : "main"),
        .is_default = end != '@',
    };
    return true;
}

/* models--org--name */
static char *folder_name(const char *repository)
{
    lmd_text text = {0};
    const char *const slash = strchr(repository, '/');
    lmd_text_append_format(&text, "models--%.*s--%s", (int)(slash - repository),
                           repository, slash + 1);
    return text.bytes;
}

/* ---- where the cache is ---- */

static const char *value_of(const char *variable)
{
    const char *const value = getenv(variable);
    return value != NULL && value[0] != 0 ? value : NULL;
}

/* A leading ~ stands for HOME, as in the tools. */
static char *expand_home(const char *path)
{
    const char *const home = value_of("HOME");
    return path[0] == '~' && path[1] == '/' && home != NULL
               ? lmd_file_join(home, path + 2)
               : lmd_memory_copy_text(path);
}

static char *find_cache(void)
{
    static const char *const WHOLE[] = {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"};
    for (int i = 0; i < 2; i++) {
        if (value_of(WHOLE[i]) != NULL) {
            return expand_home(value_of(WHOLE[i]));
        }
    }
    const char *base = "~/.cache";
    const char *rest = "huggingface/hub";
    if (value_of("HF_HOME") != NULL) {
        base = value_of("HF_HOME");
        rest = "hub";
    } else if (value_of("XDG_CACHE_HOME") != NULL) {
        base = value_of("XDG_CACHE_HOME");
    }
    char *const folder = expand_home(base);
    char *const cache = lmd_file_join(folder, rest);
    lmd_memory_free(folder);
    return cache;
}

/* ---- what is in it ---- */

typedef struct listing {
    char **names; /* owned, each too; sorted */
    size_t n;
} listing;

static void clear_listing(listing *list)
{
    for (size_t i = 0; i < list->n; i++) {
        lmd_memory_free(list->names[i]);
    }
    lmd_memory_free(list->names);
}

static int compare_texts(const void *left, const void *right)
{
    const char *const *const a = left;
    const char *const *const b = right;
    return strcmp(*a, *b);
}

/* Entries of a folder that begin with `start`; none when it is not there. */
static void list_entries(const char *folder, const char *start, listing *list)
{
    DIR *const entries = opendir(folder);
    if (entries == NULL) {
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(entries)) != NULL) {
        if (entry->d_name[0] != '.' &&
            strncmp(entry->d_name, start, strlen(start)) == 0) {
            list->names = lmd_memory_resize(list->names, list->n + 1, sizeof(char *));
            list->names[list->n++] = lmd_memory_copy_text(entry->d_name);
        }
    }
    closedir(entries);
    if (list->n > 1) {
        qsort(list->names, list->n, sizeof(char *), compare_texts);
    }
}

static void append_entries(lmd_text *out, const char *folder, const char *start,
                           const char *what)
{
    listing list = {0};
    list_entries(folder, start, &list);
    lmd_text_append_format(out, "%s: ", what);
    for (size_t i = 0; i < list.n && out->size < SHOWN; i++) {
        lmd_text_append_format(out, "%s%.100s", i > 0 ? ", " : "", list.names[i]);
    }
    lmd_text_append_string(out, list.n == 0 ? "none" : out->size < SHOWN ? "" : ", ...");
    clear_listing(&list);
}

/* ---- revisions ---- */

/* The commit that refs/<revision> holds; NULL when there is no such file. */
static char *read_reference(const char *model, const char *revision)
{
    lmd_text commit = {0};
    char *const folder = lmd_file_join(model, "refs");
    char *const path = lmd_file_join(folder, revision);
    char *found = NULL;
    if (lmd_file_exists(path) && !lmd_file_is_folder(path) &&
        lmd_file_read_all(path, LONGEST_COMMIT, &commit) == LMD_OK) {
        const size_t n = strspn(lmd_text_string(&commit), HEX);
        found = n > 0 ? lmd_memory_copy_bytes(commit.bytes, n) : NULL;
    }
    lmd_text_clear(&commit);
    lmd_memory_free(path);
    lmd_memory_free(folder);
    return found;
}

/* The only snapshot whose commit begins with `revision`; NULL when it is not one. */
static char *find_snapshot(const char *snapshots, const char *revision)
{
    listing list = {0};
    char *found = NULL;
    if (strspn(revision, HEX) == strlen(revision)) {
        list_entries(snapshots, revision, &list);
        found = list.n == 1 ? lmd_file_join(snapshots, list.names[0]) : NULL;
    }
    clear_listing(&list);
    return found;
}

static char *find_revision(const char *model, const char *revision)
{
    char *const snapshots = lmd_file_join(model, "snapshots");
    char *const commit = read_reference(model, revision);
    char *folder = NULL;
    if (commit != NULL) {
        folder = lmd_file_join(snapshots, commit);
        if (!lmd_file_is_folder(folder)) {
            lmd_memory_free(folder);
            folder = NULL;
        }
    } else {
        folder = find_snapshot(snapshots, revision);
    }
    lmd_memory_free(commit);
    lmd_memory_free(snapshots);
    return folder;
}

static lmd_status refuse(const char *cache, const char *model, const hub_name *name)
{
    lmd_text text = {0};
    if (!lmd_file_is_folder(model)) {
        append_entries(&text, cache, "models--", "models there");
    } else {
        char *const references = lmd_file_join(model, "refs");
        char *const snapshots = lmd_file_join(model, "snapshots");
        append_entries(&text, references, "", "revisions there");
        append_entries(&text, snapshots, "", "; commits");
        lmd_memory_free(references);
        lmd_memory_free(snapshots);
    }
    const bool is_there = lmd_file_is_folder(model);
    const lmd_status status = lmd_status_set(
        LMD_USAGE, "%s%s%s: no such file, and not in the Hugging Face cache %s; %s",
        name->repository, name->is_default ? "" : "@",
        name->is_default ? "" : name->revision, is_there ? model : cache,
        lmd_text_string(&text));
    lmd_text_clear(&text);
    return status;
}

lmd_status lmd_weights_resolve(const char *name, char **path)
{
    hub_name hub = {0};
    if (lmd_file_exists(name) || !read_name(name, &hub)) {
        *path = lmd_memory_copy_text(name);
        return LMD_OK;
    }
    char *const cache = find_cache();
    char *const folder = folder_name(hub.repository);
    char *const model = lmd_file_join(cache, folder);
    *path = find_revision(model, hub.revision);
    const lmd_status status = *path != NULL ? LMD_OK : refuse(cache, model, &hub);
    lmd_memory_free(model);
    lmd_memory_free(folder);
    lmd_memory_free(cache);
    clear_name(&hub);
    return status;
}
