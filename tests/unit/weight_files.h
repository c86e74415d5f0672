/* Builds weight files byte by byte, for the tests of room weights. */
#ifndef LMDEPTH_TESTS_WEIGHT_FILES_H
#define LMDEPTH_TESTS_WEIGHT_FILES_H

#include <errno.h>  /* errno */
#include <setjmp.h> /* cmocka.h */
#include <stdarg.h> /* cmocka.h */
#include <stddef.h> /* cmocka.h */
#include <stdint.h> /* cmocka.h */
#include <stdio.h>  /* snprintf */
#include <stdlib.h> /* mkdtemp */
#include <string.h> /* strstr */
#include <unistd.h> /* rmdir, unlink, truncate */
#include <cmocka.h>
#include <lmdepth/base/file.h>   /* lmd_file_write */
#include <lmdepth/base/memory.h> /* lmd_memory_live */
#include <lmdepth/base/text.h>   /* lmd_text */
#include <lmdepth/weights.h>

enum { PATH_SIZE = 256 };

static char test_folder[PATH_SIZE / 2];
static int64_t live_at_start;

static inline int make_folder(void **state)
{
    (void)state;
    live_at_start = lmd_memory_live();
    const char *const root = getenv("TMPDIR");
    (void)snprintf(test_folder, sizeof test_folder, "%s/lmdepth-weights-XXXXXX",
                   root != NULL ? root : "/tmp");
    return mkdtemp(test_folder) == NULL;
}

static inline int remove_folder(void **state)
{
    (void)state;
    const bool is_gone = lmd_file_remove_tree(test_folder) == LMD_OK;
    return !is_gone || lmd_memory_live() != live_at_start;
}

static inline const char *path_of(char path[PATH_SIZE], const char *name)
{
    (void)snprintf(path, PATH_SIZE, "%s/%s", test_folder, name);
    return path;
}

/* Writes the bytes to test_folder/name and frees them. Not by lmd_file_write: some tests
 * write thousands of files and need none of them to be on the disk. */
static inline void write_file(const char *name, lmd_text *bytes)
{
    char path[PATH_SIZE];
    FILE *const file = fopen(path_of(path, name), "wb");
    if (file == NULL ||
        fwrite(lmd_text_string(bytes), 1, bytes->size, file) != bytes->size ||
        fclose(file) != 0) {
        fail_msg("%s can't be written: %s", path, strerror(errno));
    }
    lmd_text_clear(bytes);
}

static inline lmd_weights *open_file(const char *name)
{
    char path[PATH_SIZE];
    lmd_weights *weights = NULL;
    if (lmd_weights_open(&weights, path_of(path, name)) != LMD_OK) {
        fail_msg("%s", lmd_status_message());
    }
    return weights;
}

/* The message must name the path and hold `part`. */
static inline void expect_message(const char *name, const char *part)
{
    if (strstr(lmd_status_message(), name) == NULL ||
        strstr(lmd_status_message(), part) == NULL) {
        fail_msg("'%s' and '%s' are not in '%s'", name, part, lmd_status_message());
    }
}

static inline void expect_refusal(const char *name, const char *part)
{
    char path[PATH_SIZE];
    lmd_weights *weights = NULL;
    assert_int_equal(lmd_weights_open(&weights, path_of(path, name)), LMD_INPUT);
    assert_null(weights);
    expect_message(name, part);
}

/* Cuts the file shorter a byte at a time; every length must be refused. */
static inline void expect_refusal_of_every_length(const char *name, size_t n_bytes)
{
    char path[PATH_SIZE];
    path_of(path, name);
    for (size_t n = n_bytes; n-- > 0;) {
        lmd_weights *weights = NULL;
        assert_int_equal(truncate(path, (off_t)n), 0);
        if (lmd_weights_open(&weights, path) != LMD_INPUT) {
            fail_msg("%s opens with %zu of %zu bytes", name, n, n_bytes);
        }
        assert_null(weights);
    }
}

/* ---- pieces of bytes, little-endian ---- */

static inline void put_u32(lmd_text *out, uint32_t value)
{
    lmd_text_append(out, &value, sizeof value);
}

static inline void put_u64(lmd_text *out, uint64_t value)
{
    lmd_text_append(out, &value, sizeof value);
}

static inline void put_f32(lmd_text *out, float value)
{
    lmd_text_append(out, &value, sizeof value);
}

static inline void put_zeros(lmd_text *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        lmd_text_append(out, "", 1);
    }
}

/* ---- safetensors ---- */

static inline void put_safetensors(lmd_text *out, const char *header)
{
    put_u64(out, strlen(header));
    lmd_text_append_string(out, header);
}

/* ---- GGUF ---- */

static inline void put_gguf_start(lmd_text *out, uint64_t n_tensors, uint64_t n_keys)
{
    lmd_text_append_string(out, "GGUF");
    put_u32(out, 3);
    put_u64(out, n_tensors);
    put_u64(out, n_keys);
}

static inline void put_gguf_string(lmd_text *out, const char *string)
{
    put_u64(out, strlen(string));
    lmd_text_append_string(out, string);
}

/* A key and the number of its kind; the value is to follow. */
static inline void put_gguf_key(lmd_text *out, const char *name, uint32_t kind)
{
    put_gguf_string(out, name);
    put_u32(out, kind);
}

/* dims: innermost first, as in the file. */
static inline void put_gguf_tensor(lmd_text *out, const char *name, uint32_t n_dims,
                                   const uint64_t *dims, uint32_t type, uint64_t offset)
{
    put_gguf_string(out, name);
    put_u32(out, n_dims);
    for (uint32_t i = 0; i < n_dims; i++) {
        put_u64(out, dims[i]);
    }
    put_u32(out, type);
    put_u64(out, offset);
}

static inline void put_gguf_padding(lmd_text *out, size_t alignment)
{
    while (out->size % alignment != 0) {
        put_zeros(out, 1);
    }
}

#endif
