/* For the tests of room token: folders, files, ids written as text. */
#ifndef LMDEPTH_TESTS_TOKEN_CASE_H
#define LMDEPTH_TESTS_TOKEN_CASE_H

#include <setjmp.h> /* cmocka.h */
#include <stdarg.h> /* cmocka.h */
#include <stddef.h> /* cmocka.h */
#include <stdint.h> /* cmocka.h */
#include <stdio.h>  /* snprintf */
#include <stdlib.h> /* mkdtemp, getenv */
#include <string.h> /* strstr */
#include <cmocka.h>
#include <jansson.h>             /* json_loadb */
#include <lmdepth/base/file.h>   /* lmd_file_write */
#include <lmdepth/base/memory.h> /* lmd_memory_live */
#include <lmdepth/base/text.h>   /* lmd_text */
#include <lmdepth/token.h>

enum { CASE_PATH = 512 };

static char case_folder[CASE_PATH / 2];
static int64_t case_live;

static inline int make_case_folder(void **state)
{
    (void)state;
    case_live = lmd_memory_live();
    const char *const root = getenv("TMPDIR");
    (void)snprintf(case_folder, sizeof case_folder, "%s/lmdepth-token-XXXXXX",
                   root != NULL ? root : "/tmp");
    return mkdtemp(case_folder) == NULL;
}

/* Also: everything that was allocated since has been freed. */
static inline int remove_case_folder(void **state)
{
    (void)state;
    const bool is_gone = lmd_file_remove_tree(case_folder) == LMD_OK;
    return !is_gone || lmd_memory_live() != case_live;
}

static inline const char *case_path(char path[CASE_PATH], const char *name)
{
    (void)snprintf(path, CASE_PATH, "%s/%s", case_folder, name);
    return path;
}

static inline void write_case_bytes(const char *name, const void *bytes, size_t size)
{
    char path[CASE_PATH];
    assert_int_equal(lmd_file_write(case_path(path, name), bytes, size), LMD_OK);
}

static inline void write_case(const char *name, const char *text)
{
    write_case_bytes(name, text, strlen(text));
}

/* A file beside the repository; skips visibly when it is not there. */
static inline const char *find_shared(char path[CASE_PATH], const char *name)
{
    const char *const root = getenv("LMDEPTH_SHARED");
    (void)snprintf(path, CASE_PATH, "%s/data/%s", root != NULL ? root : "../shared",
                   name);
    if (!lmd_file_exists(path)) {
        printf("skipped: %s is not here\n", path);
        skip();
    }
    return path;
}

static inline lmd_tokenizer *open_tokenizer(const char *path)
{
    lmd_tokenizer *tokenizer = NULL;
    if (lmd_token_open(&tokenizer, path) != LMD_OK) {
        fail_msg("%s", lmd_status_message());
    }
    return tokenizer;
}

/* Opening fails with `status` and a message that holds each of the parts. */
static inline void expect_refusal(const char *path, lmd_status status, const char *part,
                                  const char *other_part)
{
    lmd_tokenizer *tokenizer = NULL;
    const lmd_status found = lmd_token_open(&tokenizer, path);
    assert_null(tokenizer);
    const char *const message = lmd_status_message();
    if (found != status || strstr(message, part) == NULL ||
        strstr(message, other_part) == NULL) {
        fail_msg("%d '%s' instead of %d with '%s' and '%s'", found, message, status, part,
                 other_part);
    }
}

static inline void append_ids(lmd_text *out, const lmd_ids *ids)
{
    for (size_t i = 0; i < ids->count; i++) {
        lmd_text_append_format(out, i == 0 ? "%u" : " %u", ids->ids[i]);
    }
}

/* Encodes a text and compares the ids, written with spaces between them. */
static inline void expect_ids(lmd_encoder *encoder, const char *label, const char *text,
                              size_t size, const char *expected)
{
    lmd_ids ids = {0};
    lmd_text found = {0};
    if (lmd_token_encode(encoder, text, size, &ids, NULL) != LMD_OK) {
        fail_msg("%s: %s", label, lmd_status_message());
    }
    append_ids(&found, &ids);
    if (strcmp(lmd_text_string(&found), expected) != 0) {
        fail_msg("%s: %.*s\n  is       %s\n  should be %s", label, (int)size, text,
                 lmd_text_string(&found), expected);
    }
    lmd_ids_clear(&ids);
    lmd_text_clear(&found);
}

static inline json_t *load_json(const char *path)
{
    json_t *const json = json_load_file(path, JSON_ALLOW_NUL, NULL);
    assert_non_null(json);
    return json;
}

#endif
