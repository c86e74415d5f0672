/* libzip finds and checks the entries; their values are then read from the file itself,
 * by several threads and from any row on, which a zip stream does not allow. Where an
 * entry's bytes begin libzip does not tell, but it has to ask our source for them: the
 * place of the last request, for a single byte, is the answer.
 */
#include "torch_zip.h"

#include <inttypes.h>            /* PRIu64 */
#include <zip.h>                 /* zip_open_from_source */
#include <lmdepth/base/memory.h> /* lmd_memory_new */

struct lmd_zip {
    const lmd_file *file; /* borrowed */
    zip_t *archive;       /* owned */
    zip_error_t error;
    uint64_t position; /* of the next byte that libzip reads */
    uint64_t asked_at; /* its last request */
    uint64_t asked;
};

/* ---- the file as a source of libzip ---- */

static zip_int64_t answer_read(lmd_zip *zip, void *out, uint64_t n_bytes)
{
    const uint64_t left = lmd_file_size(zip->file) - zip->position;
    const uint64_t n = n_bytes < left ? n_bytes : left;
    zip->asked_at = zip->position;
    zip->asked = n_bytes;
    if (lmd_file_read(zip->file, zip->position, out, (size_t)n) != LMD_OK) {
        zip_error_set(&zip->error, ZIP_ER_READ, 0);
        return -1;
    }
    zip->position += n;
    return (zip_int64_t)n;
}

static zip_int64_t answer_seek(lmd_zip *zip, void *data, uint64_t n_bytes)
{
    const zip_int64_t position = zip_source_seek_compute_offset(
        zip->position, lmd_file_size(zip->file), data, n_bytes, &zip->error);
    if (position < 0) {
        return -1;
    }
    zip->position = (uint64_t)position;
    return 0;
}

static zip_int64_t answer_stat(const lmd_zip *zip, zip_stat_t *info)
{
    zip_stat_init(info);
    info->size = lmd_file_size(zip->file);
    info->valid = ZIP_STAT_SIZE;
    return sizeof *info;
}

static zip_int64_t answer(void *state, void *data, zip_uint64_t n_bytes,
                          zip_source_cmd_t command)
{
    lmd_zip *const zip = state;
    switch (command) {
    case ZIP_SOURCE_OPEN:
        zip->position = 0;
        return 0;
    case ZIP_SOURCE_READ:
        return answer_read(zip, data, n_bytes);
    case ZIP_SOURCE_SEEK:
        return answer_seek(zip, data, n_bytes);
    case ZIP_SOURCE_TELL:
        return (zip_int64_t)zip->position;
    case ZIP_SOURCE_STAT:
        return answer_stat(zip, data);
    case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&zip->error, data, n_bytes);
    case ZIP_SOURCE_SUPPORTS:
        return ZIP_SOURCE_SUPPORTS_SEEKABLE;
    case ZIP_SOURCE_CLOSE:
    case ZIP_SOURCE_FREE:
        return 0;
    default:
        zip_error_set(&zip->error, ZIP_ER_OPNOTSUPP, 0);
        return -1;
    }
}

/* ---- life ---- */

static lmd_status refuse(const lmd_zip *zip, zip_error_t *error, const char *what)
{
    return lmd_status_set(LMD_INPUT, "%s: %s: %s", lmd_file_path(zip->file), what,
                          zip_error_strerror(error));
}

static lmd_status open_archive(lmd_zip *zip)
{
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *const source = zip_source_function_create(answer, zip, &error);
    if (source != NULL) {
        zip->archive = zip_open_from_source(source, ZIP_RDONLY, &error);
        if (zip->archive == NULL) {
            zip_source_free(source);
        }
    }
    const lmd_status status =
        zip->archive != NULL
            ? LMD_OK
            : refuse(zip, &error, "truncated or damaged, no readable zip file");
    zip_error_fini(&error);
    return status;
}

lmd_status lmd_weights_zip_open(lmd_zip **out, const lmd_file *file)
{
    lmd_zip *zip = lmd_memory_new(1, sizeof *zip);
    zip->file = file;
    zip_error_init(&zip->error);
    const lmd_status status = open_archive(zip);
    if (status != LMD_OK) {
        lmd_weights_zip_close(zip);
        zip = NULL;
    }
    *out = zip;
    return status;
}

void lmd_weights_zip_close(lmd_zip *zip)
{
    if (zip == NULL) {
        return;
    }
    if (zip->archive != NULL) {
        zip_discard(zip->archive);
    }
    zip_error_fini(&zip->error);
    lmd_memory_free(zip);
}

/* ---- entries ---- */

const char *lmd_weights_zip_find_end(const lmd_zip *zip, const char *end)
{
    const zip_int64_t n = zip_get_num_entries(zip->archive, 0);
    for (zip_int64_t i = 0; i < n; i++) {
        const char *const name =
            zip_get_name(zip->archive, (zip_uint64_t)i, ZIP_FL_ENC_RAW);
        if (name != NULL && lmd_file_ends_with(name, end)) {
            return name;
        }
    }
    return NULL;
}

bool lmd_weights_zip_has(const lmd_zip *zip, const char *name)
{
    return zip_name_locate(zip->archive, name, ZIP_FL_ENC_RAW) >= 0;
}

/* Its size; it must be there, stored as it is, and within the file. */
static lmd_status measure(const lmd_zip *zip, const char *name, zip_stat_t *info)
{
    const char *const path = lmd_file_path(zip->file);
    if (zip_stat(zip->archive, name, ZIP_FL_ENC_RAW, info) != 0) {
        return lmd_status_set(LMD_INPUT, "%s: no entry '%.200s' in this zip file", path,
                              name);
    }
    const zip_uint64_t needed =
        ZIP_STAT_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if ((info->valid & needed) != needed || info->comp_method != ZIP_CM_STORE ||
        info->encryption_method != ZIP_EM_NONE) {
        return lmd_status_set(LMD_INPUT,
                              "%s: entry '%.200s' is compressed or encrypted; torch.save "
                              "stores entries as they are",
                              path, name);
    }
    if (info->size > lmd_file_size(zip->file)) {
        return lmd_status_set(
            LMD_INPUT, "%s: entry '%.200s' of %" PRIu64 " bytes is larger than the file",
            path, name, (uint64_t)info->size);
    }
    return LMD_OK;
}

static lmd_status open_entry(const lmd_zip *zip, const char *name, zip_file_t **entry)
{
    *entry = zip_fopen(zip->archive, name, ZIP_FL_ENC_RAW);
    if (*entry == NULL) {
        return lmd_status_set(LMD_INPUT, "%s: entry '%.200s': %s",
                              lmd_file_path(zip->file), name,
                              zip_error_strerror(zip_get_error(zip->archive)));
    }
    return LMD_OK;
}

lmd_status lmd_weights_zip_read(const lmd_zip *zip, const char *name, size_t limit,
                                lmd_text *out)
{
    zip_stat_t info;
    zip_file_t *entry = NULL;
    LMD_TRY(measure(zip, name, &info));
    if (info.size > limit) {
        return lmd_status_set(LMD_INPUT,
                              "%s: entry '%.200s' has %" PRIu64 " bytes, %zu are allowed",
                              lmd_file_path(zip->file), name, (uint64_t)info.size, limit);
    }
    LMD_TRY(open_entry(zip, name, &entry));
    char *const bytes = lmd_text_reserve(out, (size_t)info.size);
    const zip_int64_t got = zip_fread(entry, bytes, info.size);
    char end;
    const bool is_whole =
        got == (zip_int64_t)info.size && zip_fread(entry, &end, 1) == 0; // tests the sum
    (void)zip_fclose(entry);
    if (!is_whole) {
        return lmd_status_set(LMD_INPUT, "%s: entry '%.200s' is truncated or damaged",
                              lmd_file_path(zip->file), name);
    }
    out->size += (size_t)got;
    return LMD_OK;
}

lmd_status lmd_weights_zip_place(const lmd_zip *zip, const char *name, uint64_t *offset,
                                 uint64_t *size)
{
    zip_stat_t info;
    zip_file_t *entry = NULL;
    LMD_TRY(measure(zip, name, &info));
    *size = info.size;
    *offset = 0;
    if (info.size == 0) {
        return LMD_OK;
    }
    LMD_TRY(open_entry(zip, name, &entry));
    char first;
    const zip_int64_t got = zip_fread(entry, &first, 1);
    (void)zip_fclose(entry);
    if (got != 1 || zip->asked != 1 ||
        zip->asked_at > lmd_file_size(zip->file) - info.size) {
        return lmd_status_set(LMD_INPUT, "%s: entry '%.200s' is truncated or damaged",
                              lmd_file_path(zip->file), name);
    }
    *offset = zip->asked_at;
    return LMD_OK;
}
