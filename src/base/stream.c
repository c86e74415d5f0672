/* One buffer of stored bytes is filled by large requests and hashed at once; a decoder
 * takes from it. Decoders are rows of a table: a new format is a suffix and three
 * functions.
 *
 * Where a frame (zstd, RFC 8878) or member (gzip, RFC 1952) is complete the file may end;
 * anywhere else its end is a truncation. */
#include <lmdepth/base/stream.h>

#include <assert.h>              /* assert */
#include <lmdepth/base/file.h>   /* lmd_file_read */
#include <lmdepth/base/log.h>    /* lmd_log_fatal */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <stdbool.h>             /* bool */
#include <stdint.h>              /* uint64_t */
#include <string.h>              /* memcpy, memset */
#include <zlib.h>                /* inflate */
#include <zstd.h>                /* ZSTD_decompressStream */
#include <zstd_errors.h>         /* ZSTD_getErrorCode */

enum {
    REQUEST_SIZE = 1 << 20,
    LARGEST_OUTPUT = 1 << 30, /* of one call: zlib counts in unsigned int */
    ZSTD_WINDOW_LOG = 31,     /* the most that --long can ask for */
    GZIP_FORMAT = 16          /* added to the window's bits: gzip, not zlib, headers */
};

typedef struct decoder {
    const char *suffix;
    void (*open)(lmd_stream *stream);
    /* Decodes into out[0 .. n_bytes), at least one byte or one step further; sets
     * `is_ended` at the end of the file. */
    lmd_status (*step)(lmd_stream *stream, char *out, size_t n_bytes, size_t *got);
    void (*close)(lmd_stream *stream);
} decoder;

struct lmd_stream {
    lmd_file *file; /* owned */
    const decoder *decoder;
    lmd_sha256 *sha; /* owned */
    char hex[LMD_SHA256_HEX];
    char *input; /* owned, REQUEST_SIZE */
    size_t input_size;
    size_t input_at;
    uint64_t file_at;   /* of the input's end */
    bool is_ended;      /* all is decoded and hashed */
    bool is_complete;   /* the last frame or member is; true before the first */
    bool is_padded;     /* zero bytes followed a gzip member */
    ZSTD_DCtx *zstd;    /* owned, NULL but for .zst */
    z_stream *inflater; /* owned, NULL but for .gz */
};

static size_t input_left(const lmd_stream *stream)
{
    return stream->input_size - stream->input_at;
}

/* The stored byte up to which the decoder has come. */
static unsigned long long position(const lmd_stream *stream)
{
    return (unsigned long long)(stream->file_at - input_left(stream));
}

/* Refills an empty input; it stays empty at the end of the file. */
static lmd_status fill(lmd_stream *stream)
{
    if (input_left(stream) > 0) {
        return LMD_OK;
    }
    const uint64_t left = lmd_file_size(stream->file) - stream->file_at;
    const size_t n_bytes = left < REQUEST_SIZE ? (size_t)left : REQUEST_SIZE;
    stream->input_at = 0;
    stream->input_size = 0;
    LMD_TRY(lmd_file_read(stream->file, stream->file_at, stream->input, n_bytes));
    lmd_sha256_add(stream->sha, stream->input, n_bytes);
    stream->input_size = n_bytes;
    stream->file_at += n_bytes;
    return LMD_OK;
}

static lmd_status damaged(const lmd_stream *stream, const char *format, const char *how)
{
    return lmd_status_set(LMD_INPUT, "%s: damaged %s data near byte %llu: %s",
                          lmd_file_path(stream->file), format, position(stream), how);
}

static lmd_status truncated(const lmd_stream *stream, const char *format)
{
    return lmd_status_set(LMD_INPUT,
                          "%s: truncated: the file ends at byte %llu within %s",
                          lmd_file_path(stream->file), position(stream), format);
}

static lmd_status exhausted(const lmd_stream *stream)
{
    return lmd_status_set(LMD_RESOURCE, "%s: not enough memory to decompress",
                          lmd_file_path(stream->file));
}

/* The file's end where it may be: between frames, and not before the first. */
static lmd_status end_between(lmd_stream *stream, const char *format)
{
    if (lmd_file_size(stream->file) == 0) {
        return lmd_status_set(LMD_INPUT, "%s: truncated: empty, byte 0 should begin a %s",
                              lmd_file_path(stream->file), format);
    }
    stream->is_ended = true;
    return LMD_OK;
}

static void plain_open(lmd_stream *stream)
{
    (void)stream;
}

static void plain_close(lmd_stream *stream)
{
    (void)stream;
}

static lmd_status plain_step(lmd_stream *stream, char *out, size_t n_bytes, size_t *got)
{
    const size_t left = input_left(stream);
    *got = left < n_bytes ? left : n_bytes;
    memcpy(out, stream->input + stream->input_at, *got);
    stream->input_at += *got;
    stream->is_ended = left == 0;
    return LMD_OK;
}

static void zstd_open(lmd_stream *stream)
{
    stream->zstd = ZSTD_createDCtx();
    if (!stream->zstd || ZSTD_isError(ZSTD_DCtx_setParameter(
                             stream->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG))) {
        lmd_log_fatal(LMD_RESOURCE, "no zstd decoder can be made");
    }
}

static void zstd_close(lmd_stream *stream)
{
    (void)ZSTD_freeDCtx(stream->zstd);
}

/* The decoder may hold output when its input is used up, so the file's end is only
 * believed when a call gave nothing. */
static lmd_status zstd_step(lmd_stream *stream, char *out, size_t n_bytes, size_t *got)
{
    if (input_left(stream) == 0 && stream->is_complete) {
        return end_between(stream, "zstd frame");
    }
    ZSTD_inBuffer input = {stream->input, stream->input_size, stream->input_at};
    ZSTD_outBuffer output = {out, n_bytes, 0};
    const size_t hint = ZSTD_decompressStream(stream->zstd, &output, &input);
    if (ZSTD_isError(hint)) {
        return ZSTD_getErrorCode(hint) == ZSTD_error_memory_allocation
                   ? exhausted(stream)
                   : damaged(stream, "zstd", ZSTD_getErrorName(hint));
    }
    if (input_left(stream) == 0 && output.pos == 0 && hint != 0) {
        return truncated(stream, "a zstd frame");
    }
    stream->input_at = input.pos;
    stream->is_complete = hint == 0;
    *got = output.pos;
    return LMD_OK;
}

static void gzip_open(lmd_stream *stream)
{
    stream->inflater = lmd_memory_new(1, sizeof *stream->inflater);
    if (inflateInit2(stream->inflater, GZIP_FORMAT + MAX_WBITS) != Z_OK) {
        lmd_log_fatal(LMD_RESOURCE, "no gzip decoder can be made");
    }
}

static void gzip_close(lmd_stream *stream)
{
    (void)inflateEnd(stream->inflater);
    lmd_memory_free(stream->inflater);
}

/* Tapes and some tools fill up the last block with zeros; gzip accepts that. */
static lmd_status skip_padding(lmd_stream *stream)
{
    const char *const input = stream->input;
    while (input_left(stream) > 0 && input[stream->input_at] == 0) {
        stream->input_at++;
        stream->is_padded = true;
    }
    return input_left(stream) > 0 && stream->is_padded
               ? damaged(stream, "gzip", "bytes follow the zeros after the last member")
               : LMD_OK;
}

static lmd_status gzip_inflate(lmd_stream *stream, char *out, size_t n_bytes, size_t *got)
{
    z_stream *const zlib = stream->inflater;
    const size_t offered = input_left(stream);
    const size_t room = n_bytes < LARGEST_OUTPUT ? n_bytes : LARGEST_OUTPUT;
    zlib->next_in = (unsigned char *)stream->input + stream->input_at;
    zlib->avail_in = (unsigned int)offered;
    zlib->next_out = (unsigned char *)out;
    zlib->avail_out = (unsigned int)room;
    const int result = inflate(zlib, Z_NO_FLUSH);
    stream->input_at += offered - zlib->avail_in;
    *got = room - zlib->avail_out;
    stream->is_complete = result == Z_STREAM_END;
    if (result == Z_MEM_ERROR) {
        return exhausted(stream);
    }
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
        return damaged(stream, "gzip", zlib->msg ? zlib->msg : "not understood");
    }
    if (offered == 0 && *got == 0 && result != Z_STREAM_END) {
        return truncated(stream, "a gzip member");
    }
    return LMD_OK;
}

static lmd_status gzip_step(lmd_stream *stream, char *out, size_t n_bytes, size_t *got)
{
    const bool is_first = position(stream) == 0;
    if (stream->is_complete && !is_first) {
        LMD_TRY(skip_padding(stream));
    }
    if (stream->is_complete && input_left(stream) == 0) {
        const bool is_last = stream->file_at == lmd_file_size(stream->file);
        return is_last ? end_between(stream, "gzip member") : LMD_OK;
    }
    LMD_TRY(gzip_inflate(stream, out, n_bytes, got));
    if (stream->is_complete) {
        (void)inflateReset(stream->inflater);
    }
    return LMD_OK;
}

/* To add a format: three functions as above and a row. The last row takes the rest. */
static const decoder decoders[] = {
    {".zst", zstd_open, zstd_step, zstd_close},
    {".gz", gzip_open, gzip_step, gzip_close},
    {"", plain_open, plain_step, plain_close},
};

lmd_status lmd_stream_open(lmd_stream **out, const char *path)
{
    lmd_file *file;
    *out = NULL;
    LMD_TRY(lmd_file_open(&file, path));
    lmd_file_expect_sequential(file);
    lmd_stream *const stream = lmd_memory_new(1, sizeof *stream);
    stream->file = file;
    stream->sha = lmd_sha256_new();
    stream->input = lmd_memory_new(REQUEST_SIZE, 1);
    stream->is_complete = true;
    stream->decoder = decoders;
    while (!lmd_file_ends_with(path, stream->decoder->suffix)) {
        stream->decoder++;
    }
    stream->decoder->open(stream);
    *out = stream;
    return LMD_OK;
}

lmd_status lmd_stream_read(lmd_stream *stream, void *out, size_t n_bytes, size_t *got)
{
    *got = 0;
    while (*got < n_bytes && !stream->is_ended) {
        size_t n_step = 0;
        LMD_TRY(fill(stream));
        LMD_TRY(
            stream->decoder->step(stream, (char *)out + *got, n_bytes - *got, &n_step));
        *got += n_step;
        if (stream->is_ended) {
            lmd_sha256_finish(stream->sha, stream->hex);
        }
    }
    return LMD_OK;
}

uint64_t lmd_stream_stored(const lmd_stream *stream)
{
    return stream->file_at - input_left(stream);
}

void lmd_stream_sha256(lmd_stream *stream, char hex[LMD_SHA256_HEX])
{
    assert(stream->is_ended);
    memcpy(hex, stream->hex, LMD_SHA256_HEX);
}

void lmd_stream_close(lmd_stream *stream)
{
    if (stream) {
        stream->decoder->close(stream);
        lmd_file_close(stream->file);
        lmd_sha256_free(stream->sha);
        lmd_memory_free(stream->input);
        lmd_memory_free(stream);
    }
}

void lmd_stream_compress(const void *bytes, size_t n_bytes, int level, lmd_text *out)
{
    ZSTD_CCtx *const context = ZSTD_createCCtx();
    if (!context ||
        ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1))) {
        lmd_log_fatal(LMD_RESOURCE, "no zstd encoder can be made");
    }
    const size_t bound = ZSTD_compressBound(n_bytes);
    char *const end = lmd_text_reserve(out, bound);
    const size_t written = ZSTD_compress2(context, end, bound, bytes, n_bytes);
    if (ZSTD_isError(written)) {
        lmd_log_fatal(LMD_RESOURCE, "zstd can't compress %zu bytes: %s", n_bytes,
                      ZSTD_getErrorName(written));
    }
    out->size += written;
    out->bytes[out->size] = 0;
    (void)ZSTD_freeCCtx(context);
}

/* Decodes all of `input`, in pieces: what a frame says of its size is not believed. */
static lmd_status decompress_all(ZSTD_DCtx *context, ZSTD_inBuffer *input, size_t limit,
                                 lmd_text *out)
{
    const size_t start = out->size;
    size_t hint = 1;
    while (!(hint == 0 && input->pos == input->size)) {
        const size_t before = input->pos;
        ZSTD_outBuffer output = {lmd_text_reserve(out, REQUEST_SIZE), REQUEST_SIZE, 0};
        hint = ZSTD_decompressStream(context, &output, input);
        if (ZSTD_isError(hint)) {
            return lmd_status_set(LMD_INPUT, "damaged zstd data near byte %zu: %s",
                                  input->pos, ZSTD_getErrorName(hint));
        }
        if (hint != 0 && output.pos == 0 && input->pos == before) {
            return lmd_status_set(LMD_INPUT, "truncated zstd data at byte %zu",
                                  input->size);
        }
        out->size += output.pos;
        out->bytes[out->size] = 0;
        if (out->size - start > limit) {
            return lmd_status_set(LMD_INPUT, "zstd data of more than %zu bytes", limit);
        }
    }
    return LMD_OK;
}

lmd_status lmd_stream_decompress(const void *bytes, size_t n_bytes, size_t limit,
                                 lmd_text *out)
{
    const size_t start = out->size;
    ZSTD_DCtx *const context = ZSTD_createDCtx();
    if (!context) {
        lmd_log_fatal(LMD_RESOURCE, "no zstd decoder can be made");
    }
    ZSTD_inBuffer input = {bytes, n_bytes, 0};
    const lmd_status status = decompress_all(context, &input, limit, out);
    if (status != LMD_OK && out->bytes) {
        out->size = start;
        out->bytes[start] = 0;
    }
    (void)ZSTD_freeDCtx(context);
    return status;
}
