/* For tests of the model room: the tiny models of tests/data/model, and folders with
 * changed copies of them. */
#ifndef LMDEPTH_TESTS_MODEL_FILES_H
#define LMDEPTH_TESTS_MODEL_FILES_H

#include <jansson.h>
#include <lmdepth/base/file.h>
#include <lmdepth/base/memory.h>
#include <lmdepth/base/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TINY "tests/data/model/"

enum { MODEL_PATH_SIZE = 512 };

static inline void model_files_read(const char *path, lmd_text *out)
{
    assert_int_equal(lmd_file_read_all(path, (size_t)1 << 24, out), LMD_OK);
}

static inline void model_files_write(const char *folder, const char *name,
                                     const lmd_text *text)
{
    char *const path = lmd_file_join(folder, name);
    assert_int_equal(lmd_file_write(path, text->bytes, text->size), LMD_OK);
    lmd_memory_free(path);
}

/* A new folder; to be removed with lmd_file_remove_tree. */
static inline void model_files_make_folder(char folder[MODEL_PATH_SIZE])
{
    const char *const root = getenv("TMPDIR");
    (void)snprintf(folder, MODEL_PATH_SIZE, "%s/lmdepth-test-XXXXXX",
                   root ? root : "/tmp");
    assert_non_null(mkdtemp(folder));
}

static inline void model_files_copy(const char *folder, const char *from, const char *to)
{
    lmd_text bytes = {0};
    model_files_read(from, &bytes);
    model_files_write(folder, to, &bytes);
    lmd_text_clear(&bytes);
}

/* config.json: that of `from` with the members of the JSON text `changes` put in. */
static inline void model_files_change_config(const char *folder, const char *from,
                                             const char *changes)
{
    json_t *const config = json_load_file(from, 0, NULL);
    json_t *const members = json_loads(changes, 0, NULL);
    assert_non_null(config);
    assert_non_null(members);
    assert_int_equal(json_object_update(config, members), 0);
    char *const dump = json_dumps(config, 0);
    const lmd_text text = {dump, strlen(dump), 0};
    model_files_write(folder, "config.json", &text);
    free(dump);
    json_decref(members);
    json_decref(config);
}

/* Replaces every `old` by `new`, which is as long; returns how many there were. */
static inline int model_files_replace(lmd_text *bytes, const char *old, const char *new)
{
    const size_t length = strlen(old);
    int count = 0;
    assert_int_equal(length, strlen(new));
    for (size_t at = 0; at + length <= bytes->size; at++) {
        if (memcmp(bytes->bytes + at, old, length) == 0) {
            memcpy(bytes->bytes + at, new, length);
            count++;
        }
    }
    return count;
}

#endif
