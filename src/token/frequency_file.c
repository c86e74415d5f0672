/* Frequency files read: the JSON of the depth paper's authors, {"<id>": {"token": "..",
 * "count": n, "ratio": r}, ...}, of which the counts are read (the ratios of the one that
 * was published do not add up), or lines id<TAB>count. What begins with a brace is JSON.
 */
#include <lmdepth/token.h>

#include <stdio.h>               /* sscanf */
#include <string.h>              /* memchr */
#include <jansson.h>             /* json_loadb */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <lmdepth/base/stream.h> /* lmd_stream_open */

/* Far more than any vocabulary needs; a decompressed file beyond it is damage. */
enum { SIZE_LIMIT = 1 << 30, BLOCK = 1 << 16, LARGEST_VOCABULARY = 1 << 24 };

typedef struct table {
    int V;
    int64_t *counts;           /* (V) borrowed; of one that grows, of `file` */
    bool *seen;                /* (V) owned */
    lmd_frequency_table *file; /* grows with the ids; NULL: fixed, without comments */
    bool is_one; /* an id, or the header that `lmdepth count` writes, was found */
} table;

/* For an id of a table that grows. */
static void grow(table *out, int64_t id)
{
    const int64_t wanted = 2 * (id + 1);
    const int V = (int)(wanted < LARGEST_VOCABULARY ? wanted : LARGEST_VOCABULARY);
    out->counts = lmd_memory_resize(out->counts, (size_t)V, sizeof *out->counts);
    out->seen = lmd_memory_resize(out->seen, (size_t)V, sizeof *out->seen);
    memset(out->counts + out->V, 0, (size_t)(V - out->V) * sizeof *out->counts);
    memset(out->seen + out->V, 0, (size_t)(V - out->V) * sizeof *out->seen);
    out->V = V;
}

static lmd_status set_count(table *out, const char *id_string, int64_t count)
{
    int64_t id = -1;
    if (!lmd_text_to_int64(id_string, &id) || id_string[0] == '+') {
        return lmd_status_set(LMD_INPUT, "\"%.40s\" is no token id", id_string);
    }
    if (out->file != NULL && id >= out->V && id < LARGEST_VOCABULARY) {
        grow(out, id);
    }
    if (id < 0 || id >= out->V) {
        return lmd_status_set(LMD_INPUT, "the id %lld is outside the vocabulary of %d",
                              (long long)id, out->V);
    }
    if (out->seen[id]) {
        return lmd_status_set(LMD_INPUT, "the id %lld is there twice", (long long)id);
    }
    if (count < 0) {
        return lmd_status_set(LMD_INPUT, "the count %lld is negative", (long long)count);
    }
    out->seen[id] = true;
    out->is_one = true;
    out->counts[id] = count;
    if (out->file != NULL && id >= out->file->n) {
        out->file->n = (int)id + 1;
    }
    return LMD_OK;
}

/* ---- JSON ---- */

static lmd_status read_entries(table *out, json_t *json)
{
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(json, key, value)
    {
        const json_t *const count = json_object_get(value, "count");
        if (!json_is_integer(count)) {
            return lmd_status_set(LMD_INPUT, "key \"%.40s\": no integer \"count\"", key);
        }
        LMD_TRY(lmd_status_within(set_count(out, key, json_integer_value(count)),
                                  "key \"%.40s\"", key));
    }
    return LMD_OK;
}

static lmd_status read_json(table *out, const lmd_text *bytes)
{
    json_error_t error;
    json_t *const json = json_loadb(bytes->bytes, bytes->size,
                                    JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (json == NULL) {
        return lmd_status_set(LMD_INPUT, "line %d: %s", error.line, error.text);
    }
    const lmd_status status = read_entries(out, json);
    json_decref(json);
    return status;
}

/* ---- TSV ---- */

/* A comment that says nothing we know of is kept as it is. */
static void read_comment(lmd_frequency_table *file, const char *line)
{
    char hex[LMD_SHA256_HEX] = "";
    int n = 0;
    int64_t number = 0;
    if (sscanf(line, "# tokenizer %64s%n", hex, &n) == 1 && line[n] == '\0') {
        memcpy(file->tokenizer, hex, sizeof hex);
    } else if (sscanf(line, "# input %64[0-9a-f] %n", hex, &n) == 1 && n > 0 &&
               strlen(hex) == LMD_SHA256_HEX - 1) {
        lmd_text_append_format(&file->inputs, "%s  %s\n", hex, line + n);
    } else if (strncmp(line, "# vocabulary ", 13) == 0 &&
               lmd_text_to_int64(line + 13, &number) && number > 0 &&
               number <= LARGEST_VOCABULARY) {
        file->vocabulary = (int)number;
    } else if (strncmp(line, "# tokens ", 9) != 0 ||
               !lmd_text_to_int64(line + 9, &number)) { // the sum is made anew
        lmd_text_append_format(&file->comments, "%s\n", line);
    }
}

/* `line` is zero-terminated and may be written to. */
static lmd_status read_line(table *out, char *line, size_t size)
{
    if (size > 0 && line[size - 1] == '\r') {
        line[--size] = '\0';
    }
    if (strncmp(line, "# vocabulary ", 13) == 0) {
        out->is_one = true;
    }
    if (line[0] == '#' && out->file != NULL) {
        read_comment(out->file, line);
    }
    if (line[0] == '#' || lmd_text_is_blank(line, size)) {
        return LMD_OK;
    }
    char *const tab = memchr(line, '\t', size);
    int64_t count = 0;
    if (tab == NULL || strlen(line) != size || !lmd_text_to_int64(tab + 1, &count)) {
        return lmd_status_set(LMD_INPUT, "not an id, a tab and a count");
    }
    *tab = '\0';
    return set_count(out, line, count);
}

static lmd_status read_lines(table *out, char *bytes, size_t size)
{
    int64_t number = 0;
    for (size_t at = 0; at < size;) {
        char *const end = memchr(bytes + at, '\n', size - at);
        const size_t length = end == NULL ? size - at : (size_t)(end - (bytes + at));
        bytes[at + length] = '\0';
        number++;
        LMD_TRY(lmd_status_within(read_line(out, bytes + at, length), "line %lld",
                                  (long long)number));
        at += length + 1;
    }
    return LMD_OK;
}

/* ---- the file ---- */

static lmd_status read_stream(lmd_stream *stream, lmd_text *bytes)
{
    for (size_t got = 1; got > 0;) {
        char *const room = lmd_text_reserve(bytes, BLOCK);
        LMD_TRY(lmd_stream_read(stream, room, BLOCK, &got));
        bytes->size += got;
        if (bytes->size > SIZE_LIMIT) {
            return lmd_status_set(LMD_INPUT, "larger than %d bytes", SIZE_LIMIT);
        }
    }
    lmd_text_append(bytes, "", 0);
    return LMD_OK;
}

static lmd_status read_bytes(table *out, lmd_text *bytes)
{
    static const char mark[] = "\xEF\xBB\xBF";
    size_t at = bytes->size >= 3 && memcmp(bytes->bytes, mark, 3) == 0 ? 3 : 0;
    size_t first = at;
    while (first < bytes->size && lmd_text_is_white(bytes->bytes[first])) {
        first++;
    }
    if (first < bytes->size && bytes->bytes[first] == '{') {
        memset(bytes->bytes, ' ', at);
        return read_json(out, bytes);
    }
    return read_lines(out, bytes->bytes + at, bytes->size - at);
}

/* A table without any id may come from a corpus without any token, but then it has its
 * header; an empty or foreign file is rather a mistake. */
static lmd_status read_table(table *out, lmd_text *bytes)
{
    LMD_TRY(read_bytes(out, bytes));
    return out->is_one ? LMD_OK
                       : lmd_status_set(LMD_INPUT,
                                        "no frequency file: it has no line of an id, a "
                                        "tab and a count, nor the \"# vocabulary\" of "
                                        "lmdepth count");
}

/* sha256 may be NULL. */
static lmd_status read_file(const char *path, table *out, char *sha256)
{
    lmd_stream *stream = NULL;
    LMD_TRY(lmd_stream_open(&stream, path));
    lmd_text bytes = {0};
    lmd_status status = read_stream(stream, &bytes);
    if (status == LMD_OK) {
        if (sha256 != NULL) {
            lmd_stream_sha256(stream, sha256);
        }
        status = lmd_status_within(read_table(out, &bytes), "%s", path);
    }
    lmd_text_clear(&bytes);
    lmd_stream_close(stream);
    return status;
}

lmd_status lmd_frequency_read(const char *path, int V, int64_t *counts,
                              char sha256[LMD_SHA256_HEX])
{
    table out = {V, counts, lmd_memory_new((size_t)V, sizeof(bool)), NULL, false};
    memset(counts, 0, (size_t)V * sizeof *counts);
    const lmd_status status = read_file(path, &out, sha256);
    lmd_memory_free(out.seen);
    return status;
}

lmd_status lmd_frequency_load(const char *path, lmd_frequency_table *file)
{
    *file = (lmd_frequency_table){0};
    table out = {0, NULL, NULL, file, false};
    const lmd_status status = read_file(path, &out, NULL);
    file->counts = out.counts;
    lmd_memory_free(out.seen);
    if (status == LMD_OK && file->vocabulary > 0 && file->n > file->vocabulary) {
        return lmd_status_set(LMD_INPUT,
                              "%s: the id %d is outside the vocabulary of %d that the "
                              "file names",
                              path, file->n - 1, file->vocabulary);
    }
    return status;
}
