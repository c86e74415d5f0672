/* Each file is opened by itself with all its checks; the whole borrows the tensors of its
 * parts and takes the metadata of the first. An index says twice what the shards say
 * themselves, so the two are held against each other: a file of another model in the
 * folder is the usual damage.
 *
 * Index (huggingface_hub, serialization): {"weight_map": {"<tensor>": "<file>"}}. Split
 * GGUF (gguf-split of llama.cpp): <stem>-00001-of-0000N.gguf with the keys split.count,
 * split.no (from 0) and split.tensors.count (of all parts).
 */
#include "weight_parts.h"

#include <inttypes.h>            /* PRId64 */
#include <limits.h>              /* INT_MAX */
#include <stdlib.h>              /* qsort */
#include <string.h>              /* strcmp */
#include <jansson.h>             /* json_loadb */
#include <lmdepth/base/file.h>   /* lmd_file_join */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <lmdepth/base/text.h>   /* lmd_text */
#include "weight_store.h"        /* struct lmd_weights */

enum {
    LARGEST_INDEX = 100000000,
    SHOWN = 1000 /* bytes of a list in a message, which has room for 2047 in all */
};

/* ---- lists in messages ---- */

typedef struct lmd_list {
    lmd_text text;
    int count;
    bool is_cut;
} lmd_list;

static void list_add(lmd_list *list, const char *name)
{
    list->count++;
    if (list->text.size < SHOWN) {
        lmd_text_append_format(&list->text, "%s%.200s", list->count > 1 ? ", " : "",
                               name);
    } else if (!list->is_cut) {
        lmd_text_append_string(&list->text, ", ...");
        list->is_cut = true;
    }
}

/* LMD_INPUT when anything was listed, after `what`; clears the list. */
static lmd_status list_refuse(lmd_list *list, const char *path, const char *what)
{
    lmd_status status = LMD_OK;
    if (list->count > 0) {
        status = lmd_status_set(LMD_INPUT, "%s: %s (%d): %s", path, what, list->count,
                                lmd_text_string(&list->text));
    }
    lmd_text_clear(&list->text);
    return status;
}

/* ---- the whole of its parts ---- */

static lmd_weights *new_whole(const char *path, int n_parts)
{
    lmd_weights *const whole = lmd_memory_new(1, sizeof *whole);
    whole->path = lmd_memory_copy_text(path);
    whole->n_parts = n_parts;
    whole->parts = lmd_memory_new((size_t)n_parts, sizeof(lmd_weights *));
    whole->files = lmd_memory_new((size_t)n_parts, sizeof(char *));
    return whole;
}

static lmd_status keep_or_close(lmd_weights **out, lmd_weights *whole, lmd_status status)
{
    *out = lmd_status_is_ok(status) ? whole : NULL;
    if (!lmd_status_is_ok(status)) {
        lmd_weights_close(whole);
    }
    return status;
}

static lmd_status count_tensors(lmd_weights *whole)
{
    for (int i = 0; i < whole->n_parts; i++) {
        if (whole->parts[i]->format != whole->format) {
            return lmd_status_set(LMD_INPUT, "%s: is %s, but %s is %s",
                                  whole->parts[i]->path, whole->parts[i]->format->name,
                                  whole->files[0], whole->format->name);
        }
        if (whole->parts[i]->n_tensors > INT_MAX - 1 - whole->n_tensors) {
            return lmd_status_set(LMD_INPUT, "%s: too many tensors", whole->path);
        }
        whole->n_tensors += whole->parts[i]->n_tensors;
    }
    return LMD_OK;
}

static lmd_status refuse_twice(const lmd_weights *whole, const char *name)
{
    lmd_list list = {0};
    for (int i = 0; i < whole->n_parts; i++) {
        if (lmd_weights_find(whole->parts[i], name) != NULL) {
            list_add(&list, lmd_file_name_of(whole->parts[i]->path));
        }
    }
    const lmd_status status =
        lmd_status_set(LMD_INPUT, "%s: tensor '%.200s' is in several files: %.1000s",
                       whole->path, name, lmd_text_string(&list.text));
    lmd_text_clear(&list.text);
    return status;
}

/* All keys but those that say how the model was split. */
static void take_keys(lmd_weights *whole, const lmd_weights *first)
{
    for (int i = 0; i < first->n_keys; i++) {
        if (strncmp(first->keys[i].name, "split.", 6) != 0) {
            lmd_weights_store_add_key(whole, first->keys[i].name, &first->keys[i].value);
        }
    }
}

/* The tensors of all parts, in their order; the keys of the first. */
static lmd_status join_parts(lmd_weights *whole)
{
    const lmd_weights *const first = whole->parts[0];
    whole->format = first->format;
    LMD_TRY(count_tensors(whole));
    const size_t n = (size_t)whole->n_tensors;
    whole->tensors = lmd_memory_new(n, sizeof *whole->tensors);
    whole->storage = lmd_memory_new(n, sizeof *whole->storage);
    size_t at = 0;
    for (int i = 0; i < whole->n_parts; i++) {
        const lmd_weights *const part = whole->parts[i];
        for (int k = 0; k < part->n_tensors; k++) {
            whole->tensors[at] = part->tensors[k];
            whole->storage[at++] = part->storage[k];
        }
    }
    take_keys(whole, first);
    const char *const duplicate = lmd_weights_store_sort_tensors(whole);
    LMD_TRY(duplicate == NULL ? LMD_OK : refuse_twice(whole, duplicate));
    return lmd_weights_store_seal_keys(whole);
}

/* ---- an index and its shards ---- */

static lmd_status parse_index(json_t **root, const char *path)
{
    lmd_text text = {0};
    json_error_t error;
    lmd_status status = lmd_file_read_all(path, LARGEST_INDEX, &text);
    if (lmd_status_is_ok(status)) {
        *root =
            json_loadb(lmd_text_string(&text), text.size, JSON_REJECT_DUPLICATES, &error);
        if (*root == NULL) {
            status = lmd_status_set(LMD_INPUT, "%s: line %d: %s", path, error.line,
                                    error.text);
        }
    }
    lmd_text_clear(&text);
    return status;
}

/* A plain name: an index may not lead out of its folder. */
static bool is_file_name(const json_t *value)
{
    const char *const name = json_string_value(value);
    return name != NULL && lmd_weights_names_is_good(name, strlen(name)) &&
           strchr(name, '/') == NULL && name[0] != '.';
}

static int compare_texts(const void *left, const void *right)
{
    const char *const *const a = left;
    const char *const *const b = right;
    return strcmp(*a, *b);
}

/* The different files of the map, sorted; borrowed from it. */
static lmd_status list_shards(const char *path, json_t *map, const char ***out, int *n)
{
    const char *tensor;
    json_t *value;
    const size_t size = json_object_size(map);
    size_t count = 0;
    if (!json_is_object(map) || size == 0 || size >= INT_MAX) {
        return lmd_status_set(LMD_INPUT,
                              "%s: 'weight_map' is missing or lists no tensors", path);
    }
    const char **const names = lmd_memory_new(size, sizeof *names);
    *out = names;
    json_object_foreach(map, tensor, value)
    {
        if (!is_file_name(value) || !lmd_weights_names_is_good(tensor, strlen(tensor))) {
            return lmd_status_set(LMD_INPUT,
                                  "%s: 'weight_map': the entry of tensor '%.200s' is no "
                                  "name of a file in this folder",
                                  path, tensor);
        }
        names[count++] = json_string_value(value);
    }
    qsort(names, count, sizeof *names, compare_texts);
    *n = 1;
    for (size_t i = 1; i < count; i++) {
        if (strcmp(names[i], names[*n - 1]) != 0) {
            names[(*n)++] = names[i];
        }
    }
    return LMD_OK;
}

static lmd_status check_all_there(const char *path, const char *folder,
                                  const char *const *names, int n)
{
    lmd_list missing = {0};
    for (int i = 0; i < n; i++) {
        char *const file = lmd_file_join(folder, names[i]);
        char *const target = lmd_file_dead_link(file);
        if (!lmd_file_exists(file)) {
            list_add(&missing, names[i]);
        } else if (target != NULL) {
            lmd_text link = {0};
            lmd_text_append_format(&link, "%s (a link to %s, which is not there)",
                                   names[i], target);
            list_add(&missing, lmd_text_string(&link));
            lmd_text_clear(&link);
        }
        lmd_memory_free(target);
        lmd_memory_free(file);
    }
    return list_refuse(&missing, path, "files are missing");
}

/* Opens the files of `folder` that are not yet open as parts. */
static lmd_status open_parts(lmd_weights *whole, const char *folder,
                             const char *const *names)
{
    for (int i = 0; i < whole->n_parts; i++) {
        if (whole->parts[i] == NULL) {
            char *const file = lmd_file_join(folder, names[i]);
            const lmd_status status = lmd_weights_open_file(&whole->parts[i], file);
            lmd_memory_free(file);
            LMD_TRY(status);
        }
        whole->files[i] = whole->parts[i]->path;
    }
    return join_parts(whole);
}

/* Every tensor of the map in its file, and none beside them. */
static lmd_status check_map(const lmd_weights *whole, json_t *map)
{
    lmd_list missing = {0};
    lmd_list strange = {0};
    const char *tensor;
    json_t *value;
    json_object_foreach(map, tensor, value)
    {
        if (lmd_weights_find(whole, tensor) == NULL) {
            list_add(&missing, tensor);
        }
    }
    for (int i = 0; i < whole->n_tensors; i++) {
        const char *const name = whole->tensors[i].name;
        const char *const file = json_string_value(json_object_get(map, name));
        const char *const is = lmd_file_name_of(whole->storage[i].part->path);
        if (file == NULL || strcmp(file, is) != 0) {
            list_add(&strange, name);
        }
    }
    if (missing.count > 0 && strange.count > 0) {
        lmd_text_append_format(&missing.text,
                               "; and of other files or names (%d): %.400s",
                               strange.count, lmd_text_string(&strange.text));
        strange.count = 0;
    }
    const lmd_status status = list_refuse(
        &missing, whole->path, "tensors of the index are in none of its files");
    const lmd_status second =
        list_refuse(&strange, whole->path,
                    "tensors are in a file where the index does not have them");
    return lmd_status_is_ok(status) ? second : status;
}

static lmd_status open_shards(lmd_weights **out, const char *path, json_t *map)
{
    const char **names = NULL;
    int n = 0;
    lmd_status status = list_shards(path, map, &names, &n);
    char *const folder = lmd_file_folder_of(path);
    if (lmd_status_is_ok(status)) {
        status = check_all_there(path, folder, names, n);
    }
    if (lmd_status_is_ok(status)) {
        lmd_weights *const whole = new_whole(path, n);
        status = open_parts(whole, folder, names);
        status = lmd_status_is_ok(status) ? check_map(whole, map) : status;
        status = keep_or_close(out, whole, status);
    }
    lmd_memory_free(folder);
    lmd_memory_free(names);
    return status;
}

lmd_status lmd_weights_open_index(lmd_weights **out, const char *path)
{
    json_t *root = NULL;
    *out = NULL;
    LMD_TRY(parse_index(&root, path));
    const lmd_status status = open_shards(out, path, json_object_get(root, "weight_map"));
    json_decref(root);
    return status;
}

/* ---- split GGUF ---- */

/* The end of a part's name: -00001-of-00002.gguf */
enum { SPLIT_END = 20, SPLIT_NUMBER = 1, SPLIT_COUNT = 10, SPLIT_DIGITS = 5 };

static bool read_digits(const char *digits, int *value)
{
    *value = 0;
    for (int i = 0; i < SPLIT_DIGITS; i++) {
        if (digits[i] < '0' || digits[i] > '9') {
            return false;
        }
        *value = 10 * *value + (digits[i] - '0');
    }
    return true;
}

/* Number (from 1) and count of a part's name, and the length of its stem. */
static bool read_split_name(const char *name, int *number, int *count, size_t *stem)
{
    const size_t length = strlen(name);
    if (length < SPLIT_END) {
        return false;
    }
    const char *const end = name + length - SPLIT_END;
    *stem = length - SPLIT_END;
    return end[0] == '-' && read_digits(end + SPLIT_NUMBER, number) &&
           strncmp(end + SPLIT_NUMBER + SPLIT_DIGITS, "-of-", 4) == 0 &&
           read_digits(end + SPLIT_COUNT, count) &&
           strcmp(end + SPLIT_COUNT + SPLIT_DIGITS, ".gguf") == 0 && *number >= 1 &&
           *number <= *count;
}

bool lmd_weights_is_same_split(const char *name, const char *other)
{
    int number = 0;
    int counts[2];
    size_t stems[2];
    return read_split_name(name, &number, &counts[0], &stems[0]) &&
           read_split_name(other, &number, &counts[1], &stems[1]) &&
           counts[0] == counts[1] && stems[0] == stems[1] &&
           strncmp(name, other, stems[0]) == 0;
}

/* Names of all parts of the model that `name` is one of. */
static char **name_parts(const char *name, int n, size_t stem)
{
    char **const names = lmd_memory_new((size_t)n, sizeof *names);
    for (int i = 0; i < n; i++) {
        lmd_text text = {0};
        lmd_text_append_format(&text, "%.*s-%05d-of-%05d.gguf", (int)stem, name, i + 1,
                               n);
        names[i] = lmd_memory_copy_text(lmd_text_string(&text));
        lmd_text_clear(&text);
    }
    return names;
}

static lmd_status check_split_keys(const lmd_weights *part, int number, int count)
{
    int64_t is_number = -1;
    int64_t is_count = -1;
    lmd_weights_get_int(part, "split.no", &is_number);
    lmd_weights_get_int(part, "split.count", &is_count);
    if (is_number != number || is_count != count) {
        return lmd_status_set(LMD_INPUT,
                              "%s: split.no is %" PRId64 " and split.count %" PRId64
                              ", by its name they should be %d and %d",
                              part->path, is_number, is_count, number, count);
    }
    return LMD_OK;
}

static lmd_status check_split(const lmd_weights *whole)
{
    int64_t n_tensors = whole->n_tensors;
    lmd_weights_get_int(whole->parts[0], "split.tensors.count", &n_tensors);
    if (n_tensors != whole->n_tensors) {
        return lmd_status_set(LMD_INPUT,
                              "%s: split.tensors.count is %" PRId64
                              ", but the parts hold %d tensors",
                              whole->path, n_tensors, whole->n_tensors);
    }
    return LMD_OK;
}

/* Opens all parts; `part`, number `number` of them, becomes the whole's. */
static lmd_status open_split(lmd_weights **out, lmd_weights *part, int number,
                             const char *folder, const char *const *names, int n)
{
    char *const first = lmd_file_join(folder, names[0]);
    lmd_weights *const whole = new_whole(first, n);
    lmd_memory_free(first);
    whole->parts[number - 1] = part;
    lmd_status status = check_all_there(part->path, folder, names, n);
    for (int i = 0; i < n && lmd_status_is_ok(status); i++) {
        if (whole->parts[i] == NULL) {
            char *const file = lmd_file_join(folder, names[i]);
            status = lmd_weights_open_file(&whole->parts[i], file);
            lmd_memory_free(file);
        }
        if (lmd_status_is_ok(status)) {
            status = check_split_keys(whole->parts[i], i, n);
        }
    }
    status = lmd_status_is_ok(status) ? open_parts(whole, folder, names) : status;
    status = lmd_status_is_ok(status) ? check_split(whole) : status;
    return keep_or_close(out, whole, status);
}

lmd_status lmd_weights_complete_split(lmd_weights **weights)
{
    lmd_weights *const part = *weights;
    int64_t n = 1;
    if (!lmd_weights_get_int(part, "split.count", &n) || n <= 1) {
        return LMD_OK;
    }
    int number = 0;
    int count = 0;
    size_t stem = 0;
    const char *const name = lmd_file_name_of(part->path);
    *weights = NULL;
    if (!read_split_name(name, &number, &count, &stem) || count != n) {
        const lmd_status status = lmd_status_set(
            LMD_INPUT,
            "%s: one of %" PRId64 " parts of a split model, but its name does not end in "
            "-00001-of-%05" PRId64 ".gguf or the like, so the others can't be found",
            part->path, n, n);
        lmd_weights_close(part);
        return status;
    }
    char *const folder = lmd_file_folder_of(part->path);
    char **const names = name_parts(name, count, stem);
    const lmd_status status =
        open_split(weights, part, number, folder, (const char *const *)names, count);
    for (int i = 0; i < count; i++) {
        lmd_memory_free(names[i]);
    }
    lmd_memory_free(names);
    lmd_memory_free(folder);
    return status;
}
