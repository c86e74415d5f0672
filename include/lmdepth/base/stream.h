/* A file read once from front to end, decompressed as its name says (.zst, .gz, else
 * plain), hashed while it is read. Several frames or members are read to the end. */
#ifndef LMDEPTH_BASE_STREAM_H
#define LMDEPTH_BASE_STREAM_H

#include <stddef.h>              /* size_t */
#include <stdint.h>              /* uint64_t */
#include <lmdepth/base/hash.h>   /* LMD_SHA256_HEX */
#include <lmdepth/base/status.h> /* lmd_status */
#include <lmdepth/base/text.h>   /* lmd_text */

typedef struct lmd_stream lmd_stream;

/* Statuses as lmd_file_open. */
lmd_status lmd_stream_open(lmd_stream **out, const char *path);

/* Up to n_bytes of decompressed text; *got < n_bytes only at the end, 0 from then on.
 * A truncated or damaged file: LMD_INPUT with path and (compressed) byte. */
lmd_status lmd_stream_read(lmd_stream *stream, void *out, size_t n_bytes, size_t *got);

/* Bytes of the file, as stored, that were decoded so far. */
uint64_t lmd_stream_stored(const lmd_stream *stream);

/* After the end was reached: sha256 of the file's bytes as stored. */
void lmd_stream_sha256(lmd_stream *stream, char hex[LMD_SHA256_HEX]);

void lmd_stream_close(lmd_stream *stream); /* accepts NULL */

/* Compresses a buffer with zstd (level, frame checksum) and back; results appended.
 * Damaged input: LMD_INPUT. `limit`: largest size accepted. */
void lmd_stream_compress(const void *bytes, size_t n_bytes, int level, lmd_text *out);
lmd_status lmd_stream_decompress(const void *bytes, size_t n_bytes, size_t limit,
                                 lmd_text *out);

#endif
